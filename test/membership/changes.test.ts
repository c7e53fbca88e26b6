/**
 * Changes of membership that meet with everything else: other changes, accepted on both sides of a split, the death of
 * whoever accepted them or whom they are about, and writes all the while. Each ends complete or undone: one ring
 * everywhere, every seat with its owner, nobody who left or was removed at large, and nothing lost that was acknowledged.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "../../src/node/node.ts";
import type { Prng } from "../../src/sim/prng.ts";
import { World } from "./world.ts";

type Act = (node: Node) => Promise<unknown>;

interface Change {
  /** In ms. */
  readonly at: number;
  /** Who is asked. */
  readonly by: string;
  readonly act: Act;
}

interface Trial {
  readonly seed: number;
  readonly size: number;
  readonly changes: (prng: Prng) => readonly Change[];
  /** Who is killed when, in ms, and comes back after how long; for good where that is undefined. */
  readonly kills?: (prng: Prng) => readonly { readonly at: number; readonly who: string; readonly forMs?: number }[];
  /** Who is stopped in its tracks, when and for how long. */
  readonly pauses?: (prng: Prng) => readonly { readonly at: number; readonly who: string; readonly forMs: number }[];
  /** How many must have a write before it counts; the bucket's w if absent. */
  readonly w?: number;
  /** One side of a split, from the beginning on, and for how long. */
  readonly split?: { readonly side: readonly string[]; readonly forMs: number };
}

interface Ended {
  readonly members: readonly string[];
  readonly ended: ReadonlyMap<string, string>;
  readonly acknowledged: number;
}

const writesEveryMs = 40;
const writesForMs = 12_000;

async function tried({ seed, size, changes, kills, pauses, w, split }: Trial): Promise<Ended> {
  const world = new World(seed);
  const { simulation } = world;
  await world.cluster(size);
  const prng = simulation.prng("changes");
  const names = [...world.nodes.keys()];
  const acknowledged = new Set<string>();
  const write = (i: number): void => {
    const running = [...world.nodes].filter(([, node]) => node.isReady);
    const [, node] = running[prng.below(Math.max(1, running.length))] ?? [];
    const key = `k${i}`;
    node
      ?.put({
        bucket: "carts",
        key,
        value: new TextEncoder().encode(key),
        contentType: "",
        ...(w !== undefined && { w }),
      })
      .then(
        ({ kind }) => {
          if (kind === "written") acknowledged.add(key);
        },
        () => {},
      );
  };
  for (let i = 0; i * writesEveryMs < writesForMs; i++) {
    simulation.schedule(i * writesEveryMs, undefined, () => write(i));
  }
  for (const { at, by, act } of changes(prng)) {
    simulation.schedule(at, undefined, () => {
      const node = world.nodes.get(by);
      if (node !== undefined) act(node).catch(() => {});
    });
  }
  const again = (who: string): void => {
    const { node, started } = world.start(who, { join: names.filter((name) => name !== who).slice(0, 2) });
    started.catch(() => {
      if (world.nodes.get(who) === node) world.kill(who);
    });
  };
  for (const { at, who, forMs } of kills?.(prng) ?? []) {
    simulation.schedule(at, undefined, () => world.kill(who));
    if (forMs !== undefined) simulation.schedule(at + forMs, undefined, () => again(who));
  }
  for (const { at, who, forMs } of pauses?.(prng) ?? []) {
    simulation.schedule(at, undefined, () => world.machine(who).process?.pause());
    simulation.schedule(at + forMs, undefined, () => world.machine(who).process?.resume());
  }
  if (split !== undefined) {
    const others = names.filter((name) => !split.side.includes(name));
    for (const a of split.side) {
      for (const b of others) {
        world.network.cut(world.machine(a), world.machine(b));
        world.network.cut(world.machine(b), world.machine(a));
      }
    }
    simulation.schedule(split.forMs, undefined, () => world.network.mendAll());
  }
  await simulation.run(writesForMs + 15_000);
  await settled(world);
  for (const key of acknowledged) {
    for (const on of world.nodes.keys()) assert.deepEqual(await world.get(on, key, 1), [key], `${key} through ${on}`);
  }
  assert.deepEqual(simulation.violations, []);
  const [first] = world.nodes.values();
  const members = first?.cluster().members.map(({ name }) => name) ?? [];
  return {
    members,
    ended: new Map([...world.ended].map(([who, { code }]) => [who, code])),
    acknowledged: acknowledged.size,
  };
}

