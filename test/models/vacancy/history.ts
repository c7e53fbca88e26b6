/** Random histories of the model of few members: made from a seed, run, and shrunk to their least failing part. */

import { type History, historyOf, shrunk, told } from "../histories.ts";
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

const stepsOf = (seed: number): History => historyOf(seed, leastSteps, mostSteps);

function run(rule: VacancyRule, seed: number, history: History, traced = false): VacancyWorld {
  const world = new VacancyWorld(rule, new Dice(seed), traced);
  for (let i = 0; i < history.length && world.violation === undefined; i++) world.step(new Dice(history[i] as number));
  if (world.violation === undefined) world.finish(new Dice(seed));
  return world;
}

export function runVacancy(rule: VacancyRule, count: number, from = 1): VacancyTally {
  const none = { writes: 0, reads: 0, vacated: 0, handOvers: 0, rebuilds: 0, firstSeed: undefined };
  const tally: VacancyTally = { histories: count, ...none, broken: { missed: 0, stuck: 0 } };
  for (let seed = from; seed < from + count; seed++) {
    const world = run(rule, seed, stepsOf(seed));
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
    if (run(rule, seed, stepsOf(seed)).violation?.kind === breaks) return seed;
  }
  return undefined;
}

/** What went wrong under this seed, told in as few steps as still fail in that way. */
export function explainVacancy(rule: VacancyRule, seed: number): string {
  const all = stepsOf(seed);
  const { kind } = run(rule, seed, all).violation ?? {};
  const history = shrunk(all, (shorter) => run(rule, seed, shorter).violation?.kind === kind);
  const { violation, trace } = run(rule, seed, history, true);
  return told(`${rule.name}, seed ${seed}`, violation?.what ?? "nothing", trace);
}
