/**
 * The single-key model on demand: `npm run model -- --histories 1000000 [--seed 1] [--weaker]`.
 */

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

const histories = option("--histories", 100_000);
const seed = option("--seed", 1);
const sound = [productRule, prunedRule, newestRule];
const rules = process.argv.includes("--weaker") ? [...weakerRules, ...foreignTokenRules] : sound;
let broken = 0;
for (const rule of rules) {
  const started = performance.now();
  const tally = runHistories(rule, histories, seed);
  report(rule, tally, performance.now() - started);
  if (tally.firstSeed !== undefined) broken++;
}
process.exitCode = rules === sound && broken > 0 ? 1 : 0;
