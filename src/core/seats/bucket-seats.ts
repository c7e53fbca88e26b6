/**
 * Which of a partition's seats keep a bucket's keys, and who is to be asked for each (§4.3, §4.5).
 *
 * A bucket of n copies uses the first n seats of a fixed order of their *numbers*: a seat that passes to another node
 * moves no other. Seats that nobody has held or fenced yet, or since they were vacated, are *vacant*. They have
 * acknowledged nothing that others lack, so a read that
 * hears of none of them misses nothing: reads count by the seats that are not vacant. A write counts by all, since W
 * nodes are to hold it: whoever is to fill a vacant seat keeps a copy like one that stands in, without a voice. The
 * holder that lets a new seat be filled knows of its fence, and says so in every answer from then on; so whoever counts
 * its answers counts by the greater number.
 *
 * Law: no two seats are asked of one node, or one copy would count for two.
 */

import type { NodeId, PartitionId } from "../ids.ts";
import { draw } from "../ring/draw.ts";
import { preferenceOrder } from "../ring/preference-list.ts";
import type { Ring } from "../ring/ring.ts";
import { isBeingRebuilt, isVacant, type KnownSeats, knownSeat } from "./known.ts";

/** A seat that keeps a key, and the node that is to be asked for it. */
export interface SeatOwner {
  readonly seat: number;
  readonly node: NodeId;
  /** Nobody has held or fenced the seat, as far as is known. */
  readonly isVacant: boolean;
}

/** How many seats a partition is to have: the cluster's N, or the most copies that a bucket asks for, or ever did. */
export function seatsWanted({ copies, eras }: Ring): number {
  return Math.max(copies.at(-1) as number, eras.most);
}

/** Who shall own the partition, by the seat that the ring gives it; fewer than `seatsWanted` where members are fewer. */
export function wantedOwners(ring: Ring, partition: PartitionId): readonly NodeId[] {
  const known = ring.wanted.get(partition);
  if (known !== undefined) return known;
  const table = ring.seats[partition] ?? [];
  const others = preferenceOrder(ring, partition).filter((node) => !table.includes(node));
  const wanted = [...table, ...others].slice(0, Math.max(table.length, seatsWanted(ring)));
  ring.wanted.set(partition, wanted);
  return wanted;
}

/** All numbers of seats in the order in which buckets use them: those of the ring's table by chance, then the others. */
export function seatOrder(ring: Ring, partition: PartitionId, most: number): readonly number[] {
  const { n } = ring.settings;
  const drawn = Array.from({ length: n }, (_, seat) => ({ seat, at: draw({ high: 0, low: seat }, partition, 0) }));
  const table = drawn.sort((a, b) => a.at - b.at).map(({ seat }) => seat);
  return [...table, ...Array.from({ length: Math.max(0, most - n) }, (_, i) => n + i)];
}

/** Whether the seat keeps the keys of a bucket of n copies, or would if it were the next to be filled. */
export function keepsBucket(order: readonly number[], known: KnownSeats, n: number, seat: number): boolean {
  const there = order.filter((other) => other === seat || !isVacant(known, other));
  return there.slice(0, n).includes(seat);
}

/** The seats that keep the keys of a bucket of n copies, as far as is known. */
export function bucketSeats(order: readonly number[], known: KnownSeats, n: number): readonly number[] {
  return order.filter((seat) => !isVacant(known, seat)).slice(0, n);
}

/**
 * The same seats, and so many vacant ones that n are asked, or as many as there are nodes that could take them; each
 * with the node that is to be asked for it. Those that are vacant come last.
 */
export function seatOwners(
  ring: Ring,
  partition: PartitionId,
  order: readonly number[],
  known: KnownSeats,
  n: number,
): readonly SeatOwner[] {
  const filled = bucketSeats(order, known, n);
  const vacant = order.filter((seat) => isVacant(known, seat)).slice(0, Math.max(0, n - filled.length));
  const asked = askedFor(ring, partition, known, Math.max(known.length, order.length));
  return [...filled, ...vacant].flatMap((seat) => {
    const node = asked.get(seat);
    return node === undefined ? [] : [{ seat, node, isVacant: isVacant(known, seat) }];
  });
}

/** Who is to be asked for each seat: whoever rebuilds it, else its holder, else one of those who may come to hold it. */
function askedFor(ring: Ring, partition: PartitionId, known: KnownSeats, seats: number): ReadonlyMap<number, NodeId> {
  const asked = new Map<number, NodeId>();
  const taken = new Set<NodeId>();
  const ask = (seat: number, node: NodeId | undefined): void => {
    if (node === undefined || taken.has(node) || asked.has(seat)) return;
    asked.set(seat, node);
    taken.add(node);
  };
  const numbers = Array.from({ length: seats }, (_, seat) => seat);
  for (const seat of numbers) {
    const { holder, fencedBy } = knownSeat(known, seat);
    const isElsewhere = known.some((is, other) => other !== seat && is.holder === fencedBy);
    // One that began and holds another seat by now has given it up.
    const mayRebuild = fencedBy !== undefined && ring.members.has(fencedBy) && !isElsewhere;
    if (isBeingRebuilt(known, seat) && mayRebuild) ask(seat, fencedBy);
    else ask(seat, holder);
  }
  const wanted = wantedOwners(ring, partition);
  for (const seat of numbers) ask(seat, wanted[seat]);
  for (const seat of numbers) ask(seat, wanted.find((node) => !taken.has(node)) ?? knownSeat(known, seat).fencedBy);
  return asked;
}
