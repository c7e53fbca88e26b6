/** Random histories of the model of few members: made from a seed, run, and shrunk to their least failing part. */

import { Dice } from "../single-key/dice.ts";
import type { VacancyRule } from "./rules.ts";
import { type VacancyViolation, VacancyWorld } from "./world.ts";

export interface VacancyTally {
  readonly histories: number;
  writes: number;
  reads: number;
  vacated: number;
  handOvers: number;
  rebuilds: number;
  readonly broken: Record<VacancyViolation["kind"], number>;
  /** The seed of the first that broke. */
  firstSeed: number | undefined;
}

const leastSteps = 60;
const mostSteps = 300;

function historyOf(seed: number): readonly number[] {
  const dice = new Dice(Math.imul(seed + 1, 0x9e3779b1));
  return Array.from({ length: leastSteps + dice.below(mostSteps - leastSteps + 1) }, () => dice.u32());
}

function run(rule: VacancyRule, seed: number, history: readonly number[], traced = false): VacancyWorld {
  const world = new VacancyWorld(rule, new Dice(seed), traced);
  for (let i = 0; i < history.length && world.violation === undefined; i++) world.step(new Dice(history[i] as number));
  if (world.violation === undefined) world.finish(new Dice(seed));
  return world;
}

export function runVacancy(rule: VacancyRule, count: number, from = 1): VacancyTally {
  const none = { writes: 0, reads: 0, vacated: 0, handOvers: 0, rebuilds: 0, firstSeed: undefined };
  const tally: VacancyTally = { histories: count, ...none, broken: { missed: 0, stuck: 0 } };
  for (let seed = from; seed < from + count; seed++) {
    const world = run(rule, seed, historyOf(seed));
    tally.writes += world.writes;
    tally.reads += world.reads;
    tally.vacated += world.vacated;
    tally.handOvers += world.handOvers;
    tally.rebuilds += world.rebuilds;
    if (world.violation === undefined) continue;
    tally.broken[world.violation.kind]++;
    tally.firstSeed ??= seed;
  }
  return tally;
}

/** The first of `count` seeds from `from` on under which the rule breaks in that way. */
export function firstBrokenVacancy(
  rule: VacancyRule,
  breaks: VacancyViolation["kind"],
  from: number,
  count: number,
): number | undefined {
  for (let seed = from; seed < from + count; seed++) {
    if (run(rule, seed, historyOf(seed)).violation?.kind === breaks) return seed;
  }
  return undefined;
}

/** What went wrong under this seed, told in as few steps as still fail in that way. */
export function explainVacancy(rule: VacancyRule, seed: number): string {
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
