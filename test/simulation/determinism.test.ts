/** A seed is one run, wherever and whenever it runs: without that no failure could be replayed. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { runSeed } from "../../src/sim/run.ts";
import { buildNode } from "../../tools/product-node.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const run = promisify(execFile);
const simulate = "dist/tools/simulate.js";

async function traceHere(seed: number): Promise<string> {
  return (await runSeed({ seed, surroundings: nodeSurroundings, build: buildNode })).trace;
}

test("the same seed gives the same trace in a fresh process, and another seed another one", async () => {
  const traces = new Set<string>();
  for (const seed of [1, 2, 5]) {
    const here = await traceHere(seed);
    const { stdout } = await run(process.execPath, [simulate, "--seed", String(seed)]);
    assert.ok(stdout.includes(`trace ${here}`), `seed ${seed}: ${here} here, but ${stdout}`);
    traces.add(here);
  }
  assert.equal(traces.size, 3);
});

test("a run does not depend on what ran before it in the same process", async () => {
  const first = await traceHere(3);
  await traceHere(4);
  assert.equal(await traceHere(3), first);
});

test("wrong options are one line on stderr and exit code 2", async () => {
  for (const args of [
    ["--seed", "x"],
    ["--seeds", "0"],
    ["--seed", "1", "--jobs", "2"],
    ["--trace"],
    ["--nonsense"],
    ["1"],
  ]) {
    await assert.rejects(run(process.execPath, [simulate, ...args]), (error: { code?: unknown; stderr?: unknown }) => {
      assert.equal(error.code, 2, args.join(" "));
      assert.match(String(error.stderr), /usage: npm run simulate/);
      return true;
    });
  }
});
