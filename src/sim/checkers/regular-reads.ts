/**
 * Regular reads: where the voices of a read and the voices that held a write must overlap (R+W>N, §4.5), a read sees
 * every write that was acknowledged before it began. Stand-ins are no voices: nothing is promised of what they hold (§4.6),
 * so the voices that both answers tell of decide, not what was asked for, and of how many seats: a young cluster has
 * fewer than n. An answer that tells of too few is held to more, not to less.
 *
 * What of a changing membership? `n` is what the bucket keeps, whoever holds its seats: two sets of voices that are more
 * than n together have a seat in common, and a seat's next holder has all that the last one had. Two exceptions, since
 * nothing can prevent them: what *one* voice held may be gone with its disk, or with its removal; and *one* voice alone
 * may be that of a node that was removed, and does not know.
 *
 * A disk that was lost does not weaken it where another voice held the write: its owner has no voice until it has copied
 * all others. Memory that was lost does, for a write that was acknowledged from memory.
 */

import type { Damage } from "../damage.ts";
import type { KeyJournal, ReadEntry, WriteEntry } from "../journal.ts";
import type { Simulation } from "../simulation.ts";
import { accountsFor } from "./accounts-for.ts";
import type { Leniency } from "./leniency.ts";

/** Checks every read of the key, and answers how many pairs of a read and a write there were to check. */
export function checkRegularReads(simulation: Simulation, key: KeyJournal, damage: Damage, leniency: Leniency): number {
  let pairs = 0;
  for (const read of key.reads) {
    for (const write of key.writes) {
      if (!mustOverlap(key, read, write, damage)) continue;
      pairs++;
      if (accountsFor(key, read, write, leniency)) continue;
      const what = `read ${read.number} of ${key.bucket}/${key.key} with ${read.voices} voices misses write ${write.number}, acknowledged before by ${write.voices} of ${write.seats}`;
      simulation.violate("regular reads", `${what}\n${key.story()}`);
      return pairs;
    }
  }
  return pairs;
}

/** Whether the read had to see the write. */
export function mustOverlap(
  key: Pick<KeyJournal, "bucket">,
  read: ReadEntry,
  write: WriteEntry,
  damage: Damage,
): boolean {
  if (write.fate !== "acknowledged" || write.ended >= read.began) return false;
  const seats = Math.max(read.seats, write.seats);
  if (read.voices + write.voices <= seats) return false;
  if (damage.mayHaveCost(key, write, read.ended)) return false;
  if (write.voices === 1 && damage.machinesHit(write.began, read.ended, true) > 0) return false;
  if (read.voices === 1 && damage.mayHaveSpokenAlone(read.began, read.ended)) return false;
  if (write.synced) return true;
  return read.voices + write.voices - damage.machinesHit(write.began, read.ended, false) > seats;
}
