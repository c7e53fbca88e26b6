/**
 * Random histories of a model: a history is a list of throws, one for each step, and what a step does follows from its
 * throw and from what the model has become. So any part of a history is one, too, and one that fails can be told in few
 * steps: what it fails without is left out.
 */

import { Dice } from "./single-key/dice.ts";

/** Each step's throw. */
export type History = readonly number[];

/** The history of this seed, of `least` to `most` steps. */
export function historyOf(seed: number, least: number, most: number): History {
  const dice = new Dice(Math.imul(seed + 1, 0x9e3779b1));
  return Array.from({ length: least + dice.below(most - least + 1) }, () => dice.u32());
}

/** The least part that was found to fail still: halves are left out first, then ever shorter parts, then single steps. */
export function shrunk(history: History, fails: (shorter: History) => boolean): History {
  let left = history;
  for (let length = history.length >> 1; length > 0; length >>= 1) {
    for (let at = left.length - length; at >= 0; at -= length) {
      const shorter = left.toSpliced(at, length);
      if (fails(shorter)) left = shorter;
    }
  }
  return left;
}

/** What went wrong, and the steps that led there. */
export function told(name: string, what: string, steps: readonly string[] = []): string {
  return [`${name}: ${what}`, ...steps.map((step) => `  ${step}`)].join("\n");
}