/** Takes away who has ended by itself, and waits until the others agree and rest. */
async function settled(world: World): Promise<void> {
  const bury = (): boolean => {
    for (const who of world.ended.keys()) if (world.nodes.has(who)) world.kill(who);
    return false;
  };
  await world.simulation.runUntil(bury, 20_000);
  const isOver = (): boolean => {
    bury();
    return [...world.nodes.values()].every((node) => node.isReady && node.cluster().pendingTransfers === 0);
  };
  assert.ok(await world.simulation.runUntil(isOver, 120_000), `goes on:\n${world.describe()}`);
  await world.agreed(60_000);
  bury();
}

const leave =
  (name: string): Act =>
  (node) =>
    node.leave(name, { force: true });
const remove =
  (name: string): Act =>
  (node) =>
    node.remove(name, { force: true });
const capacity =
  (name: string, weight: number): Act =>
  (node) =>
    node.changeMember(name, { capacity: weight });

test("a leave ends whoever of all dies, or is stopped, at any moment of it", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const who = `n${1 + (seed % 5)}`;
    const { members, ended, acknowledged } = await tried({
      seed,
      size: 5,
      changes: () => [{ at: 1, by: "n1", act: leave("n5") }],
      kills: (prng) => (seed % 3 === 0 ? [] : [{ at: 2 + prng.below(400), who, forMs: 300 + prng.below(3000) }]),
      pauses: (prng) => (seed % 3 === 0 ? [{ at: 2 + prng.below(400), who, forMs: prng.below(5000) }] : []),
    });
    assert.ok(acknowledged > 200, `seed ${seed}: ${acknowledged}`);
    // A sponsor that dies before its disk has it has not accepted it.
    if (members.length === 5) continue;
    assert.deepEqual(members, ["n1", "n2", "n3", "n4"], `seed ${seed}`);
    assert.ok(who === "n5" || ended.get("n5") === "left", `seed ${seed}`);
  }
});

test("one that is lost is removed while another dies and returns", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { members } = await tried({
      seed,
      size: 5,
      changes: () => [{ at: 3000, by: "n1", act: remove("n5") }],
      kills: (prng) => [
        { at: 10, who: "n5" },
        { at: 2000 + prng.below(3000), who: `n${1 + (seed % 4)}`, forMs: 500 + prng.below(4000) },
      ],
    });
    assert.ok(!members.includes("n5") || (seed % 4 === 0 && members.length === 5), `seed ${seed}: ${members}`);
  }
});

test("one that is removed and alive speaks for nobody from the moment it knows, and is relieved of what it holds", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { members, ended } = await tried({
      seed,
      size: 5,
      changes: (prng) => [{ at: 100 + prng.below(1000), by: "n1", act: remove("n5") }],
      ...(seed % 2 === 0 && { split: { side: ["n5"], forMs: 3000 } }),
    });
    assert.deepEqual(members, ["n1", "n2", "n3", "n4"], `seed ${seed}`);
    assert.equal(ended.get("n5"), "removed", `seed ${seed}`);
  }
});

test("two operators decide contrary things at both sides of a split: one ring, and all data", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const contraries: readonly (readonly [Act, Act])[] = [
      [leave("n1"), leave("n5")],
      [leave("n5"), capacity("n5", 4)],
      [leave("n2"), remove("n2")],
      [remove("n5"), leave("n5")],
      [remove("n4"), capacity("n1", 3)],
      [remove("n5"), remove("n1")],
    ];
    const [one, other] = contraries[seed % contraries.length] as readonly [Act, Act];
    await tried({
      seed,
      size: 5,
      changes: (prng) => [
        { at: 50 + prng.below(500), by: "n1", act: one },
        { at: 50 + prng.below(500), by: "n5", act: other },
      ],
      split: { side: seed % 2 === 0 ? ["n1", "n2"] : ["n1"], forMs: 2000 + 300 * seed },
    });
  }
});

test("members become fewer than copies, whoever dies or is stopped meanwhile: what one alone had, the others have", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const isLost = seed % 4 === 0;
    const { members, acknowledged } = await tried({
      seed,
      size: 3,
      ...(!isLost && { w: 1 }),
      changes: () => [{ at: isLost ? 3000 : 50, by: "n1", act: isLost ? remove("n3") : leave("n3") }],
      kills: (prng) => [
        ...(isLost ? [{ at: 10, who: "n3" }] : []),
        { at: 51 + prng.below(500), who: seed % 2 === 0 ? "n2" : `n${1 + (seed % 3)}`, forMs: 300 + prng.below(3000) },
      ],
    });
    assert.ok(acknowledged > 100, `seed ${seed}: ${acknowledged}`);
    assert.deepEqual(members, ["n1", "n2"], `seed ${seed}`);
  }
});
