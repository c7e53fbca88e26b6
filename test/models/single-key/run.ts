/**
 * The models on demand: `npm run model -- --histories 1000000 [--seed 1] [--weaker] [--reaping | --seats | --copies | --vacancy]`.
 */

import { explainCopies, runCopies } from "../copies/history.ts";
import { copiesRule, weakerCopiesRules } from "../copies/rules.ts";
import { explainReaping, runReaping } from "../reaping/history.ts";
import { reapingRule, weakerReapingRules } from "../reaping/rules.ts";
import { explainSeats, runSeats } from "../seat/history.ts";
import { seatRule, weakerSeatRules } from "../seat/rules.ts";
import { explainVacancy, runVacancy } from "../vacancy/history.ts";
import { vacancyRule, weakerVacancyRules } from "../vacancy/rules.ts";
import { explain, runHistories, type Tally } from "./history.ts";
import { foreignTokenRules, newestRule, productRule, prunedRule, type Rule, weakerRules } from "./rules.ts";

function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(name);
  const value = at === -1 ? otherwise : Number(process.argv[at + 1]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  process.stderr.write(`${name} ${process.argv[at + 1] ?? ""} is no whole number from 1\n`);
  return process.exit(2);
}

function oneIn(count: number, of: number): string {
  return count === 0 ? `none of ${of}` : `${count} of ${of}, 1 in ${Math.round(of / count)}`;
}

function report(rule: Rule, tally: Tally, elapsedMs: number): void {
  const { histories, steps, writes, looks } = tally;
  const took = `${(elapsedMs / 1000).toFixed(1)} s`;
  process.stdout.write(
    `${rule.name}: ${histories} histories, ${steps} steps, ${writes} writes, ${looks} looks, ${took}\n`,
  );
  process.stdout.write(
    `  lost a write: ${oneIn(tally.lost, histories)}; an acknowledged one: ${oneIn(tally.lostAcknowledged, histories)}\n`,
  );
  process.stdout.write(
    `  showed a false sibling: ${oneIn(tally.brokeFalseSibling, histories)}; minted twice: ${oneIn(tally.mintedTwice, histories)}\n`,
  );
  if (rule.prunedTo > 0) process.stdout.write(`  false siblings by pruning: ${oneIn(tally.falseSiblings, looks)}\n`);
  if (tally.firstSeed !== undefined) process.stdout.write(`${explain(rule, tally.firstSeed)}\n`);
}

/** The model of reaping and compaction. Whether the product's rule broke. */
function runReapingRules(count: number, from: number, isWeaker: boolean): boolean {
  let isBroken = false;
  for (const rule of isWeaker ? weakerReapingRules : [reapingRule]) {
    const started = performance.now();
    const { cameBack, lost, reaped, compacted, writes, firstSeed } = runReaping(rule, count, from);
    const took = ((performance.now() - started) / 1000).toFixed(1);
    const did = `${count} histories, ${writes} writes, ${reaped} reaped, ${compacted} compacted, ${took} s`;
    process.stdout.write(`${rule.name}: ${did}\n`);
    process.stdout.write(`  brought back: ${oneIn(cameBack, count)}; lost: ${oneIn(lost, count)}\n`);
    if (firstSeed !== undefined) process.stdout.write(`${explainReaping(rule, firstSeed)}\n`);
    isBroken ||= !isWeaker && firstSeed !== undefined;
  }
  return isBroken;
}

/** The model of seats that pass from node to node. Whether the product's rule broke. */
function runSeatRules(count: number, from: number, isWeaker: boolean): boolean {
  let isBroken = false;
  for (const rule of isWeaker ? weakerSeatRules.map((weaker) => weaker.rule) : [seatRule]) {
    const started = performance.now();
    const { broken, handOvers, rebuilds, reads, firstSeed } = runSeats(rule, count, from);
    const took = ((performance.now() - started) / 1000).toFixed(1);
    const did = `${count} histories, ${handOvers} hand-overs, ${rebuilds} rebuilds, ${reads} reads, ${took} s`;
    process.stdout.write(`${rule.name}: ${did}\n`);
    const { missed, lost, stuck } = broken;
    process.stdout.write(`  a read missed a write: ${oneIn(missed, count)}; lost: ${oneIn(lost, count)}; `);
    process.stdout.write(`did not end: ${oneIn(stuck, count)}\n`);
    if (firstSeed !== undefined) process.stdout.write(`${explainSeats(rule, firstSeed)}\n`);
    isBroken ||= !isWeaker && firstSeed !== undefined;
  }
  return isBroken;
}

/** What came of a rule, in the models of which nothing else is counted. */
function tell(name: string, count: number, broken: Readonly<Record<string, number>>, explained: string): void {
  const how = Object.entries(broken).map(([kind, times]) => `${kind}: ${oneIn(times, count)}`);
  process.stdout.write(`${name}: ${count} histories; ${how.join("; ")}\n${explained}`);
}

/** The model of changes of n, or of few members. Whether the product's rule broke. */
function runFewOrCopies(isOfFew: boolean, count: number, from: number, isWeaker: boolean): boolean {
  let isBroken = false;
  for (const rule of isOfFew ? [] : isWeaker ? weakerCopiesRules.map((weaker) => weaker.rule) : [copiesRule]) {
    const { broken, firstSeed } = runCopies(rule, count, from);
    tell(rule.name, count, broken, firstSeed === undefined ? "" : `${explainCopies(rule, firstSeed)}\n`);
    isBroken ||= !isWeaker && firstSeed !== undefined;
  }
  for (const rule of isOfFew ? (isWeaker ? weakerVacancyRules.map((weaker) => weaker.rule) : [vacancyRule]) : []) {
    const { broken, firstSeed } = runVacancy(rule, count, from);
    tell(rule.name, count, broken, firstSeed === undefined ? "" : `${explainVacancy(rule, firstSeed)}\n`);
    isBroken ||= !isWeaker && firstSeed !== undefined;
  }
  return isBroken;
}

const histories = option("--histories", 100_000);
const seed = option("--seed", 1);
const sound = [productRule, prunedRule, newestRule];
const isWeaker = process.argv.includes("--weaker");
const isOfReaping = process.argv.includes("--reaping");
const isOfSeats = process.argv.includes("--seats");
const isOfFew = process.argv.includes("--vacancy");
const isOfCopies = process.argv.includes("--copies");
const rules =
  isOfReaping || isOfSeats || isOfFew || isOfCopies ? [] : isWeaker ? [...weakerRules, ...foreignTokenRules] : sound;
let broken = isOfReaping && runReapingRules(histories, seed, isWeaker) ? 1 : 0;
if (isOfSeats && runSeatRules(histories, seed, isWeaker)) broken++;
if ((isOfFew || isOfCopies) && runFewOrCopies(isOfFew, histories, seed, isWeaker)) broken++;
for (const rule of rules) {
  const started = performance.now();
  const tally = runHistories(rule, histories, seed);
  report(rule, tally, performance.now() - started);
  if (tally.firstSeed !== undefined) broken++;
}
process.exitCode = !isWeaker && broken > 0 ? 1 : 0;
