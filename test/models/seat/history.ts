/** Random histories of the seats' model: made from a seed, run, and shrunk to their least failing part. */

import { type History, historyOf, shrunk, told } from "../histories.ts";
import { Dice } from "../single-key/dice.ts";
import { seats } from "./holder.ts";
import type { SeatRule } from "./rules.ts";
import { type SeatViolation, SeatWorld } from "./world.ts";

export interface SeatTally {
  readonly histories: number;
  steps: number;
  writes: number;
  reads: number;
  handOvers: number;
  rebuilds: number;
  readonly broken: Record<SeatViolation["kind"], number>;
  /** The seed of the first that broke. */
  firstSeed: number | undefined;
}

const leastSteps = 60;
const mostSteps = 400;

const stepsOf = (seed: number): History => historyOf(seed, leastSteps, mostSteps);

interface Case {
  readonly rule: SeatRule;
  /** How many seats have holders at first. */
  readonly filled: number;
}

function run({ rule, filled }: Case, seed: number, history: History, traced = false): SeatWorld {
  const world = new SeatWorld(rule, new Dice(seed), traced, filled);
  for (let i = 0; i < history.length && world.violation === undefined; i++) world.step(new Dice(history[i] as number));
  if (world.violation === undefined) world.finish(new Dice(seed));
  return world;
}

/** So many histories, in which `filled` seats have holders at first. */
export function runSeats(rule: SeatRule, count: number, from = 1, filled: number = seats): SeatTally {
  const none = { steps: 0, writes: 0, reads: 0, handOvers: 0, rebuilds: 0, firstSeed: undefined };
  const tally: SeatTally = { histories: count, ...none, broken: { missed: 0, lost: 0, stuck: 0 } };
  for (let seed = from; seed < from + count; seed++) {
    const history = stepsOf(seed);
    const world = run({ rule, filled }, seed, history);
    tally.steps += history.length;
    tally.writes += world.writes;
    tally.reads += world.reads;
    tally.handOvers += world.handOvers;
    tally.rebuilds += world.rebuilds;
    if (world.violation === undefined) continue;
    tally.broken[world.violation.kind]++;
    tally.firstSeed ??= seed;
  }
  return tally;
}

/** The first of `count` seeds from `from` on under which the rule breaks. */
export function firstBrokenSeat(
  rule: SeatRule,
  from: number,
  count: number,
  filled: number = seats,
): number | undefined {
  for (let seed = from; seed < from + count; seed++) {
    if (run({ rule, filled }, seed, stepsOf(seed)).violation !== undefined) return seed;
  }
  return undefined;
}

/** What went wrong under this seed, told in as few steps as still fail in that way. */
export function explainSeats(rule: SeatRule, seed: number, filled: number = seats): string {
  const all = stepsOf(seed);
  const { kind } = run({ rule, filled }, seed, all).violation ?? {};
  const history = shrunk(all, (shorter) => run({ rule, filled }, seed, shorter).violation?.kind === kind);
  const { violation, trace } = run({ rule, filled }, seed, history, true);
  return told(`${rule.name}, seed ${seed}`, violation?.what ?? "nothing", trace);
}
