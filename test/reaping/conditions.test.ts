/**
 * Each condition for forgetting, and what comes of it without: these tests fail where the condition they are about is
 * taken out of the product. `test/models/reaping.test.ts` shows the same in the small, in random histories.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { emptyDotSet } from "../../src/core/causality/dot-set.ts";
import { emptySiblingSet, putVersion, type SiblingSet } from "../../src/core/causality/sibling-set.ts";
import type { ActorId, NodeId } from "../../src/core/ids.ts";
import { defaultLimits, forgettingQuietMs } from "../../src/core/limits.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import { SeatUpkeep } from "../../src/node/seat-upkeep.ts";
import { hintKey } from "../../src/storage/store-key.ts";
import type { KeyRecord } from "../../src/wire/record.ts";
import { metric } from "../anti-entropy/copies.ts";
import type { World } from "../membership/world.ts";
import {
  forgetful,
  forgetfulCluster,
  forgotten,
  graceMs,
  key,
  machinesOf,
  placeIn,
  putOnDisk,
  recordOn,
  remove,
  untilForgotten,
} from "./forgetful.ts";

/** A cluster of four in which the key was written and deleted, and the machines by their place in its order. */
async function deleted(): Promise<{ world: World; leader: string; second: string; third: string; fallback: string }> {
  const world = await forgetfulCluster(4);
  const [leader, second, third, fallback] = machinesOf(world) as [string, string, string, string];
  await world.put(leader, key, "deleted");
  await world.simulation.run(1000);
  await remove(world, leader, key, 3);
  return { world, leader, second, third, fallback };
}

/** A version that nobody has seen, as an old copy may hold it. */
function oldVersion(value: string): SiblingSet {
  const bytes = new TextEncoder().encode(value);
  const dot = { actor: "b2xkIGNvcHk.0" as ActorId, counter: 1 };
  const sibling = { dot, value: bytes, checksum: machineChecksum(bytes), contentType: "", modified: 1 };
  return putVersion(emptySiblingSet, emptyDotSet, sibling);
}

function idOf(world: World, machine: string): NodeId {
  const event = world.nodes
    .get("n1")
    ?.history()
    .findLast((one) => (one.kind === "join" || one.kind === "found") && one.name === machine);
  assert.ok(event !== undefined);
  return event.kind === "join" ? event.node : event.author;
}

function cutBetween(world: World, a: string, b: string): void {
  world.network.cut(world.machine(a), world.machine(b));
  world.network.cut(world.machine(b), world.machine(a));
}

test("1: an owner that holds another state, having been away, keeps the others from forgetting", async () => {
  // So short a grace that it is over before the next exchange.
  const limits = { messageLifeMs: 200, requestTimeoutMs: 500, longestTimeoutMs: 700, reapGraceMs: 1500 };
  const world = await forgetfulCluster(4, { limits });
  const [leader, second, third] = machinesOf(world) as [string, string, string];
  await world.put(leader, key, "deleted");
  assert.ok(await world.simulation.runUntil(() => recordOn(world, third) !== undefined, 1000));
  const { state } = recordOn(world, third) as KeyRecord;
  await remove(world, leader, key, 2);
  world.kill(third);
  putOnDisk(world, third, placeIn(world).storeKey.bytes, state);
  cutBetween(world, second, third);
  await world.simulation.run(5000);
  await world.up(third, { limits: { ...forgetful, ...limits } });
  for (let look = 0; look < 100; look++) {
    await world.simulation.run(100);
    const isLeft = recordOn(world, third)?.state.siblings.length === 1;
    if (isLeft) assert.deepEqual(forgotten(world), { reaped: 0, compacted: 0 }, `after ${look + 1} looks`);
  }
});

test("1: an owner whose disk is behind what it serves keeps the others from forgetting", async () => {
  const world = await forgetfulCluster(4);
  const [leader, , third] = machinesOf(world) as [string, string, string];
  await world.put(leader, key, "deleted");
  await world.simulation.run(1000);
  world.machine(third).disk.stall(10 * graceMs);
  await remove(world, leader, key, 2);
  await world.simulation.run(3 * graceMs);
  assert.deepEqual(forgotten(world), { reaped: 0, compacted: 0 });
  // Its disk has still what was deleted.
  world.kill(third);
  world.machine(third).disk.stall(0);
  await world.up(third, { limits: forgetful });
  await world.agreed();
  for (let read = 0; read < 10; read++) {
    for (const machine of world.nodes.keys()) assert.deepEqual(await world.get(machine, key), []);
    await world.simulation.run(2000);
  }
});

