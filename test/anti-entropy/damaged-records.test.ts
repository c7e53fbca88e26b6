/** Records that rot on the disk: never served, never taken for nothing, and brought back from the other owners. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriteOutcome } from "../../src/node/api.ts";
import { placeOf } from "../../src/node/key-place.ts";
import { World } from "../membership/world.ts";
import { assertSame, metric, repair, writeMany } from "./copies.ts";

const settings = { partitions: 4, n: 3, r: 2, w: 2 };
const lifeMs = 2000;
const limits = { messageLifeMs: lifeMs };
const three = ["n1", "n2", "n3"] as const;

async function threeEqual(seed: number, keys: number, more: Partial<typeof settings> = {}): Promise<World> {
  const world = new World(seed);
  await world.cluster(3, { settings: { ...settings, ...more }, limits });
  await writeMany(world, "n1", { from: 0, to: keys }, "kept");
  await world.simulation.run(3000);
  return world;
}

/** Flips a bit of the record that the machine has of the key. */
function damage(world: World, machine: string, key: string, at = 12): void {
  const { bytes } = placeOf("carts", key, settings.partitions).storeKey;
  const record = world.machine(machine).disk.get(bytes);
  assert.ok(record);
  record[at] = (record[at] ?? 0) ^ 4;
}

async function readsAt(world: World, machine: string, key: string, pr: number): Promise<readonly string[] | string> {
  const outcome = await world.inside(machine, (node) => node.get({ bucket: "carts", key, r: pr, pr }));
  if (outcome.kind === "failure") return outcome.code;
  return outcome.versions.map(({ value }) => new TextDecoder().decode(value));
}

/** Writes what replaces all that the machine has of the key. */
async function replace(world: World, machine: string, key: string, w: number): Promise<void> {
  const found = await world.inside(machine, (node) => node.get({ bucket: "carts", key, r: 1 }));
  assert.equal(found.kind, "found");
  const seen = found.kind === "found" && found.context !== undefined ? { context: found.context } : {};
  const put = { bucket: "carts", key, value: new TextEncoder().encode(machine), contentType: "", w, ...seen };
  assert.equal((await world.inside(machine, (node) => node.put(put))).kind, "written");
}

const waits = (world: World, machine: string): number => metric(world, machine, "damaged_records");

async function whole(world: World, machine: string): Promise<void> {
  assert.ok(await world.simulation.runUntil(() => waits(world, machine) === 0, 60_000));
}

test("a record that a read, a write or a scan finds damaged is set aside and comes back from the others", async () => {
  const ways = {
    read: (world: World) => readsAt(world, "n3", "key-5", 2),
    write: (world: World) => world.put("n3", "key-5", "second"),
    scan: async (world: World) => {
      world.kill("n3");
      await world.up("n3", { settings, limits });
    },
  };
  for (const [way, act] of Object.entries(ways)) {
    const world = await threeEqual(1, 40);
    damage(world, "n3", "key-5");
    await act(world);
    await world.simulation.run(200);
    assert.equal(waits(world, "n3"), 1, way);
    assert.equal(metric(world, "n3", "records_set_aside"), 1, way);
    assert.equal(await readsAt(world, "n3", "key-5", 3), "quorum-not-met", "two of three speak for it");
    assert.ok((await readsAt(world, "n3", "key-5", 2)).includes("kept") || way === "write");
    await whole(world, "n3");
    assert.notEqual(await readsAt(world, "n3", "key-5", 3), "quorum-not-met");
    await world.simulation.run(3000);
    await repair(world, "n3");
    assertSame(world, three, 40);
    assert.equal(metric(world, "n3", "records_set_aside"), 1, "kept to be looked at");
  }
});

test("a damaged value goes with the write that replaces it, and one that stays beside a write is set aside", async () => {
  for (const isReplaced of [true, false]) {
    const world = await threeEqual(1, 10);
    const write = (at: string, text: string, context?: string): Promise<WriteOutcome> => {
      const value = new TextEncoder().encode(text);
      const seen = context === undefined ? {} : { context };
      const request = { bucket: "carts", key: "new", value, contentType: "", w: 2, ...seen };
      return world.inside(at, (node) => node.put(request));
    };
    const first = await write("n1", "first");
    assert.equal(first.kind, "written");
    await world.simulation.run(1000);
    const { bytes } = placeOf("carts", "new", settings.partitions).storeKey;
    damage(world, "n3", "new", (world.machine("n3").disk.get(bytes)?.length ?? 0) - 1);
    // No read comes before it, which would find the damage.
    if (isReplaced && first.kind === "written") await write("n1", "second", first.context);
    else await write("n3", "second");
    await world.simulation.run(200);
    assert.equal(metric(world, "n3", "records_set_aside"), isReplaced ? 0 : 1);
    await whole(world, "n3");
    await world.simulation.run(3000);
    await repair(world, "n3");
    const found = await readsAt(world, "n3", "new", 3);
    assert.deepEqual([...found].sort(), isReplaced ? ["second"] : ["first", "second"]);
    assertSame(world, three, 11);
  }
});

