/**
 * Two sides under the same loads in one run: loaded by turns in short rounds, so that a machine that gets slower or faster
 * meanwhile, or has other work, does so for both. Of the rounds the median counts.
 */

import { machineClock } from "../host/clock.ts";
import { closed, cpuOf, type Measured, measure, type RunLoop } from "./measure.ts";
import type { Load } from "./operation.ts";
import type { Servers, Target } from "./target.ts";

export interface Contestant {
  readonly target: Target;
  readonly servers: Servers;
  readonly load: Load;
}

export interface TurnsOptions {
  readonly inFlight: number;
  /** How long each side is loaded in a round, and how many rounds there are. */
  readonly roundMs: number;
  readonly rounds: number;
  /** How long each side is loaded before what counts: what is not compiled yet costs several times as much. */
  readonly warmMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Hears what each operation cost on either side. */
  readonly onRound?: ((round: number, cpu: readonly [number, number]) => void) | undefined;
}

/** One side; medians over the rounds. CPU time in us an operation, latencies in us. */
export interface Side {
  readonly cpu: number;
  readonly serversCpu: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
}

export interface Turns {
  readonly sides: readonly [Side, Side];
  /** The CPU time of an operation on the first side as a multiple of the second's: of all processes, and of the servers alone. */
  readonly ratio: number;
  readonly serversRatio: number;
  /** The least and the greatest of a round, for all processes. */
  readonly ratioRange: readonly [number, number];
}

/** Loads both, by turns. */
export async function byTurns(first: Contestant, second: Contestant, options: TurnsOptions): Promise<Turns> {
  const { inFlight, signal } = options;
  const loopFor = (durationMs: number): RunLoop => closed({ inFlight, durationMs, signal, clock: machineClock });
  const sides = [first, second];
  for (const side of options.warmMs > 0 ? sides : []) await measure({ ...side, run: loopFor(options.warmMs) });
  const run = loopFor(options.roundMs);
  const measured: (readonly [Measured, Measured])[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const both = [await measure({ ...first, run }), await measure({ ...second, run })] as const;
    if (signal?.aborted === true) throw new Error("it was interrupted");
    options.onRound?.(round, [cpuOf(both[0]).all, cpuOf(both[1]).all]);
    measured.push(both);
  }
  const ratios = measured.map(([a, b]) => cpuOf(a).all / cpuOf(b).all);
  return {
    sides: [sideOf(measured.map(([a]) => a)), sideOf(measured.map(([, b]) => b))],
    ratio: median(ratios),
    serversRatio: median(measured.map(([a, b]) => cpuOf(a).servers / cpuOf(b).servers)),
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
