/**
 * `npm run simulate -- --seed S` replays one seed, `--seeds N` sweeps many, on two processes where asked.
 *
 * Exit code 0: every checker passed; 1: one did not; 2: wrong options.
 */

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Report, runSeed } from "../src/sim/run.ts";
import { buildNode } from "./product-node.ts";
import { guardPromises, nodeSurroundings } from "./surroundings.ts";

const usage = "usage: npm run simulate -- [--seed S [--trace]] [--seeds N [--from S] [--jobs J]]";

interface Options {
  readonly seed: number | undefined;
  readonly seeds: number;
  readonly from: number;
  readonly jobs: number;
  readonly trace: boolean;
}

/** What a sweep keeps of one seed: small enough to send between processes. */
interface Outcome {
  readonly seed: number;
  readonly failure: string | undefined;
  readonly line: string;
  readonly totals: Readonly<Record<string, number>>;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      from: { type: "string" },
      jobs: { type: "string" },
      trace: { type: "boolean" },
    },
    strict: true,
    allowPositionals: false,
  });
  const whole = (name: "seed" | "seeds" | "from" | "jobs", least: number, most: number): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) {
      throw new TypeError(`--${name} is ${JSON.stringify(text)}, allowed is a whole number from ${least} to ${most}`);
    }
    return value;
  };
  const largest = Number.MAX_SAFE_INTEGER;
  const seed = whole("seed", 0, largest);
  const seeds = whole("seeds", 1, 10_000_000);
  if (seed !== undefined && (seeds !== undefined || values.from !== undefined || values.jobs !== undefined)) {
    throw new TypeError("--seed replays one seed; --seeds, --from and --jobs are for a sweep");
  }
  if (values.trace === true && seed === undefined) throw new TypeError("--trace needs --seed");
  return {
    seed,
    seeds: seeds ?? 100,
    from: whole("from", 0, largest) ?? 1,
    jobs: whole("jobs", 1, 64) ?? 1,
    trace: values.trace === true,
  };
}

async function play(seed: number, trace: boolean): Promise<Outcome> {
  const unhandled = guardPromises();
  const started = process.hrtime.bigint();
  const tell = trace ? (line: string): void => void process.stdout.write(`${line}\n`) : undefined;
  const report = await runSeed({
    seed,
    surroundings: nodeSurroundings,
    build: buildNode,
    ...(tell === undefined ? {} : { tell }),
  });
  const problems = report.violations.map(({ law, what, at }) => `  at ${at.toFixed(1)} ms, ${law}: ${what}`);
  problems.push(...unhandled().map((error) => `  unhandled rejection: ${error}`));
  const tookMs = Number(process.hrtime.bigint() - started) / 1e6;
  return {
    seed,
    failure:
      problems.length === 0
        ? undefined
        : `seed ${seed} FAILED\n${problems[0]}${problems.length > 1 ? `\n  and ${problems.length - 1} more` : ""}\n  replay: npm run simulate -- --seed ${seed}`,
    line: describe(report, tookMs),
    totals: totalsOf(report, tookMs),
  };
}

function describe(report: Report, tookMs: number): string {
  const { seed, counts, plan, events, virtualMs, trace } = report;
  const calls = counts.reads + counts.acknowledged + counts.refused + counts.unknown;
  const faults = [...report.faults].map(([name, count]) => `${name} ${count}`).join(", ");
  const changes = [...report.changes].map(([name, count]) => `${name} ${count}`).join(", ");
  return `seed ${seed}: ${plan.nodes} nodes n=${plan.settings.n} r=${plan.settings.r} w=${plan.settings.w}${plan.logEngine === undefined ? "" : ", log engine"}, ${calls} calls (${counts.acknowledged} writes acknowledged, ${counts.refused} refused, ${counts.unknown} unknown, ${counts.failedReads} of ${counts.reads} reads failed), ${events} events in ${(virtualMs / 1000).toFixed(1)} s of virtual and ${(tookMs / 1000).toFixed(2)} s of real time; faults: ${faults === "" ? "none" : faults}; changes: ${changes === "" ? "none" : changes}; trace ${trace}`;
}

