/** A node whose disk was lost gets its voices back, and not a moment before it holds all that its seats acknowledged. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RebuildView } from "../../src/node/api.ts";
import { World } from "../membership/world.ts";
import { assertSame, metric, repair, spent, writeMany } from "./copies.ts";

const settings = { partitions: 16, n: 3, r: 2, w: 2 };
const three = ["n1", "n2", "n3"] as const;

/** Three nodes with the same `keys` keys. */
async function threeEqual(seed: number, keys: number, more: Partial<typeof settings> = {}): Promise<World> {
  const world = new World(seed);
  await world.cluster(3, { settings: { ...settings, ...more } });
  await writeMany(world, "n1", { from: 0, to: keys }, "kept");
  await world.simulation.run(3000);
  assertSame(world, three, keys);
  return world;
}

/** Takes the machine's node, and its disk. */
function lose(world: World, machine: string): void {
  world.kill(machine);
  world.wipe(machine);
}

/** Starts a node whose disk was lost; it serves when this resolves, and has no voice yet. */
async function comeBack(world: World, machine: string, through: string): Promise<void> {
  await world.simulation.run(2000);
  await world.up(machine, { join: [through] });
}

function rebuildOf(world: World, machine: string): RebuildView {
  const view = world.nodes.get(machine)?.repair().rebuild;
  assert.ok(view);
  return view;
}

async function rebuilt(world: World, machine: string, withinMs = 60_000): Promise<void> {
  const isOver = (): boolean => !rebuildOf(world, machine).running;
  assert.ok(await world.simulation.runUntil(isOver, withinMs), JSON.stringify(rebuildOf(world, machine)));
}

async function readsAt(world: World, machine: string, key: string, pr: number): Promise<readonly string[] | string> {
  const outcome = await world.inside(machine, (node) => node.get({ bucket: "carts", key, r: pr, pr }));
  if (outcome.kind === "failure") return outcome.code;
  return outcome.versions.map(({ value }) => new TextDecoder().decode(value));
}

async function writesAt(world: World, machine: string, key: string, value: string, pw: number): Promise<string> {
  const bytes = new TextEncoder().encode(value);
  const request = { bucket: "carts", key, value: bytes, contentType: "text/plain", w: pw, pw };
  const outcome = await world.inside(machine, (node) => node.put(request));
  return outcome.kind === "failure" ? outcome.code : outcome.kind;
}

test("a lost disk is filled and its voices come back by themselves, and alone it then serves all there was", async () => {
  const world = await threeEqual(1, 200);
  lose(world, "n3");
  await comeBack(world, "n3", "n1");
  assert.equal(rebuildOf(world, "n3").seats, 16);
  await rebuilt(world, "n3");
  assert.deepEqual(rebuildOf(world, "n3"), {
    seats: 16,
    voices: 16,
    running: false,
    waitingFor: [],
    forced: undefined,
  });
  assert.equal(metric(world, "n3", "voices"), 16);
  assertSame(world, three, 200);
  world.kill("n1");
  world.kill("n2");
  await world.simulation.run(3000);
  for (let i = 0; i < 200; i++) assert.deepEqual(await readsAt(world, "n3", `key-${i}`, 1), ["kept"]);
});

test("a repair of a node whose disk was lost ends with its voices back, and a second one finds nothing", async () => {
  const world = await threeEqual(2, 400);
  lose(world, "n3");
  await comeBack(world, "n3", "n1");
  await repair(world, "n3");
  assert.equal(rebuildOf(world, "n3").running, false);
  assert.ok(spent(world).keysRepaired >= 400);
  const again = await repair(world, "n3");
  assert.equal(again.keysRepaired, 0);
  assert.ok(again.bytesSent + again.bytesReceived < 2000, JSON.stringify(again));
});

test("voices survive a restart, and a restart at any moment of the rebuild begins it anew and ends well", async () => {
  for (let seed = 3; seed < 9; seed++) {
    const world = await threeEqual(seed, 120);
    lose(world, "n3");
    await comeBack(world, "n3", "n1");
    for (let i = 0; i < 3; i++) {
      await world.simulation.run(world.simulation.prng("restarts").below(400));
      world.kill("n3");
      await world.up("n3");
    }
    await rebuilt(world, "n3");
    world.kill("n3");
    await world.up("n3");
    assert.equal(rebuildOf(world, "n3").voices, 16, "at once, without a copy");
    assertSame(world, three, 120);
  }
});

