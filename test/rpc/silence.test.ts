import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits } from "../../src/core/limits.ts";
import { calmLink } from "../../src/sim/network.ts";
import type { CoordinateWrite } from "../../src/wire/message.ts";
import { inquiry as inquiryOf } from "./inquiry.ts";
import { type Place, World } from "./world.ts";

const inquiry = inquiryOf("x");

/** How soon a side that is heard of again must be up, in ms. */
const soonMs = 1500;

/** Two nodes, the first connected to the second, and knocking as the failure detector does. */
async function pair(seed = 1): Promise<{ world: World; a: Place; b: Place }> {
  const world = new World(seed);
  const [a, b] = [await world.node("a"), await world.node("b")];
  await a.outcome(a.call(b));
  knocking(a, b);
  return { world, a, b };
}

function knocking(place: Place, other: Place): void {
  const knock = (): void => {
    place.peers.knock(other.id);
    place.runtime.clock.setTimer(250, knock);
  };
  knock();
}

/** Calls again and again, as clients' requests would have it done. */
function load(from: Place, to: Place, everyMs: number): { readonly tags: number[]; stop(): void } {
  const tags: number[] = [];
  let isOver = false;
  const next = (): void => {
    if (isOver) return;
    tags.push(from.call(to, inquiry, 2000));
    from.runtime.clock.setTimer(everyMs, next);
  };
  next();
  const stop = (): void => {
    isOver = true;
  };
  return { tags, stop };
}

function isDown(from: Place, to: Place): () => boolean {
  return () => !from.peers.isUp(to.id);
}

function isUp(from: Place, to: Place): () => boolean {
  return () => from.peers.isUp(to.id);
}

async function within(world: World, ms: number, condition: () => boolean, what: string): Promise<void> {
  const startedAt = world.simulation.now;
  assert.ok(await world.simulation.runUntil(condition, ms), `${what}: not within ${ms} ms`);
  assert.ok(world.simulation.now - startedAt <= ms);
}

test("a process that is stopped fails what waits for it at once, and nothing more waits, until it goes on", async () => {
  const { world, a, b } = await pair();
  const requests = load(a, b, 10);
  await world.simulation.run(1000);
  b.process.pause();
  const pausedAt = world.simulation.now;
  const waiting = a.call(b, inquiry, 30_000);
  const { failure, atMs } = await a.outcome(waiting);
  assert.equal(failure, "timed-out");
  assert.ok(atMs - pausedAt >= 500 && atMs - pausedAt < 750, `${atMs - pausedAt} ms`);
  assert.equal(a.peers.pendingCalls, 1, "only the ping waits");
  await world.simulation.run(500);
  const calledAt = world.simulation.now;
  const later = await a.outcome(a.call(b, inquiry));
  assert.equal(later.failure, "not-sent");
  assert.equal(later.atMs, calledAt);
  b.process.resume();
  await within(world, 20, isUp(a, b), "up on the first answer");
  assert.notEqual((await a.outcome(a.call(b, inquiry))).answer, undefined);
  requests.stop();
  await world.simulation.run(3000);
  assert.deepEqual(a.changes, [`${b.id} up`, `${b.id} down`, `${b.id} up`]);
  assert.equal(a.peers.counters.suspicions, 1);
  for (const tag of requests.tags) assert.equal(a.outcomes.get(tag)?.length, 1);
});

test("one that stays stopped costs a ping and a connection now and then, and is up as soon as it goes on", async () => {
  const { world, a, b } = await pair();
  for (const pausedMs of [2600, 4000, 9900, 30_000, 61_234]) {
    const requests = load(a, b, 50);
    const before = { dials: a.dials, messages: a.peers.counters.messagesOut };
    b.process.pause();
    await world.simulation.run(pausedMs);
    requests.stop();
    assert.ok(a.dials - before.dials <= 1 + pausedMs / 1000, `${a.dials - before.dials} dials in ${pausedMs} ms`);
    // What was asked before anything was suspected, a ping, and each new connection's hello.
    const messages = a.peers.counters.messagesOut - before.messages;
    assert.ok(messages < 30 + a.dials - before.dials, `${messages} messages in ${pausedMs} ms`);
    b.process.resume();
    await within(world, 400, isUp(a, b), `after ${pausedMs} ms`);
    await world.simulation.run(2000);
    assert.ok(isUp(a, b)(), "and stays up");
  }
});

