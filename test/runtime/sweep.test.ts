/** One timer for much that is over before its time: who is called, and who is not, held against a list of what is due. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Sweep, type Swept } from "../../src/runtime/sweep.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const tickMs = 20;

interface Entry extends Swept {
  dueMs: number;
  calls: number;
  isRemoved: boolean;
}

/** When it comes, for how long it waits, when it is taken out after it came, and whom it takes out, and has added, when called. */
type Plan = readonly [atMs: number, delayMs: number, removeMs: number, takesOut: number];

test("whoever waits is called once, at its time and hardly later, and nobody who was taken out", async () => {
  const plan: fc.Arbitrary<Plan> = fc.tuple(
    fc.nat({ max: 500 }),
    fc.nat({ max: 300 }),
    fc.nat({ max: 400 }),
    fc.nat({ max: 60 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { maxLength: 40 }), async (plans) => {
      const simulation = new Simulation(1, nodeSurroundings);
      const process = new SimProcess(simulation, "p", 0, 0);
      const clock = new MachineClock(simulation, 1, 0).of(process);
      const sweep = new Sweep(clock, tickMs);
      const entries: Entry[] = plans.map(([, , , takesOut], i) => {
        const entry: Entry = {
          dueMs: 0,
          place: -1,
          calls: 0,
          isRemoved: false,
          onDue: (nowMs) => {
            entry.calls += 1;
            assert.ok(!entry.isRemoved, `${i} was taken out`);
            assert.ok(nowMs >= entry.dueMs && nowMs <= entry.dueMs + tickMs, `due ${entry.dueMs}, called ${nowMs}`);
            const other = entries[takesOut];
            if (other === undefined || other.place < 0) return;
            other.isRemoved = true;
            sweep.remove(other);
          },
        };
        return entry;
      });
      plans.forEach(([atMs, delayMs, removeMs], i) => {
        const entry = entries[i] as Entry;
        simulation.schedule(atMs, process, () => {
          entry.dueMs = clock.monotonicMs() + delayMs;
          sweep.add(entry);
        });
        simulation.schedule(atMs + removeMs, process, () => {
          if (entry.place >= 0) entry.isRemoved = true;
          sweep.remove(entry);
        });
      });
      await simulation.run(2000);
      assert.equal(sweep.size, 0);
      for (const { calls, isRemoved } of entries) assert.equal(calls, isRemoved ? 0 : 1);
    }),
    { numRuns: 300 },
  );
});
