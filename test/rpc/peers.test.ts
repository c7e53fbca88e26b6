import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "../../src/core/ids.ts";
import { defaultLimits } from "../../src/core/limits.ts";
import type { Requester } from "../../src/rpc/server.ts";
import { calmLink } from "../../src/sim/network.ts";
import type { CoordinateWrite, Request } from "../../src/wire/message.ts";
import { answered, answerTo, asked, inquiry } from "./inquiry.ts";
import { type Place, World } from "./world.ts";

function write(bytes: number): CoordinateWrite {
  const version = { value: new Uint8Array(bytes), checksum: 0, contentType: "" };
  return {
    kind: "coordinate-write",
    id: 0,
    knownHash: 1,
    bucket: "b",
    key: "k",
    budgetMs: 1,
    onlyIfAbsent: false,
    version,
  };
}

function togglePause(place: Place): void {
  if (place.process.isPaused) place.process.resume();
  else place.process.pause();
}

async function pair(options: Parameters<World["node"]>[1] = {}): Promise<{ world: World; a: Place; b: Place }> {
  const world = new World();
  return { world, a: await world.node("a", options), b: await world.node("b", options) };
}

test("a call is answered, and the handler hears who answered it", async () => {
  const { a, b } = await pair();
  const outcome = await a.outcome(a.call(b));
  assert.equal(outcome.answer?.kind, "done");
  assert.equal(outcome.from, b.id);
  assert.equal(a.peers.isUp(b.id), true);
  assert.deepEqual(a.changes, [`${b.id} up`]);
  assert.deepEqual(
    a.hellos.map((hello) => hello.name),
    ["b"],
  );
});

test("answers in any order reach their own calls", async () => {
  const { world, a, b } = await pair();
  const held: { request: Request; from: Requester }[] = [];
  b.serve = (request, from) => {
    held.push({ request, from });
  };
  const tags = new Map(Array.from({ length: 300 }, (_, i) => [a.call(b, inquiry(`call ${i}`), 5000), `call ${i}`]));
  await world.simulation.runUntil(() => held.length === 300, 1000);
  const prng = world.simulation.prng("order");
  while (held.length > 0) {
    const [next] = held.splice(prng.below(held.length), 1);
    const name = asked(next?.request);
    if (next === undefined || name === undefined) throw new Error("another request");
    next.from.reply(answerTo(name), next.request.id);
  }
  for (const [tag, name] of tags) {
    const { answer } = await a.outcome(tag);
    assert.equal(answered(answer), name);
  }
});

test("what one turn asks leaves in one write, and so do its answers", async () => {
  const { world, a, b } = await pair();
  await a.outcome(a.call(b));
  const before = { a: a.writes, b: b.writes };
  const tags = Array.from({ length: 200 }, () => a.call(b));
  await world.simulation.runUntil(() => tags.every((tag) => a.outcomes.has(tag)), 1000);
  assert.equal(a.writes - before.a, 1);
  // The network may hand the requests over in two pieces, and then there are two turns to answer in.
  assert.ok(b.writes - before.b <= 2, `${b.writes - before.b} writes`);
});

test("no outcome comes from within the call, not even the failure that is known at once", async () => {
  const { world, a, b } = await pair();
  world.addresses.delete(b.id);
  const tag = a.call(b);
  assert.equal(a.outcomes.has(tag), false);
  assert.equal((await a.outcome(tag)).failure, "not-sent");
});

test("a refused connection fails its calls as not sent, and is not tried again at once", async () => {
  const world = new World();
  const a = await world.node("a");
  const b = world.place("b");
  assert.equal((await a.outcome(a.call(b))).failure, "not-sent");
  for (let i = 0; i < 100; i++) assert.equal((await a.outcome(a.call(b))).failure, "not-sent");
  assert.equal(a.dials, 1);
  assert.equal(a.warnings.length, 1, "logged once");
});

test("a node that comes back is reached again within a second or two", async () => {
  const world = new World();
  const a = await world.node("a");
  const b = world.place("b");
  for (let i = 0; i < 100; i++) {
    await a.outcome(a.call(b));
    await world.simulation.run(100);
  }
  const dials = a.dials;
  assert.ok(dials > 5 && dials < 40, `${dials} dials in ten seconds`);
  await b.listen();
  let answered = false;
  for (let i = 0; i < 12 && !answered; i++) {
    answered = (await a.outcome(a.call(b))).answer !== undefined;
    await world.simulation.run(100);
  }
  assert.ok(answered);
});

