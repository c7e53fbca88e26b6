/**
 * One that was removed while nobody could reach it, and lives: with one copy of each key it alone has what it holds. So
 * those who are to take that must find it, also if they came after it was removed, or have been started again since.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./world.ts";

const names = ["n1", "n2", "n3", "n4"];
const keys: readonly string[] = Array.from({ length: 20 }, (_, i) => `k${i}`);

/** Four members with data in one copy; n4 is cut off, and was removed. */
async function cutOff(seed: number): Promise<World> {
  const world = new World(seed);
  await world.cluster(4, { settings: { n: 1, r: 1, w: 1 } });
  for (const key of keys) assert.equal(await world.put("n1", key, key), "written");
  for (const name of names.slice(0, 3)) {
    world.network.cut(world.machine(name), world.machine("n4"));
    world.network.cut(world.machine("n4"), world.machine(name));
  }
  assert.deepEqual(await world.inside("n1", (node) => node.remove("n4", { force: true })), { kind: "accepted" });
  await world.simulation.runUntil(() => ["n1", "n2", "n3"].every((name) => !knows(world, name, "n4")), 10_000);
  return world;
}

function knows(world: World, name: string, other: string): boolean {
  return (
    world.nodes
      .get(name)
      ?.cluster()
      .members.some((member) => member.name === other) === true
  );
}

async function isRelieved(world: World): Promise<void> {
  for (const name of names.slice(0, 3)) {
    world.network.mend(world.machine(name), world.machine("n4"));
    world.network.mend(world.machine("n4"), world.machine(name));
  }
  assert.ok(await world.simulation.runUntil(() => world.ended.has("n4"), 60_000), world.describe());
  assert.equal(world.ended.get("n4")?.code, "removed");
  world.kill("n4");
  await world.agreed();
  for (const on of world.nodes.keys()) {
    for (const key of keys) assert.deepEqual(await world.get(on, key), [key], `${key} through ${on}`);
  }
}

test("who joins after a member was removed takes over from it what that one alone has", async () => {
  const world = await cutOff(1);
  await world.up("n5", { join: ["n1"] });
  await isRelieved(world);
});

test("members that were started again since another was removed take over from it what that one alone has", async () => {
  const world = await cutOff(2);
  for (const name of ["n1", "n2", "n3"]) {
    world.kill(name);
    await world.up(name, { join: ["n1", "n2", "n3"].filter((other) => other !== name) });
  }
  await isRelieved(world);
});
