/** Joining, leaving by accident, and coming back, step by step, with the product's own nodes on virtual time. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { dataRange } from "../../src/storage/store-key.ts";
import { World } from "./world.ts";

test("six nodes that join at once through one member all become members with voices", async () => {
  const world = new World(1);
  await world.up("n1");
  for (let i = 2; i <= 6; i++) world.start(`n${i}`, { join: ["n1"], zone: `z${i % 3}` });
  const all = [...world.nodes.values()];
  assert.ok(await world.simulation.runUntil(() => all.every((node) => node.isReady), 30_000), world.describe());
  await world.agreed();
  for (const node of all) assert.equal(node.cluster().members.length, 6);
  assert.equal(await world.put("n4", "k", "v"), "written");
  for (const name of world.nodes.keys()) assert.deepEqual(await world.get(name, "k"), ["v"]);
});

test("nodes that join at once through different members do not keep each other out", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const world = new World(seed);
    await world.cluster(3);
    for (let i = 4; i <= 9; i++) world.start(`n${i}`, { join: [`n${1 + (i % 3)}`] });
    const all = [...world.nodes.values()];
    const joined = await world.simulation.runUntil(() => all.every((node) => node.isReady), 60_000);
    assert.ok(joined, `seed ${seed}:\n${world.describe()}`);
    await world.agreed();
    for (const node of all) assert.equal(node.cluster().members.length, 9);
  }
});

test("a node asks until somebody answers, and starts as soon as the member it waits for does", async () => {
  const world = new World(2);
  const { node } = world.start("n2", { join: ["n1", "n7"] });
  await world.simulation.run(5000);
  assert.equal(node.isReady, false);
  await world.up("n1");
  assert.ok(await world.simulation.runUntil(() => node.isReady, 10_000));
});

/** How many keys lie on the machine's disk. */
function keysOn(world: World, machine: string): number {
  const { from } = dataRange();
  return [...world.machine(machine).disk.contents().values()].filter(({ key }) => key[0] === from[0]).length;
}