test("a node that comes back and calls can be called at once", async () => {
  const world = new World();
  const a = await world.node("a");
  const b = world.place("b");
  for (let i = 0; i < 100; i++) {
    await a.outcome(a.call(b));
    await world.simulation.run(100);
  }
  assert.equal((await a.outcome(a.call(b))).failure, "not-sent");
  await b.listen();
  assert.equal((await b.outcome(b.call(a))).answer?.kind, "done");
  assert.equal((await a.outcome(a.call(b))).answer?.kind, "done");
});

test("a call without an answer times out at its deadline, not before and not much later", async () => {
  const { world, a, b } = await pair();
  await a.outcome(a.call(b));
  const { serve } = b;
  b.serve = (request, from) => {
    if (request.kind === "ping") serve(request, from);
  };
  const started = world.simulation.now;
  const tags = [50, 51, 400, 1000, 1003, 60].map((timeoutMs) => ({
    timeoutMs,
    tag: a.call(b, inquiry("x"), timeoutMs),
  }));
  for (const { timeoutMs, tag } of tags) {
    const { failure, atMs } = await a.outcome(tag);
    assert.equal(failure, "timed-out");
    assert.ok(atMs - started >= timeoutMs && atMs - started <= timeoutMs + 10, `${timeoutMs}: ${atMs - started}`);
  }
  assert.equal(a.peers.pendingCalls, 0);
});

test("an answer after the deadline is dropped, and never taken for another call's", async () => {
  const { world, a, b } = await pair();
  const held: { request: Request; from: Requester }[] = [];
  b.serve = (request, from) => {
    held.push({ request, from });
  };
  const tag = a.call(b, inquiry("late"), 50);
  assert.equal((await a.outcome(tag)).failure, "timed-out");
  const next = a.call(b, inquiry("next"), 1000);
  await world.simulation.runUntil(() => held.length === 2, 1000);
  for (const { request, from } of held) from.reply({ kind: "done", id: 0 }, request.id);
  assert.equal((await a.outcome(next)).answer?.kind, "done");
  assert.equal(a.outcomes.get(tag)?.length, 1);
  assert.equal(a.peers.counters.late, 1);
});

test("a call whose connection is not made in time was not sent", async () => {
  const { world, a, b } = await pair();
  world.network.cut(a, b);
  const tag = a.call(b, inquiry("never"), 100);
  assert.equal((await a.outcome(tag)).failure, "not-sent");
  world.network.mendAll();
  await world.simulation.run(5000);
  assert.deepEqual(b.served, []);
});

test("calls on a connection that goes are lost, those after it are made anew", async () => {
  const { world, a, b } = await pair();
  b.serve = () => {};
  const tag = a.call(b, inquiry("x"), 5000);
  await world.simulation.runUntil(() => b.served.length === 1, 1000);
  world.network.resetOne();
  assert.equal((await a.outcome(tag)).failure, "lost");
  assert.deepEqual(a.changes, [`${b.id} up`, `${b.id} down`]);
  b.serve = (request, from) => from.reply({ kind: "done", id: 0 }, request.id);
  await world.simulation.run(1500);
  assert.equal((await a.outcome(a.call(b))).answer?.kind, "done");
});

test("a machine that went silent is found out without any traffic", async () => {
  const { world, a, b } = await pair();
  await a.outcome(a.call(b));
  await world.simulation.run(20_000);
  assert.equal(a.peers.isUp(b.id), true, "idle connections stay");
  b.die(false);
  await world.simulation.runUntil(() => a.peers.counters.closed.silent === 1, 30_000);
  assert.equal(a.peers.isUp(b.id), false);
  assert.equal(a.peers.counters.closed.silent, 1);
  assert.deepEqual(a.changes, [`${b.id} up`, `${b.id} down`]);
});

test("a machine that went silent is found out also where so much waits for it that nothing more is taken", async () => {
  const { world, a, b } = await pair({ limits: { ...defaultLimits, connectionQueueBytes: 50_000 } });
  await a.outcome(a.call(b));
  b.die(false);
  for (let i = 0; i < 20; i++) {
    a.call(b, write(50_000), 30_000);
    await world.simulation.run(5);
  }
  assert.equal((await a.outcome(a.call(b))).failure, "overloaded");
  await world.simulation.run(10_000);
  assert.equal(a.peers.counters.closed.silent, 1);
  assert.equal(a.peers.isUp(b.id), false);
});

