/** Plans for planted bugs: a small busy cluster with few keys, and only the faults named. */

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

export function busy(faults: Faults, change: Partial<Plan> = {}): (plan: Plan) => Plan {
  return (plan) => ({
    ...plan,
    nodes: 3,
    settings: { partitions: 8, n: 3, r: 2, w: 2 },
    limits: { ...plan.limits, contextEntries: 1000, siblings: 100, coordinations: 10_000, writeBufferBytes: 1 << 26 },
    buckets: [{ name: "carts", change: {} }],
    keysPerBucket: 1,
    clients: 8,
    mostRestMs: 20,
    valueBytes: 64,
    safetyMs: 3000,
    faults: new Map(faults),
    ...change,
  });
}
