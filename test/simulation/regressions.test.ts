/** Bugs that the simulation found, each held by runs of the kind that showed it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FaultName, Plan } from "../../src/sim/plan.ts";
import { runSeed } from "../../src/sim/run.ts";
import { buildNode } from "../../tools/product-node.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

async function passes(
  seeds: readonly number[],
  faults: readonly (readonly [FaultName, number])[],
  change: Partial<Plan>,
): Promise<void> {
  for (const seed of seeds) {
    // These seeds were found on the disk that keeps the engines' law, and do what they are to do there.
    const calm = { faults: new Map(faults), changes: new Map(), logEngine: undefined };
    const adjust = (plan: Plan): Plan => ({ ...plan, ...calm, ...change });
    const { violations } = await runSeed({ seed, surroundings: nodeSurroundings, build: buildNode, adjust });
    const [first] = violations;
    assert.equal(first && `seed ${seed}: ${first.law}: ${first.what}`, undefined);
  }
}

test("a value that changes on its way to the node that coordinates its write is not minted", () =>
  passes([1, 2, 3], [["corruption", 30]], {
    nodes: 5,
    settings: { partitions: 8, n: 1, r: 1, w: 1 },
    buckets: [{ name: "carts", change: {} }],
    clients: 8,
    mostRestMs: 20,
    valueBytes: 12_000,
    safetyMs: 4000,
  }));

test("a node whose join two sponsors wrote down has not replaced itself", () =>
  passes(
    [55, 63, 75, 122],
    [
      ["wiped disk", 1000],
      ["reset", 150],
      ["split", 1000],
      ["power loss", 1500],
    ],
    {
      nodes: 4,
      zones: 3,
      settings: { partitions: 8, n: 3, r: 2, w: 2 },
      clients: 2,
      mostRestMs: 500,
      safetyMs: 12_000,
    },
  ));
