/** Force, where members have become fewer than seats. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./world.ts";

/** Nobody keeps hints, and nobody compares trees unless it must. */
const limits = { hintBytes: 0, exchangeEveryMs: 1e9 } as const;
const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);

/** Of three members one is lost for good; then force is used on both others. */
async function forcedAfterLoss(): Promise<World> {
  const world = new World(1);
  await world.cluster(3, { limits });
  const set = await world.inside("n1", (node) => node.setBucket("carts", { n: 2, r: 1, w: 2 }));
  assert.equal(set.kind, "set");
  await world.agreed();
  await world.simulation.run(5000);
  for (const key of keys) assert.equal(await world.put("n1", key, key), "written");
  world.kill("n3");
  await world.simulation.run(1000);
  const removed = await world.inside("n1", (node) => node.remove("n3", { force: true }));
  assert.equal(removed.kind, "accepted");
  for (const on of ["n1", "n2"]) {
    await world.simulation.run(40_000);
    await world.inside(on, async (node) => node.startRepair(true));
    await world.simulation.run(40_000);
  }
  return world;
}

test("force vacates no seat in whose place another would serve what it has no copy of", async () => {
  const world = await forcedAfterLoss();
  for (const on of ["n1", "n2"]) {
    for (const key of keys) assert.deepEqual(await world.get(on, key, 1), [key], `${key} on ${on}`);
    assert.equal(world.nodes.get(on)?.repair().rebuild.forced, undefined);
  }
  assert.deepEqual(world.simulation.violations, []);
});

test("force vacates several lost seats of a partition, and says whose copies it went without", async () => {
  const world = new World(2);
  await world.cluster(4, { limits, settings: { n: 4 } });
  for (const key of keys) assert.equal(await world.put("n1", key, key, 4), "written");
  await world.simulation.run(2000);
  for (const name of ["n3", "n4"]) world.kill(name);
  await world.simulation.run(1000);
  for (const name of ["n3", "n4"]) {
    assert.deepEqual(await world.inside("n1", (node) => node.remove(name, { force: true })), { kind: "accepted" });
  }
  await world.simulation.run(60_000);
  // Each of the two waits for the other: what only they have, nobody can know.
  assert.ok((world.nodes.get("n1")?.cluster().pendingTransfers ?? 0) > 0);
  await world.inside("n1", async (node) => node.startRepair(true));
  await world.agreed(120_000);
  const forced = world.nodes.get("n1")?.repair().rebuild.forced;
  assert.ok(forced !== undefined && forced.without.length > 0);
  for (const name of forced.without) assert.ok(["n3", "n4"].includes(name), name);
  for (const on of ["n1", "n2"]) for (const key of keys) assert.deepEqual(await world.get(on, key, 1), [key]);
  assert.equal(await world.put("n1", "later", "later"), "written");
  assert.deepEqual(world.simulation.violations, []);
});
