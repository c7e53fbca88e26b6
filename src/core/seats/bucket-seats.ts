/**
 * Which of a partition's seats keep a bucket's keys, and who is to be asked for each (§4.3, §4.5).
 *
 * A bucket of n copies uses the first n seats of a fixed order of their *numbers*: a seat that passes to another node
 * moves no other. Seats that nobody has held or fenced yet do not exist: a cluster smaller than N keeps as many copies
 * as it has. The holder that lets a new seat be filled knows of its fence, and says so in every answer from then on; so
 * whoever counts its answers counts by the greater number.
 */

import type { NodeId, PartitionId } from "../ids.ts";
import { draw } from "../ring/draw.ts";
import { copiesInUse, preferenceOrder } from "../ring/preference-list.ts";
import type { Ring } from "../ring/ring.ts";
import { neverHeld } from "./epoch.ts";
import { isBeingRebuilt, type KnownSeats, knownSeat } from "./known.ts";

/** A seat that keeps a key, and the node that is to be asked for it. */
export interface SeatOwner {
  readonly seat: number;
  readonly node: NodeId;
}

/** How many seats a partition is to have: the cluster's N, or the most copies that a bucket asks for. */
export function seatsWanted(ring: Ring): number {
  return Math.max(ring.settings.n, ...copiesInUse(ring));
}

/** Who shall own the partition, by the seat that the ring gives it; fewer than `seatsWanted` where members are fewer. */
export function wantedOwners(ring: Ring, partition: PartitionId): readonly NodeId[] {
  const table = ring.seats[partition] ?? [];
  const wanted = seatsWanted(ring);
  if (table.length >= wanted || table.length === ring.size) return table;
  const others = preferenceOrder(ring, partition).filter((node) => !table.includes(node));
  return [...table, ...others].slice(0, wanted);
}

/** All numbers of seats in the order in which buckets use them: those of the ring's table by chance, then the others. */
export function seatOrder(ring: Ring, partition: PartitionId, most: number): readonly number[] {
  const { n } = ring.settings;
  const drawn = Array.from({ length: n }, (_, seat) => ({ seat, at: draw({ high: 0, low: seat }, partition, 0) }));
  const table = drawn.sort((a, b) => a.at - b.at).map(({ seat }) => seat);
  return [...table, ...Array.from({ length: Math.max(0, most - n) }, (_, i) => n + i)];
}

/** The seats that keep the keys of a bucket of n copies, as far as is known. */
export function bucketSeats(order: readonly number[], known: KnownSeats, n: number): readonly number[] {
  const seats: number[] = [];
  for (const seat of order) {
    if (seats.length === n) break;
    if (knownSeat(known, seat).fence !== neverHeld) seats.push(seat);
  }
  return seats;
}

/** Who is to be asked for a seat: whoever rebuilds it, else its holder, else somebody who may come to hold it. */
export function askedFor(ring: Ring, partition: PartitionId, known: KnownSeats, seat: number): NodeId | undefined {
  const { holder, fencedBy } = knownSeat(known, seat);
  const holders = new Set(known.map((other, i) => (i === seat ? undefined : other.holder)));
  // One that began and holds another seat by now has given it up.
  const mayRebuild = fencedBy !== undefined && ring.members.has(fencedBy) && !holders.has(fencedBy);
  if (isBeingRebuilt(known, seat) && mayRebuild) return fencedBy;
  if (holder !== undefined) return holder;
  return wantedOwners(ring, partition).find((node) => !holders.has(node)) ?? fencedBy;
}
