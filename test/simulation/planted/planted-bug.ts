/**
 * Bugs planted in the product's own code, which the simulation runs from a copy (`../../planted-copy.ts`) and must catch.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Plan } from "../../../src/sim/plan.ts";
import { type Report, runSeed } from "../../../src/sim/run.ts";
import { buildNode } from "../../../tools/product-node.ts";
import { nodeSurroundings } from "../../../tools/surroundings.ts";
import { type PlantedLine, plantedCopy } from "../../planted-copy.ts";

/** Of so many seeds one must catch each bug. */
const mostSeeds = 200;

export interface PlantedBug extends PlantedLine {
  /** Laws of checkers: any of them catches it. */
  readonly laws: readonly string[];
  /** The kind of run in which the bug does harm. */
  readonly plan: (plan: Plan) => Plan;
  /** Where looking begins, if not at 1: not far before the seed that last caught it. */
  readonly from?: number;
}

type RunOneSeed = (seed: number) => Promise<Report>;

/** Makes the copy with the bug, and answers how to run a seed in it. */
async function plant(bug: PlantedBug): Promise<RunOneSeed> {
  const root = plantedCopy(bug);
  const load = async (path: string): Promise<unknown> => import(pathToFileURL(join(root, path)).href);
  const run = (await load("src/sim/run.js")) as { readonly runSeed: typeof runSeed };
  const node = (await load("tools/product-node.js")) as { readonly buildNode: typeof buildNode };
  return (seed) => run.runSeed({ seed, surroundings: nodeSurroundings, build: node.buildNode, adjust: bug.plan });
}

const runSound = (seed: number, { plan }: PlantedBug): Promise<Report> =>
  runSeed({ seed, surroundings: nodeSurroundings, build: buildNode, adjust: plan });

/** Declares the test: one of the bug's laws catches it, in a seed that passes without it. */
export function caughtTest(bug: PlantedBug): void {
  test(`${bug.name} is caught by ${bug.laws.join(" or ")}`, async (context) => {
    const runPlanted = await plant(bug);
    const others = new Set<string>();
    const { from = 1 } = bug;
    for (let seed = from; seed < from + mostSeeds; seed++) {
      const planted = await runPlanted(seed);
      for (const { law } of planted.violations) others.add(law);
      if (!planted.violations.some(({ law }) => bug.laws.includes(law))) continue;
      const [first] = (await runSound(seed, bug)).violations;
      assert.equal(first && `${first.law}: ${first.what}`, undefined, `seed ${seed} fails without the bug, too`);
      context.diagnostic(`caught by seed ${seed}`);
      return;
    }
    assert.fail(`not caught in ${mostSeeds} seeds; laws that were broken: ${[...others].join(", ") || "none"}`);
  });
}
