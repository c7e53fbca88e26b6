/** Random histories of the model of changes of n: made from a seed, run, and shrunk to their least failing part. */

import { Dice } from "../single-key/dice.ts";
import type { CopiesRule } from "./rules.ts";
import { type CopiesViolation, CopiesWorld } from "./world.ts";

export interface CopiesTally {
  readonly histories: number;
  writes: number;
  reads: number;
  marks: number;
  drops: number;
  rebuilds: number;
  readonly broken: Record<CopiesViolation["kind"], number>;
  /** The seed of the first that broke. */
  firstSeed: number | undefined;
}

const leastSteps = 60;
const mostSteps = 300;

function historyOf(seed: number): readonly number[] {
  const dice = new Dice(Math.imul(seed + 1, 0x9e3779b1));
  return Array.from({ length: leastSteps + dice.below(mostSteps - leastSteps + 1) }, () => dice.u32());
}

function run(rule: CopiesRule, seed: number, history: readonly number[], traced = false): CopiesWorld {
  const world = new CopiesWorld(rule, new Dice(seed), traced);
  for (let i = 0; i < history.length && world.violation === undefined; i++) world.step(new Dice(history[i] as number));
  if (world.violation === undefined) world.finish(new Dice(seed));
  return world;
}

export function runCopies(rule: CopiesRule, count: number, from = 1): CopiesTally {
  const none = { writes: 0, reads: 0, marks: 0, drops: 0, rebuilds: 0, firstSeed: undefined };
  const tally: CopiesTally = { histories: count, ...none, broken: { missed: 0, lost: 0, stuck: 0 } };
  for (let seed = from; seed < from + count; seed++) {
    const world = run(rule, seed, historyOf(seed));
    tally.writes += world.writes;
    tally.reads += world.reads;
    tally.marks += world.marks;
    tally.drops += world.drops;
    tally.rebuilds += world.rebuilds;
    if (world.violation === undefined) continue;
    tally.broken[world.violation.kind]++;
    tally.firstSeed ??= seed;
  }
  return tally;
}

/** The first of `count` seeds from `from` on under which a read misses something. */
export function firstBrokenCopies(rule: CopiesRule, from: number, count: number): number | undefined {
  for (let seed = from; seed < from + count; seed++) {
    if (run(rule, seed, historyOf(seed)).violation?.kind === "missed") return seed;
  }
  return undefined;
}

/** What went wrong under this seed, told in as few steps as still fail in that way. */
export function explainCopies(rule: CopiesRule, seed: number): string {
  let history = historyOf(seed);
  const { kind } = run(rule, seed, history).violation ?? {};
  for (let length = history.length >> 1; length > 0; length >>= 1) {
    for (let at = history.length - length; at >= 0; at -= length) {
      const shorter = history.toSpliced(at, length);
      if (run(rule, seed, shorter).violation?.kind === kind) history = shorter;
    }
  }
  const { violation, trace } = run(rule, seed, history, true);
  return [`${rule.name}, seed ${seed}: ${violation?.what}`, ...(trace ?? []).map((line) => `  ${line}`)].join("\n");
}
