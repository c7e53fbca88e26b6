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
 * Whoever has not heard counts one seat more, and so asks for as much or more. One who joins later fills the seat anew.
 */

import type { NodeId } from "../ids.ts";
import { afterHandOver, nextGeneration } from "./epoch.ts";
import { knownSeat, withHolder, withVacancy } from "./known.ts";
import { grantRebuild, promises, releaseGrant } from "./rebuild.ts";
import { type Hold, type SeatRecord, voiceOf } from "./record.ts";

/** The holder falls silent for nobody's sake; undefined if it does not speak. */
export function sealForNobody(record: SeatRecord, self: NodeId): SeatRecord | undefined {
  const { hold } = record;
  if (hold.kind !== "active") return undefined;
  return { ...record, hold: { ...hold, kind: "sealed", to: { node: self, incarnation: "" } } };
}

/** Whether the node is silent for nobody's sake. */
export function isForNobody(hold: Hold, self: NodeId): boolean {
  return hold.kind === "sealed" && hold.to.node === self;
}

/** The seat is vacated: every other seat's holder has, on its disk, what this one had when it was sealed. */
export function vacate({ hold, known }: SeatRecord, self: NodeId): SeatRecord | undefined {
  if (hold.kind !== "sealed" || !isForNobody(hold, self)) return undefined;
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

/** The holder of another seat begins to vacate one that is lost, and helps to rebuild no other meanwhile. */
export function beginVacating(record: SeatRecord, seat: number, self: NodeId): SeatRecord | undefined {
  return grantRebuild(record, seat, nextGeneration(knownSeat(record.known, seat).fence), self);
}

/** It gives that up for good. */
export function giveUpVacating(record: SeatRecord, self: NodeId): SeatRecord | undefined {
  const own = promises(record).find(({ by }) => by === self);
  return own === undefined ? undefined : releaseGrant(record, own);
}

/**
 * The lost seat is vacated: since each of the others has fenced it, all of them were copied, and then given what all had
 * together. Undefined where somebody was faster, or this node does not speak any more.
 */
export function finishVacating(record: SeatRecord, self: NodeId): SeatRecord | undefined {
  const { hold, known, grant } = record;
  if (grant === undefined || grant.by !== self || voiceOf(record) === undefined) return undefined;
  const { held, fence, fencedBy } = knownSeat(known, grant.seat);
  if (held >= grant.epoch || fence !== grant.epoch || fencedBy !== self) return undefined;
  return { hold, known: withVacancy(known, grant.seat, grant.epoch) };
}
