/** Which owners a get asks: as many as it needs, the rest where one is late or has something else, all now and then. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../membership/world.ts";
import { OneKey } from "./one-key.ts";

/**
 * A key whose third owner missed the second version, and nothing but a get will tell: no hint is kept, and exchanges are
 * far away.
 */
async function withStaleOwner(seed: number, readsPerWholeRead: number): Promise<OneKey> {
  const limits = { hintBytes: 0, readsPerWholeRead, exchangeEveryMs: 1e9 };
  const key = await OneKey.in(new World(seed), 3, { limits });
  const { world } = key;
  const first = await key.put(key.owner(0), "old", { w: 3 });
  assert.ok(first.kind === "written");
  const stale = world.machine(key.owner(2));
  for (const machine of world.machines.values()) if (machine !== stale) world.network.cut(machine, stale);
  assert.equal((await key.put(key.owner(0), "new", { context: first.context })).kind, "written");
  await world.simulation.run(5000);
  world.network.mendAll();
  await world.agreed();
  await key.values(key.owner(1), { r: 1 });
  assert.deepEqual(key.copyAt(key.owner(2)), ["old"]);
  return key;
}

test("a get of one answer asks nobody, and one that asks all repairs", async () => {
  const alone = await withStaleOwner(1, 2 ** 31);
  for (let i = 0; i < 30; i++) assert.deepEqual(await alone.values(alone.owner(0), { r: 1 }), ["new"]);
  await alone.world.simulation.run(500);
  assert.deepEqual(alone.copyAt(alone.owner(2)), ["old"]);
  const whole = await withStaleOwner(1, 3);
  for (let i = 0; i < 30; i++) assert.deepEqual(await whole.values(whole.owner(0), { r: 1 }), ["new"]);
  await whole.world.simulation.run(500);
  assert.deepEqual(whole.copyAt(whole.owner(2)), ["new"]);
});

test("a get of two answers asks one other owner; if the two differ the answer has both, and the third is asked, too", async () => {
  const key = await withStaleOwner(2, 2 ** 31);
  // The stale one's own get meets a fresh one whomever it asks, and is answered with what any two owners have.
  assert.deepEqual(await key.values(key.owner(2), { r: 2 }), ["new"]);
  await key.world.simulation.run(500);
  assert.deepEqual(key.copyAt(key.owner(2)), ["new"]);
});

test("the owner that one get does not ask another does", async () => {
  const key = await withStaleOwner(3, 2 ** 31);
  for (let i = 0; i < 20; i++) assert.deepEqual(await key.values(key.owner(0), { r: 2 }), ["new"]);
  await key.world.simulation.run(500);
  assert.deepEqual(key.copyAt(key.owner(2)), ["new"]);
});

test("an owner that is late is not waited for: the others are asked, before it is taken for down", async () => {
  const key = await OneKey.in(new World(4), 3, { limits: { readsPerWholeRead: 2 ** 31 } });
  const { world } = key;
  assert.equal((await key.put(key.owner(0), "v", { w: 3 })).kind, "written");
  const here = world.machine(key.owner(0));
  const silent = world.machine(key.owner(1));
  world.network.cut(here, silent);
  const began = world.simulation.now;
  const gets = Array.from({ length: 8 }, () => key.values(key.owner(0), { r: 2 }));
  for (const found of await Promise.all(gets)) assert.deepEqual(found, ["v"]);
  assert.ok(world.simulation.now - began < 150, `took ${world.simulation.now - began} ms`);
});
