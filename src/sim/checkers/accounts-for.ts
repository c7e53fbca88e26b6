/**
 * Whether a read accounts for a write: shows it, or knows it, and so (by the causality checker) shows or knows what
 * replaced it. The one question behind durability and regular reads.
 */

import { compareDots } from "../../core/causality/dot.ts";
import { holds, type Interval } from "../../core/causality/dot-set.ts";
import { type KeyJournal, knows, type ReadEntry, type WriteEntry } from "../journal.ts";

export function accountsFor(key: KeyJournal, read: ReadEntry, write: WriteEntry, mayPrune: boolean): boolean {
  if (write.dot === undefined) return true;
  if (holds(read.context, write.dot)) return true;
  if (key.isLastWriteWins) return knowsNewer(read, write);
  // A delete that was pruned leaves no trace; that what it saw may show again is pruning's known price.
  if (mayPrune && write.kind === "delete") return true;
  return mayPrune && wasReplaced(key, read, write, new Set());
}

/** A bucket that keeps the newest version forgets what is older: by time, then by dot. */
function knowsNewer(read: ReadEntry, write: WriteEntry): boolean {
  const known = read.context[0] as Interval | undefined;
  if (known === undefined || write.time === undefined || write.dot === undefined) return false;
  if (known.time !== write.time) return known.time > write.time;
  return compareDots({ actor: known.actor, counter: known.to }, write.dot) > 0;
}

/** Where contexts are pruned: some write that may have happened had seen it, and is accounted for in its turn. */
function wasReplaced(key: KeyJournal, read: ReadEntry, write: WriteEntry, tried: Set<WriteEntry>): boolean {
  if (tried.has(write)) return false;
  tried.add(write);
  return key.replacersOf(write).some((later) => {
    if (later.began > read.ended) return false;
    if (later.kind === "delete" || later.dot === undefined || knows(read.context, later)) return true;
    return wasReplaced(key, read, later, tried);
  });
}
