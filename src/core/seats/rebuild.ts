/**
 * How a seat gets its voice back without its last holder: that one was removed, or its disk is lost.
 *
 * Of a write that two voices acknowledged, the lost one and another, that other one has it, and nobody knows which: so
 * every other seat's holder is copied. Each first *fences* the seat, durably: from then on its answers make older ones
 * in that seat's name void. Without that the holder that was taken for dead could go on, and together with one that was
 * copied already acknowledge what the new one never sees.
 *
 * Two seats of a partition must not be rebuilt at once: each would wait for the other's voice, or copy one that
 * is void already. So a holder promises itself to one (`Grant`), and whoever rebuilds asks in the order of the seats,
 * waiting for each: that some order exists is what keeps them from waiting for one another.
 *
 * A rebuild needs every other seat's voice. Where one is missing, only an operator can go on, and is told what may be
 * lost.
 */

import type { NodeId } from "../ids.ts";
import type { Voice } from "../quorum/voice.ts";
import { type Epoch, nextGeneration } from "./epoch.ts";
import { type Filled, hasNothing, type KnownSeats, knownSeat, withFence, withFilled, withHolder } from "./known.ts";
import { type Grant, type Hold, holdWithout, type SeatRecord, voiceOf } from "./record.ts";

/** Which other seat has no holder, as far as is known: then a rebuild would be in vain, and only stand in its way. */
export function lostBeside(known: KnownSeats, seat: number, seats: number): number | undefined {
  for (let other = 0; other < seats; other++) {
    const { holder } = knownSeat(known, other);
    if (other !== seat && !hasNothing(known, other) && holder === undefined) return other;
  }
  return undefined;
}

/**
 * Whether a seat that was held seems to have been the only one with a holder. There may be another all the same: whoever
 * filled it had the leave of the lost holder alone, who is not there to tell. So the seat is not rebuilt from nothing
 * before another holder is heard of, or an operator says that there is none. That is not about a holder that rebuilds its
 * own seat, since others have fenced it: it has all that there is, and nobody filled another without its leave.
 */
export function knowsNoOther(known: KnownSeats, seat: number, seats: number): boolean {
  if (seats < 2 || hasNothing(known, seat)) return false;
  return known.every((_, other) => other === seat || hasNothing(known, other));
}

/** A node begins to rebuild a seat; undefined while it holds another one, or hands one over. */
export function beginRebuild(record: SeatRecord, seat: number, self: NodeId): SeatRecord | undefined {
  const { hold, known } = record;
  if (hold.kind === "sealed" || hold.kind === "rebuilding") return undefined;
  if (hold.kind === "active" && hold.seat !== seat) return undefined;
  const { held: lost, fence } = knownSeat(known, seat);
  const epoch = nextGeneration(fence);
  const rebuilding: Hold = { kind: "rebuilding", seat, epoch, lost, isHolder: hold.kind === "active", copied: [] };
  return { ...record, hold: rebuilding, known: withFence(known, seat, epoch, self) };
}

/** It will never speak at the epoch of that rebuild. */
export function giveUpRebuild(record: SeatRecord): SeatRecord {
  return record.hold.kind === "rebuilding" ? { ...record, hold: holdWithout(record.hold) } : record;
}

/**
 * A holder grants a rebuild: it has fenced the seat once this is on its disk, and may be copied from then on. Undefined
 * if it has no voice itself, knows of something newer, or is promised to another seat's rebuild.
 */
export function grantRebuild(record: SeatRecord, seat: number, epoch: Epoch, by: NodeId): SeatRecord | undefined {
  const { known, grant } = record;
  const voice = voiceOf(record);
  if (voice === undefined || voice.seat === seat) return undefined;
  const { fence, fencedBy } = knownSeat(known, seat);
  if (epoch < fence || (epoch === fence && fencedBy !== by)) return undefined;
  // Another one's, at the very same epoch: which of the two is named by the fence is no promise.
  if (grant?.seat === seat && grant.epoch === epoch && grant.by !== by) return undefined;
  if (grant !== undefined && grant.seat !== seat && isStanding(record)) return undefined;
  const before = chained(promises(record).filter((earlier) => earlier.by !== by));
  return { ...record, known: withFence(known, seat, epoch, by), grant: { seat, epoch, by, ...(before && { before }) } };
}

