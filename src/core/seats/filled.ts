/**
 * For which changes of buckets' n a seat is filled: its holder's mark on what all know of the seat.
 *
 * A seat is filled for a set of changes once its holder has copied the holder of every other seat there is, each while
 * that one knew the very same set. A holder never answers a request that knows less than itself, so nothing can be
 * acknowledged any more by one that knew less: the filled seat has all that ever was. That takes in all seats, whatever
 * n they are for: a write of two sides of a split that changed n differently may lie anywhere.
 *
 * What follows for a bucket: the seat is filled for its newest era within the set, and so for all eras before that, if
 * the newest one uses the seat at all. Otherwise the mark says nothing: the seat may have dropped the bucket's keys.
 */

import type { Voice } from "../quorum/voice.ts";
import type { Era, Eras } from "../ring/eras.ts";
import { bucketSeats } from "./bucket-seats.ts";
import { type Filled, isOutdated, isVacant, type KnownSeats, knownSeat } from "./known.ts";

/** The set of all changes that are known. */
export function allChanges({ hashes }: Eras): Filled {
  return { count: hashes.length - 1, hash: hashes.at(-1) as number };
}

/** Whether the seat is filled for all that is known. What nobody has changed needs no filling. */
export function isFilledForAll(eras: Eras, known: KnownSeats, seat: number): boolean {
  const { count, hash } = allChanges(eras);
  const filled = knownSeat(known, seat).filled;
  return count === 0 || (filled?.count === count && filled.hash === hash);
}

/**
 * The other seats whose holders are yet to be copied before this one is filled, given the voices that were copied so far,
 * each while it knew the same changes. A seat that is only being filled may come to speak with what its other holders
 * knew before they knew of this: it is waited for.
 */
export function leftToCopy(known: KnownSeats, own: number, copied: ReadonlyMap<number, Voice>): readonly number[] {
  const left: number[] = [];
  for (const [seat, { held }] of known.entries()) {
    if (seat === own || isVacant(known, seat)) continue;
    const voice = copied.get(seat);
    if (voice === undefined || voice.epoch < held || isOutdated(voice, known)) left.push(seat);
  }
  return left;
}

/** A bucket's eras, and what is known of the partition's seats. */
export interface EraSeats {
  readonly all: Eras;
  /** The bucket's, the oldest first. */
  readonly eras: readonly Era[];
  /** All numbers of seats in the order in which buckets use them. */
  readonly order: readonly number[];
  readonly known: KnownSeats;
}

/**
 * The eras whose quorums a request must meet: the newest one that each of its seats is filled for, and all after it.
 * Before any is, the first one is the newest.
 */
export function openEras(of: EraSeats): readonly Era[] {
  for (let i = of.eras.length - 1; i > 0; i--) if (isFilled(of, of.eras[i] as Era)) return of.eras.slice(i);
  return of.eras;
}

function isFilled({ all, eras, order, known }: EraSeats, era: Era): boolean {
  return bucketSeats(order, known, era.settings.n).every((seat) => {
    const filled = knownSeat(known, seat).filled;
    if (filled === undefined || filled.count <= era.place || all.hashes[filled.count] !== filled.hash) return false;
    const newest = eras.findLast(({ place }) => place < filled.count);
    return newest !== undefined && bucketSeats(order, known, newest.settings.n).includes(seat);
  });
}
