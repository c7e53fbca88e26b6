/**
 * What a seed decides before anything runs: the cluster, its limits, the buckets, the clients and which faults there
 * are.
 *
 * Every seed switches most faults off and gives the rest a frequency of its own. A run with everything at once mostly
 * shows clusters that are down; the rare orders of events come from few faults that happen often.
 */

import { defaultLimits, forgettingQuietMs, type Limits } from "../core/limits.ts";
import type { BucketChange, ClusterSettings } from "../core/settings.ts";
import type { Leniency } from "./checkers/leniency.ts";
import { type LinkFaultName, linkFaultNames } from "./link-faults.ts";
import type { LogFileSizes } from "./log-engine-disk.ts";
import type { DiskTraits } from "./machine-disk.ts";
import { type ChangeName, changeNames } from "./membership-changes.ts";
import type { LinkTraits } from "./network.ts";
import { Prng } from "./prng.ts";

/** What happens to machines and processes, by the name under which a summary counts it. */
const machineFaultNames = [
  "kill",
  "power loss",
  "crash at a message",
  "graceful stop",
  "pause",
  "slow node",
  "clock jump",
  "disk stall",
  "disk full",
  "wiped disk",
  "changed bit",
] as const;
export type FaultName = (typeof machineFaultNames)[number] | LinkFaultName;
/** Every fault there is. */
export const faultNames: readonly FaultName[] = [...machineFaultNames, ...linkFaultNames];

export interface PlannedBucket {
  readonly name: string;
  readonly change: BucketChange;
}

export interface Plan {
  readonly nodes: number;
  readonly zones: number;
  readonly settings: ClusterSettings;
  readonly limits: Limits;
  readonly buckets: readonly PlannedBucket[];
  readonly keysPerBucket: number;
  readonly clients: number;
  /** A client's rest between two calls, at most, in ms. */
  readonly mostRestMs: number;
  /** Longest value, in bytes. */
  readonly valueBytes: number;
  readonly link: LinkTraits;
  readonly disk: DiskTraits;
  /** The log engine's files, where nodes run on it. */
  readonly logEngine: LogFileSizes | undefined;
  readonly turnMs: number;
  /** Furthest that a machine's quartz is off, as a share of its rate. */
  readonly drift: number;
  /** How long faults go on, in ms. */
  readonly safetyMs: number;
  /** The mean time between two faults of a kind, in ms, for those that happen. */
  readonly faults: ReadonlyMap<FaultName, number>;
  /** The same for changes of members. */
  readonly changes: ReadonlyMap<ChangeName, number>;
}

/** Nobody asks whether it is enough: exchanges that come by would hide what hints have failed to do. */
const never = 1_000_000_000;

/** Faults that may take from a machine what it was about to write: hints among it. */
const costlyFaults: ReadonlySet<FaultName> = new Set<FaultName>([
  "kill",
  "power loss",
  "crash at a message",
  "graceful stop",
  "disk full",
  "wiped disk",
  "changed bit",
]);

/** Whether owners compare what they hold by themselves. */
export function doesExchange({ limits }: Plan): boolean {
  return limits.exchangeEveryMs < never;
}

/**
 * Whether hints alone must bring what was acknowledged to every owner. Not where owners forget after seconds: there a
 * call may take longer than hints may still be kept for what it brings.
 */
export function mustHintsDo(plan: Plan): boolean {
  const { hintBytes, writeBufferBytes } = plan.limits;
  const hasRoom = hintBytes >= roomForHints.hintBytes && writeBufferBytes >= roomForHints.writeBufferBytes;
  const isCheap = [...plan.faults.keys()].every((fault) => !costlyFaults.has(fault));
  return hasRoom && isCheap && plan.changes.size === 0 && !doesExchange(plan) && !doesForget(plan);
}

/** Whether contexts may be pruned under this plan, so that replaced versions may show again (§4.4). */
export function mayPrune(plan: Plan): boolean {
  return plan.limits.contextEntries < 500;
}

