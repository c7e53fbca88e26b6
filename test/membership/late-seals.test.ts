/** What a node is told of seats that are sealed for it, and never were. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PartitionId } from "../../src/core/ids.ts";
import { HandOvers } from "../../src/node/hand-over.ts";
import { SeatBook } from "../../src/sim/seat-book.ts";
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

test("nobody is told of a seal before it is on its holder's disk, where a start would forget it", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const world = new World(seed);
    const book = new SeatBook(world.simulation);
    const machines = ["n1", "n2", "n3", "n4"].map((name) => world.machine(name));
    for (const machine of machines) book.follow(machine);
    let heard = 0;
    const early: string[] = [];
    const hear = HandOvers.prototype.hear;
    const restore = plant(HandOvers.prototype, "hear", function (this: HandOvers, sealed, from) {
      const holder = machines.find((machine) => book.identity(machine)?.node === from);
      const hold = holder && book.record(holder, sealed.partition)?.hold;
      if (hold?.kind === "active") early.push(`partition ${sealed.partition} of ${holder?.name}`);
      heard++;
      // What holders write now takes longer than a round of what they have to do.
      holder?.disk.stall(100);
      hear.call(this, sealed, from);
    });
    try {
      await world.cluster(3, { settings: { n: 1, r: 1, w: 1 } });
      await world.up("n4", { join: ["n1"] });
      await world.agreed();
    } finally {
      restore();
    }
    assert.ok(heard > 0);
    assert.deepEqual(early, [], `seed ${seed}`);
  }
});
