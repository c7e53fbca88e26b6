/** The pace of copies on virtual time: under its limit, at the share of it that requests leave. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission } from "../../src/node/admission.ts";
import { CopyPace } from "../../src/node/copy-pace.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const limit = 1024 * 1024;

/** Batches of so many bytes, some at a time, for so many seconds; answers what came in all. */
async function copy(lanes: number, seconds: number, bytes: (i: number) => number): Promise<number> {
  const simulation = new Simulation(1, nodeSurroundings);
  const clock = new MachineClock(simulation, 1, 0).of(new SimProcess(simulation, "p", 0, 0.05));
  const pace = new CopyPace(clock, new Admission(clock, () => false), limit);
  let came = 0;
  let isOver = false;
  const lane = async (): Promise<void> => {
    for (let i = 0; !isOver; i++) {
      await pace.turn();
      await new Promise<void>((done) => clock.setTimer(5, done));
      if (isOver) return;
      pace.took(bytes(i));
      came += bytes(i);
    }
  };
  const running = Promise.all(Array.from({ length: lanes }, lane));
  await simulation.run(seconds * 1000);
  isOver = true;
  pace.stop();
  await simulation.run(10_000);
  await running;
  return came;
}

test("no more than the limit comes, with any number of batches at a time and of any size", async () => {
  const most = 256 * 1024;
  for (const lanes of [1, 2, 8]) {
    for (const size of [() => most, () => 2048, (i: number) => (i % 3 === 0 ? most : 4096)]) {
      const came = await copy(lanes, 30, size);
      assert.ok(came <= 30 * limit + lanes * most, `${came} bytes by ${lanes}`);
    }
  }
});

test("large batches use the limit up", async () => {
  const came = await copy(2, 40, () => 64 * 1024);
  assert.ok(came > 0.85 * 40 * limit, `${came} bytes`);
});
