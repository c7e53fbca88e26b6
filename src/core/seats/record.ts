/**
 * What a node holds of a partition, and how a seat is handed over.
 *
 * The hand-over, and what goes wrong without each step:
 *
 * 1. The successor copies, as often as it likes. So far it counts for nothing.
 * 2. The holder *seals*: durably, it says nothing more in the seat's name. If it went on, a write could be
 *    acknowledged that the successor never sees.
 * 3. The successor copies what came since, from a holder that changes no more, and syncs it.
 * 4. It is active one epoch later, durably, and with the knowledge and the promise (`Grant`) of the one before it.
 * 5. The old holder drops its copy only when it learns of that epoch: until then its copy may be the only one.
 *
 * A successor that cannot finish *declines*, which it remembers for ever: the old holder goes on, one epoch later still.
 * Silence is no refusal: the successor may be active behind it. If the successor is gone for good, the seat is lost, and
 * is rebuilt from the others (`rebuild.ts`).
 *
 * These are functions from record to record. A record is to be on disk before anything is said or done that rests on it,
 * and in memory before that: from the moment of the decision, nothing is admitted that it forbids.
 */

import type { NodeId } from "../ids.ts";
import type { Voice } from "../quorum/voice.ts";
import { afterHandOver, type Epoch, generationOf } from "./epoch.ts";
import {
  isNewlyVacated,
  isOutdated,
  isVacant,
  type KnownSeats,
  knownSeat,
  uniteKnown,
  withNextHolder,
  withoutHolder,
} from "./known.ts";

/** A directory of a member: one that lost its disk and took its place again is another one under the same id. */
export interface Successor {
  readonly node: NodeId;
  readonly incarnation: string;
}

export type Hold =
  /** It holds nothing that others do not: whatever copy there is may go. */
  | { readonly kind: "none" }
  /** It speaks for the seat. */
  | { readonly kind: "active"; readonly seat: number; readonly epoch: Epoch }
  /** It spoke for the seat at this epoch, and hands it over. */
  | { readonly kind: "sealed"; readonly seat: number; readonly epoch: Epoch; readonly to: Successor }
  /** It is to speak for the seat, which is thought to be lost: see `rebuild.ts`. */
  | Rebuilding
  /** It has a copy without a voice; somebody with a voice is to merge it before it goes. */
  | { readonly kind: "former" };

export interface Rebuilding {
  readonly kind: "rebuilding";
  readonly seat: number;
  /** At which it will speak. */
  readonly epoch: Epoch;
  /** The one that is lost. If the seat is seen to have been held later than that, it is not, and this is given up. */
  readonly lost: Epoch;
  /** The node is the holder itself, and goes on speaking at the lost epoch, to whoever does not know of the fence. */
  readonly isHolder: boolean;
  /** What was copied so far, since a seat was last vacated: the voices that the holders of other seats had then. */
  readonly copied: readonly Voice[];
}

/** A holder's promise to one rebuild: until that seat speaks again, or it is given up, it helps to rebuild no other. */
export interface Grant {
  readonly seat: number;
  readonly epoch: Epoch;
  readonly by: NodeId;
  /** What it had promised for the same seat before, to another node, which has not said yet that it gave up. */
  readonly before?: Grant;
}

/** All that a node remembers of one partition's seats. */
export interface SeatRecord {
  readonly hold: Hold;
  readonly known: KnownSeats;
  readonly grant?: Grant;
}

/** What the holder tells its successor once it is silent. */
export interface HandOver {
  readonly seat: number;
  /** The successor's. */
  readonly epoch: Epoch;
  readonly to: Successor;
  readonly known: KnownSeats;
  readonly grant?: Grant;
}

/** What the node may answer with now. */
export function voiceOf({ hold }: SeatRecord): Voice | undefined {
  if (hold.kind === "active") return { seat: hold.seat, epoch: hold.epoch };
  return hold.kind === "rebuilding" && hold.isHolder ? { seat: hold.seat, epoch: hold.lost } : undefined;
}

/**
 * The holder falls silent for the successor's sake; undefined if the seat is not its to give, or others have fenced it: a
 * successor one epoch later would not count, either.
 */
export function seal(record: SeatRecord, seat: number, to: Successor): SeatRecord | undefined {
  const { hold, known } = record;
  if (hold.kind === "none" || hold.kind === "former" || hold.seat !== seat) return undefined;
  if (hold.kind === "active") {
    return isOutdated(hold, known) ? undefined : { ...record, hold: { ...hold, kind: "sealed", to } };
  }
  return hold.kind === "sealed" && isSame(hold.to, to) ? record : undefined;
}

/** What a sealed holder has to tell, as often as it is asked. */
export function handOverOf({ hold, known, grant }: SeatRecord): HandOver | undefined {
  if (hold.kind !== "sealed") return undefined;
  const { seat, epoch, to } = hold;
  return { seat, epoch: afterHandOver(epoch), to, known, ...(grant && { grant }) };
}