test("1: the grace time begins anew with every change, and with an owner's restart", async () => {
  const { world, leader, second } = await deleted();
  await world.simulation.run(graceMs / 2);
  await world.put(leader, key, "again");
  await remove(world, leader, key, 3);
  await world.simulation.run(graceMs / 2);
  world.kill(second);
  await world.up(second, { limits: forgetful });
  const restartedMs = world.simulation.now;
  await untilForgotten(world, key, 4 * graceMs);
  assert.ok(world.simulation.now - restartedMs >= graceMs);
});

test("1: an owner without a voice, having lost its disk, keeps the others from forgetting", async () => {
  const { world, leader, third } = await deleted();
  world.kill(third);
  world.wipe(third);
  await world.up(third, { limits: forgetful, join: [leader] });
  for (let look = 0; look < 300; look++) {
    await world.simulation.run(graceMs / 100);
    if (metric(world, third, "voices") === 0) assert.equal(forgotten(world).reaped, 0);
  }
});

describe("2: a member that holds", () => {
  test("a hint for the key keeps its owners from forgetting", async () => {
    const { world, leader, second, fallback } = await deleted();
    const owner = idOf(world, second);
    world.kill(fallback);
    putOnDisk(world, fallback, hintKey(owner, placeIn(world).storeKey).bytes, oldVersion("hinted"));
    // It cannot deliver, and whoever leads can ask everybody.
    cutBetween(world, fallback, second);
    await world.up(fallback, { limits: forgetful });
    await world.simulation.run(3 * graceMs);
    assert.deepEqual(forgotten(world), { reaped: 0, compacted: 0 });
    assert.equal(metric(world, leader, "reaper_candidates"), 1);
  });

  test("or held a hint a while ago, keeps its owners from forgetting: what it sent may be on its way", async () => {
    const world = await forgetfulCluster(4);
    const [leader, second, , fallback] = machinesOf(world) as [string, string, string, string];
    await world.put(leader, key, "deleted");
    await world.simulation.run(1000);
    const { state } = recordOn(world, leader) as KeyRecord;
    await remove(world, leader, key, 3);
    const owner = idOf(world, second);
    world.kill(fallback);
    const { bytes } = hintKey(owner, placeIn(world).storeKey);
    putOnDisk(world, fallback, bytes, state);
    cutBetween(world, fallback, second);
    await world.up(fallback, { limits: forgetful });
    await world.simulation.run(3 * graceMs);
    world.network.mendAll();
    const isHome = (): boolean => world.machine(fallback).disk.get(bytes) === undefined;
    assert.ok(await world.simulation.runUntil(isHome, 10_000));
    const goneMs = world.simulation.now;
    // The owners have agreed for long: the hint told them nothing new.
    await untilForgotten(world);
    const quietMs = forgettingQuietMs({ ...defaultLimits, ...forgetful });
    const waitedMs = world.simulation.now - goneMs;
    assert.ok(waitedMs >= quietMs && waitedMs < graceMs, `${waitedMs} ms`);
    assert.deepEqual(await world.get(second, key, 3), []);
  });

  test("a copy of a key that it does not own keeps its owners from forgetting", async () => {
    const { world, leader, fallback } = await deleted();
    world.kill(fallback);
    putOnDisk(world, fallback, placeIn(world).storeKey.bytes, oldVersion("moved away"));
    const { drop } = SeatUpkeep.prototype;
    // As where it does not come to drop it.
    SeatUpkeep.prototype.drop = () => new Promise(() => {});
    try {
      await world.up(fallback, { limits: forgetful });
      await world.simulation.run(3 * graceMs);
    } finally {
      SeatUpkeep.prototype.drop = drop;
    }
    assert.deepEqual(forgotten(world), { reaped: 0, compacted: 0 });
    assert.equal(metric(world, leader, "reaper_candidates"), 1);
  });
});

test("3: an owner that took a write meanwhile forgets nothing", async () => {
  const { world, leader, second } = await deleted();
  const reaped = (): boolean => metric(world, leader, "reaper_reaped_total") === 1;
  assert.ok(await world.simulation.runUntil(reaped, 3 * graceMs));
  // The leader has just told the others to forget, too.
  assert.equal(metric(world, second, "reaper_reaped_total"), 0);
  assert.equal(await world.put(second, key, "meanwhile", 1), "written");
  await world.simulation.run(100);
  assert.equal(metric(world, second, "reaper_reaped_total") + metric(world, second, "reaper_compacted_total"), 0);
  assert.deepEqual(await world.get(second, key, 1), ["meanwhile"]);
  assert.deepEqual(await world.get(leader, key, 3), ["meanwhile"]);
});
