/** How many requests are under way, and who is next: properties of the gate alone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InFlight, type Waiter } from "../../src/client/in-flight.ts";

test("no more are under way than may be, all are started once, and in the order they came", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 8 }),
      fc.array(fc.tuple(fc.constantFrom("enter" as const, "leave" as const), fc.nat(60)), { maxLength: 120 }),
      (requests, most, steps) => {
        const gate = new InFlight({ requests, bytes: 100, waiting: most });
        const started: Waiter[] = [];
        const entered: Waiter[] = [];
        let over = 0;
        let refused = 0;
        const bytes = (): number => started.slice(over).reduce((sum, waiter) => sum + waiter.bytes, 0);
        for (const [step, size] of steps) {
          if (step === "enter") {
            const waiter: Waiter = { bytes: size, start: () => started.push(waiter) };
            if (gate.enter(waiter) === "full") refused++;
            else entered.push(waiter);
          } else if (over < started.length) {
            gate.leave(started[over++] as Waiter);
          }
          const underWay = started.length - over;
          assert.ok(underWay <= requests && (underWay === 1 || bytes() <= 100));
          assert.equal(gate.underWay, underWay);
          assert.ok(gate.waiting <= most);
          const next = entered[started.length];
          if (next !== undefined)
            assert.ok(underWay === requests || bytes() + next.bytes > 100, "one waits though there is room");
        }
        assert.deepEqual(started, entered.slice(0, started.length));
        assert.equal(entered.length + refused, steps.filter(([step]) => step === "enter").length);
      },
    ),
  );
});

test("one that is larger than all that may be under way goes alone", () => {
  const gate = new InFlight({ requests: 8, bytes: 100, waiting: 8 });
  const started: string[] = [];
  const waiter = (name: string, bytes: number): Waiter => ({ bytes, start: () => started.push(name) });
  const [small, large, last] = [waiter("small", 1), waiter("large", 500), waiter("last", 1)];
  for (const one of [small, large, last]) gate.enter(one);
  assert.deepEqual(started, ["small"]);
  gate.leave(small);
  assert.deepEqual(started, ["small", "large"]);
  gate.leave(large);
  assert.deepEqual(started, ["small", "large", "last"]);
});

test("many that are over as soon as they are started do not fill the stack", async () => {
  const gate = new InFlight({ requests: 1, bytes: 1, waiting: 200_000 });
  let started = 0;
  const first: Waiter = { bytes: 0, start: () => {} };
  gate.enter(first);
  const waiter: Waiter = {
    bytes: 0,
    start: () => {
      started++;
      gate.leave(waiter);
    },
  };
  for (let i = 0; i < 200_000; i++) gate.enter(waiter);
  const idle = gate.idle();
  gate.leave(first);
  await idle;
  assert.deepEqual([started, gate.underWay, gate.waiting], [200_000, 0, 0]);
});