/**
 * The successor is active; undefined if it cannot be, and then it either has been, or is to decline, or the holder waits
 * for it no more (`successorIsLost`). All that the sealed holder had must be on this node's disk.
 */
export function takeOver(record: SeatRecord, handOver: HandOver): SeatRecord | undefined {
  const { seat, epoch, to, grant } = handOver;
  const { hold } = record;
  const known = uniteKnown(record.known, handOver.known);
  if (hold.kind !== "none" && hold.kind !== "former") return undefined;
  const { held, holder } = knownSeat(known, seat);
  if (holder === undefined || epoch <= held || isOutdated({ seat, epoch }, known)) return undefined;
  const active = { kind: "active", seat, epoch } as const;
  return { hold: active, known: withNextHolder(known, seat, epoch, to.node), ...(grant && { grant }) };
}

/**
 * The successor gives the seat back, for ever: it now knows the old holder to speak for it after the epoch that would
 * have been its own. Undefined if it has taken it, or if there is nothing to give back any more.
 */
export function decline(record: SeatRecord, { seat, epoch, known }: HandOver): SeatRecord | undefined {
  const united = uniteKnown(record.known, known);
  const { held, holder } = knownSeat(united, seat);
  if (holder === undefined || held >= epoch) return undefined;
  return { ...record, known: withNextHolder(united, seat, afterHandOver(epoch), holder) };
}

/**
 * The node learns what another knows. The record itself where that adds nothing; where `hold` is another one after, it
 * is to be stored.
 */
export function learn(record: SeatRecord, known: KnownSeats, self: NodeId): SeatRecord {
  const united = uniteKnown(record.known, known);
  return united === record.known
    ? record
    : disown({ ...record, hold: holdAfter(record, united, self), known: united }, self);
}

/** Has the node say of seats that it does not hold, and is thought to, that they are lost. */
export function disown(record: SeatRecord, self: NodeId): SeatRecord {
  const known = withoutHolder(record.known, self, seatHeldBy(record.hold));
  return known === record.known ? record : { ...record, known };
}

function seatHeldBy(hold: Hold): number | undefined {
  if (hold.kind === "active" || hold.kind === "sealed") return hold.seat;
  return hold.kind === "rebuilding" && hold.isHolder ? hold.seat : undefined;
}

function holdAfter({ hold, known: before }: SeatRecord, known: KnownSeats, self: NodeId): Hold {
  if (hold.kind === "none" || hold.kind === "former") return hold;
  const { seat, epoch } = hold;
  const { held, holder, fence } = knownSeat(known, seat);
  switch (hold.kind) {
    case "active":
      // Somebody else has rebuilt the seat. A mere fence is no reason to fall silent: others may need this copy.
      return held > epoch ? { kind: "former" } : hold;
    case "rebuilding":
      if (held > hold.lost) return { kind: "former" };
      if (fence > epoch) return holdWithout(hold);
      // What a vacated seat had, the others were given, perhaps after they were copied; and the seat may keep more now.
      return hold.copied.length > 0 && isNewlyVacated(before, known) ? { ...hold, copied: [] } : hold;
    case "sealed":
      if (held <= epoch) return hold;
      if (generationOf(held) > generationOf(epoch)) return { kind: "former" };
      // The successor was active, and so has all of it; or it has declined.
      return holder === self ? { kind: "active", seat, epoch: held } : { kind: "none" };
  }
}

export function isSameHold(a: Hold, b: Hold | undefined): boolean {
  return a === b || (b !== undefined && JSON.stringify(a) === JSON.stringify(b));
}

/** Whether it keeps a copy that is not to go, and does not answer for it with a voice, or not with a sure one. */
export function isVoiceless(hold: Hold | undefined): boolean {
  return hold?.kind === "rebuilding" || hold?.kind === "former";
}

/** The node keeps copies for a vacant seat that it is to fill, before it begins to; undefined where that is not so. */
export function keepForVacant(record: SeatRecord, seat: number): SeatRecord | undefined {
  if (record.hold.kind !== "none" || !isVacant(record.known, seat)) return undefined;
  return { ...record, hold: { kind: "former" } };
}

/** What is left of a rebuild that is given up. */
export function holdWithout({ isHolder, seat, lost }: Rebuilding): Hold {
  return isHolder ? { kind: "active", seat, epoch: lost } : { kind: "former" };
}

/** The directory that a sealed holder waits for is gone for good: so, perhaps, is what was acknowledged there. */
export function successorIsLost(record: SeatRecord, self: NodeId): SeatRecord {
  return record.hold.kind === "sealed" ? disown({ ...record, hold: { kind: "former" } }, self) : record;
}

function isSame(a: Successor, b: Successor): boolean {
  return a.node === b.node && a.incarnation === b.incarnation;
}
