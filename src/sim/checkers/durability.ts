/**
 * Durability: at the end, with all healed, every acknowledged write is live or was seen by a later one that is.
 *
 * Excused is exactly what the acknowledgement did not promise: see `damage.ts`.
 */

import type { Damage } from "../damage.ts";
import type { KeyJournal, ReadEntry } from "../journal.ts";
import type { Simulation } from "../simulation.ts";
import { accountsFor } from "./accounts-for.ts";
import type { Leniency } from "./leniency.ts";

/** `last` is a read of all voices after the end. Answers how many writes there were to check. */
export function checkDurability(
  simulation: Simulation,
  key: KeyJournal,
  last: ReadEntry,
  damage: Damage,
  leniency: Leniency,
): number {
  let checked = 0;
  for (const write of key.writes) {
    if (write.fate !== "acknowledged" || write.ended > last.began) continue;
    if (damage.mayHaveCost(key, write, last.ended)) continue;
    checked++;
    if (accountsFor(key, last, write, leniency)) continue;
    const what = `write ${write.number} of ${key.bucket}/${key.key} was acknowledged by ${write.copies} copies and is lost`;
    simulation.violate("durability", `${what}\n${key.story()}`);
    return checked;
  }
  return checked;
}
