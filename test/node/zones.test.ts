/** §4.6: copies of a key are in different data centers, one of which may be lost; and requests may ask for several. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriteOutcome } from "../../src/node/api.ts";
import { World } from "../membership/world.ts";
import { OneKey } from "./one-key.ts";

const threeZones = ["a", "b", "c", "a", "b", "c"];

/** How a write ended: its voices, or the failure, with a mark where it may have happened. */
function ending(outcome: WriteOutcome): number | string {
  if (outcome.kind === "written") return outcome.voices;
  return outcome.outcome === undefined ? outcome.code : `${outcome.code}, ${outcome.outcome}`;
}

const inZone = (key: OneKey, zone: string): readonly string[] =>
  [...key.world.nodes.keys()].filter((name) => key.zoneOf(name) === zone);

/** The zones of the machines on whose disks the value is, as a copy or as a hint. */
function zonesWith(key: OneKey, zones: ReadonlyMap<string, string>, value: string): Set<string> {
  const holders = [...zones.keys()].filter((name) => {
    const hints = Object.values(key.hintsAt(name)).flat();
    return key.copyAt(name)?.includes(value) || hints.includes(value);
  });
  return new Set(holders.map((name) => zones.get(name) as string));
}

test("with a whole zone dead, every other node takes writes and reads of w=3 and of two zones", async () => {
  for (const [seed, zone] of ["a", "b", "c"].entries()) {
    const key = await OneKey.inZones(new World(20 + seed), threeZones);
    const zones = new Map([...key.world.nodes.keys()].map((name) => [name, key.zoneOf(name)]));
    await key.lose(...inZone(key, zone));
    for (const name of key.world.nodes.keys()) {
      assert.equal(ending(await key.put(name, `${name} of two`, { zones: 2 })), 2);
      assert.equal(ending(await key.put(name, name, { w: 3 })), 2);
      const found = await key.values(name, { zones: 2 });
      assert.ok(found.includes(`${name} of two`) && found.includes(name));
      assert.equal(zonesWith(key, zones, `${name} of two`).size, 2);
    }
  }
});

test("zones that cannot be had are refused before the write is minted, and say how many there are", async () => {
  const key = await OneKey.inZones(new World(23), threeZones);
  await key.lose(...inZone(key, "b"));
  const on = inZone(key, "a")[0] as string;
  const refused = await key.put(on, "three", { zones: 3 });
  assert.equal(ending(refused), "quorum-not-met");
  assert.ok(refused.kind === "failure" && refused.needed === 3);
  assert.match(refused.detail, /nodes of 3 zones are needed to hold the write, of 2 can be reached/);
  assert.equal(ending(await key.put(on, "two", { zones: 2 })), 2);
  assert.equal(await key.values(on, { zones: 3 }), "quorum-not-met");
  assert.deepEqual(await key.values(on, { zones: 2 }), ["two"]);
});

test("a zone that is cut off writes on by itself, and knows that it is one zone", async () => {
  const key = await OneKey.inZones(new World(24), threeZones);
  const cut = inZone(key, "c");
  for (const inside of cut) {
    for (const name of key.world.nodes.keys()) {
      if (cut.includes(name)) continue;
      key.world.network.cut(key.world.machine(inside), key.world.machine(name));
      key.world.network.cut(key.world.machine(name), key.world.machine(inside));
    }
  }
  await key.world.simulation.run(3000);
  const [within = ""] = cut;
  const [outside = ""] = inZone(key, "a");
  assert.equal(ending(await key.put(within, "inside")), 1);
  assert.equal(ending(await key.put(within, "two zones", { zones: 2 })), "quorum-not-met");
  assert.equal(await key.values(within, { zones: 2 }), "quorum-not-met");
  assert.equal(ending(await key.put(outside, "outside", { zones: 2 })), 2);
  assert.deepEqual(await key.values(outside, { zones: 2 }), ["outside"]);
  key.world.network.mendAll();
  await key.world.agreed();
  await key.world.simulation.run(5000);
  assert.deepEqual(await key.values(within, { zones: 3 }), ["inside", "outside"]);
});

/** Two owners in zone a, one in b, and the first fallback in a. */
const isLopsided = (key: OneKey): boolean =>
  key.owners.filter((name) => key.zoneOf(name) === "a").length === 2 && key.zoneOf(key.fallback(0)) === "a";
const twoZones = ["a", "b", "a", "b", "a", "b", "a"];

test("the only owner of a zone is stood in for from that zone, where zones are asked for", async () => {
  const key = await OneKey.inZones(new World(25), twoZones, isLopsided);
  const lost = key.owners.find((name) => key.zoneOf(name) === "b") ?? assert.fail();
  const [on = ""] = key.owners.filter((name) => name !== lost);
  const there = key.fallbacks.find((name) => key.zoneOf(name) === "b") ?? assert.fail();
  await key.lose(lost);
  assert.equal(ending(await key.put(on, "anywhere", { w: 3 })), 2);
  assert.deepEqual(key.hintsAt(key.fallback(0)), { [lost]: ["anywhere"] });
  const seen = await key.get(on);
  assert.ok(seen.kind === "found" && seen.context !== undefined);
  assert.equal(ending(await key.put(on, "both zones", { zones: 2, context: seen.context })), 2);
  assert.deepEqual(key.hintsAt(there), { [lost]: ["both zones"] });
});

test("what one zone alone knows is given to another before a read of two zones answers", async () => {
  const key = await OneKey.inZones(new World(26), twoZones, isLopsided);
  const lost = key.owners.find((name) => key.zoneOf(name) === "b") ?? assert.fail();
  const [on = ""] = key.owners.filter((name) => name !== lost);
  const there = key.fallbacks.find((name) => key.zoneOf(name) === "b") ?? assert.fail();
  await key.lose(lost);
  assert.equal(ending(await key.put(on, "v")), 2);
  await key.world.simulation.run(100);
  assert.deepEqual(key.hintsAt(there), {});
  assert.deepEqual(await key.values(on, { r: 1, zones: 2 }), ["v"]);
  // It counts once it is held, which is before it is on disk.
  await key.world.simulation.run(100);
  assert.deepEqual(key.hintsAt(there), { [lost]: ["v"] });
});

test("an owner that dies while it is asked costs no zone, and no write is acknowledged that too few zones hold", async () => {
  let written = 0;
  for (let seed = 1; seed <= 25; seed++) {
    const world = new World(seed);
    const key = await OneKey.inZones(world, seed % 2 === 0 ? threeZones : twoZones);
    const zones = new Map([...world.nodes.keys()].map((name) => [name, key.zoneOf(name)]));
    const most = new Set(zones.values()).size;
    const [on = "", ...others] = key.owners;
    for (const [i, name] of others.entries()) {
      if ((seed >> i) % 3 !== 0)
        world.simulation.schedule(((seed * 7 + i) % 30) / 10, undefined, () => world.kill(name));
    }
    const outcome = await key.put(on, "v", { w: 1, zones: most });
    if (outcome.kind !== "written") continue;
    written++;
    assert.equal(zonesWith(key, zones, "v").size, most, `seed ${seed}`);
  }
  assert.ok(written > 10, `${written} of the writes were acknowledged`);
});
