/** The pace of copies on virtual time: under its limit, slower where its batches take longer, and never at a standstill. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyPace } from "../../src/node/copy-pace.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const limit = 1024 * 1024;
const batch = 64 * 1024;

/** Batches that take so long, some at a time, for so many seconds; answers the bytes of each second. */
async function copy(lanes: number, seconds: number, tookMs: (atMs: number) => number): Promise<readonly number[]> {
  const simulation = new Simulation(1, nodeSurroundings);
  const clock = new MachineClock(simulation, 1, 0).of(new SimProcess(simulation, "p", 0, 0.05));
  const pace = new CopyPace(clock, limit);
  const came = Array.from({ length: seconds }, () => 0);
  const startedMs = clock.monotonicMs();
  let isOver = false;
  const lane = async (): Promise<void> => {
    while (!isOver) {
      await pace.turn();
      const beganMs = clock.monotonicMs();
      await new Promise<void>((done) => clock.setTimer(tookMs(beganMs - startedMs), done));
      const nowMs = clock.monotonicMs();
      pace.took(batch, nowMs - beganMs);
      const second = Math.floor((nowMs - startedMs) / 1000);
      if (second < seconds) came[second] = (came[second] ?? 0) + batch;
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

function sum(bytes: readonly number[]): number {
  return bytes.reduce((all, one) => all + one, 0);
}

test("a way that is free is used up to the limit, and no more", async () => {
  const came = await copy(8, 20, () => 5);
  assert.ok(sum(came) <= 20 * limit + batch);
  assert.ok(
    came.slice(6).every((bytes) => bytes > 0.8 * limit && bytes < 1.2 * limit),
    `${came}`,
  );
});

test("where batches take longer than they did, it slows down to an eighth, and recovers once they do not", async () => {
  const isCrowded = (ms: number): boolean => ms > 8000 && ms < 16_000;
  const came = await copy(8, 30, (ms) => (isCrowded(ms) ? 300 : 5));
  assert.ok(
    came.slice(11, 16).every((bytes) => bytes < 0.35 * limit),
    `${came}`,
  );
  assert.ok(
    came.slice(11, 16).every((bytes) => bytes > 0),
    "it stands still",
  );
  assert.ok(
    came.slice(28).every((bytes) => bytes > 0.8 * limit),
    `${came}`,
  );
});
