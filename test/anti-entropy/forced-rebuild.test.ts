/**
 * Two lost disks, and an operator who says to go on without what cannot be had: that is done without, and nothing that
 * only cannot be had at this moment.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RebuildView } from "../../src/node/api.ts";
import { PartitionCopies } from "../../src/node/partition-copies.ts";
import { Rebuilds } from "../../src/node/rebuild.ts";
import { Pause } from "../../src/runtime/pause.ts";
import type { Spawned } from "../../src/sim/machine.ts";
import { plant } from "../membership/plant.ts";
import { World } from "../membership/world.ts";
import { assertSame, writeMany } from "./copies.ts";

const keys = 50;

/** Three nodes with the same keys, of which n2 and n3 have lost their disks, and are back. */
async function twoLost(seed: number): Promise<World> {
  const world = new World(seed);
  await world.cluster(3, { settings: { partitions: 16, n: 3, r: 2, w: 2 } });
  await writeMany(world, "n1", { from: 0, to: keys }, "kept");
  await world.simulation.run(3000);
  assertSame(world, ["n1", "n2", "n3"], keys);
  for (const name of ["n2", "n3"]) {
    world.kill(name);
    world.wipe(name);
  }
  await world.simulation.run(2000);
  for (const name of ["n2", "n3"]) await world.up(name, { join: ["n1"] });
  await world.simulation.run(30_000);
  return world;
}

function rebuildOf(world: World, machine: string): RebuildView {
  return (world.nodes.get(machine) as NonNullable<ReturnType<typeof world.nodes.get>>).repair().rebuild;
}

async function forced(world: World, names: readonly string[]): Promise<void> {
  for (const name of names) void world.inside(name, async (node) => node.startRepair(true));
  const isOver = (name: string): boolean => world.nodes.get(name)?.repair().running === false;
  await world.simulation.run(100);
  assert.ok(await world.simulation.runUntil(() => names.every(isOver), 120_000), world.describe());
}

test("where both that lost theirs are told so at once, neither goes without the one that has a copy", async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const world = await twoLost(seed);
    await forced(world, ["n2", "n3"]);
    await world.agreed();
    for (const name of ["n2", "n3"]) assert.ok(!rebuildOf(world, name).forced?.without.includes("n1"), `seed ${seed}`);
    await world.simulation.run(20_000);
    assertSame(world, ["n1", "n2", "n3"], keys);
  }
});

test("one that is up and does not answer at the moment is asked again", async () => {
  const world = await twoLost(5);
  let left = 20;
  const { fence } = Rebuilds.prototype;
  const takeOut = plant(Rebuilds.prototype, "fence", function (this: Rebuilds, partition, fencing, holder) {
    left -= 1;
    if (left >= 0) return Promise.resolve({ peer: holder, why: "does not answer" });
    return fence.call(this, partition, fencing, holder);
  });
  try {
    await forced(world, ["n2"]);
  } finally {
    takeOut();
  }
  assert.deepEqual(rebuildOf(world, "n2").forced?.without, ["n3"]);
  assert.equal(rebuildOf(world, "n2").voices, 16);
  await world.agreed();
  assertSame(world, ["n1", "n2", "n3"], keys);
});

test("one that is up and never answers is not done without: the repair ends, and says whom it could not have", async () => {
  const world = await twoLost(6);
  const takeOut = plant(Rebuilds.prototype, "fence", async (_, __, holder) => ({
    peer: holder,
    why: "does not answer",
  }));
  try {
    await forced(world, ["n2"]);
    const { voices, forced: taken } = rebuildOf(world, "n2");
    assert.deepEqual([voices, taken], [0, undefined]);
    const why = "force does not go without one that is up, in 16 partitions: does not answer";
    assert.deepEqual(world.nodes.get("n2")?.repair().leftOut, [{ name: "n1", why }]);
  } finally {
    takeOut();
  }
  await forced(world, ["n2"]);
  assert.deepEqual(world.nodes.get("n2")?.repair().leftOut, []);
  await world.agreed();
  assertSame(world, ["n1", "n2", "n3"], keys);
});

test("one that takes its time to answer each question holds up a repair no longer than to be asked once", async () => {
  const world = await twoLost(9);
  world.kill("n3");
  const { clock } = (world.spawned.get("n2") as Spawned).runtime;
  // Never are all of its partitions at rest at the same time.
  const { rebuild } = Rebuilds.prototype;
  const takeOut = plant(Rebuilds.prototype, "rebuild", async function (this: Rebuilds, partition, seat, isForced) {
    if (isForced === true) return rebuild.call(this, partition, seat, isForced);
    await new Pause(clock).wait(1000 + 400 * partition);
    return { peer: undefined, why: "takes its time" };
  });
  try {
    await world.simulation.run(30_000);
    await forced(world, ["n2"]);
  } finally {
    takeOut();
  }
  assert.equal(rebuildOf(world, "n2").voices, 16);
});

test("one that is down is done without", async () => {
  const world = await twoLost(7);
  world.kill("n1");
  await world.simulation.run(2000);
  await forced(world, ["n2"]);
  assert.deepEqual(rebuildOf(world, "n2").forced?.without, ["n1", "n3"]);
  assert.equal(rebuildOf(world, "n2").voices, 16);
});

test("a holder that is promised to one that is gone for ever is freed, and the one that is gone is named", async () => {
  const world = new World(8);
  const settings = { partitions: 16, n: 3, r: 2, w: 2 };
  await world.cluster(2, { settings });
  await writeMany(world, "n1", { from: 0, to: keys }, "kept");
  await world.simulation.run(3000);
  // n3 has both others fence the seats that it is about to fill, and gets no further.
  const takeOut = plant(PartitionCopies.prototype, "copyTail", async () => ({ kind: "failed", why: "is slow" }));
  world.start("n3", { join: ["n1"], settings });
  const waits = (): number =>
    world.nodes
      .get("n3")
      ?.transfers()
      .transfers.filter(({ why }) => why === "is slow").length ?? 0;
  assert.ok(await world.simulation.runUntil(() => waits() === 16, 10_000));
  for (const name of ["n2", "n3"]) world.kill(name);
  takeOut();
  world.wipe("n2");
  await world.simulation.run(2000);
  await world.inside("n1", (node) => node.remove("n3", { force: true }));
  await world.up("n2", { join: ["n1"] });
  await world.simulation.run(120_000);
  assert.equal(rebuildOf(world, "n2").voices, 0);
  const why =
    /^waits for one that is gone, and may have spoken for another seat there; repair --force of it ends that: n3$/;
  const waiting = rebuildOf(world, "n2").waitingFor;
  assert.deepEqual(
    waiting.map(({ name, partitions }) => [name, partitions]),
    [["n1", 16]],
  );
  assert.match(waiting[0]?.why ?? "", why);
  await forced(world, ["n1"]);
  assert.deepEqual(world.nodes.get("n1")?.repair().leftOut, []);
  assert.deepEqual(rebuildOf(world, "n1").forced?.without, ["n3"]);
  await world.agreed();
  assert.equal(rebuildOf(world, "n2").voices, 16);
  assert.equal(rebuildOf(world, "n2").forced, undefined);
  assertSame(world, ["n1", "n2"], keys);
});
