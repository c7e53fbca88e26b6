/** `cartwheel bench`: turns options into a plan, shows how the run goes on stderr, and its figures on stdout. */

import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { type Compared, compareWithBare } from "../bench/comparison.ts";
import { pictureOf } from "../bench/picture.ts";
import type { Interval } from "../bench/recording.ts";
import { factsOf, latencyRows, milliseconds } from "../bench/report.ts";
import { type BenchPlan, runBench, type TargetChoice, workloadNames } from "../bench/run.ts";
import type { WorkloadName } from "./bench-options.ts";
import type { OptionValues } from "./options.ts";
import { table } from "./table.ts";
import { CommandFailed, exitStatus, UsageError } from "./usage-error.ts";

/** Rounds of a comparison, of which the median counts. */
const rounds = 5;
/** Of each side before each of them, in s: our rate still rose after five on a busy machine, when the bare model's had long settled. */
const comparisonWarmSeconds = 10;

/** Runs a benchmark; resolves with the exit status. */
export async function benchCommand(options: Partial<OptionValues>): Promise<number> {
  try {
    return options.compare === undefined ? await runOne(options) : await compare(options);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new CommandFailed(`the benchmark ended: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function runOne(options: Partial<OptionValues>): Promise<number> {
  const workload: WorkloadName = options.workload ?? "get";
  const isYcsb = workload.length === 1;
  if (options["warm-up"] === 0 && options.rate !== undefined && "share" in options.rate) {
    throw new UsageError(
      "--rate is a share of what the warm-up reaches, and --warm-up is 0: give it a second at least",
    );
  }
  const plan: BenchPlan = {
    target: targetOf(options),
    workload: workloadNames[workloadNames.indexOf(workload)] ?? "get",
    durability: options.durability ?? "synced",
    keys: options.keys ?? 10_000,
    valueBytes: options.size ?? (isYcsb ? 1000 : 1024),
    seed: options.seed ?? 1,
    inFlight: options["in-flight"] ?? 64,
    rate: options.rate,
    seconds: options.seconds ?? 10,
    warmSeconds: options["warm-up"] ?? 5,
    directory: resolve(options.data ?? tmpdir()),
    pids: options.pids ?? [],
    profileDirectory: options.profile,
    signal: interruption(),
    onStep: tell,
    onInterval: (interval) => tell(lineOf(interval)),
  };
  const report = await runBench(plan);
  if (options.picture !== undefined) await writeFile(options.picture, pictureOf(report));
  if (options.json === true) say(`${JSON.stringify(report, undefined, 2)}\n`);
  else {
    const rows = latencyRows(report);
    const numbers = Array.from({ length: (rows[0]?.length ?? 1) - 1 }, (_, i) => i + 1);
    say(`${factsOf(report).join("\n")}\n${table(rows, numbers)}`);
  }
  return exitStatus.done;
}

function targetOf({ target, nodes, storage, url }: Partial<OptionValues>): TargetChoice {
  if (target === undefined) return { kind: "own", nodes: nodes ?? 3, storage: storage ?? "log" };
  const other = nodes !== undefined ? "nodes" : storage !== undefined ? "storage" : undefined;
  if (other !== undefined)
    throw new UsageError(`--${other} is for nodes that the benchmark starts: leave out --target`);
  return target.kind === "nodes" ? { ...target, kind: "nodes", url } : (target as TargetChoice);
}

function lineOf({ second, perSecond, errors, p50, p99, p999, max }: Interval): string {
  const failed = errors === 0 ? "" : `, ${errors} errors`;
  const of = (us: number): string => milliseconds(us).padStart(7);
  return `${second.toFixed(0).padStart(5)} s ${Math.round(perSecond).toString().padStart(8)}/s   p50${of(p50)}   p99${of(p99)}   p99.9${of(p999)}   max${of(max)} ms${failed}`;
}

/** Aborted by the first request to end; the second ends this process, and with it all that it started. */
function interruption(): AbortSignal {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());
  return interrupted.signal;
}

async function compare(options: Partial<OptionValues>): Promise<number> {
  for (const name of ["target", "workload", "rate", "picture", "durability"] as const) {
    if (options[name] !== undefined)
      throw new UsageError(`--compare has no use for --${name}: it runs all it compares`);
  }
  const storage = options.storage ?? "log";
  const compared = await compareWithBare({
    nodes: options.nodes ?? 3,
    storage,
    directory: resolve(options.data ?? tmpdir()),
    profileDirectory: options.profile,
    inFlight: options["in-flight"] ?? 64,
    keys: options.keys ?? 10_000,
    valueBytes: options.size ?? 1024,
    roundMs: ((options.seconds ?? 10) * 1000) / rounds,
    rounds,
    signal: interruption(),
    warmMs: (options["warm-up"] ?? comparisonWarmSeconds) * 1000,
    onRound: tell,
  });
  if (options.json === true) say(`${JSON.stringify(compared, undefined, 2)}\n`);
  else say(`CPU time an operation in us, median of ${rounds} rounds, storage ${storage}\n${comparisonTable(compared)}`);
  return exitStatus.done;
}

function comparisonTable(compared: readonly Compared[]): string {
  const heads = ["", "ours", "servers", "per s", "p50 ms", "bare", "servers", "per s", "p50 ms", "ratio", "of rounds"];
  const rows = compared.map(({ name, ours, bare, ratio, ratioRange: [least, most] }) => {
    const sides = [ours, bare].flatMap(({ cpu, serversCpu, perSecond, p50 }) => {
      return [cpu.toFixed(1), serversCpu.toFixed(1), perSecond.toFixed(0), milliseconds(p50)];
    });
    return [name, ...sides, ratio.toFixed(2), `${least.toFixed(2)}-${most.toFixed(2)}`];
  });
  const errors = compared.reduce((sum, { ours, bare }) => sum + ours.errors + bare.errors, 0);
  const numbers = heads.map((_, i) => i).slice(1);
  return `${table([heads, ...rows], numbers)}${errors === 0 ? "" : `${errors} operations failed\n`}`;
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function say(text: string): void {
  process.stdout.write(text);
}
