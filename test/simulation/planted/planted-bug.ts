/**
 * Bugs planted in the product's own code: a copy of what the build made, with one line of one file changed, under
 * `dist/planted`. The simulation then runs from the copy. Nothing in the product knows of it, so there is no switch
 * that anybody could leave on.
 *
 * What a bug changes must occur exactly once in its file: where the code has moved on, the bug's test says so.
 */

import assert from "node:assert/strict";
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Plan } from "../../../src/sim/plan.ts";
import { type Report, runSeed } from "../../../src/sim/run.ts";
import { buildNode } from "../../../tools/product-node.ts";
import { nodeSurroundings } from "../../../tools/surroundings.ts";

const dist = fileURLToPath(new URL("../../../", import.meta.url));
/** By then every bug must have been caught. */
export const mostSeeds = 200;

export interface PlantedBug {
  /** What the node does wrong, as the subject of "is caught": "a mint that trusts another run's record". */
  readonly name: string;
  /** Under `dist/src`, without its ending: `core/quorum/tally`. */
  readonly file: string;
  /** Text of the compiled file that occurs exactly once there. */
  readonly find: string;
  readonly replace: string;
  /** Laws of checkers: any of them catches it. */
  readonly laws: readonly string[];
  /** The kind of run in which the bug does harm. */
  readonly plan: (plan: Plan) => Plan;
}

type RunOneSeed = (seed: number) => Promise<Report>;

/** Makes the copy with the bug, and answers how to run a seed in it. */
async function plant({ name, file, find, replace, plan }: PlantedBug): Promise<RunOneSeed> {
  const root = join(dist, "planted", name.replaceAll(/[^a-zA-Z0-9]+/g, "-"));
  rmSync(root, { recursive: true, force: true });
  for (const part of ["src", "tools"]) {
    for (const path of readdirSync(join(dist, part), { recursive: true, encoding: "utf8" })) {
      if (!path.endsWith(".js")) continue;
      mkdirSync(dirname(join(root, part, path)), { recursive: true });
      linkSync(join(dist, part, path), join(root, part, path));
    }
  }
  const sound = readFileSync(join(dist, "src", `${file}.js`), "utf8");
  assert.equal(sound.split(find).length - 1, 1, `${JSON.stringify(find)} must occur exactly once in ${file}.js`);
  const planted = join(root, "src", `${file}.js`);
  rmSync(planted); // The file it is linked to must not change.
  writeFileSync(
    planted,
    sound.replace(find, () => replace),
  );
  const load = async (path: string): Promise<unknown> => import(pathToFileURL(join(root, path)).href);
  const run = (await load("src/sim/run.js")) as { readonly runSeed: typeof runSeed };
  const node = (await load("tools/product-node.js")) as { readonly buildNode: typeof buildNode };
  return (seed) => run.runSeed({ seed, surroundings: nodeSurroundings, build: node.buildNode, adjust: plan });
}

const runSound = (seed: number, { plan }: PlantedBug): Promise<Report> =>
  runSeed({ seed, surroundings: nodeSurroundings, build: buildNode, adjust: plan });

/** Declares the test: one of the bug's laws catches it, and every seed up to there passes without it. */
export function caughtTest(bug: PlantedBug): void {
  test(`${bug.name} is caught by ${bug.laws.join(" or ")}`, async (context) => {
    const runPlanted = await plant(bug);
    const others = new Set<string>();
    for (let seed = 1; seed <= mostSeeds; seed++) {
      const planted = await runPlanted(seed);
      const sound = await runSound(seed, bug);
      const [first] = sound.violations;
      assert.equal(first && `${first.law}: ${first.what}`, undefined, `seed ${seed} fails without the bug, too`);
      if (planted.violations.some(({ law }) => bug.laws.includes(law))) {
        context.diagnostic(`caught by seed ${seed}`);
        return;
      }
      for (const { law } of planted.violations) others.add(law);
    }
    assert.fail(`not caught in ${mostSeeds} seeds; other laws that were broken: ${[...others].join(", ") || "none"}`);
  });
}
