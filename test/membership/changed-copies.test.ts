/**
 * Requests that began before a bucket's number of copies changed and end after it. What they were admitted to do
 * rests on the old owners: a write among those alone would be missed by a quorum of the new ones.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { dataRange } from "../../src/storage/store-key.ts";
import { World } from "./world.ts";

/** How many machines hold any record of a key. */
function copies(world: World): number {
  const { from } = dataRange();
  return [...world.machines.values()].filter((machine) =>
    [...machine.disk.contents().values()].some(({ key }) => key[0] === from[0]),
  ).length;
}

test("a put that read before the change and writes after it reaches all owners of the new bucket, or fails", async (t) => {
  let acknowledged = 0;
  let acrossChange = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const world = new World(seed);
    const { simulation } = world;
    await world.cluster(5);
    const node = world.nodes.get("n2");
    assert.ok(node);
    const change = world.inside("n5", (sponsor) => sponsor.setBucket("carts", { n: 5, r: "quorum", w: "quorum" }));
    let written = "";
    let seenAtStart = 0;
    simulation.schedule(seed / 4, world.machine("n2").process, () => {
      seenAtStart = node.bucket("carts").n;
      const value = new Uint8Array([1]);
      void node.put({ bucket: "carts", key: "k", value, contentType: "", onlyIfAbsent: true }).then((outcome) => {
        written = outcome.kind;
      });
    });
    await change;
    await simulation.run(5000);
    const { n } = node.bucket("carts");
    if (written === "written") {
      acknowledged++;
      assert.equal(copies(world), n, `seed ${seed}: acknowledged, on ${copies(world)} of ${n} owners`);
      if (seenAtStart !== n) acrossChange++;
    }
    assert.deepEqual(simulation.violations, []);
  }
  t.diagnostic(`${acknowledged} acknowledged, ${acrossChange} of them across the change`);
});
