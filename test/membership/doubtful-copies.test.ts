/**
 * Directories that are older copies of themselves, started while nobody can be reached: alone they cannot know, and as
 * soon as anybody is there who does, they count for nothing.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./world.ts";

/** Nobody but those who were asked gets a write. */
const limits = { hintBytes: 0, exchangeEveryMs: 1e9 } as const;

function link(world: World, a: string, b: string, is: "cut" | "mended"): void {
  const [one, other] = [world.machine(a), world.machine(b)];
  for (const [from, to] of [[one, other] as const, [other, one] as const]) {
    if (is === "cut") world.network.cut(from, to);
    else world.network.mend(from, to);
  }
}

/**
 * n2 and n3 acknowledge a write that n1 misses, and n1 sees that n3 is written to. Then n2 is down, and n3 runs on an older
 * copy of its directory, started where it reaches nobody.
 */
async function oldAlone(seed: number): Promise<World> {
  const world = new World(seed);
  await world.cluster(3, { limits });
  await world.simulation.run(5000);
  const backup = world.machine("n3").disk.contents();
  for (const name of ["n2", "n3"]) link(world, "n1", name, "cut");
  await world.simulation.run(2000);
  assert.equal(await world.put("n2", "k", "v", 2), "written");
  for (const name of ["n2", "n3"]) link(world, "n1", name, "mended");
  await world.simulation.run(60_000);
  for (const name of ["n2", "n3"]) world.kill(name);
  world.machine("n3").disk.replace(backup);
  link(world, "n1", "n3", "cut");
  await world.up("n3", { limits });
  await world.simulation.run(3000 + 100 * seed);
  return world;
}

/** What reads of two answers through the node say until n3 has been found out; all but the refusals. */
async function readMeanwhile(world: World, on: string): Promise<readonly (readonly string[])[]> {
  link(world, "n1", "n3", "mended");
  const found: (readonly string[])[] = [];
  const endsMs = world.simulation.now + 10_000;
  while (world.simulation.now < endsMs && !world.ended.has("n3")) {
    const read = await world.get(on, "k", 2);
    if (typeof read !== "string") found.push(read);
    await world.simulation.run(5);
  }
  assert.equal(world.ended.get("n3")?.code, "outdated");
  return found;
}

for (const on of ["n1", "n3"]) {
  test(`an older copy that has reached nobody counts for nothing once somebody is there who knows: reads through ${on}`, async () => {
    for (let seed = 1; seed <= 4; seed++) {
      assert.deepEqual(await readMeanwhile(await oldAlone(seed), on), [], `seed ${seed}`);
    }
  });
}

test("a member that is started again where it reaches nobody serves its clients, and speaks once it has reached one", async () => {
  const world = new World(20);
  await world.cluster(3, { limits });
  assert.equal(await world.put("n3", "k", "v", 3), "written");
  world.kill("n3");
  for (const name of ["n1", "n2"]) link(world, name, "n3", "cut");
  await world.up("n3", { limits });
  await world.simulation.run(5000);
  assert.deepEqual(await world.get("n3", "k", 1), ["v"]);
  assert.equal(await world.put("n3", "k2", "v2", 1), "written");
  world.kill("n2");
  link(world, "n1", "n3", "mended");
  const reads = async (): Promise<boolean> => {
    const read = await world.get("n1", "k2", 2);
    if (typeof read !== "string") assert.deepEqual(read, ["v2"]);
    return typeof read !== "string";
  };
  const endsMs = world.simulation.now + 3000;
  while (!(await reads())) assert.ok(world.simulation.now < endsMs, world.describe());
});

test("a whole cluster that is started again speaks as soon as two can reach each other", async () => {
  const world = new World(21);
  await world.cluster(3);
  assert.equal(await world.put("n3", "k", "v", 3), "written");
  for (const name of ["n1", "n2", "n3"]) world.kill(name);
  await world.up("n1");
  await world.simulation.run(5000);
  await world.up("n2");
  await world.simulation.run(2000);
  assert.deepEqual(await world.get("n1", "k", 2), ["v"]);
  assert.deepEqual(await world.get("n2", "k", 2), ["v"]);
});

test("a copy that is written to while it reaches nobody shows the stamp it came with, first to those who know none, then to others", async () => {
  const world = new World(22);
  await world.cluster(3, { limits });
  await world.simulation.run(5000);
  const backup = world.machine("n3").disk.contents();
  // n1 does not see that n3 is written to.
  link(world, "n1", "n3", "cut");
  link(world, "n1", "n2", "cut");
  assert.equal(await world.put("n2", "k", "v", 2), "written");
  await world.simulation.run(60_000);
  world.kill("n3");
  world.machine("n3").disk.replace(backup);
  link(world, "n2", "n3", "cut");
  await world.up("n3", { limits });
  for (let i = 0; i < 9; i++) {
    assert.equal(await world.put("n3", `own ${i}`, "v", 1), "written");
    await world.simulation.run(5000);
  }
  link(world, "n1", "n3", "mended");
  await world.simulation.run(4000);
  assert.equal(world.ended.has("n3"), false);
  link(world, "n2", "n3", "mended");
  assert.ok(await world.simulation.runUntil(() => world.ended.has("n3"), 20_000));
  assert.equal(world.ended.get("n3")?.code, "outdated");
});
