/**
 * One that has left, and is started again: what it has to say nobody else can, and whoever it knew may have gone since.
 * It ends as soon as what it says is known, and not before.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "../../src/node/node.ts";
import { World } from "./world.ts";

const accepted = { kind: "accepted" };

async function founded(seed: number): Promise<World> {
  const world = new World(seed);
  await world.cluster(4, { settings: { n: 2, r: 1, w: 2 } });
  for (let i = 0; i < 20; i++) assert.equal(await world.put("n1", `k${i}`, `v${i}`), "written");
  return world;
}

/** Waits until the node of that machine has ended by itself, and takes it away. */
async function hasLeft(world: World, machine: string): Promise<void> {
  assert.ok(await world.simulation.runUntil(() => world.ended.has(machine), 60_000), `${machine}: ${world.describe()}`);
  assert.equal(world.ended.get(machine)?.code, "left");
  world.kill(machine);
}

/** n5, n6 and n7 take the places of n1, n2 and n3. */
async function turnedOver(world: World): Promise<void> {
  for (const name of ["n5", "n6", "n7"]) await world.up(name, { join: ["n1"] });
  for (const name of ["n1", "n2", "n3"]) {
    assert.deepEqual(await world.inside("n5", (node) => node.leave(name)), accepted);
    await hasLeft(world, name);
  }
}

/** n4 is leaving and holds nothing any more, but has not said so yet. */
async function aboutToGo(world: World): Promise<Node> {
  const n4 = world.nodes.get("n4") as Node;
  const seats = (): number => n4.metrics().find(({ name }) => name === "cartwheel_seats")?.value ?? 0;
  assert.deepEqual(await world.inside("n1", (node) => node.leave("n4")), accepted);
  assert.ok(await world.simulation.runUntil(() => seats() === 0, 20_000));
  await world.simulation.run(2000);
  assert.equal(n4.departed, undefined);
  return n4;
}

/** n4 has left, and ended before anybody heard of it. */
async function leftUnheard(seed: number): Promise<World> {
  const world = await founded(seed);
  const n4 = await aboutToGo(world);
  for (const other of ["n1", "n2", "n3"]) world.network.cut(world.machine("n4"), world.machine(other));
  assert.ok(await world.simulation.runUntil(() => n4.departed === "left", 20_000));
  world.kill("n4");
  world.network.mendAll();
  return world;
}

function membersOf(world: World, name: string): readonly string[] {
  const members = world.nodes.get(name)?.cluster().members ?? [];
  return members.map((member) => member.name).sort();
}

async function isWhole(world: World): Promise<void> {
  await world.agreed();
  assert.deepEqual(membersOf(world, "n5"), ["n5", "n6", "n7"]);
  for (let i = 0; i < 20; i++) assert.deepEqual(await world.get("n6", `k${i}`), [`v${i}`]);
}

test("one that left, and said so, ends when it is started again, though all that it knew have gone since", async () => {
  const world = await founded(1);
  assert.deepEqual(await world.inside("n1", (node) => node.leave("n4")), accepted);
  await hasLeft(world, "n4");
  await turnedOver(world);
  assert.match(await world.refused("n4", {}), /n4 has left the cluster; its directory can be deleted/);
  await isWhole(world);
});

test("one that left unheard hears from those who wait for it where they are, though all that it knew have gone since", async () => {
  const world = await leftUnheard(2);
  await turnedOver(world);
  assert.deepEqual(membersOf(world, "n5"), ["n4", "n5", "n6", "n7"]);
  assert.match(await world.refused("n4", {}), /n4 has left the cluster/);
  await isWhole(world);
});

test("one that left unheard, and cannot be reached where it was, tells those whom its operator names", async () => {
  const world = await leftUnheard(3);
  await turnedOver(world);
  assert.match(await world.refused("n4", { host: "elsewhere", join: ["n6"] }), /n4 has left the cluster/);
  await isWhole(world);
});

test("one that left does not end on the word of a member that had no room to write it down", async () => {
  const world = await founded(4);
  const n4 = await aboutToGo(world);
  for (const name of ["n1", "n2", "n3"]) world.machine(name).disk.isFull = true;
  assert.ok(await world.simulation.runUntil(() => n4.departed === "left", 20_000));
  await world.simulation.run(20_000);
  assert.equal(world.ended.has("n4"), false);
  for (const name of ["n1", "n2", "n3"]) world.machine(name).disk.isFull = false;
  await hasLeft(world, "n4");
  await world.agreed();
  assert.deepEqual(membersOf(world, "n1"), ["n1", "n2", "n3"]);
});
