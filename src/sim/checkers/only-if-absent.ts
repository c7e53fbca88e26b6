/**
 * Only if absent: a write that asked to happen only where no live version is found was not acknowledged over one that a
 * quorum read had to find: acknowledged before it began, by copies that a majority overlaps, and replaced by nothing
 * that had begun when it ended. Two such writes at once may both happen, since nobody holds a lock.
 */

import type { Damage } from "../damage.ts";
import type { KeyJournal, WriteEntry } from "../journal.ts";
import type { Simulation } from "../simulation.ts";

export function checkOnlyIfAbsent(simulation: Simulation, key: KeyJournal, damage: Damage): void {
  if (key.isLastWriteWins) return;
  for (const write of key.writes) {
    if (!write.onlyIfAbsent || write.fate !== "acknowledged") continue;
    const found = key.writes.find((other) => wasSurelyThere(key, other, write, damage));
    if (found === undefined) continue;
    const what = `write ${write.number} of ${key.bucket}/${key.key} was to happen only if there was none, and there was write ${found.number}`;
    simulation.violate("only if absent", `${what}\n${key.story()}`);
    return;
  }
}

function wasSurelyThere(key: KeyJournal, other: WriteEntry, write: WriteEntry, damage: Damage): boolean {
  if (other.kind === "delete" || other.fate !== "acknowledged" || other.ended >= write.began) return false;
  if (damage.mayHaveCost(key, other, write.ended)) return false;
  // A bucket's n may have changed: whoever looked asked most of as many as kept it then.
  const seats = Math.max(key.settings.n, other.seats, write.seats);
  const majority = Math.floor(Math.min(key.settings.n, seats) / 2) + 1;
  if (other.voices === 1 && damage.machinesHit(other.began, write.ended, true) > 0) return false;
  if (majority === 1 && damage.mayHaveSpokenAlone(write.began, write.ended)) return false;
  const lost = other.synced ? 0 : damage.machinesHit(other.began, write.ended, false);
  if (other.voices + majority - lost <= seats) return false;
  return !key.replacersOf(other).some((later) => later.began <= write.ended);
}