test("a machine whose answer to a ping waits behind long ones is not taken for silent", async () => {
  const { world, a, b } = await pair();
  await a.outcome(a.call(b));
  let asker: Requester | undefined;
  b.serve = (_request, from) => {
    asker = from;
  };
  for (let i = 0; i < 100; i++) {
    await world.simulation.run(100);
    asker?.reply({ kind: "done", id: 0 }, 9999);
  }
  assert.ok(asker, "it was asked whether it lives");
  assert.equal(a.peers.counters.closed.silent, 0);
  assert.equal(a.peers.isUp(b.id), true);
  await world.simulation.run(6000);
  assert.equal(a.peers.counters.closed.silent, 1);
});

test("a machine that went silent fails the calls to it, by their deadlines", async () => {
  const { world, a, b } = await pair();
  await a.outcome(a.call(b));
  b.die(false);
  const started = world.simulation.now;
  const { failure, atMs } = await a.outcome(a.call(b, inquiry("x"), 300));
  assert.equal(failure, "timed-out");
  assert.ok(atMs - started < 320);
});

test("another node at the address gets no request", async () => {
  const { world, a, b } = await pair();
  const c = await world.node("c");
  world.addresses.set(b.id, "c:1");
  assert.equal((await a.outcome(a.call(b))).failure, "not-sent");
  assert.deepEqual(c.served, []);
  assert.equal(a.peers.counters.closed["wrong-peer"], 1);
  assert.match(a.warnings.join(), /the node there is c/);
});

test("a node of another cluster gets no request, by node or by address", async () => {
  const world = new World();
  const a = await world.node("a");
  const b = await world.node("b", { cluster: "d".repeat(32) });
  assert.equal((await a.outcome(a.call(b))).failure, "not-sent");
  const asked = a.peers.askAddress("b:1", { kind: "ping", id: 0 }, 1000);
  assert.deepEqual(await world.simulation.settle(asked, 5000, "ask"), { kind: "call-failure", failure: "not-sent" });
  assert.deepEqual(b.served, []);
  assert.match(a.warnings.join(), /belongs to cluster dddd/);
  await world.simulation.run(3000);
  assert.ok(b.server.counters.connections === 0);
});

test("a node does not talk to itself over the network", async () => {
  const { world, a } = await pair();
  const asked = a.peers.askAddress("a:1", { kind: "ping", id: 0 }, 1000);
  assert.deepEqual(await world.simulation.settle(asked, 5000, "ask"), { kind: "call-failure", failure: "not-sent" });
  assert.match(a.warnings.join(), /the node there is this one/);
});

test("a node that moved is reached at its new address", async () => {
  const { world, a, b } = await pair();
  await a.outcome(a.call(b));
  await b.server.listen("b:2");
  world.addresses.set(b.id, "b:2");
  assert.equal((await a.outcome(a.call(b))).answer?.kind, "done");
  assert.equal(a.dials, 2);
  assert.equal(a.peers.counters.connections, 1);
});

test("a joiner that became a member introduces itself anew", async () => {
  const world = new World();
  const a = await world.node("a", { role: "joiner", cluster: "" });
  const b = await world.node("b");
  const asked: string[] = [];
  b.serve = (request, from) => {
    asked.push(from.hello.role);
    from.reply({ kind: "done", id: 0 }, request.id);
  };
  await world.simulation.settle(a.peers.askAddress("b:1", { kind: "ping", id: 0 }, 1000), 5000, "ask");
  a.hello = { ...a.hello, role: "member", cluster: b.hello.cluster };
  await world.simulation.settle(a.peers.askAddress("b:1", { kind: "ping", id: 0 }, 1000), 5000, "ask");
  assert.deepEqual(asked, ["joiner", "member"]);
});

test("a connection to a mere address goes when there is nothing more to ask", async () => {
  const { world, a } = await pair();
  await world.simulation.settle(a.peers.askAddress("b:1", { kind: "ping", id: 0 }, 1000), 5000, "ask");
  assert.equal(a.peers.counters.connections, 1);
  await world.simulation.run(20_000);
  assert.equal(a.peers.counters.connections, 0);
});

