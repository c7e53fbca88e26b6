/** Whole nodes on virtual time: what one missed, hash trees find and exchanges repair, and nothing is read meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../membership/world.ts";
import { assertSame, copiesOn, metric, repair, spent, writeMany } from "./copies.ts";

/** Nobody keeps hints here: what was missed is left to exchanges. */
const limits = { hintBytes: 0 };
const two = { settings: { partitions: 16, n: 2, r: 1, w: 1 }, limits };

/** Two nodes that hold the same `keys` keys. */
async function twoEqual(seed: number, keys: number): Promise<World> {
  const world = new World(seed);
  await world.cluster(2, two);
  await writeMany(world, "n1", { from: 0, to: keys }, "first");
  await world.simulation.run(3000);
  assertSame(world, ["n1", "n2"], keys);
  return world;
}

/** Has n2 miss what `act` does at n1. */
async function whileAway(world: World, act: () => Promise<void>): Promise<void> {
  world.kill("n2");
  await world.simulation.run(2000);
  await act();
  // Until no call for it waits any more.
  await world.simulation.run(5000);
  await world.up("n2", two);
  await world.agreed();
}

test("equal copies cost one message and its answer, however many there are", async () => {
  const costs: number[] = [];
  for (const keys of [40, 800]) {
    const world = await twoEqual(1, keys);
    const run = await repair(world, "n1");
    assert.deepEqual([run.partitionsCompared, run.keysCompared, run.keysRepaired], [16, 0, 0]);
    costs.push(run.bytesSent + run.bytesReceived);
  }
  assert.equal(costs[0], costs[1]);
  assert.ok((costs[0] ?? 0) < 16 * 12 + 40, `${costs[0]} bytes`);
});

test("exactly what one side missed is repaired, deletes included, whichever side begins", async () => {
  for (const begins of ["n1", "n2"]) {
    const world = await twoEqual(2, 400);
    await whileAway(world, async () => {
      await writeMany(world, "n1", { from: 10, to: 20 }, "second");
      await writeMany(world, "n1", { from: 30, to: 35 }, undefined);
      await writeMany(world, "n1", { from: 400, to: 410 }, "new");
    });
    const run = await repair(world, begins);
    assert.equal(run.keysRepaired, 25);
    assertSame(world, ["n1", "n2"], 410);
    assert.equal([...copiesOn(world, "n2").values()].filter((digest) => digest.endsWith(" 0")).length, 5);
    const again = await repair(world, begins);
    assert.deepEqual([again.keysCompared, again.keysRepaired], [0, 0]);
  }
});

test("both sides get what the other wrote while they could not reach each other", async () => {
  const world = await twoEqual(3, 200);
  world.network.cut(world.machine("n1"), world.machine("n2"));
  world.network.cut(world.machine("n2"), world.machine("n1"));
  // Until both know: what is sent before arrives by itself after the cut.
  await world.simulation.run(1500);
  await writeMany(world, "n1", { from: 0, to: 12 }, "from n1");
  await writeMany(world, "n2", { from: 8, to: 20 }, "from n2");
  // What was on its way is lost.
  while (world.network.resetOne());
  world.network.mendAll();
  await world.agreed();
  await repair(world, "n1");
  assert.ok(spent(world).keysRepaired > 0);
  assertSame(world, ["n1", "n2"], 200);
  const siblings = [...copiesOn(world, "n1").values()].map((digest) => Number(digest.split(" ")[2]));
  assert.equal(siblings.filter((count) => count === 3).length, 4, "written on both sides, blindly");
});

test("what is sent grows with the differences, not with the keys", async () => {
  const bytes: number[][] = [];
  for (const keys of [200, 1600]) {
    const row: number[] = [];
    for (const differing of [1, 16]) {
      const world = await twoEqual(4, keys);
      await whileAway(world, () => writeMany(world, "n1", { from: 0, to: differing }, "second"));
      await repair(world, "n1");
      const { keysRepaired, bytes } = spent(world);
      assert.equal(keysRepaired, differing);
      row.push(bytes);
    }
    bytes.push(row);
  }
  const [[one = 0, sixteen = 0] = [], [oneOfMany = 0, sixteenOfMany = 0] = []] = bytes;
  assert.ok(oneOfMany < one + 2000 && sixteenOfMany < 3 * sixteen, JSON.stringify(bytes));
  assert.ok(oneOfMany < 2500 && sixteenOfMany < 16 * 1000, JSON.stringify(bytes));
});

test("a partition that differs in more keys than one list holds is repaired in parts", async () => {
  const one = { settings: { partitions: 1, n: 2, r: 1, w: 1 }, limits };
  const world = new World(15);
  await world.cluster(2, one);
  world.kill("n2");
  await world.simulation.run(2000);
  await writeMany(world, "n1", { from: 0, to: 1200 }, "only at n1");
  await world.simulation.run(5000);
  await world.up("n2", one);
  await world.agreed();
  assert.equal((await repair(world, "n2")).keysRepaired, 1200);
  assertSame(world, ["n1", "n2"], 1200);
});

