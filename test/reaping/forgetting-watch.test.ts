/** Since when a state is what it is: the part of an owner's answer that no record could give. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits } from "../../src/core/limits.ts";
import { ForgettingWatch } from "../../src/node/forgetting-watch.ts";
import { placeOf } from "../../src/node/key-place.ts";
import { WriteBuffer } from "../../src/storage/write-buffer.ts";
import { World } from "../membership/world.ts";

const graceMs = 1000;
const place = placeOf("b", "k", 16);
const digest = { hi: 1, lo: 2 };

function watched(): { world: World; watch: ForgettingWatch; buffer: WriteBuffer } {
  const world = new World(1);
  const { runtime, engine } = world.machine("n1").spawn("n1");
  const buffer = new WriteBuffer({ engine, clock: runtime.clock, limitBytes: 1000 });
  const limits = { ...defaultLimits, reapGraceMs: graceMs };
  return { world, buffer, watch: new ForgettingWatch(runtime.clock, buffer, limits) };
}

test("a state is ready once it was asked about a grace time ago, and on disk then", async () => {
  const { world, watch } = watched();
  assert.equal(watch.look(place, digest), "watched");
  await world.simulation.run(graceMs - 1);
  assert.equal(watch.look(place, digest), "watched");
  await world.simulation.run(1);
  assert.equal(watch.look(place, digest), "ready");
});

test("the time counts from when it is on disk", async () => {
  const { world, watch, buffer } = watched();
  world.machine("n1").disk.stall(5 * graceMs);
  buffer.put(place.storeKey, Uint8Array.of(1));
  assert.equal(watch.look(place, digest), "watched");
  await world.simulation.run(5 * graceMs);
  assert.equal(watch.look(place, digest), "watched");
  await world.simulation.run(graceMs + 100);
  assert.equal(watch.look(place, digest), "ready");
});

test("whatever is stored in between, the same state come back included, begins it anew", async () => {
  for (const disturb of [
    (watch: ForgettingWatch) => watch.changed(place),
    (watch: ForgettingWatch) => watch.mayHaveReverted(),
    (watch: ForgettingWatch) => void watch.look(place, { hi: 1, lo: 3 }),
  ]) {
    const { world, watch } = watched();
    watch.look(place, digest);
    await world.simulation.run(graceMs);
    disturb(watch);
    assert.equal(watch.look(place, digest), "watched");
    await world.simulation.run(graceMs);
    assert.equal(watch.look(place, digest), "ready");
  }
});