test("a stopped process is found out without any traffic", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { world, a, b } = await pair(seed);
    await world.simulation.run(world.simulation.prng("idle").uniform(0, 5000));
    b.process.pause();
    await within(world, 1500, isDown(a, b), `seed ${seed}`);
  }
});

test("a slow disk is no silence: calls wait for it to their deadlines", async () => {
  const { world, a, b } = await pair();
  const { serve } = b;
  b.serve = (request, from) => {
    if (request.kind === "ping") serve(request, from);
    else b.runtime.clock.setTimer(4000, () => serve(request, from));
  };
  const tags = [a.call(b, inquiry, 3000), a.call(b, inquiry, 5000)];
  await world.simulation.run(10_000);
  assert.deepEqual(
    tags.map((tag) => a.outcomes.get(tag)?.[0]?.failure ?? "answered"),
    ["timed-out", "answered"],
  );
  assert.equal(a.peers.counters.suspicions, 0);
});

test("a long request on a slow link is no silence while the link takes it", async () => {
  const limits = { ...defaultLimits, connectionQueueBytes: 10_000_000 };
  const world = new World();
  const [a, b] = [await world.node("a", { limits }), await world.node("b", { limits })];
  await a.outcome(a.call(b));
  world.network.traits = { ...calmLink, leastDelayMs: 20, mostDelayMs: 21, windowBytes: 4000 };
  const version = { value: new Uint8Array(4000), checksum: 0, contentType: "" };
  const where = { bucket: "b", key: "k", knownHash: 1, budgetMs: 1, onlyIfAbsent: false } as const;
  const write: CoordinateWrite = { kind: "coordinate-write", id: 0, ...where, version };
  // The other side is too busy to answer anything before it has read all.
  const { serve } = b;
  let isBusy = true;
  b.serve = (request, from) => {
    if (!isBusy) serve(request, from);
  };
  const tags: number[] = [];
  for (let i = 0; i < 100; i++) {
    tags.push(a.call(b, write, 60_000));
    await world.simulation.run(1);
  }
  await world.simulation.runUntil(() => b.served.length >= 100, 60_000);
  assert.ok(world.simulation.now > 2000);
  isBusy = false;
  assert.equal((await a.outcome(a.call(b))).answer?.kind, "done");
  assert.equal(a.peers.counters.suspicions, 0);
});

test("a process that was stopped itself blames nobody for it", async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const { world, a, b } = await pair(seed);
    const prng = world.simulation.prng("pauses");
    const requests = load(a, b, 20);
    for (let i = 0; i < 10; i++) {
      await world.simulation.run(prng.uniform(0, 700));
      const tag = a.call(b, inquiry, 50);
      await world.simulation.run(prng.chance(0.5) ? 0 : 10);
      a.process.pause();
      await world.simulation.run(prng.uniform(100, 10_000));
      a.process.resume();
      assert.notEqual((await a.outcome(tag)).answer, undefined, `seed ${seed}: its answer was there`);
    }
    requests.stop();
    assert.equal(a.peers.counters.suspicions, 0, `seed ${seed}`);
    assert.deepEqual(a.changes, [`${b.id} up`]);
  }
});

test("wherever it was stopped, with the others or alone, between a question and its answer", async () => {
  for (let offsetMs = 0; offsetMs < 1500; offsetMs += 10) {
    for (const together of [false, true]) {
      const world = new World();
      const [a, b] = [await world.node("a"), await world.node("b")];
      world.network.traits = { ...calmLink, leastDelayMs: 140, mostDelayMs: 142 };
      await a.outcome(a.call(b));
      await world.simulation.run(offsetMs);
      const places = together ? [a, b] : [a];
      for (const place of places) place.process.pause();
      await world.simulation.run(3000);
      for (const place of places) place.process.resume();
      await world.simulation.run(1000);
      assert.equal(a.peers.counters.suspicions, 0, `stopped after ${offsetMs} ms`);
    }
  }
});

test("an answer that came while this process was stopped is an answer, though its time is over", async () => {
  const { world, a, b } = await pair();
  const { serve } = b;
  b.serve = (request, from) => {
    b.runtime.clock.setTimer(100, () => serve(request, from));
  };
  const tag = a.call(b, inquiry, 50);
  await world.simulation.run(10);
  a.process.pause();
  await world.simulation.run(500);
  a.process.resume();
  assert.notEqual((await a.outcome(tag)).answer, undefined);
});

