/**
 * One run from beginning to end: a target is found or started, filled, warmed, loaded, looked at, and left as it was.
 */

import type { BucketChange } from "../core/settings.ts";
import { machineClock } from "../host/clock.ts";
import { fill } from "./closed-loop.ts";
import { syncLatency } from "./disk-sync.ts";
import { fixedLoad } from "./fixed-load.ts";
import { closed, type Measured, measure, open, type RunLoop } from "./measure.ts";
import { BareCluster } from "./models/bare-cluster.ts";
import type { Load } from "./operation.ts";
import { memberOrigins, nodesOverHttp, processesHere } from "./other-servers.ts";
import { OwnCluster } from "./own-cluster.ts";
import type { Interval } from "./recording.ts";
import { type Report, reportOf } from "./report.ts";
import { cartLoad, sessionLoad } from "./shop-loads.ts";
import type { Servers, Target } from "./target.ts";
import { CartwheelTarget } from "./targets/cartwheel-target.ts";
import { RedisTarget } from "./targets/redis-target.ts";
import { type YcsbName, ycsbLoad } from "./ycsb.ts";

/** What is driven. `own`: nodes started for the run; `nodes`: running ones, by the addresses of their native protocol. */
export type TargetChoice =
  | { readonly kind: "own"; readonly nodes: number; readonly storage: "lmdb" | "log" | "memory" }
  | { readonly kind: "nodes"; readonly addresses: readonly string[]; readonly url: string | undefined }
  | { readonly kind: "bare"; readonly synced: boolean }
  | { readonly kind: "redis"; readonly addresses: readonly string[] };

export const workloadNames = ["get", "put", "a", "b", "c", "d", "e", "f", "cart", "session"] as const;
export type WorkloadName = (typeof workloadNames)[number];

export type Rate = { readonly perSecond: number } | { readonly share: number };

export interface BenchPlan {
  readonly target: TargetChoice;
  readonly workload: WorkloadName;
  readonly durability: "synced" | "buffered";
  readonly keys: number;
  readonly valueBytes: number;
  readonly seed: number;
  readonly inFlight: number;
  /** Operations a second of an open loop, or their share of what a closed one reaches; a closed one where absent. */
  readonly rate: Rate | undefined;
  readonly seconds: number;
  readonly warmSeconds: number;
  /** Where data of servers that are started may be. */
  readonly directory: string;
  /** Processes of this machine to watch besides. */
  readonly pids: readonly number[];
  readonly profileDirectory: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: ((text: string) => void) | undefined;
  readonly onInterval?: ((interval: Interval) => void) | undefined;
}

/** Of an open loop: so many that a second's stall at the highest rates is waited out, and memory is not. */
const mostInFlight = 20_000;

interface Opened {
  readonly name: string;
  readonly target: Target;
  readonly servers: Servers;
}

/** Runs the plan. */
export async function runBench(plan: BenchPlan): Promise<Report> {
  const load = loadOf(plan);
  const { name, target, servers } = await openTarget(plan);
  const watched = plan.pids.length === 0 ? servers : both(servers, processesHere(plan.pids));
  try {
    plan.onStep?.(`filling ${name} with ${load.keys} keys ...`);
    await fill(target, load, plan.inFlight, plan.signal);
    plan.onStep?.(`${plan.warmSeconds} s to get warm ...`);
    const { inFlight, signal } = plan;
    const warm = closed({ inFlight, durationMs: plan.warmSeconds * 1000, signal, clock: machineClock });
    const parts = { target, servers: watched, load };
    const warmed = plan.warmSeconds > 0 ? await measure({ ...parts, run: warm }) : undefined;
    const rate = rateOf(plan.rate, warmed);
    plan.onStep?.(`${load.description}, for ${plan.seconds} s`);
    const measured = await measure({ ...parts, run: loopOf(plan, rate), onInterval: plan.onInterval });
    const loop = rate === undefined ? ({ kind: "closed", inFlight } as const) : ({ kind: "open", rate } as const);
    const head = { target: name, workload: load.name, description: load.description, loop };
    const isOnThisDisk = servers instanceof OwnCluster || servers instanceof BareCluster;
    const sync = isOnThisDisk ? await syncLatency(plan.directory) : undefined;
    return reportOf(head, measured, { bytes: await watched.diskBytes(), sync });
  } finally {
    await target.close().finally(() => servers.stop());
  }
}

