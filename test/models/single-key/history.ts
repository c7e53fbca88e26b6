/**
 * Random histories: made from a seed, run, and shrunk to their least failing part when they fail.
 */

import { type History, historyOf, shrunk, told } from "../histories.ts";
import type { Rule } from "./rules.ts";
import { type Violation, World } from "./world.ts";

export interface Tally {
  histories: number;
  steps: number;
  writes: number;
  looks: number;
  /** Of which so many showed a false sibling, where pruning allows that. */
  falseSiblings: number;
  /** Histories that broke, by what broke. */
  lost: number;
  lostAcknowledged: number;
  brokeFalseSibling: number;
  mintedTwice: number;
  /** The seed of the first that broke. */
  firstSeed: number | undefined;
}

const leastSteps = 10;
const mostSteps = 25;

const stepsOf = (seed: number): History => historyOf(seed, leastSteps, mostSteps);

function run(rule: Rule, seed: number, history: History, traced = false): World {
  const world = new World(rule, seed, traced);
  for (let i = 0; i < history.length && world.violation === undefined; i++) world.step(history[i] as number);
  if (world.violation === undefined) world.finish();
  return world;
}

/** Runs `count` histories from the seed `from` on. */
export function runHistories(rule: Rule, count: number, from = 1): Tally {
  const tally: Tally = {
    histories: count,
    steps: 0,
    writes: 0,
    looks: 0,
    falseSiblings: 0,
    lost: 0,
    lostAcknowledged: 0,
    brokeFalseSibling: 0,
    mintedTwice: 0,
    firstSeed: undefined,
  };
  for (let seed = from; seed < from + count; seed++) {
    const history = stepsOf(seed);
    const world = run(rule, seed, history);
    const isTwin = world.oracle.hasTwins();
    tally.steps += history.length;
    tally.writes += world.oracle.count;
    tally.looks += world.looks;
    tally.falseSiblings += world.falseSiblings;
    if (world.violation?.kind === "lost") tally.lost++;
    if (world.violation?.acknowledged) tally.lostAcknowledged++;
    if (world.violation?.kind === "false-sibling") tally.brokeFalseSibling++;
    if (isTwin) tally.mintedTwice++;
    if (world.violation !== undefined || isTwin) tally.firstSeed ??= seed;
  }
  return tally;
}

/** What went wrong under this seed, told step by step in as few steps as still fail. */
export function explain(rule: Rule, seed: number): string {
  const fails = (history: History): boolean => {
    const world = run(rule, seed, history);
    return world.violation !== undefined || world.oracle.hasTwins();
  };
  const history = shrunk(stepsOf(seed), fails);
  const world = run(rule, seed, history, true);
  const what = world.violation === undefined ? "a dot was minted twice" : sentence(world.violation);
  return told(`${rule.name}, seed ${seed}`, what, world.trace);
}

function sentence({ kind, acknowledged }: Violation): string {
  if (kind === "false-sibling") return "a replaced or removed version is shown";
  return acknowledged ? "an acknowledged write is lost" : "a write is lost";
}