/** What the checkers must let pass under this plan. */
export function leniencyOf(plan: Plan): Leniency {
  return { prunes: mayPrune(plan), forgetsAfterMs: plan.limits.reapGraceMs / (1 + plan.drift) };
}

/** Whether owners come to forget tombstones while the run lasts. */
export function doesForget({ limits }: Plan): boolean {
  return limits.reapGraceMs < 60_000;
}

/** Draws one run's plan from its seed. */
export function drawPlan(seed: number): Plan {
  const prng = new Prng(seed, "plan");
  const nodes = prng.between(3, 7);
  const settings = drawSettings(prng, nodes);
  // Some runs have nothing that may cost a hint, so that handoff alone can be held to what it promises.
  const isForHints = prng.chance(0.15);
  // In others owners forget after seconds, in quiet enough places that they can.
  const isForForgetting = prng.chance(0.25) && !isForHints;
  const faults = isForHints ? withoutLosses(drawFaults(prng)) : drawFaults(prng);
  const buckets: PlannedBucket[] = [
    { name: "carts", change: {} },
    { name: "strict", change: { n: Math.min(3, nodes), r: "quorum", w: "quorum" } },
  ];
  if (prng.chance(0.4)) buckets.push({ name: "buffered", change: { durability: "buffered" } });
  if (prng.chance(0.5)) buckets.push({ name: "newest", change: { reconcile: "last-write-wins" } });
  if (prng.chance(0.3)) buckets.push({ name: "wide", change: { n: Math.min(5, nodes), r: 1, w: 1, pw: 1 } });
  const drawn: Plan = {
    nodes,
    zones: prng.between(1, 3),
    settings,
    limits: { ...drawLimits(prng), ...(isForHints && roomForHints), readsPerWholeRead: drawWholeReads(seed) },
    buckets,
    keysPerBucket: prng.between(1, 6),
    clients: prng.between(2, 12),
    mostRestMs: prng.pick([10, 50, 200, 500]),
    valueBytes: prng.pick([16, 200, 3000, 12_000]),
    link: {
      leastDelayMs: 0.1,
      mostDelayMs: prng.pick([1, 5, 30]),
      spikeChance: prng.pick([0, 0, 0.01, 0.1]),
      spikeMs: prng.pick([50, 500, 3000]),
      windowBytes: prng.pick([2000, 20_000, 1_000_000]),
      refusalChance: prng.pick([0, 0, 0.1, 0.5]),
    },
    disk: { leastCommitMs: 0.1, mostCommitMs: prng.pick([1, 10, 60, 300]) },
    turnMs: prng.pick([0, 0.1, 2]),
    drift: prng.pick([0, 0.000_1, 0.02]),
    safetyMs: prng.between(5000, 20_000),
    faults,
    changes: drawChanges(seed),
    logEngine: drawLogEngine(seed),
  };
  return withChangedBits(isForForgetting ? quiet(drawn, prng) : drawn, seed);
}

/**
 * In most of the runs with files bits change, where that is no loss by itself: each key has another owner, who also
 * stays one.
 */
function withChangedBits(plan: Plan, seed: number): Plan {
  const prng = new Prng(seed, "changed bits in plan");
  const meanMs = prng.pick([1000, 3000, 8000]);
  const haveOthers = plan.settings.n > 1 && plan.changes.size === 0 && !mustHintsDo(plan);
  if (plan.logEngine === undefined || !haveOthers || prng.chance(0.25)) return plan;
  return { ...plan, faults: new Map([...plan.faults, ["changed bit", meanMs]]) };
}

/** A third of the runs has the log engine under its nodes. A stream of its own: what else a seed draws is as it was. */
function drawLogEngine(seed: number): LogFileSizes | undefined {
  const prng = new Prng(seed, "log engine in plan");
  if (!prng.chance(1 / 3)) return undefined;
  return {
    segmentBytes: prng.pick([4000, 20_000, 200_000]),
    checkpointBytes: prng.pick([2000, 20_000, 500_000]),
  };
}

