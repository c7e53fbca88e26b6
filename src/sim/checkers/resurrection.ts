/**
 * No resurrection: a version that a delete or a write had seen and replaced is shown by no read that knows of that
 * delete or write, or that had to see it; and once all is healed, by no read at all.
 *
 * That the read's context no longer holds the delete excuses nothing here. This is what catches owners that forget a
 * tombstone too early.
 */

import { holds } from "../../core/causality/dot-set.ts";
import type { Damage } from "../damage.ts";
import type { KeyJournal, ReadEntry, WriteEntry } from "../journal.ts";
import { knows } from "../journal.ts";
import type { Simulation } from "../simulation.ts";
import type { Leniency } from "./leniency.ts";
import { mustOverlap } from "./regular-reads.ts";

/** Answers how many shown versions it looked at. */
export function checkResurrection(
  simulation: Simulation,
  key: KeyJournal,
  damage: Damage,
  { prunes }: Leniency,
): number {
  if (key.isLastWriteWins || prunes) return 0;
  let looked = 0;
  for (const read of key.reads) {
    for (const { write, dot } of read.shown) {
      looked++;
      const by = key.writes.find(
        (later) => later !== write && holds(later.seen, dot) && mustBeSeen(key, read, later, damage),
      );
      if (by === undefined) continue;
      const what = `read ${read.number} of ${key.bucket}/${key.key} shows write ${write.number}, which ${by.kind} ${by.number} had seen and replaced`;
      simulation.violate("no resurrection", `${what}\n${key.story()}`);
      return looked;
    }
  }
  return looked;
}

function mustBeSeen(key: KeyJournal, read: ReadEntry, later: WriteEntry, damage: Damage): boolean {
  if (knows(read.context, later) || mustOverlap(key, read, later, damage)) return true;
  if (!read.isLast || later.fate !== "acknowledged" || later.ended >= read.began) return false;
  return !damage.mayHaveCost(key, later, read.ended);
}