test("buckets of fewer and of more copies than others, and of one version, are repaired among their own owners", async () => {
  const world = new World(5);
  const settings = { partitions: 8, n: 3, r: 1, w: 1 };
  await world.cluster(4, { settings, limits });
  const buckets = { one: { n: 1 }, two: { n: 2 }, four: { n: 4 }, last: { reconcile: "last-write-wins" } } as const;
  for (const [name, change] of Object.entries(buckets)) {
    assert.equal((await world.inside("n1", (node) => node.setBucket(name, change))).kind, "set");
    await world.agreed();
  }
  const names = ["one", "two", "four", "last", "carts"];
  // A bucket of one copy has no other owner to stand in while its only one is away.
  for (const bucket of names) await writeMany(world, "n1", { from: 0, to: 40, bucket }, "first");
  await world.simulation.run(3000);
  world.kill("n4");
  await world.simulation.run(2000);
  for (const bucket of names.slice(2)) await writeMany(world, "n1", { from: 0, to: 20, bucket }, "second");
  await world.up("n4", { settings, limits });
  await world.agreed();
  await repair(world, "n4");
  for (const bucket of names) {
    const held = ["n1", "n2", "n3", "n4"].map((machine) => copiesOn(world, machine, bucket));
    const n = { one: 1, two: 2, four: 4 }[bucket] ?? 3;
    for (let i = 0; i < 40; i++) {
      const digests = held.map((copies) => copies.get(`${bucket}/key-${i}`)).filter((digest) => digest !== undefined);
      assert.equal(digests.length, n, `${bucket}/key-${i}`);
      assert.equal(new Set(digests).size, 1, `${bucket}/key-${i}: ${digests.join("; ")}`);
    }
  }
});

test("without being asked, nodes find and repair what differs", async () => {
  const world = await twoEqual(6, 100);
  await whileAway(world, () => writeMany(world, "n1", { from: 0, to: 30 }, "second"));
  await world.simulation.run(30_000);
  assertSame(world, ["n1", "n2"], 100);
  assert.equal(spent(world).keysRepaired, 30);
});

test("a node that lost its disk is filled", async () => {
  const world = new World(7);
  const settings = { partitions: 16, n: 3, r: 2, w: 2 };
  await world.cluster(3, { settings, limits });
  await writeMany(world, "n1", { from: 0, to: 300 }, "kept");
  await world.simulation.run(3000);
  world.kill("n3");
  world.wipe("n3");
  await world.simulation.run(2000);
  await world.up("n3", { settings, limits, join: ["n1"] });
  await world.agreed();
  assertSame(world, ["n1", "n2", "n3"], 300);
  assert.equal((await repair(world, "n3")).keysRepaired, 0);
});

test("a crash of either side in the middle of an exchange leaves nothing that the next one does not repair", async () => {
  for (const [seed, dies] of [
    [8, "n1"],
    [9, "n2"],
    [10, "n1"],
    [11, "n2"],
  ] as const) {
    const world = await twoEqual(seed, 300);
    await whileAway(world, () => writeMany(world, "n1", { from: 0, to: 200 }, "second"));
    await world.inside("n1", async (node) => node.startRepair());
    const node = world.nodes.get("n1");
    const half = () => (node?.repair().lastRun?.keysRepaired ?? 0) >= 40;
    assert.ok(await world.simulation.runUntil(half, 60_000));
    world.kill(dies);
    await world.simulation.run(1000);
    if (dies === "n2") {
      await world.simulation.run(5000);
      assert.equal(node?.repair().running, false, "the other side gives up");
    }
    await world.up(dies, two);
    await world.agreed();
    const run = await repair(world, "n2");
    assert.ok(run.keysRepaired > 0 && run.keysRepaired < 200, `${run.keysRepaired}`);
    assertSame(world, ["n1", "n2"], 300);
  }
});

test("writes during an exchange are not lost, and both sides agree once they end", async () => {
  const world = await twoEqual(12, 200);
  await whileAway(world, () => writeMany(world, "n1", { from: 0, to: 150 }, "second"));
  await world.inside("n1", async (node) => node.startRepair());
  for (let i = 0; i < 10; i++) {
    await writeMany(world, i % 2 === 0 ? "n1" : "n2", { from: i * 10, to: i * 10 + 20 }, `third ${i}`);
  }
  const node = world.nodes.get("n1");
  assert.ok(await world.simulation.runUntil(() => node?.repair().running === false, 60_000));
  await repair(world, "n2");
  assertSame(world, ["n1", "n2"], 200);
  const after = await repair(world, "n1");
  assert.deepEqual([after.keysCompared, after.keysRepaired], [0, 0]);
});

test("a disk that was full takes nothing, and its trees tell the truth afterwards", async () => {
  const world = await twoEqual(13, 100);
  const { disk } = world.machine("n2");
  disk.isFull = true;
  // Several batches: the disk keeps one in five of those it refuses.
  for (let i = 0; i < 6; i++) {
    await writeMany(world, "n1", { from: i * 5, to: i * 5 + 5 }, "second");
    await world.simulation.run(500);
  }
  assert.ok(metric(world, "n2", "commits_failed_total") >= 6);
  disk.isFull = false;
  await world.simulation.run(3000);
  await repair(world, "n1");
  assert.ok(spent(world).keysRepaired > 0, "what the disk refused is found");
  assertSame(world, ["n1", "n2"], 100);
  const again = await repair(world, "n2");
  assert.equal(again.keysCompared, 0);
});

test("a node stops at once in the middle of a repair", async () => {
  const world = await twoEqual(14, 300);
  await whileAway(world, () => writeMany(world, "n1", { from: 0, to: 300 }, "second"));
  await world.inside("n1", async (node) => {
    node.startRepair();
    await node.stop();
  });
  assert.equal(world.nodes.get("n1")?.repair().running, false);
});
