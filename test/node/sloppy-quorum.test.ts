/** §4.6: fallbacks stand in for owners that cannot be reached, and what they say counts for so much and no more. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriteOutcome } from "../../src/node/api.ts";
import { World } from "../membership/world.ts";
import { OneKey } from "./one-key.ts";

/** How a write ended: its voices, or the failure, with a mark where it may have happened. */
function ending(outcome: WriteOutcome): number | string {
  if (outcome.kind === "written") return outcome.voices;
  return outcome.outcome === undefined ? outcome.code : `${outcome.code}, ${outcome.outcome}`;
}

test("with one owner dead, w=3 is reached: the first fallback keeps a hint for it", async () => {
  const key = await OneKey.in(new World(1), 5);
  await key.lose(key.owner(1));
  assert.equal(ending(await key.put(key.owner(0), "v", { w: 3 })), 2);
  assert.deepEqual(key.hintsAt(key.fallback(0)), { [key.owner(1)]: ["v"] });
  assert.deepEqual(key.hintsAt(key.fallback(1)), {});
  assert.deepEqual(await key.values(key.owner(2), { r: 3 }), ["v"]);
});

test("with two of three owners dead, writes and reads of two go on at every node, and so they do with all three", async () => {
  const key = await OneKey.in(new World(2), 6);
  await key.lose(key.owner(0), key.owner(2));
  const alive = [...key.world.nodes.keys()];
  for (const name of alive) {
    assert.equal(ending(await key.put(name, name)), 1);
    assert.ok((await key.values(name)).includes(name), `${name} reads its own write`);
  }
  await key.lose(key.owner(1));
  for (const name of key.fallbacks) {
    assert.equal(ending(await key.put(name, `${name} again`)), 0);
    assert.ok((await key.values(name)).includes(`${name} again`));
  }
  const all = [...alive, ...key.fallbacks.map((name) => `${name} again`)].sort();
  for (const name of key.fallbacks) assert.deepEqual(await key.values(name), all, "nothing acknowledged is lost");
});

test("what is read from one owner alone is given to one that stands in, so that it is really held twice", async () => {
  const key = await OneKey.in(new World(3), 5);
  assert.equal(ending(await key.put("n1", "v", { w: 3 })), 3);
  await key.lose(key.owner(0), key.owner(1));
  assert.deepEqual(await key.values(key.owner(2)), ["v"]);
  await key.lose(key.owner(2));
  assert.deepEqual(await key.values(key.fallback(0), { r: 1 }), ["v"]);
});

test("nothing, said by one that stands in, never counts: a key nobody has written is not called absent", async () => {
  const key = await OneKey.in(new World(4), 5);
  await key.lose(key.owner(0), key.owner(1));
  assert.equal(await key.values(key.owner(2)), "quorum-not-met");
  assert.deepEqual(await key.values(key.owner(2), { r: 1 }), []);
  await key.lose(key.owner(2));
  assert.equal(await key.values(key.fallback(0), { r: 1 }), "quorum-not-met");
});

test("pr and pw count owners only, and what cannot be had is refused before it is minted", async () => {
  const key = await OneKey.in(new World(5), 5);
  await key.lose(key.owner(0));
  assert.equal(ending(await key.put("n1" === key.owner(0) ? "n2" : "n1", "two", { pw: 2 })), 2);
  assert.deepEqual(await key.values(key.owner(1), { pr: 2 }), ["two"]);
  assert.equal(ending(await key.put(key.owner(1), "three", { pw: 3 })), "quorum-not-met");
  assert.equal(await key.values(key.owner(1), { pr: 3 }), "quorum-not-met");
  await key.lose(key.owner(2));
  const refused = await key.put(key.owner(1), "one", { pw: 2 });
  assert.equal(ending(refused), "quorum-not-met");
  assert.ok(refused.kind === "failure" && refused.needed === 2);
  assert.equal(await key.values(key.owner(1), { pr: 2 }), "quorum-not-met");
  assert.deepEqual(await key.values(key.owner(1), { r: 1 }), ["two"], "what was refused has not happened");
});

test("where no fallback is left the coordinator keeps the hint, which counts for nothing", async () => {
  const key = await OneKey.in(new World(6), 3);
  await key.lose(key.owner(2));
  assert.equal(ending(await key.put(key.owner(0), "v")), 2);
  await key.world.simulation.run(100);
  assert.deepEqual(key.hintsAt(key.owner(0)), { [key.owner(2)]: ["v"] });
  assert.equal(ending(await key.put(key.owner(0), "all", { w: 3 })), "quorum-not-met");
  assert.deepEqual(await key.values(key.owner(1)), ["v"]);
});