test("a node that joins a cluster that holds data gets its share of it, and whoever handed it over drops it", async () => {
  const world = new World(3);
  await world.cluster(3);
  const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`);
  for (const key of keys) assert.equal(await world.put("n1", key, key), "written");
  for (let i = 4; i <= 6; i++) {
    await world.up(`n${i}`, { join: ["n2"] });
    await world.agreed();
    await world.simulation.run(5000);
    const machines = [...world.nodes.keys()];
    const held = machines.map((machine) => keysOn(world, machine));
    assert.equal(
      held.reduce((sum, count) => sum + count, 0),
      3 * keys.length,
      `${held}`,
    );
    assert.ok((held.at(-1) ?? 0) > 0);
    for (const key of keys) {
      for (const machine of machines) assert.deepEqual(await world.get(machine, key, 3), [key]);
    }
  }
  assert.deepEqual(world.simulation.violations, []);
});

test("a deleted key is data too: its tombstone must not be forgotten by a change of owners", async () => {
  const world = new World(4);
  await world.cluster(3);
  assert.equal(await world.put("n1", "k", "v"), "written");
  await world.inside("n1", (node) => node.delete({ bucket: "carts", key: "k" }));
  for (let i = 4; i <= 9; i++) await world.up(`n${i}`, { join: ["n1"] });
  await world.agreed();
  for (const name of world.nodes.keys()) {
    const found = await world.inside(name, (node) => node.get({ bucket: "carts", key: "k", r: 3 }));
    assert.ok(found.kind === "found" && found.versions.length === 0 && found.context !== undefined);
  }
});

test("a join does not wait for a member that cannot be reached, and gets its seats when it is back", async () => {
  const world = new World(5);
  await world.cluster(3);
  assert.equal(await world.put("n1", "k", "v"), "written");
  world.kill("n3");
  const node = await world.up("n4", { join: ["n1"] });
  await world.simulation.run(20_000);
  const { pendingTransfers } = node.cluster();
  assert.ok(pendingTransfers > 0 && pendingTransfers < 12, `${pendingTransfers} wait`);
  assert.deepEqual(await world.get("n4", "k"), ["v"]);
  await world.up("n3");
  await world.agreed();
});

test("the name of a member that is up is refused", async () => {
  const world = new World(6);
  await world.cluster(3);
  assert.match(await world.refused("x", { name: "n3", join: ["n1"] }), /the name n3 is taken by a member that is up/);
  assert.match(await world.refused("y", { name: "n1", join: ["n1"] }), /the name n1 is taken by a member that is up/);
  await world.agreed();
});

test("settings, names and zones that are not the cluster's are refused with what is so", async () => {
  const world = new World(7);
  await world.cluster(2, { zone: "a" });
  const join = ["n1"];
  assert.match(await world.refused("n3", { join, settings: { partitions: 32 } }), /founded with partitions 16, not 32/);
  assert.match(await world.refused("n3", { join, settings: { n: 5 } }), /founded with n 3, not 5/);
  assert.match(await world.refused("n3", { join, settings: { w: "all" } }), /founded with w 2, not all/);
  assert.match(await world.refused("n3", { join, name: "a b" }), /no name for a node/);
  assert.match(await world.refused("n3", { join, capacity: 101 }), /capacity is 101/);
  world.kill("n2");
  assert.match(await world.refused("n2", { name: "other" }), /that of node n2, not of other/);
  assert.match(
    await world.refused("n2", { zone: "b" }),
    /n2 is in zone "a", not "b"; cartwheel zone n2 b would change that/,
  );
  assert.match(
    await world.refused("n2", { capacity: 2 }),
    /n2 has capacity 1, not 2; cartwheel capacity n2 2 would change that/,
  );
  assert.match(await world.refused("n2", { settings: { n: 1 } }), /founded with n 3, not 1/);
  await world.up("n2", { zone: "a", join: ["nobody"] });
});

test("a node that restarts is the same member wherever its address moved, also when all of them move at once", async () => {
  const world = new World(8);
  await world.cluster(3);
  const before = world.nodes.get("n3")?.cluster().members;
  assert.equal(await world.put("n1", "k", "v"), "written");
  world.kill("n3");
  await world.up("n3", { host: "elsewhere" });
  await world.agreed();
  const moved = (): boolean =>
    world.nodes
      .get("n1")
      ?.cluster()
      .members.some((m) => m.peer === "elsewhere:7400" && m.status === "up") ?? false;
  assert.ok(await world.simulation.runUntil(moved, 30_000), world.describe());
  assert.deepEqual(
    world.nodes
      .get("n3")
      ?.cluster()
      .members.map((m) => m.id),
    before?.map((m) => m.id),
  );
  assert.deepEqual(await world.get("n3", "k"), ["v"]);

  // Now nobody's old address is right; one seed that is brings them together.
  for (const name of ["n1", "n2", "n3"]) world.kill(name);
  await world.up("n1", { host: "one" });
  await world.up("n2", { host: "two", join: ["one"] });
  await world.up("n3", { host: "three", join: ["one"] });
  const isWhole = (): boolean =>
    [...world.nodes.values()].every((node) => node.cluster().members.every((m) => m.status === "up"));
  assert.ok(await world.simulation.runUntil(isWhole, 120_000), world.describe());
  assert.deepEqual(await world.get("n2", "k"), ["v"]);
});

test("members that all moved at once while nobody could be reached ask their seeds until one answers", async () => {
  const world = new World(23);
  await world.cluster(3);
  const names = ["n1", "n2", "n3"];
  for (const name of names) world.kill(name);
  const { network } = world;
  const ways = names.flatMap((a) => names.map((b) => [world.machine(a), world.machine(b)] as const));
  for (const [from, to] of ways) network.cut(from, to);
  // Each is told of the next one, and nobody knows its own address to be anybody's.
  await world.up("n1", { host: "one", join: ["two"] });
  await world.up("n2", { host: "two", join: ["three"] });
  await world.up("n3", { host: "three", join: ["one"] });
  await world.simulation.runUntil(() => false, 30_000);
  for (const [from, to] of ways) network.mend(from, to);
  await world.agreed(10_000);
});

test("a clock that goes back over a restart does not keep a node's new address from spreading", async () => {
  const world = new World(9);
  await world.cluster(3);
  await world.simulation.run(3000);
  world.kill("n3");
  world.clocks.get("n3")?.jump(-365 * 24 * 3600_000);
  await world.up("n3", { host: "elsewhere" });
  const moved = (): boolean =>
    ["n1", "n2"].every((name) =>
      world.nodes
        .get(name)
        ?.cluster()
        .members.some((m) => m.peer === "elsewhere:7400"),
    );
  assert.ok(await world.simulation.runUntil(moved, 30_000), world.describe());
});

test("a member whose directory was lost takes its place again, under a new incarnation, and its empty answers do not count", async () => {
  const world = new World(11);
  await world.cluster(3);
  assert.equal(await world.put("n1", "k", "v", 3), "written");
  const before = world.nodes.get("n1")?.ring();
  const id = world.nodes
    .get("n1")
    ?.cluster()
    .members.find((member) => member.name === "n3")?.id;
  world.kill("n3");
  const kept = world.machine("n3").disk.contents();
  world.wipe("n3");
  // Without the third holder its voices cannot come back.
  world.kill("n2");
  await world.simulation.run(2000);
  await world.up("n3", { join: ["n1"] });
  await world.agreedOnHistory();
  assert.equal(
    world.nodes
      .get("n3")
      ?.cluster()
      .members.find((member) => member.name === "n3")?.id,
    id,
  );
  const voices = world.nodes
    .get("n3")
    ?.metrics()
    .find((sample) => /voice/.test(sample.name));
  assert.equal(voices?.value, 0);
  // Its empty answer must not be counted: with one of the two voices gone, two cannot be had of a key nobody knows.
  assert.deepEqual(await world.get("n3", "k", 2), ["v"]);
  assert.equal(await world.get("n3", "unknown", 2), "quorum-not-met");
  await world.up("n2");
  await world.agreed();
  assert.deepEqual(world.nodes.get("n1")?.ring(), before, "seats moved");

  // The old directory shows up again: it is refused everywhere, and its process learns why.
  world.machine("old").disk.replace(kept);
  world.start("old", { name: "n3", host: "old" });
  assert.ok(await world.simulation.runUntil(() => world.ended.has("old"), 30_000), world.describe());
  assert.equal(world.ended.get("old")?.code, "superseded");
});

test("a directory from before its node became a member does not give it its voices back", async () => {
  const world = new World(13);
  await world.cluster(2);
  world.start("n3", { join: ["nowhere"] });
  await world.simulation.run(100);
  world.kill("n3");
  const early = world.machine("n3").disk.contents();
  await world.up("n3", { join: ["n1"] });
  await world.agreed();
  assert.equal(await world.put("n1", "k", "v", 2), "written");
  world.kill("n3");
  world.machine("n3").disk.replace(early);
  assert.match(await world.refused("n3", { join: ["n1"] }), /from before n3 became a member/);
  // An empty one is what it takes.
  world.wipe("n3");
  world.kill("n2");
  await world.simulation.run(2000);
  await world.up("n3", { join: ["n1"] });
  await world.simulation.run(3000);
  assert.equal(await world.get("n3", "unknown", 2), "quorum-not-met");
});

test("a lost directory's place is its own: another zone or capacity is refused", async () => {
  const world = new World(12);
  await world.cluster(3, { zone: "a" });
  world.kill("n3");
  world.wipe("n3");
  assert.match(
    await world.refused("n3", { join: ["n1"], zone: "b" }),
    /take its place again with zone "a" and capacity 1/,
  );
});

test("gossip brings together what was accepted on two sides of a split", async () => {
  const world = new World(14);
  await world.cluster(4);
  const [a, b, c, d] = ["n1", "n2", "n3", "n4"].map((name) => world.machine(name));
  const sides = [
    [a, c],
    [a, d],
    [b, c],
    [b, d],
  ] as const;
  for (const [x, y] of sides) {
    world.network.cut(x as never, y as never);
    world.network.cut(y as never, x as never);
  }
  const set = (on: string, bucket: string, r: number): Promise<unknown> =>
    world.inside(on, (node) => node.setBucket(bucket, { r }));
  await set("n1", "left", 1);
  await set("n3", "right", 1);
  await set("n4", "left", 3);
  await world.simulation.run(10_000);
  assert.notDeepEqual(world.nodes.get("n1")?.history(), world.nodes.get("n3")?.history());
  for (const [x, y] of sides) {
    world.network.mend(x as never, y as never);
    world.network.mend(y as never, x as never);
  }
  await world.agreed();
  for (const node of world.nodes.values())
    assert.deepEqual(
      node.buckets().map(({ bucket }) => bucket),
      ["left", "right"],
    );
});

test("a node that is stopped at any moment of its start serves nothing afterwards", async () => {
  for (let i = 0; i < 40; i++) {
    const world = new World(i);
    const { node, started } = world.start("n1");
    await world.simulation.run(i / 8);
    await world.inside("n1", () => node.stop());
    await world.simulation.settle(
      started.catch(() => {}),
      10_000,
      "the start's end",
    );
    await world.simulation.run(100);
    assert.equal(node.isReady, false, `stopped after ${i / 8} ms`);
    const outcome = await world.inside("n1", () => node.get({ bucket: "b", key: "k" }));
    assert.equal(outcome.kind, "failure");
  }
});
