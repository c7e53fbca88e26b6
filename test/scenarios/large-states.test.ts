/**
 * Owners that are cut off from each other each take what they may of a key. What they hold together afterwards is more
 * than one of them would have taken, and must still be sent, read and resolved.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits, mostCopies } from "../../src/core/limits.ts";
import { World } from "../membership/world.ts";

/** The default limits, a hundredth of them. */
const limits = {
  valueBytes: defaultLimits.valueBytes / 128,
  stateBytes: defaultLimits.stateBytes / 128,
  frameBytes: defaultLimits.frameBytes / 128,
};

test("a frame holds what all owners of a key may have taken apart from each other", () => {
  assert.ok(defaultLimits.frameBytes >= mostCopies * defaultLimits.stateBytes + 1024 * 1024);
});

test("a key that owners filled on their own is read and resolved by anybody once they meet again", async () => {
  const world = new World(1);
  const { network } = world;
  await world.cluster(4, { limits });
  const machines = [...world.machines.values()];
  for (const from of machines) for (const to of machines) if (from !== to) network.cut(from, to);
  const value = "x".repeat(limits.valueBytes - 1000);
  let taken = 0;
  for (const name of world.nodes.keys()) {
    for (let i = 0; i < 6; i++) {
      const outcome = await world.put(name, "k", `${name} ${i} ${value}`, 1);
      if (outcome === "written") taken++;
    }
  }
  network.mendAll();
  await world.agreed();
  for (const name of world.nodes.keys()) {
    const found = await world.get(name, "k", 3);
    assert.equal(typeof found === "string" ? found : found.length, taken, `read at ${name}`);
  }
  await world.simulation.run(1000);
  for (const name of world.nodes.keys()) {
    const found = await world.get(name, "k", 1);
    assert.equal(typeof found === "string" ? found : found.length, taken, `every copy is whole, read at ${name}`);
  }
});
