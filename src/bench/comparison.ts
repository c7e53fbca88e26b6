/**
 * What our operations cost beside a bare model's of the same job, in one run: CPU time of all processes, and the ratio.
 *
 * Both clusters are up throughout, and are loaded by turns in short rounds: a machine that gets slower or faster
 * meanwhile, or has other work, does so for both. Of the rounds the median counts. A get and a buffered put are compared
 * with a model that stores in memory, a synced put with one that syncs a log, once for all who wait.
 */

import { machineClock } from "../host/clock.ts";
import { fill } from "./closed-loop.ts";
import { type FixedLoadOptions, fixedLoad } from "./fixed-load.ts";
import { closed, cpuOf, type Measured, measure, type RunLoop } from "./measure.ts";
import { BareCluster } from "./models/bare-cluster.ts";
import type { Load } from "./operation.ts";
import { OwnCluster, type OwnClusterOptions } from "./own-cluster.ts";
import type { Servers, Target } from "./target.ts";
import { CartwheelTarget } from "./targets/cartwheel-target.ts";

export interface ComparisonOptions extends OwnClusterOptions {
  readonly inFlight: number;
  readonly keys: number;
  readonly valueBytes: number;
  /** How long each side is loaded in a round, and how many rounds there are. */
  readonly roundMs: number;
  readonly rounds: number;
  /** How long each side is loaded before what counts: what is not compiled yet costs several times as much. */
  readonly warmMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onRound?: ((text: string) => void) | undefined;
}

/** One side of one comparison; medians over the rounds. CPU time in us an operation, latencies in us. */
export interface Side {
  readonly cpu: number;
  readonly serversCpu: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
}

export interface Compared {
  readonly name: string;
  readonly ours: Side;
  readonly bare: Side;
  readonly ratio: number;
  /** The least and the greatest ratio of a round. */
  readonly ratioRange: readonly [number, number];
}

interface Contest {
  readonly name: string;
  readonly kind: FixedLoadOptions["kind"];
  readonly isSynced: boolean;
}

const contests: readonly Contest[] = [
  { name: "get", kind: "read", isSynced: false },
  { name: "buffered put", kind: "update", isSynced: false },
  { name: "synced put", kind: "update", isSynced: true },
];

interface Contestant {
  readonly target: Target;
  readonly servers: Servers;
  readonly load: Load;
}

/** Starts both, runs all contests, stops both. */
export async function compareWithBare(options: ComparisonOptions): Promise<readonly Compared[]> {
  const ours = await OwnCluster.start(options);
  try {
    return [...(await compareBucket(ours, false, options)), ...(await compareBucket(ours, true, options))];
  } finally {
    await ours.stop();
  }
}

async function compareBucket(ours: OwnCluster, isSynced: boolean, options: ComparisonOptions): Promise<Compared[]> {
  const bucket = isSynced ? "synced" : "buffered";
  await ours.setBucket(bucket, { durability: bucket });
  const target = await CartwheelTarget.connect({ addresses: ours.addresses, bucket, remembers: true });
  const bare = await BareCluster.start({ ...options, synced: isSynced });
  const bareTarget = await bare.connect();
  const results: Compared[] = [];
  try {
    const full = fixedLoad({ ...options, kind: "update" });
    await fill(target, full, options.inFlight, options.signal);
    await fill(bareTarget, full, options.inFlight, options.signal);
    for (const { name, kind } of contests.filter((contest) => contest.isSynced === isSynced)) {
      const our = { target, servers: ours, load: fixedLoad({ ...options, kind }) };
      const their = { target: bareTarget, servers: bare, load: fixedLoad({ ...options, kind }) };
      results.push(await contend(name, our, their, options));
    }
  } finally {
    await target.close();
    await bareTarget.close();
    await bare.stop();
  }
  return results;
}

async function contend(
  name: string,
  ours: Contestant,
  bare: Contestant,
  options: ComparisonOptions,
): Promise<Compared> {
  const { inFlight, signal } = options;
  const loopFor = (durationMs: number): RunLoop => closed({ inFlight, durationMs, signal, clock: machineClock });
  for (const side of options.warmMs > 0 ? [ours, bare] : []) await measure({ ...side, run: loopFor(options.warmMs) });
  const run = loopFor(options.roundMs);
  const measured: { readonly ours: Measured; readonly bare: Measured }[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const both = { ours: await measure({ ...ours, run }), bare: await measure({ ...bare, run }) };
    if (signal?.aborted === true) throw new Error("it was interrupted");
    const [our, their] = [cpuOf(both.ours).all.toFixed(1), cpuOf(both.bare).all.toFixed(1)];
    options.onRound?.(`${name}, ${round} of ${options.rounds}: ${our} us of CPU an operation, bare ${their} us`);
    measured.push(both);
  }
  const ratios = measured.map((both) => cpuOf(both.ours).all / cpuOf(both.bare).all);
  return {
    name,
    ours: sideOf(measured.map((both) => both.ours)),
    bare: sideOf(measured.map((both) => both.bare)),
    ratio: median(ratios),
    ratioRange: [Math.min(...ratios), Math.max(...ratios)],
  };
}

function sideOf(rounds: readonly Measured[]): Side {
  const medianOf = (what: (round: Measured) => number): number => median(rounds.map(what));
  return {
    cpu: medianOf((round) => cpuOf(round).all),
    serversCpu: medianOf((round) => cpuOf(round).servers),
    perSecond: medianOf(({ recording, tookMs }) => (recording.count * 1000) / tookMs),
    p50: medianOf(({ recording }) => recording.all.percentile(0.5)),
    p99: medianOf(({ recording }) => recording.all.percentile(0.99)),
    errors: rounds.reduce((sum, { recording }) => sum + recording.errorCount, 0),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
