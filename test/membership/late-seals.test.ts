/** What a node is told of seats that are sealed for it, and never were. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PartitionId } from "../../src/core/ids.ts";
import { HandOvers } from "../../src/node/hand-over.ts";
import { plant } from "./plant.ts";
import { World } from "./world.ts";

test("a seal of a partition that is not there keeps nobody who was removed from ending", async () => {
  const world = new World(1);
  await world.cluster(3);
  const hear = HandOvers.prototype.hear;
  const restore = plant(HandOvers.prototype, "hear", function (this: HandOvers, sealed, from) {
    hear.call(this, sealed, from);
    hear.call(this, { ...sealed, partition: (4096 + sealed.partition) as PartitionId }, from);
  });
  try {
    await world.up("n4", { join: ["n1"] });
    await world.agreed();
    assert.deepEqual(await world.inside("n1", (node) => node.remove("n4", { force: true })), { kind: "accepted" });
    assert.ok(await world.simulation.runUntil(() => world.ended.has("n4"), 20_000), world.describe());
  } finally {
    restore();
  }
});
