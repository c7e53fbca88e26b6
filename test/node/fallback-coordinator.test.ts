/** §4.6: who coordinates where no owner with a voice can be reached, and what becomes of requests on their way. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriteOutcome } from "../../src/node/api.ts";
import { World } from "../membership/world.ts";
import { OneKey } from "./one-key.ts";

const voices = (outcome: WriteOutcome): number | string =>
  outcome.kind === "written" ? outcome.voices : `${outcome.code}: ${outcome.detail}`;

test("a fallback that loses what it minted in memory mints no dot twice: both writes are there", async () => {
  let lost = 0;
  for (let seed = 1; seed <= 6 || (lost === 0 && seed <= 40); seed++) {
    const world = new World(seed);
    const key = await OneKey.in(world, 6);
    await world.inside("n1", (node) => node.setBucket("carts", { durability: "buffered" }));
    await world.agreed();
    await key.lose(...key.owners);
    const coordinator = key.fallback(0);
    assert.equal(voices(await key.put(coordinator, "first")), 0);
    world.machine(coordinator).losePower();
    world.nodes.delete(coordinator);
    if (Object.keys(key.hintsAt(coordinator)).length === 0) lost++;
    await world.up(coordinator);
    await world.simulation.run(2000);
    assert.equal(voices(await key.put(coordinator, "second")), 0);
    assert.deepEqual(await key.values(key.fallback(1), { r: 3 }), ["first", "second"], `seed ${seed}`);
  }
  assert.ok(lost > 0, "no run lost the first write where it was minted");
});

test("a fallback mints on top of what it keeps: a write with a context replaces, a delete deletes", async () => {
  const key = await OneKey.in(new World(2), 5);
  await key.lose(...key.owners);
  const [on, other] = [key.fallback(0), key.fallback(1)];
  const first = await key.put(on, "first");
  assert.ok(first.kind === "written");
  assert.equal(voices(await key.put(other, "second", { context: first.context })), 0);
  assert.deepEqual(await key.values(on), ["second"]);
  assert.equal(voices(await key.delete(on)), 0);
  assert.deepEqual(await key.values(other), []);
  const { world } = key;
  for (const name of key.owners) await world.up(name);
  await world.agreed();
  await world.simulation.run(3000);
  for (const name of key.owners)
    assert.deepEqual(await key.values(name, { pr: 3 }), [], "the owners have the tombstone");
});

test("an owner without a voice takes writes and is read like one that stands in, and coordinates where no other owner can", async () => {
  const world = new World(3);
  const key = await OneKey.in(world, 5);
  const [a, b, c] = key.owners as [string, string, string];
  await key.lose(b, c);
  world.wipe(c);
  // With the second owner dead its voice cannot come back.
  await world.up(c, { join: [a] });
  await world.agreedOnHistory();
  assert.equal(await key.values(a), "quorum-not-met", "its nothing does not count");
  assert.equal(voices(await key.put(a, "one")), 1);
  assert.deepEqual(key.copyAt(c), ["one"]);
  assert.deepEqual(await key.values(a), ["one"]);
  const doubtful = await key.put(a, "two", { pw: 2 });
  assert.ok(doubtful.kind === "failure" && doubtful.outcome === "unknown", "nobody knew that it has no voice");
  await key.lose(a);
  for (const on of [c, key.fallback(0)]) {
    const { now } = world.simulation;
    assert.equal(voices(await key.put(on, on)), 0);
    assert.ok((await key.values(on)).includes(on));
    assert.ok(world.simulation.now - now < 500, "an owner that is to be filled first is not waited for");
  }
  assert.deepEqual(key.copyAt(c), ["one", "two", c, key.fallback(0)].sort(), "it wrote into its own copy");
});

test("a get whose coordinator dies goes on elsewhere, and a put whose coordinator dies happens once or not at all", async () => {
  let unknown = 0;
  for (let seed = 1; seed <= 24; seed++) {
    const world = new World(seed);
    const key = await OneKey.in(world, 6);
    const client = key.fallback(2);
    assert.equal(voices(await key.put(client, "before", { w: 3 })), 3);
    world.simulation.schedule(seed / 10, undefined, () => world.kill(key.owner(seed % 3)));
    assert.deepEqual(await key.values(client), ["before"], `seed ${seed}`);

    const next = key.owner((seed + 1) % 3);
    world.simulation.schedule(seed / 10, undefined, () => world.kill(next));
    const outcome = await key.put(client, "after");
    await world.simulation.run(3000);
    const found = await key.values(client);
    const times = typeof found === "string" ? found : found.filter((value) => value === "after").length;
    if (outcome.kind === "written") assert.equal(times, 1, `seed ${seed}`);
    else {
      assert.equal(outcome.outcome, "unknown", outcome.detail);
      assert.ok(times === 0 || times === 1, `seed ${seed}: ${times}`);
      unknown++;
    }
  }
  assert.ok(unknown > 0, "no coordinator died with a put in its hands");
});