for (const cut of ["there", "back", "both ways"] as const) {
  test(`a way that swallows everything ${cut} is found out, and found mended`, async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { world, a, b } = await pair(seed);
      const prng = world.simulation.prng("cuts");
      const requests = prng.chance(0.5) ? load(a, b, 20) : undefined;
      await world.simulation.run(prng.uniform(0, 3000));
      if (cut !== "back") world.network.cut(a, b);
      if (cut !== "there") world.network.cut(b, a);
      await within(world, 1500, isDown(a, b), `seed ${seed}, down`);
      await world.simulation.run(prng.uniform(0, prng.chance(0.5) ? 3000 : 30_000));
      assert.equal(a.peers.isUp(b.id), false);
      world.network.mendAll();
      await within(world, soonMs, isUp(a, b), `seed ${seed}, up`);
      requests?.stop();
      await world.simulation.run(3000);
      assert.ok(isUp(a, b)(), `seed ${seed}: stays up`);
      assert.equal(a.peers.pendingCalls, 0);
    }
  });
}

test("a dial that hangs keeps the first calls waiting half a second, and later ones not at all", async () => {
  const world = new World();
  const [a, b] = [await world.node("a"), await world.node("b")];
  world.network.cut(a, b);
  knocking(a, b);
  const requests = load(a, b, 10);
  await world.simulation.run(60_000);
  requests.stop();
  await world.simulation.run(1);
  const waits = requests.tags.map((tag, i) => {
    const [outcome] = a.outcomes.get(tag) ?? [];
    assert.equal(outcome?.failure, "not-sent");
    return (outcome?.atMs ?? Number.NaN) - i * 10;
  });
  assert.ok(Math.max(...waits) < 700, `the longest wait was ${Math.max(...waits)} ms`);
  assert.ok(Math.max(...waits.slice(70)) < 1, `a later one waited ${Math.max(...waits.slice(70))} ms`);
  assert.ok(a.dials >= 30 && a.dials <= 60, `${a.dials} dials in a minute`);
  world.network.mendAll();
  await within(world, soonMs, isUp(a, b), "up");
  assert.equal(b.served.length, 0, "what was not sent never arrives");
});

test("a refused node is up soon after it listens, and at once when it says hello", async () => {
  const world = new World();
  const a = await world.node("a");
  const b = world.place("b");
  knocking(a, b);
  await world.simulation.run(20_000);
  assert.ok(a.dials >= 20 && a.dials <= 60, `${a.dials} dials in 20 s`);
  await b.listen();
  await within(world, 900, isUp(a, b), "up");
  const c = world.place("c");
  knocking(a, c);
  await world.simulation.run(20_000);
  await c.listen();
  await c.outcome(c.call(a));
  assert.notEqual((await a.outcome(a.call(c, inquiry))).answer, undefined);
});

test("a machine that lost its power is up as soon as its next process says hello", async () => {
  const { world, a, b } = await pair();
  b.die(false);
  await within(world, 1500, isDown(a, b), "down");
  await world.simulation.run(1000);
  const next = world.place("b", { id: b.id });
  await next.listen();
  await next.outcome(next.call(a));
  assert.notEqual((await a.outcome(a.call(next, inquiry))).answer, undefined);
  assert.equal(a.peers.isUp(b.id), true);
});

test("a link that comes and goes costs little, and is up soon after it has come to stay", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { world, a, b } = await pair(seed);
    const prng = world.simulation.prng("flaps");
    const requests = load(a, b, 10);
    const endsAt = world.simulation.now + 60_000;
    const longest = prng.pick([100, 600, 3000]);
    while (world.simulation.now < endsAt) {
      if (prng.chance(0.8)) world.network.cut(a, b);
      if (prng.chance(0.8)) world.network.cut(b, a);
      await world.simulation.run(prng.uniform(0, longest));
      world.network.mendAll();
      await world.simulation.run(prng.uniform(0, longest));
    }
    requests.stop();
    await within(world, soonMs, isUp(a, b), `seed ${seed}`);
    await world.simulation.run(3000);
    assert.ok(isUp(a, b)(), `seed ${seed}: stays up`);
    assert.ok(a.dials < 150, `seed ${seed}: ${a.dials} dials in a minute`);
    assert.ok(a.warnings.length < 80, `seed ${seed}: ${a.warnings.length} lines in a minute`);
    for (const tag of requests.tags) assert.equal(a.outcomes.get(tag)?.length, 1);
  }
});
