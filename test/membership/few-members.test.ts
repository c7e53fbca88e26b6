/** Seats, where members are few: who waits for whom, and who is left with the data. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Membership } from "../../src/node/membership.ts";
import { PartitionCopies } from "../../src/node/partition-copies.ts";
import { plant } from "./plant.ts";
import { World } from "./world.ts";

/** Nobody keeps hints, and nobody compares trees unless it must. */
const limits = { hintBytes: 0, exchangeEveryMs: 1e9 } as const;
const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);

test("of two members that leave and have not heard of one another's leave, one seat stays in each partition", async () => {
  const world = new World(1);
  await world.cluster(2, { limits });
  for (const key of keys) assert.equal(await world.put("n1", key, key), "written");
  await world.simulation.run(2000);
  // They exchange copies, and no events.
  const absorb = Membership.prototype.absorb;
  const restore = plant(Membership.prototype, "absorb", function (this: Membership, _, records) {
    return absorb.call(this, [], records);
  });
  try {
    const both = ["n1", "n2"].map((on) => world.inside(on, (node) => node.leave(on, { force: true })));
    assert.deepEqual(await Promise.all(both), [{ kind: "accepted" }, { kind: "accepted" }]);
    await world.simulation.run(15_000);
  } finally {
    restore();
  }
  await world.simulation.run(30_000);
  const stays = [...world.nodes.keys()].filter((name) => !world.ended.has(name));
  assert.equal(stays.length, 1);
  for (const on of stays) for (const key of keys) assert.deepEqual(await world.get(on, key), [key]);
  assert.deepEqual(world.simulation.violations, []);
});

test("who joins where seats are vacant waits for no lost one that waits for him", async () => {
  const world = new World(1);
  await world.cluster(3, { limits });
  for (const key of keys) assert.equal(await world.put("n1", key, key), "written");
  assert.deepEqual(await world.inside("n1", (node) => node.leave("n2", { force: true })), { kind: "accepted" });
  assert.ok(await world.simulation.runUntil(() => world.ended.has("n2"), 60_000), world.describe());
  world.kill("n2");
  await world.agreed();
  world.kill("n3");
  assert.deepEqual(await world.inside("n1", (node) => node.remove("n3", { force: true })), { kind: "accepted" });
  await world.up("n4", { join: ["n1"], limits });
  await world.agreed(120_000);
  for (const key of keys) assert.deepEqual(await world.get("n4", key, 1), [key]);
  assert.deepEqual(world.simulation.violations, []);
});

test("two that join and leave again at once keep nobody from leaving, and no change of n from its end", async () => {
  const world = new World(1);
  await world.cluster(2, { limits, settings: { n: 4 } });
  for (const key of keys) assert.equal(await world.put("n1", key, key), "written");
  // They begin to fill a seat in each partition, and copy nothing.
  const restore = plant(PartitionCopies.prototype, "copyTail", async () => ({ kind: "failed", why: "not now" }));
  try {
    await world.up("n3", { join: ["n1"], limits });
    await world.up("n4", { join: ["n1"], limits });
    await world.simulation.run(5000);
    for (const on of ["n3", "n4"]) {
      assert.deepEqual(await world.inside("n1", (node) => node.leave(on, { force: true })), { kind: "accepted" });
    }
    const have = (): boolean => world.ended.has("n3") && world.ended.has("n4");
    assert.ok(await world.simulation.runUntil(have, 120_000), world.describe());
  } finally {
    restore();
  }
  for (const on of ["n3", "n4"]) world.kill(on);
  await world.agreed();
  assert.deepEqual(await world.inside("n1", (node) => node.leave("n2", { force: true })), { kind: "accepted" });
  assert.ok(await world.simulation.runUntil(() => world.ended.has("n2"), 120_000), world.describe());
  for (const key of keys) assert.deepEqual(await world.get("n1", key, 1), [key]);
  assert.deepEqual(world.simulation.violations, []);
});