/** Whether the node is promised to a rebuild that has not come to its end, as far as it knows. */
export function isStanding({ known, grant }: SeatRecord): boolean {
  return grant !== undefined && knownSeat(known, grant.seat).held < grant.epoch;
}

/**
 * Whether the node has promised itself to another one for this very seat, who may yet come to its end, or has: if both
 * did, the first would speak on to whoever has not heard of the second, and a read of one answer miss what that one took.
 */
export function isAnothers(record: SeatRecord, seat: number, by: NodeId, isGone: (node: NodeId) => boolean): boolean {
  return promises(record).some((promise) => promise.seat === seat && promise.by !== by && !isGone(promise.by));
}

/**
 * The promises that stand, the newest first. Who rebuilds a seat anew takes nothing back of what was promised to another
 * before: that one may speak by now, with nobody here to know it, while the newer one gives up.
 */
export function promises({ known, grant }: SeatRecord): readonly Grant[] {
  const standing: Grant[] = [];
  for (let one = grant; one !== undefined; one = one.before) {
    if (knownSeat(known, one.seat).held < one.epoch) standing.push(one);
  }
  return standing;
}

function chained(grants: readonly Grant[]): Grant | undefined {
  return grants.reduceRight<Grant | undefined>((before, { seat, epoch, by }) => {
    return { seat, epoch, by, ...(before && { before }) };
  }, undefined);
}

/**
 * The rebuild that was granted has been given up, says the one whose it was: what another one was promised since, for the
 * same seat and perhaps at the same epoch, stays. So does the fence.
 */
export function releaseGrant(record: SeatRecord, { seat, epoch, by }: Omit<Grant, "before">): SeatRecord {
  const { hold, known } = record;
  const all = promises(record);
  const left = all.filter((one) => one.seat !== seat || one.epoch !== epoch || one.by !== by);
  if (left.length === all.length) return record;
  const grant = chained(left);
  return { hold, known, ...(grant && { grant }) };
}

/** A holder that has granted this rebuild was copied since; `from` is the voice it had then. */
export function withCopied(record: SeatRecord, from: Voice): SeatRecord {
  const { hold } = record;
  if (hold.kind !== "rebuilding" || hold.seat === from.seat) return record;
  const others = hold.copied.filter(({ seat }) => seat !== from.seat);
  return { ...record, hold: { ...hold, copied: [...others, from] } };
}

/** The next seat whose holder is to be asked, in the order that all rebuilds keep; undefined once none is. */
export function nextToCopy({ hold, known }: SeatRecord, seats: number): number | undefined {
  if (hold.kind !== "rebuilding") return undefined;
  for (let seat = 0; seat < seats; seat++) {
    // What nobody has ever held acknowledged nothing; what was vacated, the others have.
    if (seat === hold.seat || hasNothing(known, seat)) continue;
    const copied = hold.copied.find((voice) => voice.seat === seat);
    if (copied === undefined || copied.epoch < knownSeat(known, seat).held) return seat;
  }
  return undefined;
}

/**
 * The rebuilt seat speaks; undefined while something is still to be copied. All copies must be on this node's disk. They
 * fill it for the changes of n that all who were copied knew of then, if that was the same set.
 */
export function finishRebuild(
  record: SeatRecord,
  seats: number,
  self: NodeId,
  filled?: Filled,
): SeatRecord | undefined {
  const { hold, known } = record;
  if (hold.kind !== "rebuilding" || nextToCopy(record, seats) !== undefined) return undefined;
  const { seat, epoch } = hold;
  const held = withHolder(known, seat, epoch, self);
  const after = filled === undefined ? held : withFilled(held, seat, filled);
  // A holder that rebuilds its own seat may be promised to another's.
  return { ...record, hold: { kind: "active", seat, epoch }, known: after };
}