test("one other owner is not enough: what it lacks only the third one holds", async () => {
  const world = await threeEqual(10, 20);
  // Acknowledged by n2 and n3; n1 hears of it from nobody.
  world.kill("n1");
  await world.simulation.run(2000);
  assert.equal(await writesAt(world, "n2", "late", "v", 2), "written");
  lose(world, "n3");
  world.kill("n2");
  await world.up("n1");
  await world.simulation.run(2000);
  await comeBack(world, "n3", "n1");
  await world.simulation.run(60_000);
  const { running, voices, waitingFor } = rebuildOf(world, "n3");
  assert.deepEqual([running, voices], [true, 0]);
  assert.deepEqual(waitingFor, [{ name: "n2", partitions: 16, why: "cannot be reached" }]);
  assert.equal(await readsAt(world, "n3", "late", 2), "quorum-not-met", "two that know nothing of it");
  await world.up("n2");
  await rebuilt(world, "n3");
  world.kill("n2");
  await world.simulation.run(3000);
  assert.deepEqual(await readsAt(world, "n3", "late", 2), ["v"]);
});

test("two lost disks wait for each other, and say so, until they are told to go on without", async () => {
  const world = await threeEqual(11, 50);
  lose(world, "n2");
  lose(world, "n3");
  await comeBack(world, "n2", "n1");
  await comeBack(world, "n3", "n1");
  await world.simulation.run(60_000);
  for (const name of ["n2", "n3"]) {
    const { voices, running, waitingFor } = rebuildOf(world, name);
    assert.deepEqual([voices, running], [0, true]);
    assert.deepEqual(
      waitingFor.map((waiting) => [waiting.name, waiting.why]),
      [[name === "n2" ? "n3" : "n2", "has no voice there itself"]],
    );
  }
  assert.equal(await readsAt(world, "n1", "key-1", 2), "quorum-not-met");
  assert.deepEqual(await readsAt(world, "n1", "key-1", 1), ["kept"]);

  await repair(world, "n2");
  assert.equal(rebuildOf(world, "n2").voices, 0, "nothing by itself");
  await world.inside("n2", async (node) => node.startRepair(true));
  await rebuilt(world, "n2");
  const { forced, voices } = rebuildOf(world, "n2");
  assert.equal(voices, 16);
  assert.deepEqual(forced, {
    partitions: 16,
    without: ["n3"],
    mayBeLost: "writes that were acknowledged by n2's lost disk and n3 alone",
  });
  // The other one needs no force any more.
  await rebuilt(world, "n3");
  assert.deepEqual(await readsAt(world, "n3", "key-1", 3), ["kept"]);
});

test("an owner that was copied may lose its disk afterwards: once the operator says so, what it held is here", async () => {
  const world = await threeEqual(12, 30);
  world.kill("n1");
  await world.simulation.run(2000);
  assert.equal(await writesAt(world, "n2", "late", "v", 2), "written");
  await world.up("n1");
  await world.agreed();
  lose(world, "n3");
  world.network.cut(world.machine("n3"), world.machine("n1"));
  await comeBack(world, "n3", "n2");
  await world.simulation.run(10_000);
  assert.deepEqual(
    rebuildOf(world, "n3").waitingFor.map(({ name }) => name),
    ["n1"],
  );
  lose(world, "n2");
  world.network.mendAll();
  await comeBack(world, "n2", "n1");
  await world.simulation.run(10_000);
  assert.equal(rebuildOf(world, "n3").voices, 0, "two seats are lost");
  await world.inside("n3", async (node) => node.startRepair(true));
  await rebuilt(world, "n3");
  await rebuilt(world, "n2");
  assert.deepEqual(await readsAt(world, "n2", "late", 2), ["v"]);
});

