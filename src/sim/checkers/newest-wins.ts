/**
 * The weaker rule of buckets that keep the newest version: one version or none, and no write is older than what its
 * own client had seen, however its clock stands.
 */

import { hadSeen, type KeyJournal } from "../journal.ts";
import type { Simulation } from "../simulation.ts";

export function checkNewestWins(simulation: Simulation, key: KeyJournal): void {
  if (!key.isLastWriteWins) return;
  for (const read of key.reads) {
    if (read.shown.length <= 1 && read.context.length <= 1) continue;
    const what = `read ${read.number} of ${key.bucket}/${key.key} shows ${read.shown.length} versions under ${read.context.length} intervals`;
    simulation.violate("newest wins", `${what}\n${key.story()}`);
    return;
  }
  for (const later of key.writes) {
    for (const earlier of key.writes) {
      if (later.time === undefined || earlier.time === undefined || hadSeen(later, earlier) !== true) continue;
      if (later.time > earlier.time || later === earlier) continue;
      const what = `write ${later.number} of ${key.bucket}/${key.key} had seen write ${earlier.number} and is not newer`;
      simulation.violate("newest wins", `${what}\n${key.story()}`);
      return;
    }
  }
}
