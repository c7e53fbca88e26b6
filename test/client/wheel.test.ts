/** One timer for many requests: when each is called, held against a list of what is due. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Wheel, type WheelEntry } from "../../src/client/wheel.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const tickMs = 10;

function machine(): {
  readonly simulation: Simulation;
  readonly process: SimProcess;
  readonly clock: ReturnType<MachineClock["of"]>;
} {
  const simulation = new Simulation(1, nodeSurroundings);
  const process = new SimProcess(simulation, "p", 0, 0);
  return { simulation, process, clock: new MachineClock(simulation, 1, 0).of(process) };
}

test("every entry is called once, when it is due and hardly later", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 0, max: 3000 })), { maxLength: 40 }),
      async (adds) => {
        const { simulation, process, clock } = machine();
        const wheel = new Wheel(clock, tickMs);
        const called: number[] = adds.map(() => 0);
        adds.forEach(([atMs, delayMs], i) => {
          simulation.schedule(atMs, process, () => {
            const dueMs = clock.monotonicMs() + delayMs;
            const entry: WheelEntry = {
              dueMs,
              onDue: (nowMs) => {
                called[i] = (called[i] ?? 0) + 1;
                assert.ok(nowMs >= dueMs && nowMs <= dueMs + 2 * tickMs, `due at ${dueMs}, called at ${nowMs}`);
              },
            };
            wheel.add(entry);
          });
        });
        await simulation.run(6000);
        assert.deepEqual(
          called,
          adds.map(() => 1),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("a process that was stopped for long calls all that is due when it goes on", async () => {
  const { simulation, process, clock } = machine();
  const wheel = new Wheel(clock, tickMs);
  let called = 0;
  simulation.schedule(0, process, () => {
    for (let i = 0; i < 200; i++) wheel.add({ dueMs: clock.monotonicMs() + i * 20, onDue: () => void called++ });
  });
  await simulation.run(5);
  process.pause();
  await simulation.run(10_000);
  process.resume();
  await simulation.run(50);
  assert.equal(called, 200);
});

test("a wheel without entries costs no timer", async () => {
  const { simulation, process, clock } = machine();
  const wheel = new Wheel(clock, tickMs);
  simulation.schedule(0, process, () => wheel.add({ dueMs: 30, onDue: () => {} }));
  await simulation.run(100);
  const before = simulation.events;
  await simulation.run(10_000);
  assert.equal(simulation.events, before);
});
