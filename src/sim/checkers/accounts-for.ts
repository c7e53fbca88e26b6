/**
 * Whether a read accounts for a write: shows it, or knows it, and so (by the causality checker) shows or knows what
 * replaced it. The one question behind durability and regular reads.
 */

import { compareDots } from "../../core/causality/dot.ts";
import { holds, type Interval } from "../../core/causality/dot-set.ts";
import { type KeyJournal, knows, type ReadEntry, type WriteEntry } from "../journal.ts";
import { type Leniency, mayBeForgotten } from "./leniency.ts";

/** What somebody knows of a key, and when. */
export type Seen = Pick<ReadEntry, "context" | "ended">;

export function accountsFor(key: KeyJournal, read: Seen, write: WriteEntry, leniency: Leniency): boolean {
  if (write.dot === undefined) return true;
  if (holds(read.context, write.dot)) return true;
  if (key.isLastWriteWins) return knowsNewer(read, write) || wasForgotten(key, read, write, leniency);
  // A delete that was forgotten leaves no trace; the checker of resurrection looks for what it had seen.
  const mayBeGone = (later: WriteEntry): boolean => leniency.prunes || mayBeForgotten(later, read, leniency);
  if (write.kind === "delete" && mayBeGone(write)) return true;
  return wasReplaced(key, read, write, mayBeGone, new Set());
}

/** A bucket that keeps the newest version forgets what is older: by time, then by dot. */
function knowsNewer(read: Seen, write: WriteEntry): boolean {
  const known = read.context[0] as Interval | undefined;
  if (known === undefined || write.time === undefined || write.dot === undefined) return false;
  if (known.time !== write.time) return known.time > write.time;
  return compareDots({ actor: known.actor, counter: known.to }, write.dot) > 0;
}

/** A tombstone that was as new or newer may be all that was left, and gone. */
function wasForgotten(key: KeyJournal, read: Seen, write: WriteEntry, leniency: Leniency): boolean {
  return key.writes.some(
    (later) =>
      later.kind === "delete" &&
      later.fate !== "refused" &&
      mayBeForgotten(later, read, leniency) &&
      (later.time === undefined || write.time === undefined || later.time >= write.time),
  );
}

/** Where contexts forget: some write that may have happened had seen it, and is accounted for in its turn. */
function wasReplaced(
  key: KeyJournal,
  read: Seen,
  write: WriteEntry,
  mayBeGone: (later: WriteEntry) => boolean,
  tried: Set<WriteEntry>,
): boolean {
  if (tried.has(write)) return false;
  tried.add(write);
  return key.replacersOf(write).some((later) => {
    if (later.began > read.ended || !mayBeGone(later)) return false;
    if (later.kind === "delete" || later.dot === undefined || knows(read.context, later)) return true;
    return wasReplaced(key, read, later, mayBeGone, tried);
  });
}
