/**
 * Writes and crashes that race with a join, and with the seats that pass on in its wake, at every moment of it. All
 * members end with one history and one holder a seat, and nothing that was acknowledged is lost.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { HandOvers } from "../../src/node/hand-over.ts";
import { PartitionCopies } from "../../src/node/partition-copies.ts";
import { Seats } from "../../src/node/seats.ts";
import type { Prng } from "../../src/sim/prng.ts";
import { plant } from "./plant.ts";
import { World } from "./world.ts";

interface Race {
  readonly seed: number;
  readonly writes: number;
  /** When the writes are made, in ms after the join began, and through whom; any time and any member, if not said. */
  readonly within?: readonly [from: number, to: number];
  readonly through?: string;
  /** Copies; with one, whatever stays with an old owner is lost. */
  readonly n: 1 | 3;
  /** Moments of crashes, in ms after the join began, and who crashes. */
  readonly crashes: readonly { readonly at: number; readonly who: string }[];
  /** Who is cut off from the others for a while, in ms after the join began. */
  readonly cutOff?: { readonly who: string; readonly from: number; readonly to: number };
}

interface Raced {
  readonly acknowledged: number;
  readonly lost: readonly string[];
  readonly members: number;
}

/** Three members, of which n1 sponsors n4, and what else happens meanwhile. */
async function race({ seed, writes, within = [0, 30], through, n, crashes, cutOff }: Race): Promise<Raced> {
  const world = new World(seed);
  const { simulation } = world;
  const quorum = n === 1 ? 1 : 2;
  const settings = { n, r: quorum, w: quorum };
  await world.cluster(3, { settings });
  const prng: Prng = simulation.prng("race");
  const acknowledged: string[] = [];
  let joiner = world.start("n4", { settings, join: ["n1", "n2"] });
  for (let i = 0; i < writes; i++) {
    const on = through ?? `n${1 + prng.below(3)}`;
    const key = `k${i}`;
    simulation.schedule(prng.uniform(...within), undefined, () => {
      const value = new Uint8Array([i]);
      const put = world.nodes.get(on)?.put({ bucket: "carts", key, value, contentType: "" });
      put?.then(
        ({ kind }) => {
          if (kind === "written") acknowledged.push(key);
        },
        () => {},
      );
    });
  }
  if (cutOff !== undefined) {
    const others = ["n1", "n2", "n3", "n4"].filter((name) => name !== cutOff.who).map((name) => world.machine(name));
    simulation.schedule(cutOff.from, undefined, () => {
      for (const other of others) world.network.cut(world.machine(cutOff.who), other);
      for (const other of others) world.network.cut(other, world.machine(cutOff.who));
    });
    simulation.schedule(cutOff.to, undefined, () => world.network.mendAll());
  }
  for (const { at, who } of crashes) {
    simulation.schedule(at, undefined, () => world.kill(who));
    simulation.schedule(at + 300, undefined, () => {
      const again = world.start(who, { settings, join: ["n1", "n2", "n3"].filter((name) => name !== who) });
      if (who === "n4") joiner = again;
    });
  }
  await simulation.run(4000);
  const isRefused = await simulation.settle(
    Promise.race([
      joiner.started.then(
        () => false,
        () => true,
      ),
      simulation.sleep(20_000).then(() => false),
    ]),
    30_000,
    "the join is decided",
  );
  if (isRefused) world.kill("n4");
  await world.agreed();
  const lost: string[] = [];
  for (const key of acknowledged) {
    for (const on of world.nodes.keys()) {
      const found = await world.get(on, key);
      if (found.length !== 1 || typeof found === "string") lost.push(`${key} on ${on}: ${JSON.stringify(found)}`);
    }
  }
  assert.deepEqual(simulation.violations, []);
  return { acknowledged: acknowledged.length, lost, members: world.nodes.get("n1")?.cluster().members.length ?? 0 };
}

test("the sponsor, a member or the joiner crashes at any moment of a join: it ends, and one way for all", async () => {
  const members = new Map<number, number>();
  for (const who of ["n1", "n2", "n3", "n4"]) {
    for (let i = 0; i < 16; i++) {
      const raced = await race({ seed: 100 + i, n: 3, writes: 0, crashes: [{ at: 1 + i * 1.25, who }] });
      members.set(raced.members, (members.get(raced.members) ?? 0) + 1);
    }
  }
  assert.deepEqual([...members.keys()], [4], "the cluster takes the node in the end");
});

test("writes that race with a join are never lost, and the join goes through", async (t) => {
  let acknowledged = 0;
  let joined = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const raced = await race({ seed, n: seed % 2 ? 1 : 3, writes: 1 + (seed % 3), crashes: [] });
    assert.deepEqual(raced.lost, [], `seed ${seed}`);
    acknowledged += raced.acknowledged;
    joined += raced.members === 4 ? 1 : 0;
  }
  t.diagnostic(`${acknowledged} writes acknowledged; ${joined} of 60 joins went through`);
  assert.ok(acknowledged >= 100, "the two do not race");
  assert.equal(joined, 60);
});

test("writes, a join and crashes at once: nothing acknowledged is lost", async (t) => {
  let acknowledged = 0;
  let joined = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const who = `n${1 + (seed % 4)}`;
    const raced = await race({ seed, n: seed % 2 ? 1 : 3, writes: 2, crashes: [{ at: 2 + (seed % 20), who }] });
    assert.deepEqual(raced.lost, [], `seed ${seed}`);
    acknowledged += raced.acknowledged;
    joined += raced.members === 4 ? 1 : 0;
  }
  t.diagnostic(`${acknowledged} writes acknowledged; ${joined} of 40 joins went through`);
});

/** Runs races with a bug in the product, and says in how many something was lost or the members disagree. */
async function caughtOf(races: readonly Race[], heal: () => void): Promise<number> {
  let caught = 0;
  try {
    for (const each of races) {
      try {
        if ((await race(each)).lost.length > 0) caught++;
      } catch (error) {
        if (!/no agreement/.test(String(error))) throw error;
        caught++;
      }
    }
  } finally {
    heal();
  }
  return caught;
}

const seeds = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1);

const busy = (seed: number): Race => ({ seed, n: 1, writes: 40, within: [0, 60], crashes: [] });

test("the races catch a holder that seals and goes on speaking", async (t) => {
  const { voice } = Seats.prototype;
  const caught = await caughtOf(
    seeds(30).map(busy),
    plant(Seats.prototype, "voice", function (this: Seats, place) {
      const hold = this.hold(place.partition);
      if (hold.kind !== "sealed") return voice.call(this, place);
      return { seat: hold.seat, epoch: hold.epoch };
    }),
  );
  t.diagnostic(`caught in ${caught} of 30`);
  assert.ok(caught > 0);
});

test("the races catch a successor that does not copy what came before the seal", async (t) => {
  const { finish } = HandOvers.prototype;
  const { copyTail } = PartitionCopies.prototype;
  const caught = await caughtOf(
    seeds(30).map(busy),
    plant(HandOvers.prototype, "finish", async function (this: HandOvers, partition) {
      PartitionCopies.prototype.copyTail = async () => ({ kind: "whole", keys: 0 });
      try {
        return await finish.call(this, partition);
      } finally {
        PartitionCopies.prototype.copyTail = copyTail;
      }
    }),
  );
  t.diagnostic(`caught in ${caught} of 30`);
  assert.ok(caught > 0);
});