test("a damaged record waits for every other owner: two are needed to know what the third acknowledged", async () => {
  const world = await threeEqual(2, 10);
  // n2 and n3 acknowledge a write of which n1 does not hear.
  world.kill("n1");
  await world.simulation.run(2000);
  const value = new TextEncoder().encode("late");
  const put = { bucket: "carts", key: "key-3", value, contentType: "", w: 2, pw: 2 };
  assert.equal((await world.inside("n2", (node) => node.put(put))).kind, "written");
  await world.simulation.run(100);
  world.kill("n2");
  await world.up("n1", { settings, limits });
  damage(world, "n3", "key-3");
  await world.simulation.run(20_000);
  assert.equal(await readsAt(world, "n1", "key-3", 2), "quorum-not-met", "n1 is behind, and n3 does not know");
  await world.simulation.run(20_000);
  assert.equal(waits(world, "n3"), 1);
  await world.up("n2", { settings, limits });
  await whole(world, "n3");
  world.kill("n2");
  await world.simulation.run(2000);
  assert.ok((await readsAt(world, "n1", "key-3", 2)).includes("late"));
});

test("whoever fills a seat that nobody has held is not waited for: he waits for the damaged record himself", async () => {
  const world = new World(5);
  await world.cluster(2, { settings, limits });
  await writeMany(world, "n1", { from: 0, to: 10 }, "kept");
  await world.simulation.run(3000);
  damage(world, "n2", "key-3");
  await readsAt(world, "n2", "key-3", 2);
  assert.equal(waits(world, "n2"), 1);
  await world.up("n3", { settings, limits, join: ["n1"] });
  await whole(world, "n2");
  await world.agreed();
  assert.ok((await readsAt(world, "n3", "key-3", 3)).includes("kept"));
});

test("what the others hold together is pruned like any other state: else the owner would differ from them for ever", async () => {
  const few = { ...limits, contextEntries: 3 };
  const world = new World(6);
  await world.cluster(3, { settings, limits: few });
  for (const on of three) await replace(world, on, "key-0", 3);
  await world.simulation.run(3000);
  for (const name of ["n1", "n2"]) {
    world.kill(name);
    await world.up(name, { settings, limits: few });
    await world.agreed();
  }
  damage(world, "n3", "key-0");
  await readsAt(world, "n3", "key-0", 2);
  const [n1, n2] = [world.machine("n1"), world.machine("n2")];
  world.network.cut(n1, n2);
  world.network.cut(n2, n1);
  for (const on of ["n1", "n2"]) await replace(world, on, "key-0", 1);
  await whole(world, "n3");
  world.network.mendAll();
  await world.simulation.run(20_000);
  await repair(world, "n3");
  assertSame(world, three, 1);
});

test("nobody is asked before a message's life is over: an acknowledgement from before may be under way", async () => {
  const world = await threeEqual(3, 10);
  damage(world, "n3", "key-3");
  await readsAt(world, "n3", "key-3", 2);
  await world.simulation.run(lifeMs - 300);
  assert.equal(waits(world, "n3"), 1);
  await whole(world, "n3");
});

test("a key that nobody else has stays refused, over restarts, until it is given up by force", async () => {
  const alone = { n: 1, r: 1, w: 1 };
  const world = await threeEqual(4, 40, alone);
  const own = { settings: { ...settings, ...alone }, limits };
  const owner = three.find((name) => {
    return world.machine(name).disk.get(placeOf("carts", "key-7", settings.partitions).storeKey.bytes) !== undefined;
  });
  assert.ok(owner);
  damage(world, owner, "key-7");
  const refused = (): Promise<readonly string[] | string> => readsAt(world, owner, "key-7", 1);
  assert.equal(await refused(), "quorum-not-met");
  await world.simulation.run(30_000);
  assert.equal(await refused(), "quorum-not-met");
  world.kill(owner);
  await world.up(owner, own);
  assert.equal(await refused(), "quorum-not-met");
  await world.inside(owner, async (node) => node.startRepair(true));
  await whole(world, owner);
  assert.deepEqual(await refused(), []);
});