test("buckets of fewer and more copies come back with all their owners", async () => {
  const world = new World(13);
  const own = { partitions: 8, n: 3, r: 1, w: 1 };
  await world.cluster(4, { settings: own });
  for (const [name, n] of Object.entries({ one: 1, two: 2, four: 4 })) {
    assert.equal((await world.inside("n1", (node) => node.setBucket(name, { n }))).kind, "set");
    await world.agreed();
  }
  for (const bucket of ["one", "two", "carts", "four"]) {
    await writeMany(world, "n1", { from: 0, to: 40, bucket }, "first");
  }
  await world.simulation.run(3000);
  lose(world, "n4");
  await world.simulation.run(2000);
  // Every partition has four seats, for the sake of one bucket: each waits for the three others.
  world.kill("n3");
  await world.simulation.run(2000);
  await world.up("n4", { settings: own, join: ["n1"] });
  await world.simulation.run(30_000);
  assert.equal(rebuildOf(world, "n4").voices, 0);
  await world.up("n3", { settings: own });
  await rebuilt(world, "n4");
  for (const name of ["n1", "n2", "n3"]) world.kill(name);
  await world.simulation.run(3000);
  for (let i = 0; i < 40; i++) {
    const outcome = await world.inside("n4", (node) => node.get({ bucket: "four", key: `key-${i}`, r: 1, pr: 1 }));
    assert.equal(outcome.kind, "found");
  }
});

test("the only node of a cluster that lost its disk has nobody to copy, and a bucket's n grows only while empty", async () => {
  const world = await threeEqual(14, 10);
  assert.equal((await world.inside("n1", (node) => node.setBucket("wide", { n: 4 }))).kind, "set");
  await world.agreed();
  lose(world, "n3");
  await comeBack(world, "n3", "n1");
  await rebuilt(world, "n3");
  // A bucket that comes to have more copies than any had when the voices came back needs its owners copied, too.
  assert.equal((await world.inside("n1", (node) => node.setBucket("wider", { n: 5 }))).kind, "set");
  await rebuilt(world, "n3");
  assert.equal(rebuildOf(world, "n3").voices, 16);
});

const few = { ...settings, partitions: 2 };

/** What a history of losses is told by: acknowledged values by key, and what happened. */
interface Told {
  readonly acknowledged: Map<string, string[]>;
  writes: number;
  refused: number;
  losses: number;
}

/** Every acknowledged value must be among the siblings of any quorum read that begins afterwards. */
async function readOne(world: World, on: string, key: string, told: Told): Promise<void> {
  const found = await readsAt(world, on, key, 2);
  if (typeof found === "string") return;
  for (const value of told.acknowledged.get(key) ?? []) {
    assert.ok(found.includes(value), `seed ${world.simulation.seed}: ${on} misses ${value} of ${key}`);
  }
}

/**
 * Rounds of loss: one node misses writes, one of the two that acknowledged them loses its disk, and the other is away
 * while reads ask the first and the empty one. Who is who, how each is away, and how long all takes is chance.
 */
async function historyOfLosses(seed: number): Promise<Told> {
  const world = new World(seed);
  await world.cluster(3, { settings: few });
  const prng = world.simulation.prng("losses");
  const told: Told = { acknowledged: new Map(), writes: 0, refused: 0, losses: 0 };
  const isolate = (name: string): void => {
    if (prng.below(2) === 0) return world.kill(name);
    for (const other of three) {
      world.network.cut(world.machine(name), world.machine(other));
      world.network.cut(world.machine(other), world.machine(name));
    }
  };
  const write = async (round: number): Promise<void> => {
    const on = [...world.nodes.keys()][prng.below(world.nodes.size)];
    if (on === undefined) return;
    const key = `k${round}-${prng.below(3)}`;
    const value = `${key}@${told.writes}`;
    told.writes += 1;
    if ((await writesAt(world, on, key, value, 2)) !== "written") told.refused += 1;
    else told.acknowledged.set(key, [...(told.acknowledged.get(key) ?? []), value]);
  };
  for (let round = 0; round < 4; round++) {
    const at = prng.below(3);
    const [misses, loses, away] = [three[at], three[(at + 1) % 3], three[(at + 2) % 3]] as [string, string, string];
    isolate(misses);
    for (let i = 0; i < 3; i++) await write(round);
    told.losses += 1;
    lose(world, loses);
    if (prng.below(2) === 0) isolate(away);
    await world.simulation.run(prng.below(2500));
    world.network.mendAll();
    if (prng.below(2) === 0) isolate(away);
    await restart(world, misses);
    await restart(world, loses);
    for (let i = 0; i < 3; i++) {
      if (prng.below(3) === 0) await write(round);
      if (prng.below(4) === 0) isolate(three[prng.below(3)] as string);
      if (prng.below(4) === 0) world.network.mendAll();
      await world.simulation.run(prng.below(1000));
      for (const key of told.acknowledged.keys()) {
        const on = [...world.nodes.keys()][prng.below(world.nodes.size)];
        if (on !== undefined && key.startsWith(`k${round}-`)) await readOne(world, on, key, told);
      }
    }
    world.network.mendAll();
    for (const name of three) await restart(world, name);
    for (const name of three) await restart(world, name);
    await world.agreed();
    for (const name of three) await rebuilt(world, name, 120_000);
  }
  for (const key of told.acknowledged.keys()) await readOne(world, "n1", key, told);
  return told;
}

