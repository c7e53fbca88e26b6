/** What the figures that load real nodes share: a cluster for as long as one takes, and the highest rate a target reaches. */

import { fill, runClosedLoop } from "../../src/bench/closed-loop.ts";
import type { Load } from "../../src/bench/operation.ts";
import { OwnCluster } from "../../src/bench/own-cluster.ts";
import { Recording } from "../../src/bench/recording.ts";
import type { Target } from "../../src/bench/target.ts";
import { machineClock } from "../../src/host/clock.ts";
import type { FigureOptions } from "./figure.ts";

export const inFlight = 64;
/** Of an open loop: more than any stall that is to be seen. */
export const mostInFlight = 20_000;
export const valueBytes = 1024;

/** How many keys there are. */
export function keysOf({ isBrief }: FigureOptions): number {
  return isBrief ? 200 : 10_000;
}

/** Has a cluster of so many nodes, each a process, while `use` runs. */
export async function withCluster<T>(
  { storage, directory, tell }: FigureOptions,
  shape: { readonly nodes: number; readonly http?: boolean },
  use: (cluster: OwnCluster) => Promise<T>,
): Promise<T> {
  tell(`starting ${shape.nodes} nodes on ${storage} ...`);
  const cluster = await OwnCluster.start({ ...shape, storage, directory });
  // Interrupted, it leaves neither processes nor data behind.
  const giveUp = (): void => void cluster.stop().finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, giveUp);
  try {
    return await use(cluster);
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, giveUp);
    await cluster.stop();
  }
}

/** Stores what the load expects to find. */
export function prepare(target: Target, load: Load): Promise<void> {
  return fill(target, load, inFlight);
}

/** Operations a second with 64 in flight, once they have run for a while: of the second half of that time. */
export async function highestRate(target: Target, load: Load, durationMs: number): Promise<number> {
  const half = { inFlight, durationMs: durationMs / 2, clock: machineClock };
  await runClosedLoop(target, load, half, new Recording(performance.now()));
  const recording = new Recording(performance.now());
  const beganMs = performance.now();
  await runClosedLoop(target, load, half, recording);
  if (recording.errorCount > 0) throw new Error(`the load fails: ${[...recording.errors.keys()].join("; ")}`);
  return (recording.count * 1000) / (performance.now() - beganMs);
}
