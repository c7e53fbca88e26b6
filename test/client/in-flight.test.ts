/** How many requests are under way, and who is next: properties of the gate alone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InFlight } from "../../src/client/in-flight.ts";

test("no more are under way than may be, all are started once, and in the order they came", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 8 }),
      fc.array(fc.constantFrom("enter" as const, "leave" as const), { maxLength: 120 }),
      (most, mostWaiting, steps) => {
        const gate = new InFlight(most, mostWaiting);
        const started: number[] = [];
        const entered: number[] = [];
        let over = 0;
        let refused = 0;
        for (const [i, step] of steps.entries()) {
          if (step === "enter") {
            if (gate.enter({ start: () => started.push(i) }) === "full") refused++;
            else entered.push(i);
          } else if (over < started.length) {
            over++;
            gate.leave();
          }
          assert.ok(started.length - over <= most);
          assert.equal(gate.underWay, started.length - over);
          assert.ok(gate.waiting <= mostWaiting);
          assert.ok(gate.waiting === 0 || gate.underWay === most, "one waits though there is room");
        }
        assert.deepEqual(started, entered.slice(0, started.length));
        assert.equal(entered.length + refused, steps.filter((step) => step === "enter").length);
      },
    ),
  );
});

test("many that are over as soon as they are started do not fill the stack", async () => {
  const gate = new InFlight(1, 200_000);
  let started = 0;
  gate.enter({ start: () => {} });
  const waiter = {
    start: () => {
      started++;
      gate.leave();
    },
  };
  for (let i = 0; i < 200_000; i++) gate.enter(waiter);
  const idle = gate.idle();
  gate.leave();
  await idle;
  assert.deepEqual([started, gate.underWay, gate.waiting], [200_000, 0, 0]);
});
