/**
 * Regular reads: where the voices of a read and the copies of a write must overlap (R+W>N, §4.5), a read sees every
 * write that was acknowledged before it began. There are no stand-ins yet that could keep a write from its owners.
 *
 * A disk that was lost does not weaken it: its owner has no voice until it is filled again, so R voices and the W-1
 * copies left still overlap. Memory that was lost does, for a write that was acknowledged from memory.
 */

import type { Damage } from "../damage.ts";
import type { KeyJournal, ReadEntry, WriteEntry } from "../journal.ts";
import type { Simulation } from "../simulation.ts";
import { accountsFor } from "./accounts-for.ts";

/** Checks every read of the key, and answers how many pairs of a read and a write there were to check. */
export function checkRegularReads(simulation: Simulation, key: KeyJournal, damage: Damage, mayPrune: boolean): number {
  let pairs = 0;
  for (const read of key.reads) {
    for (const write of key.writes) {
      if (!mustOverlap(key, read, write, damage)) continue;
      pairs++;
      if (accountsFor(key, read, write, mayPrune)) continue;
      const what = `read ${read.number} of ${key.bucket}/${key.key} with ${read.answers} voices misses write ${write.number}, acknowledged before by ${write.copies} of ${key.settings.n} copies`;
      simulation.violate("regular reads", `${what}\n${key.story()}`);
      return pairs;
    }
  }
  return pairs;
}

function mustOverlap(key: KeyJournal, read: ReadEntry, write: WriteEntry, damage: Damage): boolean {
  if (write.fate !== "acknowledged" || write.ended >= read.began) return false;
  if (read.answers + write.copies <= key.settings.n) return false;
  if (write.synced) return true;
  return read.answers + write.copies - damage.machinesHit(write.began, read.ended, false) > key.settings.n;
}