test("a connection to a node that is no member any more goes, those to members stay", async () => {
  const { world, a, b } = await pair();
  const c = await world.node("c");
  await a.outcome(a.call(b));
  await a.outcome(a.call(c));
  world.addresses.delete(b.id);
  await world.simulation.run(20_000);
  assert.equal(a.peers.isUp(b.id), false);
  assert.equal(a.peers.isUp(c.id), true);
});

test("what waits to leave is bounded: more is overload, and certainly not sent", async () => {
  const limits = { ...defaultLimits, connectionQueueBytes: 100_000 };
  const { world, a, b } = await pair({ limits });
  world.network.traits = { ...calmLink, windowBytes: 10_000 };
  await a.outcome(a.call(b));
  b.process.pause();
  const tags: number[] = [];
  for (let i = 0; i < 50; i++) {
    tags.push(a.call(b, write(10_000), 60_000));
    await world.simulation.run(10);
  }
  const overloaded = tags.filter((tag) => a.outcomes.get(tag)?.[0]?.failure === "overloaded");
  assert.ok(overloaded.length > 30 && overloaded.length < 50, `${overloaded.length} overloaded`);
  b.process.resume();
  for (const tag of tags) await a.outcome(tag);
  assert.equal(b.served.length - 1, tags.length - overloaded.length);
  assert.equal((await a.outcome(a.call(b))).answer?.kind, "done", "and then it goes on");
});

test("requests that wait for a connection are bounded, too", async () => {
  const limits = { ...defaultLimits, connectionQueueBytes: 100_000 };
  const { world, a, b } = await pair({ limits });
  world.network.cut(a, b);
  const tags = Array.from({ length: 50 }, () => a.call(b, write(10_000), 60_000));
  await world.simulation.run(1);
  const overloaded = tags.filter((tag) => a.outcomes.get(tag)?.[0]?.failure === "overloaded");
  assert.ok(overloaded.length > 30 && overloaded.length < 45, `${overloaded.length} overloaded`);
});

test("a request too long for a frame is not sent, and the connection goes on", async () => {
  const limits = { ...defaultLimits, frameBytes: 50_000 };
  const { a, b } = await pair({ limits });
  await a.outcome(a.call(b));
  assert.equal((await a.outcome(a.call(b, write(60_000)))).failure, "not-sent");
  assert.equal((await a.outcome(a.call(b))).answer?.kind, "done");
});

test("more calls than there are ids are overload", async () => {
  const { world, a, b } = await pair();
  b.serve = () => {};
  await a.outcome(a.call(b, inquiry("x"), 50));
  const tags = Array.from({ length: 65_600 }, () => a.call(b, { kind: "ping", id: 0 }, 30_000));
  await world.simulation.run(100);
  const failures = tags.filter((tag) => a.outcomes.has(tag)).map((tag) => a.outcomes.get(tag)?.[0]?.failure);
  assert.deepEqual(
    failures,
    Array.from({ length: 64 }, () => "overloaded"),
  );
});

test("a peer that answers what nobody asked for, or asks where it should answer, is left", async () => {
  for (const kind of ["hello", "ping"] as const) {
    const { world, a, b } = await pair();
    await a.outcome(a.call(b));
    b.serve = (_request, from) => {
      const nonsense = kind === "ping" ? { kind, id: 1 } : { ...b.hello };
      from.reply(nonsense as never, 0);
    };
    assert.equal((await a.outcome(a.call(b))).failure, "lost");
    await world.simulation.run(10);
    assert.equal(a.peers.counters.closed.unexpected, 1);
  }
});

test("after stop, what waited has failed and later calls are not sent", async () => {
  const { a, b } = await pair();
  b.serve = () => {};
  const tags = [a.call(b), a.call(b)];
  const asked = a.peers.ask(b.id, { kind: "ping", id: 0 }, 1000);
  await a.world.simulation.runUntil(() => b.served.length === 3, 1000);
  a.peers.stop();
  for (const tag of tags) assert.equal((await a.outcome(tag)).failure, "lost");
  assert.equal((await a.outcome(a.call(b))).failure, "not-sent");
  assert.deepEqual(await asked, { kind: "call-failure", failure: "lost" });
  assert.equal(a.peers.counters.connections, 0);
});

