/** Honest answers: a write whose client was told that it did not happen is never seen. */

import type { KeyJournal } from "../journal.ts";
import type { Simulation } from "../simulation.ts";

export function checkHonestAnswers(simulation: Simulation, key: KeyJournal): void {
  for (const read of key.reads) {
    const lie = read.shown.find(({ write }) => write.fate === "refused");
    if (lie === undefined) continue;
    const { number, why } = lie.write;
    const what = `read ${read.number} of ${key.bucket}/${key.key} shows write ${number}, which was refused for certain (${why})`;
    simulation.violate("honest answers", `${what}\n${key.story()}`);
    return;
  }
}
