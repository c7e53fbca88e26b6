/**
 * A sponsor's disk is lost while members wait for its decision. What it decided may be known to somebody else, so
 * whoever takes its place cannot say that it decided nothing.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Gossip } from "../../src/node/gossip.ts";
import { metaKey } from "../../src/storage/store-key.ts";
import { World } from "./world.ts";

function hasPromised(world: World, name: string): boolean {
  return world.machine(name).disk.get(metaKey("pledge").bytes) !== undefined;
}

test("a promise to a sponsor whose disk was lost stands, whatever the node in its place knows", async (t) => {
  // News of who is back comes with the rounds of gossip only, as where the first message of it is lost.
  const { spread } = Gossip.prototype;
  Gossip.prototype.spread = async () => {};
  let promised = 0;
  try {
    for (let seed = 1; seed <= 16; seed++) {
      const world = new World(seed);
      await world.cluster(3);
      const { process } = world.machine("n1");
      world.simulation.schedule(0, process, () => {
        void world.nodes.get("n1")?.setBucket("orders", { n: 2 });
      });
      await world.simulation.runUntil(() => hasPromised(world, "n3") && hasPromised(world, "n2"), 5000);
      world.kill("n1");
      await world.simulation.run(10);
      const waiting = ["n2", "n3"].filter((name) => hasPromised(world, name));
      promised += waiting.length;
      world.wipe("n1");
      await world.up("n1", { join: ["n2"] });
      await world.simulation.run(20_000);
      for (const name of waiting)
        assert.ok(hasPromised(world, name), `seed ${seed}: ${name} goes on without an outcome`);
    }
  } finally {
    Gossip.prototype.spread = spread;
  }
  t.diagnostic(`${promised} promises`);
  assert.ok(promised > 0);
});