test("a node stands in once: four nodes with two owners dead hold no three copies", async () => {
  const key = await OneKey.in(new World(7), 4);
  await key.lose(key.owner(0), key.owner(1));
  assert.equal(ending(await key.put(key.owner(2), "v", { w: 2 })), 1);
  assert.equal(ending(await key.put(key.owner(2), "w", { w: 3 })), "quorum-not-met");
  await key.world.simulation.run(100);
  assert.deepEqual(key.hintsAt(key.fallback(0)), { [key.owner(0)]: ["v"] });
  assert.deepEqual(key.hintsAt(key.owner(2)), { [key.owner(1)]: ["v"] });
});

test("a fallback that takes no more hints is passed over, and a write that others can hold does not fail for it", async () => {
  const world = new World(8);
  const key = await OneKey.in(world, 5);
  const full = key.fallback(0);
  world.kill(full);
  await world.up(full, { limits: { hintBytes: 0 } });
  await world.agreed();
  await key.lose(key.owner(1));
  assert.equal(ending(await key.put(key.owner(0), "v", { w: 3 })), 2);
  assert.deepEqual(key.hintsAt(full), {});
  assert.deepEqual(key.hintsAt(key.fallback(1)), { [key.owner(1)]: ["v"] });
  assert.deepEqual(await key.values(key.owner(2), { r: 3 }), ["v"]);
});

test("with every hint store full, a write that enough owners take succeeds all the same", async () => {
  const world = new World(9);
  const key = await OneKey.in(world, 5, { limits: { hintBytes: 0 } });
  await key.lose(key.owner(1));
  assert.equal(ending(await key.put(key.owner(0), "v")), 2);
  assert.equal(ending(await key.put(key.owner(0), "w", { w: 3 })), "quorum-not-met, unknown");
});

test("an owner that dies while it is asked is stood in for within the request", async () => {
  let met = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const world = new World(seed);
    const key = await OneKey.in(world, 5);
    world.simulation.schedule(seed / 8, undefined, () => world.kill(key.owner(2)));
    const outcome = await key.put(key.owner(0), "v", { w: 3 });
    assert.equal(outcome.kind, "written", JSON.stringify(outcome));
    await world.simulation.run(5000);
    if (outcome.kind !== "written" || outcome.voices === 3) continue;
    met++;
    assert.deepEqual(key.hintsAt(key.fallback(0)), { [key.owner(2)]: ["v"] });
  }
  assert.ok(met > 0, "no run killed the owner in time");
});

test("an owner that missed a write gets its hint after the client has its answer", async () => {
  const world = new World(10);
  const key = await OneKey.in(world, 5);
  const away = key.owner(2);
  for (const from of [key.owner(0), key.fallback(0)]) world.network.cut(world.machine(from), world.machine(away));
  assert.equal(ending(await key.put(key.owner(0), "v")), 2);
  assert.deepEqual(key.hintsAt(key.fallback(0)), {});
  await world.simulation.run(6000);
  assert.deepEqual(key.hintsAt(key.fallback(0)), { [away]: ["v"] });
});

test("a disk that stalls, at the coordinator or at another owner, is stood in for in half the request's time", async () => {
  for (const i of [0, 1]) {
    const world = new World(11);
    const key = await OneKey.in(world, 5);
    world.machine(key.owner(i)).disk.stall(20_000);
    const began = world.simulation.now;
    assert.equal(ending(await key.put(key.owner(0), "v", { w: 3 })), 2);
    const took = world.simulation.now - began;
    assert.ok(took >= 1000 && took < 1100, `${took} ms`);
  }
});

test("a coordinator whose disk is full has a fallback keep its own copy", async () => {
  const world = new World(12);
  const key = await OneKey.in(world, 5);
  world.machine(key.owner(0)).disk.isFull = true;
  assert.equal(ending(await key.put(key.owner(0), "v", { w: 3 })), 2);
  await world.simulation.run(100);
  assert.deepEqual(key.hintsAt(key.fallback(0)), { [key.owner(0)]: ["v"] });
});

test("if-absent is for voices alone: a node that stands in cannot say that there is nothing", async () => {
  const key = await OneKey.in(new World(13), 6);
  await key.lose(key.owner(0));
  assert.equal(ending(await key.put(key.owner(1), "first", { onlyIfAbsent: true })), 2);
  assert.equal(ending(await key.put(key.owner(1), "second", { onlyIfAbsent: true })), "precondition-failed");
  await key.lose(key.owner(2));
  assert.equal(ending(await key.put(key.owner(1), "third", { onlyIfAbsent: true })), "quorum-not-met");
  assert.deepEqual(await key.values(key.owner(1)), ["first"]);
});

test("voices are waited for while enough of them may come: a stand-in is no shortcut to an older state", async () => {
  const world = new World(14);
  const key = await OneKey.in(world, 5);
  await key.lose(key.owner(2));
  for (let i = 0; i < 10; i++) {
    assert.equal(ending(await key.put(key.owner(0), `v${i}`)), 2);
    const found = await key.get(key.owner(1));
    assert.equal(found.kind === "found" && found.voices, 2);
  }
});
