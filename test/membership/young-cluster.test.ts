/**
 * A cluster whose seats are still being filled: clients need not wait for that, and what they are told holds. A write of
 * two copies is on two disks, though only one seat has a holder so far; one of all copies, and a read of all, succeed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SimMachine } from "../../src/sim/machine.ts";
import { dataRange, isHintKey, parseDataKey, parseHintKey } from "../../src/storage/store-key.ts";
import { World } from "./world.ts";

const encoder = new TextEncoder();
const names = ["n1", "n2", "n3"];

/** The machines on whose disks there is something of the key, as a copy or as a hint. */
function machinesWith(world: World, wanted: string): readonly string[] {
  return names.filter((name) =>
    [...world.machine(name).disk.contents().values()].some(({ key }) => {
      try {
        return (isHintKey(key) ? parseHintKey(key) : parseDataKey(key)).key === wanted;
      } catch {
        return false;
      }
    }),
  );
}

interface Told {
  readonly key: string;
  readonly what: string;
  readonly copies: number;
}

/** Three nodes meet, and are asked for something every other ms while their seats are filled. */
async function young(
  seed: number,
  ask: (world: World, on: string, key: string) => Promise<string>,
): Promise<readonly Told[]> {
  const world = new World(seed);
  await world.up("n1");
  for (const name of names.slice(1)) world.start(name, { join: ["n1"] });
  const knowsAll = (name: string): boolean => world.nodes.get(name)?.cluster().members.length === 3;
  assert.ok(await world.simulation.runUntil(() => names.every(knowsAll), 10_000));
  const told: Promise<Told>[] = [];
  for (let i = 0; i < 150; i++) {
    const key = `k${i}`;
    const on = names[i % 3] as string;
    if (world.nodes.get(on)?.isReady === true) {
      told.push(ask(world, on, key).then((what) => ({ key, what, copies: machinesWith(world, key).length })));
    }
    await world.simulation.run(2);
  }
  const all = await world.simulation.settle(Promise.all(told), 30_000, "all are told");
  await world.agreed();
  for (const { key, what } of all) {
    if (what !== "written") continue;
    for (const name of names) assert.deepEqual(await world.get(name, key, 3), [key], `seed ${seed}, ${key} at ${name}`);
  }
  return all;
}

function put(w: number): (world: World, on: string, key: string) => Promise<string> {
  return async (world, on, key) => {
    const request = { bucket: "carts", key, value: encoder.encode(key), contentType: "", w };
    const outcome = await world.inside(on, (node) => node.put(request));
    return outcome.kind === "failure" ? `${outcome.code}: ${outcome.detail}` : outcome.kind;
  };
}

test("a write of two copies is held by two nodes before it is acknowledged", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    for (const { key, what, copies } of await young(seed, put(2))) {
      assert.equal(what, "written", `seed ${seed}, ${key}`);
      assert.ok(copies >= 2, `seed ${seed}: ${key} is on ${copies} disks`);
    }
  }
});

test("who has yet to begin filling a seat keeps what it is given for it: nobody waits for its turn", async () => {
  const world = new World(6);
  // More seats than are filled within the time of a request, and nobody else to stand in.
  const limits = { requestTimeoutMs: 400 };
  const settings = { partitions: 1024 };
  await world.up("n1", { limits, settings });
  world.start("n2", { join: ["n1"], limits, settings });
  const knowsBoth = (name: string): boolean => world.nodes.get(name)?.cluster().members.length === 2;
  assert.ok(await world.simulation.runUntil(() => knowsBoth("n1") && knowsBoth("n2"), 10_000));
  const keys = Array.from({ length: 60 }, (_, i) => `k${i}`);
  const told = Promise.all(keys.map((key) => put(2)(world, "n1", key)));
  const outcomes = await world.simulation.settle(told, 30_000, "all are told");
  assert.ok(
    (world.nodes.get("n2")?.repair().rebuild.voices ?? 0) < 1024,
    "the seats were filled too fast for this test",
  );
  const holding = keys.map((key) => machinesWith(world, key).length);
  assert.deepEqual(
    outcomes.filter((what) => what !== "written"),
    [],
  );
  assert.ok(holding.every((copies) => copies === 2));
  await world.agreed();
  for (const key of keys) assert.deepEqual(await world.get("n2", key, 2), [key]);
});

