/**
 * What a node knows of a partition's seats: for each the newest epoch, and who holds it.
 *
 * It may be old, and that is no danger by itself: a holder that has handed its seat over says nothing any more. One
 * that was taken for dead may still speak, though. So each answer carries what its node knows, and **an answer that is
 * older than what another answer's node knows does not count** (law): whoever took the dead one's place had every other
 * holder of the partition remember that, durably, before it copied them.
 *
 * Knowledge merges by maximum, so it does not matter who tells whom, in what order, or how often.
 */

import type { NodeId } from "../ids.ts";
import type { Voice } from "../quorum/voice.ts";
import { type Epoch, firstEpoch, neverHeld } from "./epoch.ts";

/** A set of changes of buckets' n: so many, and the hash that names them (`core/ring/eras.ts`). */
export interface Filled {
  readonly count: number;
  readonly hash: number;
}

/** One seat as a node knows it. */
export interface KnownSeat {
  /** The newest epoch at which the seat is known to have had a voice. */
  readonly held: Epoch;
  /** Who has it since. Absent for a seat that nobody has held yet, and for one whose holder says that it is lost. */
  readonly holder?: NodeId;
  /** No answer in the seat's name counts if it is older. Above `held` while the seat is being rebuilt. */
  readonly fence: Epoch;
  /** Who rebuilds it, while the fence is above `held`; of several, the one with the least id. */
  readonly fencedBy?: NodeId;
  /**
   * It was vacated at that epoch (`vacate.ts`): nobody has it, and whatever it had, the other seats' holders have. It is
   * no seat until somebody is let fill it.
   */
  readonly wasVacated?: true;
  /** For which changes of n its holder says that it has all it must have (`filled.ts`). It passes on with a hand-over. */
  readonly filled?: Filled;
}

/** By seat. */
export type KnownSeats = readonly KnownSeat[];

/** What all know of a partition whose seats had these holders from the beginning. */
export function firstHolders(holders: readonly NodeId[]): KnownSeats {
  return holders.map((holder) => ({ held: firstEpoch, holder, fence: firstEpoch }));
}

const unknownSeat: KnownSeat = { held: neverHeld, fence: neverHeld };

export function knownSeat(known: KnownSeats, seat: number): KnownSeat {
  return known[seat] ?? unknownSeat;
}

/** What both together know; `a` itself where `b` adds nothing. */
export function uniteKnown(a: KnownSeats, b: KnownSeats): KnownSeats {
  const count = Math.max(a.length, b.length);
  const united = Array.from({ length: count }, (_, seat) => uniteSeat(knownSeat(a, seat), knownSeat(b, seat)));
  return count === a.length && united.every((seat, i) => seat === a[i]) ? a : united;
}

function uniteSeat(a: KnownSeat, b: KnownSeat): KnownSeat {
  const isLost = b.held === a.held && a.holder !== undefined && b.holder === undefined;
  const isFencer = isAheadIn(b, a) && b.fence > a.held;
  const isFuller = b.held === a.held && isMore(b.filled, a.filled);
  if (b.held <= a.held && b.fence <= a.fence && !isLost && !isFencer && !isFuller) return a;
  const { held, holder, wasVacated } = isLost || b.held > a.held ? b : a;
  const { fence, fencedBy } = isAheadIn(b, a) ? b : a;
  const { filled } = b.held > a.held || isFuller ? b : a;
  const isUnderWay = fencedBy !== undefined && fence > held;
  return {
    held,
    ...(holder && { holder }),
    fence,
    ...(isUnderWay && { fencedBy }),
    ...(wasVacated && { wasVacated }),
    ...(filled && { filled }),
  };
}

/** Whose fence counts. Two may have begun at the same epoch, and all must come to name the same one. */
function isAheadIn(a: KnownSeat, b: KnownSeat): boolean {
  if (a.fence !== b.fence) return a.fence > b.fence;
  return a.fencedBy !== undefined && (b.fencedBy === undefined || a.fencedBy < b.fencedBy);
}

