/**
 * Whole nodes on virtual time, with hints on the disk of one of them: they go home as soon as the owner can be reached,
 * whatever dies on the way, and no crash finds a moment at which neither side has what was kept.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { holds } from "../../src/core/causality/dot-set.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import { Prng } from "../../src/sim/prng.ts";
import { dataKey, hintKey, parseDataKey, parseHintKey } from "../../src/storage/store-key.ts";
import { decodeRecord, encodeRecord } from "../../src/wire/record.ts";
import { World } from "../membership/world.ts";
import { OneKey } from "../node/one-key.ts";
import { place, stateOf } from "./hint-store.ts";

/** One copy a key: n1 or n2 owns it alone, and nothing but a hint brings a write home. */
const two = { settings: { partitions: 16, n: 1, r: 1, w: 1 } } as const;
const names = ["n1", "n2"] as const;

/** Two nodes, and on the disk of n2, which does not run, a hint for n1 of each of the keys that n1 owns. */
async function withHints(world: World, keys: number): Promise<readonly string[]> {
  await world.cluster(2, two);
  const node = world.nodes.get("n1");
  assert.ok(node);
  const owner = node.cluster().members.find(({ name }) => name === "n1")?.id as NodeId;
  const owned = Array.from({ length: keys * 4 }, (_, i) => `key-${i}`)
    .filter((key) => node.locate("carts", key).preferenceList[0]?.name === "n1")
    .slice(0, keys);
  assert.equal(owned.length, keys);
  world.kill("n2");
  const { disk } = world.machine("n2");
  const contents = new Map(disk.contents());
  for (const [i, key] of owned.entries()) {
    const { partition } = place(key);
    const stored = hintKey(owner, dataKey(partition, "carts", key)).bytes;
    const value = encodeRecord({ mint: undefined, state: stateOf(key, i + 1) }, stored, machineChecksum);
    contents.set(String.fromCharCode(...stored), { key: stored, value });
  }
  disk.replace(contents);
  return owned;
}

/** The keys of which the disk holds the planted write: n1's own copies, or the hints of n2. */
function heldOn(world: World, name: (typeof names)[number], keys: readonly string[]): Set<string> {
  const held = new Set<string>();
  for (const { key: stored, value } of world.machine(name).disk.contents().values()) {
    if (stored[0] !== (name === "n1" ? 2 : 3)) continue;
    const { key } = name === "n1" ? parseDataKey(stored) : parseHintKey(stored);
    const { state } = decodeRecord(value, stored, machineChecksum);
    const dot = stateOf(key, keys.indexOf(key) + 1).siblings[0]?.dot;
    if (dot !== undefined && holds(state.context, dot)) held.add(key);
  }
  return held;
}

function isHome(world: World, keys: readonly string[]): boolean {
  return heldOn(world, "n1", keys).size === keys.length && heldOn(world, "n2", keys).size === 0;
}

test("hints go home when the node that keeps them starts, and when their owner does", async () => {
  for (const first of names) {
    const world = new World(1);
    const keys = await withHints(world, 100);
    world.kill("n1");
    await world.up(first, two);
    await world.simulation.run(3000);
    await world.up(first === "n1" ? "n2" : "n1", two);
    const tookMs = world.simulation.now;
    assert.ok(await world.simulation.runUntil(() => isHome(world, keys), 5000), `${first} first`);
    assert.ok(world.simulation.now - tookMs < 3000);
    for (const key of keys.slice(0, 5)) assert.deepEqual(await world.get("n1", key), [key]);
  }
});

test("hints go home when a split heals", async () => {
  const world = new World(2);
  const keys = await withHints(world, 100);
  const [one, other] = names.map((name) => world.machine(name));
  assert.ok(one && other);
  world.network.cut(one, other);
  world.network.cut(other, one);
  world.start("n2", two);
  await world.simulation.run(10_000);
  assert.equal(heldOn(world, "n2", keys).size, 100);
  world.network.mendAll();
  assert.ok(await world.simulation.runUntil(() => isHome(world, keys), 10_000));
});

test("a hint stays until its owner's disk has it, and not only its owner's memory", async () => {
  for (let seed = 10; seed < 16; seed++) {
    const world = new World(seed);
    const keys = await withHints(world, 20);
    world.machine("n1").disk.stall(4000);
    world.start("n2", two);
    await world.simulation.run(2000);
    world.kill("n1");
    await world.simulation.run(2000);
    const held = new Set([...heldOn(world, "n1", keys), ...heldOn(world, "n2", keys)]);
    assert.equal(held.size, keys.length, `seed ${seed}`);
  }
});

test("a hint for an owner that lost its disk waits until that owner speaks again, and then goes", async () => {
  const world = new World(5);
  const one = await OneKey.in(world, 5, { settings: { n: 3, r: 2, w: 2 } });
  const [lost, writer, keeper] = [one.owner(2), one.owner(0), one.fallback(0)];
  await one.lose(lost);
  assert.equal((await one.put(writer, "kept", { w: 3 })).kind, "written");
  assert.deepEqual(one.hintsAt(keeper), { [lost]: ["kept"] });
  world.wipe(lost);
  // Its voice needs the copies of all other owners, one of which is away.
  world.kill(one.owner(1));
  await world.up(lost, { join: [writer] });
  await world.simulation.run(20_000);
  assert.deepEqual(one.hintsAt(keeper), { [lost]: ["kept"] });
  await world.up(one.owner(1));
  assert.ok(await world.simulation.runUntil(() => Object.keys(one.hintsAt(keeper)).length === 0, 60_000));
  assert.deepEqual(one.copyAt(lost), ["kept"]);
});

test("whatever dies while hints go home, what was kept is on one of the two disks, and home in the end", async () => {
  let restarts = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const world = new World(seed);
    const chance = new Prng(seed, "deaths");
    const keys = await withHints(world, 120);
    await world.up("n2", two);
    for (let step = 0; step < 40; step++) {
      await world.simulation.run(chance.below(60));
      const name = names[chance.below(2)] as (typeof names)[number];
      const { disk } = world.machine(name);
      const roll = chance.below(10);
      if (roll < 5 && world.nodes.has(name)) {
        world.kill(name);
        restarts += 1;
      }
      if (roll === 5) disk.isFull = !disk.isFull;
      if (roll === 6) disk.stall(chance.below(300));
      if (roll === 7) world.network.resetOne();
      for (const machine of names) {
        const isDown = !world.nodes.has(machine);
        if (isDown && chance.below(2) === 0) world.start(machine, two);
      }
      const held = new Set([...heldOn(world, "n1", keys), ...heldOn(world, "n2", keys)]);
      assert.equal(held.size, keys.length, `seed ${seed}, step ${step}`);
    }
    for (const name of names) {
      world.machine(name).disk.isFull = false;
      if (!world.nodes.has(name) || world.ended.has(name)) {
        world.kill(name);
        world.ended.delete(name);
        world.start(name, two);
      }
    }
    assert.ok(await world.simulation.runUntil(() => isHome(world, keys), 60_000), `seed ${seed}`);
  }
  assert.ok(restarts > 50, String(restarts));
});
