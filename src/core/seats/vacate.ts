/**
 * How a partition comes to have fewer seats: members have become fewer than that, so nobody is to have a seat that a
 * leaving member holds, or that is lost.
 *
 * A seat that stays without a holder would be waited for by every request that wants all of them. So it is *vacated*: it
 * counts no more, once the holders of all other seats have all that was acknowledged in its name. If one of them
 * lacked some of it, a read of fewer seats could miss a write that the vacated one was counted for.
 *
 * - A holder that is there seals the seat for nobody, gives all it has to every other seat's holder, and says that the
 *   seat is vacated, one epoch later. If it cannot, it goes on, one more epoch later.
 * - In the place of one that is lost, another seat's holder has all the others fence it, copies them, and gives all of it
 *   to each, as for a rebuild (`rebuild.ts`): what the lost one was counted for, at least one of them has.
 *
 * What was given counts only where the one it was given to *speaks* for its seat, and that after the own seal. If it were
 * enough that it has the same, two holders could each vacate its seat since the other has all, and nobody would be left:
 * both sides of a split may have told the other to leave. So the last seat is vacated by nobody, either.
 *
 * Only where every bucket uses all seats there are: where one keeps fewer copies, another seat would have to serve it
 * from then on, which has nothing of it. That must hold at the end, too: n may change meanwhile.
 *
 * Whoever has not heard counts one seat more, and so asks for as much or more. One who joins later fills the seat anew.
 */

import type { NodeId } from "../ids.ts";
import type { Voice } from "../quorum/voice.ts";
import { afterHandOver, nextGeneration } from "./epoch.ts";
import { hasNothing, isOutdated, isVacant, type KnownSeats, knownSeat, withHolder, withVacancy } from "./known.ts";
import { grantRebuild, promises, releaseGrant } from "./rebuild.ts";
import { type Hold, type SeatRecord, voiceOf } from "./record.ts";
import { surplusSeats, unseated } from "./wanted.ts";

/** What a node sees of the others. */
export interface Sight {
  readonly isUp: (node: NodeId) => boolean;
  /** Whether nobody holds the seat any more who could give it away: there is no holder, or it is gone for good. */
  readonly isLost: (holder: NodeId | undefined) => boolean;
}

/**
 * The seat that this node is to vacate: its own, or one that is lost, if it is the first holder that is up, owners before
 * those who leave; two at once would stand in each other's way. While a member that leaves is there it is a voice, and a copy: it stays until each
 * owner has a seat.
 */
export function seatToVacate(
  { hold, known }: SeatRecord,
  self: NodeId,
  owners: readonly NodeId[],
  { isUp, isLost }: Sight,
): number | undefined {
  if (hold.kind !== "active") return undefined;
  const surplus = surplusSeats(owners, known);
  if (surplus.includes(hold.seat) && unseated(owners, known).length === 0) return hold.seat;
  const holders = known.flatMap(({ holder }) => (holder !== undefined && isUp(holder) ? [holder] : []));
  const first = holders.find((holder) => owners.includes(holder)) ?? holders[0];
  return first === self ? surplus.find((seat) => isLost(knownSeat(known, seat).holder)) : undefined;
}

/** The voices of those who were given all, as they were while that was done, by seat. */
export type Given = ReadonlyMap<number, Voice>;

/**
 * Whether the seat may be vacated: nobody ever spoke for it, or every bucket uses all seats that there are. `copies`: how
 * many each keeps.
 */
export function mayVacate(known: KnownSeats, seat: number, copies: readonly number[]): boolean {
  if (hasNothing(known, seat)) return true;
  const there = known.filter((_, other) => !isVacant(known, other)).length;
  return copies.every((n) => n >= there);
}

/**
 * The seats that somebody has spoken for, but the one that is vacated and the node's own: their holders are to be given
 * all. Nobody waits for one that is only being filled: who does that may have given it up for good.
 */
export function seatsToGive({ hold, known }: SeatRecord, vacated: number): readonly number[] {
  const own = "seat" in hold ? hold.seat : undefined;
  return known.flatMap((_, seat) => (hasNothing(known, seat) || seat === vacated || seat === own ? [] : [seat]));
}