/** A holder's changes only become more. */
function isMore(a: Filled | undefined, b: Filled | undefined): boolean {
  if (a === undefined || b === undefined) return a !== undefined;
  return a.count === b.count ? a.hash > b.hash : a.count > b.count;
}

/** The same, as one knows it who is said to hold seats and does not: only the holder itself can know that. */
export function withoutHolder(known: KnownSeats, self: NodeId, seatHeld: number | undefined): KnownSeats {
  const isLost = ({ holder }: KnownSeat, seat: number): boolean => holder === self && seat !== seatHeld;
  if (!known.some(isLost)) return known;
  return known.map((is, seat) => (isLost(is, seat) ? lostSeat(is) : is));
}

function lostSeat({ holder: _, ...rest }: KnownSeat): KnownSeat {
  return rest;
}

/** That a holder speaks for the seat at this epoch. It has yet to say for what it has filled it. */
export function withHolder(known: KnownSeats, seat: number, epoch: Epoch, holder: NodeId): KnownSeats {
  return withSeat(known, seat, { held: epoch, holder, fence: epoch });
}

/** That the seat was vacated at this epoch. */
export function withVacancy(known: KnownSeats, seat: number, epoch: Epoch): KnownSeats {
  return withSeat(known, seat, { held: epoch, fence: epoch, wasVacated: true });
}

/** Whether there is no such seat: nobody has held it, or was let fill it, since it was vacated last, or ever. */
export function isVacant(known: KnownSeats, seat: number): boolean {
  const { held, fence, wasVacated } = knownSeat(known, seat);
  return fence === neverHeld || (wasVacated === true && fence === held);
}

/** Whether the seat has nothing that another has not: nobody has held it since it was vacated last, or ever. */
export function hasNothing(known: KnownSeats, seat: number): boolean {
  const { held, wasVacated } = knownSeat(known, seat);
  return held === neverHeld || wasVacated === true;
}

/** Whether a seat was vacated of which one that knew only `before` did not know it. */
export function isNewlyVacated(before: KnownSeats, known: KnownSeats): boolean {
  return known.some(({ held, wasVacated }, seat) => wasVacated === true && held > knownSeat(before, seat).held);
}

/** The same, of a seat that has passed to another holder, who has all that the one before had. */
export function withNextHolder(known: KnownSeats, seat: number, epoch: Epoch, holder: NodeId): KnownSeats {
  const { filled } = knownSeat(known, seat);
  return withSeat(known, seat, { held: epoch, holder, fence: epoch, ...(filled && { filled }) });
}

/** That the holder of the seat has filled it. */
export function withFilled(known: KnownSeats, seat: number, filled: Filled): KnownSeats {
  return withSeat(known, seat, { ...knownSeat(known, seat), filled });
}

/** That nobody speaks for the seat any more who did so before this epoch. */
export function withFence(known: KnownSeats, seat: number, epoch: Epoch, fencedBy: NodeId): KnownSeats {
  return withSeat(known, seat, { held: neverHeld, fence: epoch, fencedBy });
}

function withSeat(known: KnownSeats, seat: number, is: KnownSeat): KnownSeats {
  const alone = Array.from({ length: seat + 1 }, (_, i) => (i === seat ? is : unknownSeat));
  return uniteKnown(known, alone);
}

/** Whether what was said with this voice must not be counted by one who knows this. */
export function isOutdated({ seat, epoch }: Voice, known: KnownSeats): boolean {
  return epoch < knownSeat(known, seat).fence;
}

/** Whether somebody is rebuilding the seat, as far as is known. */
export function isBeingRebuilt(known: KnownSeats, seat: number): boolean {
  const { held, fence } = knownSeat(known, seat);
  return fence > held;
}

/** Whether somebody is filling the seat, which nobody has held yet, or since it was vacated. */
export function isBeingFilled(known: KnownSeats, seat: number): boolean {
  return isBeingRebuilt(known, seat) && hasNothing(known, seat);
}
