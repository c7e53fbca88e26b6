/**
 * A partition's preference list: every member that stays, in the order in which they are to be asked for its keys (§4.3).
 *
 * First the seats, in a fixed permutation with new zones first, so that the first n of them serve a bucket with n < N
 * in as many zones as can be, and the load of such buckets is spread as evenly as the seats are. Then the fallbacks,
 * by weighted rendezvous hashing (one draw for each unit of capacity, the highest counts), zones not yet taken first:
 * a lost node's load falls on nearly all others, where the next node clockwise would take all of it.
 *
 * The first n are a bucket's owners, so n > N goes on into the fallbacks' order.
 */

import type { NodeId, PartitionId } from "../ids.ts";
import { mostCopies } from "../limits.ts";
import { draw, saltOf } from "./draw.ts";
import type { Member, Ring } from "./ring.ts";

export { bucketSettings, bucketVersion } from "./ring.ts";

export interface Preferred {
  readonly node: NodeId;
  readonly role: "owner" | "fallback";
}

/** The owners of a partition's keys in a bucket of n copies, most preferred first: min(n, size) of them. */
export function ownersOf(ring: Ring, partition: PartitionId, n: number): readonly NodeId[] {
  const place = partition * (mostCopies + 1) + n;
  const known = ring.owners.get(place);
  if (known !== undefined) return known;
  const owners = preferenceOrder(ring, partition).slice(0, n);
  ring.owners.set(place, owners);
  return owners;
}

/** Every member that stays, the owners first. */
export function preferenceList(ring: Ring, partition: PartitionId, n: number): readonly Preferred[] {
  return preferenceOrder(ring, partition).map((node, i) => ({ node, role: i < n ? "owner" : "fallback" }));
}

/** Every member that stays, in the partition's order of preference, which no bucket's n changes. */
export function preferenceOrder(ring: Ring, partition: PartitionId): readonly NodeId[] {
  const known = ring.orders.get(partition);
  if (known !== undefined) return known;
  const order = [...permutedSeats(ring, partition), ...fallbacksOf(ring, partition)];
  ring.orders.set(partition, order);
  return order;
}

/** Seats are permuted by their numbers, not by their holders, so that a new holder does not move the others. */
function permutedSeats(ring: Ring, partition: PartitionId): readonly NodeId[] {
  const holders = ring.seats[partition] ?? [];
  const seats = holders.map((node, seat) => ({ node, drawn: draw({ high: 0, low: seat }, partition, 0) }));
  const permuted = seats.sort((a, b) => a.drawn - b.drawn).map(({ node }) => node);
  return newZonesFirst(ring, permuted, new Set());
}

function fallbacksOf(ring: Ring, partition: PartitionId): readonly NodeId[] {
  const holders = ring.seats[partition] ?? [];
  const taken = new Set(holders.map((node) => (ring.members.get(node) as Member).zone));
  const others = [...ring.members.values()].filter(({ node, isLeaving }) => !isLeaving && !holders.includes(node));
  const ranked = others.map(({ node, capacity }) => ({ node, drawn: highestDraw(node, partition, capacity) }));
  ranked.sort((a, b) => b.drawn - a.drawn || (a.node < b.node ? -1 : 1));
  return newZonesFirst(
    ring,
    ranked.map(({ node }) => node),
    taken,
  );
}

function highestDraw(node: NodeId, partition: PartitionId, capacity: number): number {
  const salt = saltOf(node);
  let highest = 0;
  for (let unit = 1; unit <= capacity; unit++) highest = Math.max(highest, draw(salt, partition, unit));
  return highest;
}

/** The same nodes, those first that are each the first of their zone and whose zone is not in `taken`. */
function newZonesFirst(ring: Ring, nodes: readonly NodeId[], taken: Set<string>): readonly NodeId[] {
  const first: NodeId[] = [];
  const rest: NodeId[] = [];
  for (const node of nodes) {
    const { zone } = ring.members.get(node) as Member;
    if (taken.has(zone)) rest.push(node);
    else first.push(node);
    taken.add(zone);
  }
  return [...first, ...rest];
}