/** Starts it where it does not run, in the place of its lost directory where it has one; gives up where nobody answers. */
async function restart(world: World, name: string): Promise<void> {
  if (world.nodes.has(name)) return;
  const { node } = world.start(name, { settings: few, join: three.filter((other) => other !== name) });
  await world.simulation.runUntil(() => node.isReady, 8000);
  if (!node.isReady) world.kill(name);
}

test("through losses, cuts and crashes no quorum read misses an acknowledged write", async (t) => {
  const sums = { writes: 0, refused: 0, losses: 0 };
  for (let seed = 100; seed < 112; seed++) {
    const told = await historyOfLosses(seed);
    for (const name of ["writes", "refused", "losses"] as const) sums[name] += told[name];
  }
  t.diagnostic(JSON.stringify(sums));
  assert.ok(sums.losses >= 6 && sums.writes - sums.refused > 100, JSON.stringify(sums));
});

test("what the old directory acknowledges while another one takes its place is not missed by it afterwards", async (t) => {
  let acknowledged = 0;
  let found = 0;
  for (let seed = 200; seed < 212; seed++) {
    const world = new World(seed);
    const prng = world.simulation.prng("old and new");
    await world.cluster(3, { settings: few });
    const told: Told = { acknowledged: new Map(), writes: 0, refused: 0, losses: 1 };
    const part = (a: string, b: string): void => {
      world.network.cut(world.machine(a), world.machine(b));
      world.network.cut(world.machine(b), world.machine(a));
    };
    // n1 believes n3 to be lost, and n2 and n3 go on; then n2 meets the other side, and n3 does not.
    for (const other of ["n2", "n3"]) part("n1", other);
    for (const other of ["n2", "n3"]) part("new", other);
    await world.simulation.run(2000);
    const { node } = world.start("new", { name: "n3", host: "new", join: ["n1"], settings: few });
    assert.ok(await world.simulation.runUntil(() => node.isReady, 20_000));
    const mendAt = prng.below(20);
    for (let i = 0; i < 40; i++) {
      if (i === mendAt) {
        world.network.mendAll();
        for (const other of ["n1", "new"]) part("n3", other);
      }
      const [key, value] = [`z${i}`, `z${i}`];
      const on = ["n2", "n3"][prng.below(2)] as string;
      if ((await writesAt(world, on, key, value, 2)) === "written") told.acknowledged.set(key, [value]);
      await world.simulation.run(prng.below(60));
    }
    await rebuilt(world, "new");
    // Its place among the three, with n1, which heard of nothing.
    world.kill("n2");
    await world.simulation.run(2000);
    for (const key of told.acknowledged.keys()) {
      await readOne(world, "n1", key, told);
      if ((await readsAt(world, "n1", key, 2)) !== "quorum-not-met") found += 1;
    }
    acknowledged += told.acknowledged.size;
  }
  t.diagnostic(`${acknowledged} acknowledged, ${found} read`);
  assert.ok(acknowledged > 50 && found === acknowledged);
});
