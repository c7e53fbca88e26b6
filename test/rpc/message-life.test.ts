/** What was too long on its way ends its connection, wherever it lay meanwhile. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { defaultLimits } from "../../src/core/limits.ts";
import { FrameAge } from "../../src/rpc/frame-age.ts";
import { asked, inquiry } from "./inquiry.ts";
import { type Place, World } from "./world.ts";

const messageLifeMs = 1200;
const limits = { ...defaultLimits, messageLifeMs };

async function pair(): Promise<{ world: World; a: Place; b: Place }> {
  const world = new World();
  const [a, b] = [await world.node("a", { limits }), await world.node("b", { limits })];
  assert.equal((await a.outcome(a.call(b))).answer?.kind, "done");
  return { world, a, b };
}

function served(place: Place): string[] {
  return place.served.flatMap((request) => asked(request) ?? []);
}

describe("a request is served if it was short on its way, and not if it was longer than a message may live:", () => {
  for (const [pausedMs, isServed] of [
    [800, true],
    [1800, false],
  ] as const) {
    test(`where its receiver was stopped for ${pausedMs} ms`, async () => {
      const { world, a, b } = await pair();
      b.process.pause();
      a.call(b, inquiry("old"), 60_000);
      await world.simulation.run(pausedMs);
      b.process.resume();
      await world.simulation.run(100);
      assert.deepEqual(served(b), isServed ? ["old"] : []);
      assert.equal(b.server.counters.closed["too-old"], isServed ? 0 : 1);
    });

    test(`where its sender was stopped for ${pausedMs} ms before its turn ended`, async () => {
      const { world, a, b } = await pair();
      a.call(b, inquiry("old"), 60_000);
      a.process.pause();
      await world.simulation.run(pausedMs);
      a.process.resume();
      await world.simulation.run(100);
      assert.deepEqual(served(b), isServed ? ["old"] : []);
      assert.equal(b.server.counters.closed["too-old"], isServed ? 0 : 1);
    });

    test(`where the network held it for ${pausedMs} ms`, async () => {
      const { world, a, b } = await pair();
      world.network.cut(a, b);
      a.call(b, inquiry("old"), 60_000);
      await world.simulation.run(pausedMs);
      world.network.mend(a, b);
      await world.simulation.run(5000);
      assert.deepEqual(served(b), isServed ? ["old"] : []);
    });
  }
});

test("an answer that is too old is none", async () => {
  const { world, a, b } = await pair();
  const tag = a.call(b, inquiry("x"), 60_000);
  await world.simulation.runUntil(() => served(b).length > 0, 1000);
  a.process.pause();
  await world.simulation.run(3500);
  a.process.resume();
  assert.equal((await a.outcome(tag)).failure, "lost");
  assert.equal(a.peers.counters.closed["too-old"], 1);
});

test("what waited for its connection while this process was stopped is not sent once its time is over", async () => {
  const world = new World();
  const [a, b] = [await world.node("a", { limits }), await world.node("b", { limits })];
  const tag = a.call(b, inquiry("waited"), 500);
  // Between the dialler's hello and the answer to it.
  await world.simulation.runUntil(() => a.writes > 0, 1000);
  a.process.pause();
  await world.simulation.run(1000);
  a.process.resume();
  assert.equal((await a.outcome(tag)).failure, "not-sent");
  assert.deepEqual(served(b), []);
});

test("a hello that took longer than a message may live begins no connection", async () => {
  const world = new World();
  const [a, b] = [await world.node("a", { limits }), await world.node("b", { limits })];
  const tag = a.call(b, inquiry("waited"), 60_000);
  await world.simulation.runUntil(() => a.writes > 0, 1000);
  a.process.pause();
  await world.simulation.run(3000);
  a.process.resume();
  assert.equal((await a.outcome(tag)).failure, "not-sent");
});

describe("the age of a frame", () => {
  const anyStart = fc.double({ min: 0, max: 2 ** 45, noNaN: true });

  test("is its time on the way, beyond that of the fastest before it, wherever the two clocks began", () => {
    const anyWays = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 ** 33 }), fc.integer({ min: 0, max: 1e8 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(anyStart, anyStart, anyWays, (senderStarted, readerStarted, ways) => {
        const sender = new FrameAge(senderStarted);
        const reader = new FrameAge(readerStarted);
        let least = Number.POSITIVE_INFINITY;
        let nowMs = 0;
        for (const [passedMs, wayMs] of ways) {
          nowMs += passedMs;
          least = Math.min(least, wayMs);
          const ageMs = reader.ageMs(readerStarted + nowMs + wayMs, sender.stamp(senderStarted + nowMs));
          assert.ok(Math.abs(ageMs - (wayMs - least)) <= 2, `${ageMs} for ${wayMs - least}`);
        }
      }),
    );
  });

  test("is right over the turn of its 32 bits", () => {
    const sender = new FrameAge(0);
    const reader = new FrameAge(1000);
    const day = 86_400_000;
    for (let days = 0; days < 120; days++) {
      assert.equal(reader.ageMs(1000 + days * day + 5, sender.stamp(days * day)), 0);
      assert.equal(reader.ageMs(1000 + days * day + 60_006, sender.stamp(days * day)), 60_001);
    }
  });

  test("follows a sender whose clock is faster, so that nothing old passes for young after months", () => {
    const sender = new FrameAge(0);
    const reader = new FrameAge(0);
    for (let ms = 0; ms < 1e10; ms += 1e6) assert.ok(reader.ageMs(ms, sender.stamp(ms * 1.0001)) <= 1);
    assert.ok(reader.ageMs(1e10 + 60_000, sender.stamp(1e10 * 1.0001)) > 59_000);
  });

  test("beyond the fastest of lately tells what it lost on its way, and not what hours of clocks that run apart add up to", () => {
    for (const [rate, mostOffMs] of [
      [1, 0],
      [1.0002, 5],
      [0.9998, 5],
      [1.02, 250],
      [0.98, 250],
    ] as const) {
      const sender = new FrameAge(0);
      const reader = new FrameAge(0);
      for (let ms = 0; ms < 4 * 3_600_000; ms += 700) {
        const lostMs = ms % 7000 === 0 ? 500 : 0;
        reader.ageMs(ms * rate + lostMs, sender.stamp(ms));
        assert.ok(Math.abs(reader.lagMs - lostMs) <= mostOffMs || ms < 1000, `${reader.lagMs} for ${lostMs} at ${ms}`);
      }
    }
  });
});
