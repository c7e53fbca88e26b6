/** Plans for planted bugs: a small busy cluster with few keys, and only the faults named. */

import { defaultLimits, type Limits } from "../../../src/core/limits.ts";
import type { FaultName, Plan } from "../../../src/sim/plan.ts";

/** The same where nobody keeps hints, so that what an owner misses only exchanges can bring it. */
export function withoutHints(plan: (drawn: Plan) => Plan): (drawn: Plan) => Plan {
  return (drawn) => {
    const planned = plan(drawn);
    return { ...planned, limits: { ...planned.limits, hintBytes: 0 } };
  };
}

/** Each fault with the mean time between two of its kind, in ms. */
export type Faults = readonly (readonly [FaultName, number])[];

const { requestTimeoutMs, longestTimeoutMs, messageLifeMs, reapGraceMs } = defaultLimits;

export function busy(faults: Faults, change: Partial<Plan> = {}, limits: Partial<Limits> = {}): (plan: Plan) => Plan {
  return (plan) => ({
    ...plan,
    nodes: 3,
    settings: { partitions: 8, n: 3, r: 2, w: 2 },
    limits: {
      ...plan.limits,
      contextEntries: 1000,
      siblings: 100,
      coordinations: 10_000,
      writeBufferBytes: 1 << 26,
      hintBytes: 1 << 26,
      requestTimeoutMs,
      longestTimeoutMs,
      messageLifeMs,
      reapGraceMs,
      ...limits,
    },
    buckets: [{ name: "carts", change: {} }],
    keysPerBucket: 1,
    clients: 8,
    mostRestMs: 20,
    valueBytes: 64,
    safetyMs: 3000,
    faults: new Map(faults),
    changes: new Map(),
    logEngine: undefined,
    ...change,
  });
}

/** Without exchanges, so that what hints do not do is not done. */
export function busyWithHints(faults: Faults, change: Partial<Plan> = {}): (plan: Plan) => Plan {
  return busy(faults, { nodes: 5, keysPerBucket: 3, ...change }, { exchangeEveryMs: 1e9 });
}

/** Keys that rest, and owners that forget what was deleted after seconds. */
export function forgetting(faults: Faults, change: Partial<Plan> = {}): (plan: Plan) => Plan {
  const times = { messageLifeMs: 200, requestTimeoutMs: 300, longestTimeoutMs: 300, reapGraceMs: 3100 };
  const calm = { keysPerBucket: 30, clients: 4, mostRestMs: 2000, safetyMs: 60_000, drift: 0, turnMs: 0 };
  const link = { leastDelayMs: 0.1, mostDelayMs: 2, spikeChance: 0, spikeMs: 0, windowBytes: 1e6, refusalChance: 0 };
  const disk = { leastCommitMs: 0.1, mostCommitMs: 2 };
  return busy(faults, { nodes: 4, link, disk, ...calm, ...change }, times);
}