test("a record under a damaged key is set aside, and what is missing for it is found by the next exchange", async () => {
  const world = await threeEqual(5, 30);
  const { disk } = world.machine("n3");
  world.kill("n3");
  const { bytes } = placeOf("carts", "key-9", settings.partitions).storeKey;
  const contents = new Map(disk.contents());
  const [name, entry] =
    [...contents].find(([, { key }]) => key.length === bytes.length && key.every((b, i) => b === bytes[i])) ?? [];
  assert.ok(name !== undefined && entry !== undefined);
  contents.delete(name);
  const key = entry.key.slice();
  key[1] = 0x80;
  contents.set(String.fromCharCode(...key), { key, value: entry.value });
  disk.replace(contents);
  await world.up("n3", { settings, limits });
  await world.simulation.run(500);
  assert.equal(metric(world, "n3", "records_set_aside"), 1);
  assert.equal(waits(world, "n3"), 0);
  await repair(world, "n3");
  await world.simulation.run(500);
  assertSame(world, three, 30);
});

test("an owner with a damaged record does not vouch for its partition when another one's voices come back", async () => {
  const world = await threeEqual(6, 40);
  world.kill("n3");
  world.wipe("n3");
  for (let i = 0; i < 40; i++) damage(world, "n2", `key-${i}`);
  // Its trees still know what it held, so it has to look anew.
  world.kill("n2");
  await world.up("n2", { settings, limits });
  await world.up("n3", { settings, limits, join: ["n1"] });
  await world.simulation.run(30_000);
  const rebuild = world.nodes.get("n3")?.repair().rebuild;
  assert.deepEqual([rebuild?.running, rebuild?.voices], [true, 0]);
  assert.ok(waits(world, "n2") > 0);
  // Each waits for the other: only a person can say that the copy of n1 is to do, and must say it of n2's records.
  await world.inside("n3", async (node) => node.startRepair(true));
  await world.simulation.run(500);
  assert.ok(await world.simulation.runUntil(() => world.nodes.get("n3")?.repair().running === false, 60_000));
  const leftOut = world.nodes.get("n3")?.repair().leftOut ?? [];
  assert.deepEqual(
    leftOut.map(({ name }) => name),
    ["n2"],
  );
  assert.match(leftOut[0]?.why ?? "", /does not go without one that is up.*has a damaged record/);
  await world.inside("n2", async (node) => node.startRepair(true));
  const isOver = (): boolean => world.nodes.get("n3")?.repair().rebuild.running === false;
  assert.ok(await world.simulation.runUntil(isOver, 60_000));
  await whole(world, "n2");
  await repair(world, "n2");
  assertSame(world, three, 40);
});

test("a record that is whole again is not put back once more while its disk is slow: it may hold a write by now", async () => {
  const all = { w: 3, r: 1 };
  const world = await threeEqual(7, 10, all);
  const { simulation, network } = world;
  const { disk } = world.machine("n3");
  damage(world, "n3", "key-3");
  await readsAt(world, "n3", "key-3", 1);
  network.traits = { ...network.traits, leastDelayMs: 150, mostDelayMs: 150 };
  let rounds = 0;
  let askedMs = 0;
  network.onSent = (message, from) => {
    if (message !== "replica-get" || from.name !== "n3") return;
    if (simulation.now - askedMs > 100) rounds += 1;
    askedMs = simulation.now;
  };
  // The first answers put the record back, which does not get to the disk for a while.
  assert.ok(await simulation.runUntil(() => rounds === 1, 60_000));
  disk.stall(2500);
  assert.ok(await simulation.runUntil(() => rounds === 2, 60_000));
  assert.equal(await world.put("n3", "key-3", "late"), "written");
  network.onSent = undefined;
  await whole(world, "n3");
  const { bytes } = placeOf("carts", "key-3", settings.partitions).storeKey;
  const holds = (machine: string): boolean =>
    Buffer.from(world.machine(machine).disk.get(bytes) ?? []).includes("late");
  assert.deepEqual(three.map(holds), [true, true, true]);
});
