/** Tombstones and old contexts go, from real nodes' disks, once all members agree, and not before. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defaultLimits, leastGraceMs } from "../../src/core/limits.ts";
import { assertSame, copiesOn, metric, repair, writeMany } from "../anti-entropy/copies.ts";
import {
  forgetful,
  forgetfulCluster,
  forgotten,
  forgottenMs,
  graceMs,
  key,
  machinesOf,
  recordOn,
  remove,
  untilForgotten,
} from "./forgetful.ts";

test("the grace time covers whatever a request may still send, and all that was sent before", () => {
  for (const limits of [defaultLimits, { ...defaultLimits, ...forgetful }]) {
    assert.ok(limits.reapGraceMs >= leastGraceMs(limits));
  }
});

test("what was deleted leaves nothing on any disk, no sooner than after the grace time", async () => {
  const world = await forgetfulCluster(4);
  const machines = [...world.nodes.keys()];
  await writeMany(world, "n1", { from: 0, to: 200 }, "value");
  // A write that one has answered is on its way to the others, and a read of one may ask any.
  await world.simulation.run(1000);
  await writeMany(world, "n2", { from: 0, to: 150 }, undefined);
  const deletedMs = world.simulation.now;
  const keysLeft = (): number => Math.max(...machines.map((machine) => copiesOn(world, machine).size));
  const before = keysLeft();
  await world.simulation.run(graceMs - 100);
  assert.equal(keysLeft(), before);
  assert.equal(forgotten(world).reaped, 0);
  assert.ok(await world.simulation.runUntil(() => forgotten(world).reaped === 450, forgottenMs));
  assert.ok(world.simulation.now >= deletedMs + graceMs);
  await world.simulation.run(1000);
  for (const machine of machines) {
    for (const digest of copiesOn(world, machine).values()) assert.ok(digest.endsWith(" 1"), "live keys alone");
  }
  // Trees know of it: owners have nothing to tell each other.
  for (const machine of machines) assert.equal((await repair(world, machine)).keysCompared, 0);
  assert.deepEqual(await world.get("n3", "key-0"), []);
  assert.deepEqual(await world.get("n3", "key-199"), ["value"]);
});

test("of a live key's context its versions' own dots stay, and whoever mints goes on", async () => {
  const world = await forgetfulCluster(3);
  for (let round = 0; round < 6; round++) {
    // Each restart mints under a new actor.
    for (const machine of ["n1", "n2", "n3"]) {
      const found = await world.inside(machine, (node) => node.get({ bucket: "carts", key }));
      const context = found.kind !== "failure" && found.context !== undefined ? { context: found.context } : {};
      const version = { value: new Uint8Array([round]), contentType: "" };
      const outcome = await world.inside(machine, (node) => node.put({ bucket: "carts", key, ...version, ...context }));
      assert.equal(outcome.kind, "written");
    }
    const restarted = `n${(round % 3) + 1}`;
    world.kill(restarted);
    await world.up(restarted, { limits: forgetful });
    await world.agreed();
  }
  const before = recordOn(world, "n1")?.state.context.length ?? 0;
  assert.ok(before > 4, `${before} entries`);
  await untilForgotten(world, key, 3 * forgottenMs);
  for (const machine of machinesOf(world)) {
    const { state } = recordOn(world, machine) ?? {};
    assert.deepEqual([state?.context.length, state?.siblings.length], [1, 1]);
  }
  assertSame(world, ["n1", "n2", "n3"], 1);
  await world.put("n1", key, "next");
  assert.equal((await world.get("n2", key)).length, 2, "a blind write beside what was there");
});

test("in a bucket that keeps the newest version tombstones go likewise", async () => {
  const world = await forgetfulCluster(3);
  await world.inside("n1", (node) => node.setBucket("carts", { reconcile: "last-write-wins" }));
  await world.agreed();
  await world.put("n1", key, "value");
  await remove(world, "n2");
  await untilForgotten(world);
  assert.equal(copiesOn(world, "n3").size, 0);
});

test("one node alone forgets, too", async () => {
  const world = await forgetfulCluster(1);
  await world.put("n1", key, "value");
  await remove(world, "n1");
  await untilForgotten(world);
  assert.equal(copiesOn(world, "n1").size, 0);
});

test("more tombstones than one message takes, from before a restart, are found by the scan", async () => {
  const world = await forgetfulCluster(3);
  await writeMany(world, "n1", { from: 0, to: 1000 }, "value");
  await writeMany(world, "n1", { from: 0, to: 1000 }, undefined);
  await world.simulation.run(500);
  for (const machine of ["n1", "n2", "n3"]) world.kill(machine);
  for (const machine of ["n1", "n2", "n3"]) world.start(machine, { limits: forgetful });
  await world.agreed();
  for (const machine of ["n1", "n2", "n3"]) await repair(world, machine);
  assert.ok(await world.simulation.runUntil(() => forgotten(world).reaped === 3000, 3 * forgottenMs));
  await world.simulation.run(1000);
  assert.equal(copiesOn(world, "n2").size, 0);
});

describe("while one member is down", () => {
  for (const [who, at] of [
    ["an owner", 1],
    ["no owner", 3],
  ] as const) {
    test(`that is ${who}, nothing is forgotten, and the others say for whom they wait`, async () => {
      const world = await forgetfulCluster(4);
      const [leader, away] = [machinesOf(world)[0] as string, machinesOf(world)[at] as string];
      await world.put(leader, key, "value");
      await world.simulation.run(1000);
      await remove(world, leader);
      await world.simulation.run(3000);
      world.kill(away);
      await world.simulation.run(3 * graceMs);
      assert.deepEqual(forgotten(world), { reaped: 0, compacted: 0 });
      assert.equal(metric(world, leader, "reaper_waiting", { member: away }), 1);
      await world.up(away, { limits: forgetful });
      await untilForgotten(world, key, 3 * forgottenMs);
      assert.equal(forgotten(world).reaped, 3);
      await world.simulation.run(2000);
      assert.ok(
        !world.nodes
          .get(leader)
          ?.metrics()
          .some(({ name }) => name === "cartwheel_reaper_waiting"),
      );
    });
  }
});

test("a member that was away for longer than the grace time brings nothing back", async () => {
  const world = await forgetfulCluster(4);
  const [leader, , away] = machinesOf(world) as [string, string, string];
  await world.put(leader, key, "deleted while it was away");
  assert.ok(await world.simulation.runUntil(() => recordOn(world, away) !== undefined, 1000));
  world.kill(away);
  await world.simulation.run(3000);
  await remove(world, leader, key, 2);
  await world.simulation.run(4 * graceMs);
  assert.equal(forgotten(world).reaped, 0);
  await world.up(away, { limits: forgetful });
  await world.agreed();
  for (let read = 0; read < 20; read++) {
    await world.simulation.run(2000);
    for (const machine of world.nodes.keys()) assert.deepEqual(await world.get(machine, key), []);
  }
  await untilForgotten(world, key, 3 * forgottenMs);
  assert.deepEqual(await world.get(away, key, 3), []);
});