test("the round trip is measured from traffic", async () => {
  const { world, a, b } = await pair();
  world.network.traits = { ...calmLink, leastDelayMs: 20, mostDelayMs: 30 };
  assert.equal(a.peers.roundTripMs(b.id), undefined);
  for (let i = 0; i < 20; i++) await a.outcome(a.call(b));
  const roundTripMs = a.peers.roundTripMs(b.id) ?? 0;
  assert.ok(roundTripMs >= 40 && roundTripMs < 62, `${roundTripMs}`);
  assert.equal(a.peers.roundTripMs("ffffffffffffffff" as NodeId), undefined);
});

test("whatever happens to nodes and links, each call hears once, and what was not sent never arrives", async () => {
  let calls = 0;
  const seen = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const world = new World(seed, {
      ...calmLink,
      mostDelayMs: 20,
      spikeChance: 0.02,
      spikeMs: 400,
      refusalChance: 0.05,
    });
    const limits = { ...defaultLimits, connectionQueueBytes: 20_000 };
    const places = [
      await world.node("a", { limits }),
      await world.node("b", { limits }),
      await world.node("c", { limits }),
    ];
    const prng = world.simulation.prng("test");
    for (const place of places) {
      const knock = (): void => {
        for (const other of places) if (other !== place) place.peers.knock(other.id);
        place.runtime.clock.setTimer(100, knock);
      };
      knock();
      place.serve = (request, from) => {
        if (request.kind === "ping") from.reply({ kind: "done", id: 0 }, request.id);
        const name = asked(request);
        if (name === undefined || prng.chance(0.05)) return;
        const answer = answerTo(name);
        if (prng.chance(0.5)) from.reply(answer, request.id);
        else place.runtime.clock.setTimer(prng.uniform(0, 300), () => from.reply(answer, request.id));
      };
    }
    const made: { place: Place; to: Place; tag: number; name: string }[] = [];
    for (let step = 0; step < 150; step++) {
      const place = prng.pick(places);
      const to = prng.pick(places.filter((other) => other !== place));
      if (prng.chance(0.9)) {
        for (let i = prng.between(1, 5); i > 0; i--) {
          const name = `${seed}/${made.length}/${"x".repeat(prng.chance(0.3) ? 900 : 1)}`;
          const tag = place.call(to, inquiry(name), prng.between(5, 500));
          assert.equal(place.outcomes.has(tag), false, "from within the call");
          made.push({ place, to, tag, name });
        }
      } else {
        const fault = prng.between(1, 20);
        if (fault <= 10) world.network.resetOne();
        else if (fault <= 13) world.network.cut(place, to);
        else if (fault <= 15) world.network.mendAll();
        else if (fault <= 19) togglePause(place);
        else if (prng.chance(0.2) && places.every((other) => other.isPowered)) to.die(prng.chance(0.5));
      }
      if (prng.chance(0.7)) await world.simulation.run(prng.uniform(0, 60));
    }
    world.network.mendAll();
    for (const place of places) place.process.resume();
    await world.simulation.run(20_000);
    assert.deepEqual(world.simulation.violations, []);
    for (const { place, to, tag, name } of made) {
      if (place.process.isDead) continue;
      calls++;
      const outcomes = place.outcomes.get(tag) ?? [];
      assert.equal(outcomes.length, 1, `seed ${seed}: call ${name} heard ${JSON.stringify(outcomes)}`);
      const { answer, failure } = outcomes[0] ?? {};
      seen.add(failure ?? "answered");
      if (answer !== undefined) assert.equal(answered(answer), name, "another's answer");
      const arrivals = to.served.filter((request) => asked(request) === name).length;
      assert.ok(arrivals <= 1, `seed ${seed}: ${name} arrived ${arrivals} times`);
      if (failure === "not-sent" || failure === "overloaded")
        assert.equal(arrivals, 0, `seed ${seed}: ${name} ${failure}`);
    }
    // A ping to each at most may be under way.
    for (const place of places) if (!place.process.isDead) assert.ok(place.peers.pendingCalls <= 2);
  }
  assert.ok(calls > 10_000, `${calls} calls`);
  for (const outcome of ["answered", "not-sent", "overloaded", "lost", "timed-out"]) {
    assert.ok(seen.has(outcome), `no call was ${outcome}`);
  }
});
