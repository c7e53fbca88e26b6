/** Directories that are older copies of themselves: a restored backup must not vouch for what it has forgotten. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./world.ts";

type Disk = Parameters<ReturnType<World["machine"]>["disk"]["replace"]>[0];

/** Three nodes; n3's disk as it was before it was started anew, which it has been since. */
async function withBackup(seed: number): Promise<{ world: World; backup: Disk }> {
  const world = new World(seed);
  await world.cluster(3);
  const backup = world.machine("n3").disk.contents();
  world.kill("n3");
  await world.up("n3");
  await world.agreed();
  assert.equal(await world.put("n1", "k", "v", 3), "written");
  await world.simulation.run(10_000);
  world.kill("n3");
  return { world, backup };
}

function restore(world: World, machine: string, backup: Disk): void {
  world.machine(machine).disk.replace(backup);
}

test("a restored backup is found out before it serves, and an empty directory takes its place", async () => {
  const { world, backup } = await withBackup(1);
  restore(world, "n3", backup);
  assert.match(await world.refused("n3", {}), /older copy.*start n3 with an empty directory and --join/);
  world.wipe("n3");
  await world.up("n3", { join: ["n1"] });
  await world.agreed();
  const isBack = (): boolean => world.nodes.get("n3")?.repair().rebuild.running === false;
  assert.ok(await world.simulation.runUntil(isBack, 60_000));
  assert.deepEqual(await world.get("n3", "k", 1), ["v"]);
});

test("one whose clock is set back, too, is found out all the same", async () => {
  const { world, backup } = await withBackup(2);
  restore(world, "n3", backup);
  world.clocks.get("n3")?.jump(-3600_000);
  assert.match(await world.refused("n3", {}), /older copy/);
});

test("one that reaches nobody at its start ends as soon as it hears of itself, and tells nobody anything newer", async () => {
  const { world, backup } = await withBackup(3);
  restore(world, "n3", backup);
  for (const other of ["n1", "n2"]) world.network.cut(world.machine("n3"), world.machine(other));
  await world.up("n3");
  world.network.mendAll();
  assert.ok(await world.simulation.runUntil(() => world.ended.has("n3"), 30_000), world.describe());
  assert.equal(world.ended.get("n3")?.code, "outdated");
  assert.equal(world.nodes.get("n3")?.isReady, false);
});

test("a copy that is started beside the node it was copied from ends, and the node goes on", async () => {
  const { world, backup } = await withBackup(4);
  await world.up("n3", { host: "second" });
  await world.agreed();
  restore(world, "copy", backup);
  assert.match(await world.refused("copy", { name: "n3" }), /another process runs on a copy/);
  await world.simulation.run(10_000);
  assert.equal(world.nodes.get("n3")?.isReady, true);
  assert.equal(world.ended.has("n3"), false);
});

test("a node that is written to makes copies of its directory out of date without being started anew", async () => {
  const world = new World(5);
  await world.cluster(3);
  await world.simulation.run(5000);
  const backup = world.machine("n3").disk.contents();
  assert.equal(await world.put("n1", "k", "v", 3), "written");
  await world.simulation.run(40_000);
  world.kill("n3");
  restore(world, "n3", backup);
  assert.match(await world.refused("n3", {}), /older copy/);
});

test("a copy that at its start reaches nobody who has seen more of it ends when it meets one", async () => {
  const world = new World(6);
  await world.cluster(3);
  await world.simulation.run(5000);
  const backup = world.machine("n3").disk.contents();
  world.network.cut(world.machine("n3"), world.machine("n2"));
  assert.equal(await world.put("n1", "k", "v", 2), "written");
  await world.simulation.run(40_000);
  for (const name of ["n3", "n1"]) world.kill(name);
  world.network.mendAll();
  restore(world, "n3", backup);
  await world.up("n3");
  await world.up("n1");
  assert.ok(await world.simulation.runUntil(() => world.ended.has("n3"), 30_000), world.describe());
  assert.equal(world.ended.get("n3")?.code, "outdated");
});

test("a node that crashes at any moment of its start is not taken for a copy of itself", async () => {
  for (let seed = 10; seed < 30; seed++) {
    const world = new World(seed);
    await world.cluster(3);
    for (let i = 0; i < 4; i++) {
      world.kill("n3");
      const { node, started } = world.start("n3", { host: `at-${i % 2}` });
      await world.simulation.run(world.simulation.prng(`crash ${i}`).below(12));
      started.catch((error: unknown) => assert.fail(String(error)));
      if (i === 3) assert.ok(await world.simulation.runUntil(() => node.isReady, 30_000), `seed ${seed}`);
    }
    assert.equal(world.ended.size, 0);
  }
});