function totalsOf(report: Report, tookMs: number): Record<string, number> {
  const { counts } = report;
  const totals: Record<string, number> = {
    "reads that succeeded": counts.reads - counts.failedReads,
    "reads that failed": counts.failedReads,
    "writes acknowledged": counts.acknowledged,
    "writes refused": counts.refused,
    "writes of unknown fate": counts.unknown,
    "pairs of a read and a write it had to see": report.regularPairs,
    "acknowledged writes found at the end": report.durableWrites,
    "versions shown, none of which had been replaced": report.versionsShown,
    "records checked on disks": report.recordsRead,
    "copies on disks compared after exchanges": report.copiesCompared,
    "keys that exchanges repaired after the faults": report.keysRepaired,
    "acknowledged writes that hints had to bring to an owner": report.handedOver,
    "tombstones that had to be forgotten": report.tombstonesForgotten,
    "requests answered from several zones": report.zoned,
    "voices that began to speak": report.voices.voices,
    "answers held against who may speak": report.voices.answers,
    "levels held against their bounds": report.gaugesRead,
    "logs opened again, and found to be whole": report.logsOpened,
    "unacknowledged writes that crashes took": report.lostWrites,
    events: report.events,
    "virtual seconds": Math.round(report.virtualMs / 1000),
    "CPU ms": Math.round(tookMs),
  };
  for (const [name, count] of report.faults) totals[`fault: ${name}`] = count;
  for (const [name, count] of report.changes) totals[`change: ${name}`] = count;
  for (const [message, count] of report.warnings) totals[`warning: ${message}`] = count;
  return totals;
}

async function sweep({ from, seeds, jobs }: Options): Promise<boolean> {
  const started = Date.now();
  const sums = new Map<string, number>();
  const failures: string[] = [];
  let done = 0;
  const note = (outcome: Outcome): void => {
    done++;
    for (const [name, count] of Object.entries(outcome.totals)) sums.set(name, (sums.get(name) ?? 0) + count);
    if (outcome.failure !== undefined) {
      failures.push(outcome.failure);
      process.stdout.write(`${outcome.failure}\n`);
    }
    if (done % 25 === 0 || done === seeds) {
      const perSecond = (done / (Date.now() - started)) * 1000;
      process.stdout.write(`${done} of ${seeds} seeds, ${failures.length} failed, ${perSecond.toFixed(1)} a second\n`);
    }
  };
  if (jobs === 1) for (let i = 0; i < seeds; i++) note(await play(from + i, false));
  else await shareOut(from, seeds, jobs, note);
  process.stdout.write(
    `\n${seeds} seeds from ${from}: ${failures.length === 0 ? "all passed" : `${failures.length} FAILED`}\n`,
  );
  for (const [name, sum] of [...sums].sort()) process.stdout.write(`  ${String(sum).padStart(12)}  ${name}\n`);
  return failures.length === 0;
}

/** Lets `jobs` processes take seed after seed. */
function shareOut(from: number, seeds: number, jobs: number, note: (outcome: Outcome) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = 0;
    let done = 0;
    const feed = (worker: ChildProcess): void => {
      if (next < seeds) worker.send(from + next++);
      else worker.disconnect();
    };
    for (let i = 0; i < Math.min(jobs, seeds); i++) {
      const worker = fork(fileURLToPath(import.meta.url), ["--worker"]);
      worker.on("message", (outcome) => {
        note(outcome as Outcome);
        if (++done === seeds) resolve();
        feed(worker);
      });
      worker.on("exit", (code) => {
        if (code !== 0) reject(new Error(`a process of the sweep ended with code ${code}`));
      });
      feed(worker);
    }
  });
}

function work(): void {
  process.on("message", (seed) => {
    void play(Number(seed), false).then((outcome) => process.send?.(outcome));
  });
}

async function main(): Promise<number> {
  if (process.argv[2] === "--worker" && process.send !== undefined) {
    work();
    return 0;
  }
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message}\n${usage}\n`);
    return 2;
  }
  if (options.seed === undefined) return (await sweep(options)) ? 0 : 1;
  const outcome = await play(options.seed, options.trace);
  process.stdout.write(`${outcome.line}\n${outcome.failure === undefined ? "" : `${outcome.failure}\n`}`);
  return outcome.failure === undefined ? 0 : 1;
}

process.exitCode = await main();
