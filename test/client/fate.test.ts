/**
 * What a client says of a write's fate is true: what it acknowledges is there, what it says has not happened never is, and
 * only where nobody can know does it say so. Many seeds of kills, pauses and cuts, while clients write, each to keys of
 * its own, and give some writes up.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CartwheelError } from "../../src/client/cartwheel-error.ts";
import type { Prng } from "../../src/sim/prng.ts";
import { bytes, ClientWorld, type SimClient, text } from "./client-world.ts";

const seeds = 4;
const names = ["n1", "n2", "n3"];

interface Fate {
  readonly key: string;
  readonly outcome: "done" | "refused" | "unknown";
  readonly code: string;
}

for (let seed = 1; seed <= seeds; seed++) {
  test(`what clients say of writes is so, seed ${seed}`, async () => {
    const fates = await fatesOf(seed);
    const world = fates.world;
    const reader = await world.client();
    const counts = { done: 0, refused: 0, unknown: 0 };
    const keys = fates.all.map(({ key }) => key);
    const all = await reader.act((db) => db.bucket("carts").getMany(keys, { r: "all" }));
    for (const [i, { key, outcome, code }] of fates.all.entries()) {
      counts[outcome]++;
      const read = all[i];
      assert.ok(read?.status === "fulfilled", `${key} cannot be read`);
      const found = read.value;
      if (outcome === "done") {
        assert.notEqual(found.kind, "nothing", `${key} was acknowledged and is not there`);
        // A retry is a sibling of what it repeats, and readers see one of them.
        const values = found.kind === "nothing" ? [] : found.versions.map(({ value }) => text(value));
        assert.deepEqual(values, [key], `${key} is there as ${values}`);
      } else if (outcome === "refused") {
        assert.equal(found.kind, "nothing", `${key} was said not to have happened (${code}), and is there`);
      }
    }
    assert.ok(counts.done > 50 && counts.refused > 0, JSON.stringify(counts));
  });
}

async function fatesOf(seed: number): Promise<{ readonly world: ClientWorld; readonly all: readonly Fate[] }> {
  const world = await ClientWorld.of(3, seed);
  const prng = world.simulation.prng("faults");
  const clients = [await world.client({ inFlight: 8 }), await world.client()];
  const all: Fate[] = [];
  let isOver = false;
  const loads = clients.map((client, i) => writeOnAndOn(world, client, `c${i}`, all, () => isOver));
  for (let i = 0; i < 8; i++) {
    await trouble(world, prng);
    await world.simulation.run(prng.uniform(50, 800));
  }
  isOver = true;
  for (const load of loads) await world.simulation.settle(load, 60_000, "the writers end");
  await world.agreed(120_000);
  // What a link held back arrives.
  await world.simulation.run(5000);
  return { world, all };
}

/** Writes, a few at a time, until it is told to end; each key once. */
function writeOnAndOn(
  world: ClientWorld,
  client: SimClient,
  prefix: string,
  all: Fate[],
  isOver: () => boolean,
): Promise<void> {
  const prng = world.simulation.prng(prefix);
  let keys = 0;
  return client.begin(async (db) => {
    const bucket = db.bucket("carts");
    const lane = async (): Promise<void> => {
      while (!isOver()) {
        const key = `${prefix}-${keys++}`;
        const controller = new AbortController();
        const timeoutMs = Math.ceil(prng.uniform(20, 2000));
        const ifUnknown = prng.chance(0.5) ? "retry" : "throw";
        const pw = prng.chance(0.2) ? "all" : undefined;
        const written = bucket.put(key, bytes(key), { timeoutMs, ifUnknown, pw, signal: controller.signal });
        if (prng.chance(0.05)) controller.abort();
        all.push(
          await written.then(
            () => ({ key, outcome: "done" as const, code: "" }),
            (error) => fateOf(key, error),
          ),
        );
        await later(world, client, prng.uniform(1, 80));
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
  });
}

function fateOf(key: string, { code, outcome }: CartwheelError): Fate {
  return { key, outcome: outcome === "unknown" ? "unknown" : "refused", code };
}

function later(world: ClientWorld, client: SimClient, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    world.simulation.schedule(delayMs, client.process, resolve);
  });
}

/** One fault, and its end some time later. */
async function trouble(world: ClientWorld, prng: Prng): Promise<void> {
  const name = names[prng.below(3)] as string;
  const machine = world.machine(name);
  switch (prng.below(4)) {
    case 0:
    case 1: {
      if (world.nodes.size < 3) return;
      world.kill(name);
      await world.simulation.run(prng.uniform(0, 2000));
      world.start(name);
      return;
    }
    case 2: {
      const { process } = machine;
      process?.pause();
      await world.simulation.run(prng.uniform(10, 3000));
      process?.resume();
      return;
    }
    default: {
      const others = [...world.machines.values()].filter((other) => other !== machine);
      const other = others[prng.below(others.length)];
      if (other === undefined) return;
      const isOneWay = prng.chance(0.5);
      world.network.cut(machine, other);
      if (!isOneWay) world.network.cut(other, machine);
      await world.simulation.run(prng.uniform(10, 3000));
      world.network.mend(machine, other);
      world.network.mend(other, machine);
    }
  }
}
