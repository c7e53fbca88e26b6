/** One run of a load, and what every process used meanwhile. */

import { type ClosedLoop, runClosedLoop } from "./closed-loop.ts";
import { type OpenLoop, runOpenLoop } from "./open-loop.ts";
import type { Load } from "./operation.ts";
import { type Interval, Recording } from "./recording.ts";
import type { ProcessUsage, Servers, Target } from "./target.ts";

export interface Measured {
  readonly recording: Recording;
  readonly tookMs: number;
  /** The load's own process, this one. */
  readonly client: ProcessUsage;
  /** What each of the others used in that time, and the memory it had at the end. */
  readonly servers: readonly ProcessUsage[];
}

export type RunLoop = (target: Target, load: Load, recording: Recording) => Promise<void>;

export interface Measurement {
  readonly target: Target;
  readonly servers: Servers;
  readonly load: Load;
  readonly run: RunLoop;
  readonly onInterval?: ((interval: Interval) => void) | undefined;
}

/** A closed loop, as a `RunLoop`. */
export function closed(loop: ClosedLoop): RunLoop {
  return (target, load, recording) => runClosedLoop(target, load, loop, recording);
}

/** An open loop, as a `RunLoop`. */
export function open(loop: OpenLoop): RunLoop {
  return (target, load, recording) => runOpenLoop(target, load, loop, recording);
}

/** Runs the load once. */
export async function measure({ target, servers, load, run, onInterval }: Measurement): Promise<Measured> {
  const before = await servers.usage();
  const ownBefore = process.cpuUsage();
  const beganMs = performance.now();
  const recording = new Recording(beganMs, onInterval);
  await run(target, load, recording);
  const tookMs = performance.now() - beganMs;
  const own = process.cpuUsage(ownBefore);
  const after = await servers.usage();
  const cpuBefore = new Map(before.map(({ name, cpuUs }) => [name, cpuUs]));
  return {
    recording,
    tookMs,
    client: { name: "client", cpuUs: own.user + own.system, memoryBytes: process.memoryUsage.rss() },
    servers: after.map((now) => ({ ...now, cpuUs: now.cpuUs - (cpuBefore.get(now.name) ?? now.cpuUs) })),
  };
}

/** CPU time of an operation in us: of all processes, and of the servers alone. */
export function cpuOf({ recording, client, servers }: Measured): { readonly all: number; readonly servers: number } {
  const served = servers.reduce((sum, { cpuUs }) => sum + cpuUs, 0);
  const count = Math.max(1, recording.count);
  return { all: (served + client.cpuUs) / count, servers: served / count };
}