/** Operations a second of the open loop. A share is one of what the closed loop has just reached. */
function rateOf(rate: Rate | undefined, warmed: Measured | undefined): number | undefined {
  if (rate === undefined || "perSecond" in rate) return rate?.perSecond;
  if (warmed === undefined) throw new Error("a share of the highest rate can be told only after a warm-up");
  return Math.max(1, (rate.share * warmed.recording.count * 1000) / warmed.tookMs);
}

function loopOf({ seconds, inFlight, signal }: BenchPlan, rate: number | undefined): RunLoop {
  const durationMs = seconds * 1000;
  return rate === undefined
    ? closed({ inFlight, durationMs, signal, clock: machineClock })
    : open({ perSecond: rate, durationMs, mostInFlight, signal, clock: machineClock });
}

function loadOf({ workload, keys, valueBytes, seed }: BenchPlan): Load {
  switch (workload) {
    case "get":
      return fixedLoad({ kind: "read", keys, valueBytes });
    case "put":
      return fixedLoad({ kind: "update", keys, valueBytes });
    case "cart":
      return cartLoad({ keys, seed });
    case "session":
      return sessionLoad({ keys, seed, valueBytes });
    default:
      return ycsbLoad({ workload: workload satisfies YcsbName, records: keys, valueBytes, seed });
  }
}

async function openTarget(plan: BenchPlan): Promise<Opened> {
  const { target: choice, directory, profileDirectory } = plan;
  switch (choice.kind) {
    case "own": {
      plan.onStep?.(`starting ${choice.nodes} nodes ...`);
      const cluster = await OwnCluster.start({ ...choice, directory, profileDirectory });
      return stopIfFails(cluster, async () => {
        const { name, settings, remembers } = bucketOf(plan);
        await cluster.setBucket(name, settings);
        const target = await CartwheelTarget.connect({ addresses: cluster.addresses, bucket: name, remembers });
        return { name: `${choice.nodes} nodes on ${choice.storage}, ${plan.durability}`, target, servers: cluster };
      });
    }
    case "nodes": {
      const { name, settings, remembers } = bucketOf(plan);
      const origins = choice.url === undefined ? [] : await memberOrigins(choice.url);
      if (choice.url !== undefined) await setBucket(choice.url, name, settings);
      const target = await CartwheelTarget.connect({ addresses: choice.addresses, bucket: name, remembers });
      return { name: `nodes at ${choice.addresses.join(", ")}`, target, servers: nodesOverHttp(origins) };
    }
    case "bare": {
      const cluster = await BareCluster.start({ synced: choice.synced, directory, profileDirectory });
      const name = choice.synced ? "bare model with a synced log" : "bare model in memory";
      return stopIfFails(cluster, async () => ({ name, target: await cluster.connect(), servers: cluster }));
    }
    case "redis": {
      const target = await RedisTarget.connect(choice.addresses);
      return { name: `redis://${choice.addresses.join(",")}`, target, servers: processesHere([]) };
    }
  }
}

async function stopIfFails(servers: Servers, open: () => Promise<Opened>): Promise<Opened> {
  try {
    return await open();
  } catch (error) {
    await servers.stop();
    throw error;
  }
}

/** A bucket for the workload. YCSB's updates are blind, and a session's newest stamp is all there is to know of it. */
function bucketOf({ workload, durability }: BenchPlan): {
  readonly name: string;
  readonly settings: BucketChange;
  readonly remembers: boolean;
} {
  const keepsSiblings = workload === "cart" || workload === "get" || workload === "put";
  const reconcile = keepsSiblings ? "siblings" : "last-write-wins";
  return { name: `bench-${workload}-${durability}`, settings: { durability, reconcile }, remembers: keepsSiblings };
}

async function setBucket(origin: string, name: string, settings: BucketChange): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${origin}/buckets/${name}`, { method: "PUT", headers, body: JSON.stringify(settings) });
  if (!response.ok) throw new Error(`${origin} did not set the bucket ${name}: ${await response.text()}`);
}

/** Those of the target, and others. */
function both(servers: Servers, others: Servers): Servers {
  return {
    usage: async () => [...(await servers.usage()), ...(await others.usage())],
    diskBytes: () => servers.diskBytes(),
    stop: () => servers.stop(),
  };
}
