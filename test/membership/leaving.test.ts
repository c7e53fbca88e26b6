/**
 * Members that leave, are removed, and carry another share, in whole clusters on virtual time. Everything ends with one
 * ring everywhere, each seat with its owner, and every write that was acknowledged.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberChangeOutcome } from "../../src/node/api.ts";
import { World } from "./world.ts";

const accepted: MemberChangeOutcome = { kind: "accepted" };

/** A cluster of so many with some data in it. */
async function filled(seed: number, size: number): Promise<World> {
  const world = new World(seed);
  await world.cluster(size);
  for (let i = 0; i < 20; i++) assert.equal(await world.put(`n${1 + (i % size)}`, `k${i}`, `v${i}`), "written");
  return world;
}

/** All that was written is read with one answer through every node that runs. */
async function isWhole(world: World): Promise<void> {
  for (const on of world.nodes.keys()) {
    for (let i = 0; i < 20; i++) assert.deepEqual(await world.get(on, `k${i}`, 1), [`v${i}`], `k${i} through ${on}`);
  }
}

/** Waits until the node of that machine has ended by itself, and takes it away. */
async function hasEnded(world: World, machine: string, withinMs = 60_000): Promise<string> {
  await world.simulation.runUntil(() => world.ended.has(machine), withinMs);
  const error = world.ended.get(machine);
  world.kill(machine);
  return error === undefined ? `${machine} goes on:\n${world.describe()}` : error.code;
}

test("a member that leaves hands everything over, is gone for all, and ends", async () => {
  const world = await filled(1, 4);
  assert.deepEqual(await world.inside("n2", (node) => node.leave("n4")), accepted);
  assert.equal(await hasEnded(world, "n4"), "left");
  assert.match(world.ended.get("n4")?.message ?? "", /n4 has left the cluster; its directory can be deleted/);
  await world.agreed();
  const members = world.nodes
    .get("n1")
    ?.cluster()
    .members.map(({ name }) => name);
  assert.deepEqual(members, ["n1", "n2", "n3"]);
  await isWhole(world);
  assert.match(await world.refused("n4", { join: ["n1"] }), /n4 has left the cluster/);
});

test("a member that is lost is removed, and the others rebuild what it held", async () => {
  const world = await filled(2, 4);
  world.kill("n4");
  await world.simulation.run(60_000);
  assert.deepEqual(await world.inside("n1", (node) => node.remove("n4")), accepted);
  await world.agreed(10_000);
  await isWhole(world);
  assert.match(await world.refused("n4", { join: ["n1"] }), /n4 was removed from the cluster, and stays out/);
});