/** Keys that rest for a while, and times so short that what is deleted is forgotten meanwhile. */
function quiet(plan: Plan, prng: Prng): Plan {
  const messageLifeMs = 1000;
  const requestTimeoutMs = 500;
  const limits = { ...plan.limits, messageLifeMs, requestTimeoutMs, longestTimeoutMs: requestTimeoutMs };
  return {
    ...plan,
    limits: { ...limits, reapGraceMs: requestTimeoutMs + forgettingQuietMs(limits) },
    keysPerBucket: prng.between(4, 10),
    clients: prng.between(1, 4),
    mostRestMs: prng.pick([200, 1000]),
    link: { ...plan.link, mostDelayMs: prng.pick([1, 5]), spikeChance: 0 },
    disk: { ...plan.disk, mostCommitMs: Math.min(60, plan.disk.mostCommitMs) },
    safetyMs: prng.between(10_000, 30_000),
  };
}

const roomForHints = {
  hintBytes: 64 * 1024 * 1024,
  writeBufferBytes: 64 * 1024 * 1024,
  exchangeEveryMs: never,
} as const;

/** Without what may take a hint along, or the node that had to write it. */
function withoutLosses(faults: ReadonlyMap<FaultName, number>): ReadonlyMap<FaultName, number> {
  return new Map([...faults].filter(([fault]) => !costlyFaults.has(fault)));
}

function drawSettings(prng: Prng, nodes: number): ClusterSettings {
  const n = prng.pick([1, 2, 3, 3, 3, 3, Math.min(5, nodes)]);
  const majority = Math.floor(n / 2) + 1;
  return {
    partitions: prng.pick([8, 16, 32, 64]),
    n,
    r: prng.chance(0.7) ? majority : prng.between(1, n),
    w: prng.chance(0.7) ? majority : prng.between(1, n),
  };
}

function drawLimits(prng: Prng): Limits {
  const valueBytes = 16 * 1024;
  const stateBytes = prng.pick([40_000, 400_000]);
  return {
    ...defaultLimits,
    valueBytes,
    siblings: prng.pick([3, 10, 100]),
    stateBytes,
    contextEntries: prng.chance(0.25) ? prng.between(3, 12) : 1000,
    frameBytes: prng.pick([5 * stateBytes + 200_000, 8 * 1024 * 1024]),
    connectionQueueBytes: prng.pick([20_000, 1_000_000, 64 * 1024 * 1024]),
    coordinations: prng.pick([3, 50, 10_000]),
    writeBufferBytes: prng.pick([20_000, 1_000_000, 64 * 1024 * 1024]),
    requestTimeoutMs: prng.pick([500, 2000]),
    hintBytes: prng.pick([3000, 100_000, 64 * 1024 * 1024]),
    messageLifeMs: prng.pick([8000, 60_000]),
    exchangeEveryMs: prng.pick([1000, 10_000, never]),
  };
}

/** A stream of its own: what else a seed draws is what it was without. */
function drawWholeReads(seed: number): number {
  return new Prng(seed, "whole reads").pick([1, 3, 10, 1000]);
}

function drawFaults(prng: Prng): ReadonlyMap<FaultName, number> {
  const faults = new Map<FaultName, number>();
  const share = prng.pick([0.1, 0.2, 0.4]);
  for (const name of faultNames) {
    if (name === "changed bit") continue;
    const isOn = prng.chance(name === "wiped disk" ? 0.2 : share);
    const meanMs = prng.pick([1000, 3000, 8000]);
    if (isOn) faults.set(name, meanMs);
  }
  return faults;
}

/** Members change in about half of the runs. A stream of its own: what else a seed draws is what it was without. */
function drawChanges(seed: number): ReadonlyMap<ChangeName, number> {
  const prng = new Prng(seed, "changes in plan");
  if (prng.chance(0.5)) return new Map();
  const members = changeNames.filter((name) => name !== "n of a bucket");
  const drawn = members.filter(() => prng.chance(0.5));
  const changes = new Map<ChangeName, number>(drawn.map((name) => [name, prng.pick([3000, 8000, 16_000])]));
  if (prng.chance(0.5)) changes.set("n of a bucket", prng.pick([2000, 5000, 12_000]));
  return changes;
}