function isGiven(known: KnownSeats, seat: number, given: Given): boolean {
  const voice = given.get(seat);
  return voice !== undefined && voice.epoch >= knownSeat(known, seat).held && !isOutdated(voice, known);
}

/**
 * The holder falls silent for nobody's sake; undefined if it does not speak, or has promised itself to a rebuild: that may
 * have copied it already, and would end without what is given to others now.
 */
export function sealForNobody(record: SeatRecord, self: NodeId): SeatRecord | undefined {
  const { hold } = record;
  if (hold.kind !== "active" || promises(record).length > 0) return undefined;
  return { ...record, hold: { ...hold, kind: "sealed", to: { node: self, incarnation: "" } } };
}

/** Whether the node is silent for nobody's sake. */
export function isForNobody(hold: Hold, self: NodeId): boolean {
  return hold.kind === "sealed" && hold.to.node === self;
}

/**
 * The seat is vacated: every other seat's holder spoke since this one was sealed, and has, on its disk, what this one had
 * then. Undefined while that is not so, or may not be done.
 */
export function vacate(
  record: SeatRecord,
  self: NodeId,
  given: Given,
  copies: readonly number[],
): SeatRecord | undefined {
  const { hold, known } = record;
  if (hold.kind !== "sealed" || !isForNobody(hold, self) || !mayVacate(known, hold.seat, copies)) return undefined;
  const others = seatsToGive(record, hold.seat);
  if (others.length === 0 || !others.every((seat) => isGiven(known, seat, given))) return undefined;
  return { hold: { kind: "none" }, known: withVacancy(known, hold.seat, afterHandOver(hold.epoch)) };
}

/** The holder speaks again: it could not give to all others what it has. */
export function goOn(record: SeatRecord, self: NodeId): SeatRecord | undefined {
  const { hold, known } = record;
  if (hold.kind !== "sealed" || !isForNobody(hold, self)) return undefined;
  const epoch = afterHandOver(afterHandOver(hold.epoch));
  const active = { kind: "active", seat: hold.seat, epoch } as const;
  return { ...record, hold: active, known: withHolder(known, hold.seat, epoch, self) };
}

/**
 * The holder of another seat begins to vacate one that is lost, and helps to rebuild no other meanwhile; undefined while
 * it has promised that to somebody for this seat who may yet end it, or have ended it: nobody has lost anything then.
 */
export function beginVacating(
  record: SeatRecord,
  seat: number,
  self: NodeId,
  { isLost }: Pick<Sight, "isLost">,
): SeatRecord | undefined {
  if (promises(record).some(({ by }) => by !== self && !isLost(by))) return undefined;
  return grantRebuild(record, seat, nextGeneration(knownSeat(record.known, seat).fence), self);
}

/** It gives that up for good. */
export function giveUpVacating(record: SeatRecord, self: NodeId): SeatRecord | undefined {
  const own = promises(record).find(({ by }) => by === self);
  return own === undefined ? undefined : releaseGrant(record, own);
}

/**
 * The lost seat is vacated: since each of the others has fenced it, all of them were copied, and then given what all had
 * together, but for those that are gone `without`. Undefined where that is not so, or may not be done, where somebody was
 * faster, or this node does not speak any more.
 */
export function finishVacating(
  record: SeatRecord,
  self: NodeId,
  given: Given,
  copies: readonly number[],
  without: readonly number[] = [],
): SeatRecord | undefined {
  const { hold, known, grant } = record;
  if (grant?.by !== self || voiceOf(record) === undefined) return undefined;
  if (!mayVacate(known, grant.seat, copies)) return undefined;
  const { held, fence, fencedBy } = knownSeat(known, grant.seat);
  if (held >= grant.epoch || fence !== grant.epoch || fencedBy !== self) return undefined;
  const others = seatsToGive(record, grant.seat).filter((seat) => !without.includes(seat));
  if (!others.every((seat) => isGiven(known, seat, given))) return undefined;
  return { hold, known: withVacancy(known, grant.seat, grant.epoch) };
}
