/** Random histories of the reaping model: made from a seed, run, and shrunk to their least failing part. */

import { type History, historyOf, shrunk, told } from "../histories.ts";
import type { ReapingRule } from "./rules.ts";
import { ReapingWorld } from "./world.ts";

export interface ReapingTally {
  readonly histories: number;
  steps: number;
  writes: number;
  /** How often an owner forgot a tombstone, or shortened a context. */
  reaped: number;
  compacted: number;
  cameBack: number;
  lost: number;
  /** The seed of the first that broke. */
  firstSeed: number | undefined;
}

const leastSteps = 15;
const mostSteps = 50;

const stepsOf = (seed: number): History => historyOf(seed, leastSteps, mostSteps);

function run(rule: ReapingRule, seed: number, history: History, traced = false): ReapingWorld {
  const world = new ReapingWorld(rule, seed, traced);
  for (let i = 0; i < history.length && world.violation === undefined; i++) world.step(history[i] as number);
  if (world.violation === undefined) world.finish();
  return world;
}

export function runReaping(rule: ReapingRule, count: number, from = 1): ReapingTally {
  const none = { steps: 0, writes: 0, reaped: 0, compacted: 0, cameBack: 0, lost: 0, firstSeed: undefined };
  const tally: ReapingTally = { histories: count, ...none };
  for (let seed = from; seed < from + count; seed++) {
    const history = stepsOf(seed);
    const { violation, oracle, reaped, compacted } = run(rule, seed, history);
    tally.steps += history.length;
    tally.writes += oracle.count;
    tally.reaped += reaped;
    tally.compacted += compacted;
    if (violation?.kind === "came-back") tally.cameBack++;
    if (violation?.kind === "lost") tally.lost++;
    if (violation !== undefined) tally.firstSeed ??= seed;
  }
  return tally;
}

/** The first seed, of so many, under which the rule breaks. */
export function firstBroken(rule: ReapingRule, count: number): number | undefined {
  for (let seed = 1; seed <= count; seed++) if (run(rule, seed, stepsOf(seed)).violation !== undefined) return seed;
  return undefined;
}

/** What went wrong under this seed, told step by step in as few steps as still fail. */
export function explainReaping(rule: ReapingRule, seed: number): string {
  const history = shrunk(stepsOf(seed), (shorter) => run(rule, seed, shorter).violation !== undefined);
  const { violation, trace } = run(rule, seed, history, true);
  const what = violation?.kind === "lost" ? "a write is lost" : "a replaced or deleted version is back";
  return told(`${rule.name}, seed ${seed}`, what, trace);
}
