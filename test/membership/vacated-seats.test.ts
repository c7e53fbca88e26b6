/**
 * Seats that nobody is to have any more, since members have become fewer than seats: what the vacated one had, each of the
 * others has, without any help of hints or anti-entropy.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PartitionCopies } from "../../src/node/partition-copies.ts";
import { Replica } from "../../src/node/replica.ts";
import { plant } from "./plant.ts";
import { World } from "./world.ts";

/** Nobody keeps hints, and nobody compares trees unless it must. */
const limits = { hintBytes: 0, exchangeEveryMs: 1e9 } as const;
const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);

function cutOff(world: World, who: string): void {
  for (const [other, machine] of world.machines) {
    if (other === who) continue;
    world.network.cut(world.machine(who), machine);
    world.network.cut(machine, world.machine(who));
  }
}

/** n3 alone acknowledges writes, and then leaves: how many of them a node misses that reads for itself alone. */
async function missedAfterLeave(seed: number): Promise<number> {
  const world = new World(seed);
  await world.cluster(3, { limits });
  cutOff(world, "n3");
  await world.simulation.run(2000);
  for (const key of keys) assert.equal(await world.put("n3", key, key, 1), "written");
  world.network.mendAll();
  await world.agreedOnHistory();
  assert.equal((await world.inside("n1", (node) => node.leave("n3", { force: true }))).kind, "accepted");
  assert.ok(await world.simulation.runUntil(() => world.ended.has("n3"), 60_000), world.describe());
  world.kill("n3");
  return missed(world, ["n1", "n2"]);
}

/** n2 misses writes, and n3 is lost: how many n2 misses once there are two seats. */
async function missedAfterLoss(seed: number): Promise<number> {
  const world = new World(seed);
  await world.cluster(3, { limits });
  cutOff(world, "n2");
  await world.simulation.run(2000);
  for (const key of keys) assert.equal(await world.put("n1", key, key, 2), "written");
  world.network.mendAll();
  world.kill("n3");
  await world.simulation.run(1000);
  assert.equal((await world.inside("n1", (node) => node.remove("n3"))).kind, "accepted");
  await world.agreed();
  return missed(world, ["n2"]);
}

async function missed(world: World, readers: readonly string[]): Promise<number> {
  let missing = 0;
  for (const on of readers) {
    // Nobody else answers, so that nobody repairs.
    cutOff(world, on);
    for (const key of keys) if ((await world.get(on, key, 1)).length === 0) missing++;
    world.network.mendAll();
  }
  assert.deepEqual(world.simulation.violations, []);
  return missing;
}

test("the seat of a member that leaves is vacated once all others have what it alone had", async () => {
  for (let seed = 1; seed <= 4; seed++) assert.equal(await missedAfterLeave(seed), 0, `seed ${seed}`);
});

test("the seat of a member that is lost is vacated once all others have what any of them had", async () => {
  for (let seed = 1; seed <= 4; seed++) assert.equal(await missedAfterLoss(seed), 0, `seed ${seed}`);
});

test("both catch a seat that is vacated without giving anything", async () => {
  const { push } = PartitionCopies.prototype;
  PartitionCopies.prototype.push = async () => true;
  try {
    assert.ok((await missedAfterLeave(1)) > 0);
    assert.ok((await missedAfterLoss(1)) > 0);
  } finally {
    PartitionCopies.prototype.push = push;
  }
});

/**
 * n3 leaves while what it gives the others is not on their disks yet; then those lose power, and n3, if it goes on, is
 * started again. What a member reads of a write that n3 acknowledged.
 */
async function leftInMemory(
  seed: number,
): Promise<{ readonly read: readonly string[] | string; readonly hasGone: boolean }> {
  const world = new World(seed);
  await world.cluster(3, { limits });
  for (const name of ["n1", "n2"]) world.machine(name).disk.stall(60_000);
  // The first of them is on its way to the stalled disks, and the second waits behind it.
  for (const key of ["first", "second"]) {
    assert.equal(await world.put("n3", key, key, 1), "written");
    await world.simulation.run(100);
  }
  assert.equal((await world.inside("n3", (node) => node.leave("n3", { force: true }))).kind, "accepted");
  const n3 = world.nodes.get("n3");
  const hasGone = await world.simulation.runUntil(() => n3?.departed !== undefined, 30_000);
  for (const name of [...world.nodes.keys()]) world.kill(name);
  for (const name of ["n1", "n2"]) world.machine(name).disk.stall(0);
  for (const name of ["n1", "n2", ...(hasGone ? [] : ["n3"])]) world.start(name, { limits });
  assert.ok(await world.simulation.runUntil(() => hasGone || world.ended.has("n3"), 60_000), world.describe());
  world.kill("n3");
  await world.agreed();
  return { read: await world.get("n1", "second", 1), hasGone };
}

test("a member that leaves does not go before what it gave is on the others' disks", async () => {
  for (let seed = 11; seed <= 14; seed++) {
    assert.deepEqual(await leftInMemory(seed), { read: ["second"], hasGone: false }, `seed ${seed}`);
  }
});

test("it catches one that says so at once, and does not wait for its disk", async () => {
  const takeOut = plant(Replica.prototype, "afterAll", (done) => done.onDurable());
  try {
    assert.deepEqual(await leftInMemory(11), { read: [], hasGone: true });
  } finally {
    takeOut();
  }
});