test("a write of all copies succeeds", async () => {
  for (let seed = 7; seed <= 12; seed++) {
    for (const { key, what, copies } of await young(seed, put(3))) {
      assert.deepEqual([what, copies], ["written", 3], `seed ${seed}, ${key}`);
    }
  }
});

test("a read of all copies of what was never written finds nothing", async () => {
  for (let seed = 13; seed <= 18; seed++) {
    const read = async (world: World, on: string, key: string): Promise<string> => {
      const outcome = await world.inside(on, (node) => node.get({ bucket: "carts", key, r: "all" }));
      return outcome.kind === "failure" ? `${outcome.code}: ${outcome.detail}` : `${outcome.versions.length}`;
    };
    for (const { key, what } of await young(seed, read)) assert.equal(what, "0", `seed ${seed}, ${key}`);
  }
});

test("a bucket of one copy has it at one node, once the seat that keeps it is filled; what is deleted is forgotten", async () => {
  const world = new World(20);
  const limits = { requestTimeoutMs: 500, longestTimeoutMs: 500, messageLifeMs: 1000, reapGraceMs: 6000 };
  await world.up("n1", { limits });
  await world.inside("n1", (node) => node.setBucket("carts", { n: 1, r: 1, w: 1 }));
  const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
  for (const key of keys) assert.equal(await world.put("n1", key, key), "written");
  for (const name of names.slice(1)) await world.up(name, { join: ["n1"], limits });
  await world.agreed();
  const [first] = dataRange().from;
  const copies = (): number => {
    const stored = names.flatMap((name) => [...world.machine(name).disk.contents().values()]);
    return stored.filter(({ key }) => key[0] === first).length;
  };
  assert.ok(await world.simulation.runUntil(() => copies() === keys.length, 10_000), `${copies()} copies`);
  for (const key of keys) for (const name of names) assert.deepEqual(await world.get(name, key), [key]);
  for (const key of keys) await world.inside("n2", (node) => node.delete({ bucket: "carts", key }));
  assert.ok(await world.simulation.runUntil(() => copies() === 0, 120_000), `${copies()} tombstones`);
  assert.deepEqual(world.simulation.violations, []);
});

test("who knows of no other holder does not take a lost holder's seat from nothing", async () => {
  const world = new World(21);
  await world.up("n1");
  const [n1, n2, n3] = names.map((name) => world.machine(name)) as [SimMachine, SimMachine, SimMachine];
  const cut = (a: SimMachine, b: SimMachine): void => {
    world.network.cut(a, b);
    world.network.cut(b, a);
  };
  // The third joins, and has heard of no seat but the first one's when it is cut off.
  const third = await world.up("n3", { join: ["n1"] });
  cut(n1, n3);
  cut(n2, n3);
  const voices = (): number => third.repair().rebuild.voices;
  const before = voices();
  await world.up("n2", { join: ["n1"] });
  const taken = (): boolean => (world.nodes.get("n2")?.repair().rebuild.voices ?? 0) === 16;
  assert.ok(await world.simulation.runUntil(taken, 10_000), world.describe());
  for (let i = 0; i < 20; i++) assert.equal(await world.put("n1", `k${i}`, `k${i}`), "written");
  world.kill("n1");
  world.network.mendAll();
  cut(n2, n3);
  await world.inside("n3", (node) => node.remove("n1", { force: true }));
  await world.simulation.run(60_000);
  assert.equal(voices(), before, "n3 speaks for a lost seat, and has not heard of n2");
  world.network.mendAll();
  await world.agreed();
  for (let i = 0; i < 20; i++) for (const on of ["n2", "n3"]) assert.deepEqual(await world.get(on, `k${i}`), [`k${i}`]);
});
