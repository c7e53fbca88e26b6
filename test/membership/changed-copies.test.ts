/**
 * Requests that began before a bucket's number of copies changed and end after it. What they were admitted to do
 * rests on the old owners: a write among those alone would be missed by a quorum of the new ones.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "../../src/core/ids.ts";
import { partitionOf } from "../../src/core/ring/key-hash.ts";
import { ownersOf } from "../../src/core/ring/preference-list.ts";
import { foldHistory } from "../../src/core/ring/ring.ts";
import { holdingsOf } from "../../src/node/holdings.ts";
import { placeOf } from "../../src/node/key-place.ts";
import { Pledge } from "../../src/node/pledge.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { SimDisk } from "../../src/sim/storage.ts";
import { openMetaStore } from "../../src/storage/meta-store.ts";
import { dataRange } from "../../src/storage/store-key.ts";
import { WriteBuffer } from "../../src/storage/write-buffer.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";
import { World } from "./world.ts";

/** How many machines hold any record of a key. */
function copies(world: World): number {
  const { from } = dataRange();
  return [...world.machines.values()].filter((machine) =>
    [...machine.disk.contents().values()].some(({ key }) => key[0] === from[0]),
  ).length;
}

test("a put that read before the change and writes after it reaches all owners of the new bucket, or fails", async (t) => {
  let acknowledged = 0;
  let acrossChange = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const world = new World(seed);
    const { simulation } = world;
    await world.cluster(5);
    const node = world.nodes.get("n2");
    assert.ok(node);
    const change = world.inside("n5", (sponsor) => sponsor.setBucket("carts", { n: 5, r: "quorum", w: "quorum" }));
    let written = "";
    let seenAtStart = 0;
    simulation.schedule(seed / 4, world.machine("n2").process, () => {
      seenAtStart = node.bucket("carts").n;
      const value = new Uint8Array([1]);
      void node.put({ bucket: "carts", key: "k", value, contentType: "", onlyIfAbsent: true }).then((outcome) => {
        written = outcome.kind;
      });
    });
    await change;
    await simulation.run(5000);
    const { n } = node.bucket("carts");
    if (written === "written") {
      acknowledged++;
      assert.equal(copies(world), n, `seed ${seed}: acknowledged, on ${copies(world)} of ${n} owners`);
      if (seenAtStart !== n) acrossChange++;
    }
    assert.deepEqual(simulation.violations, []);
  }
  t.diagnostic(`${acknowledged} acknowledged, ${acrossChange} of them across the change`);
});

test("a write that its coordinator could not keep, asked again after the change, counts no old owners' copies", async (t) => {
  let acknowledged = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const world = new World(seed);
    const { simulation, network } = world;
    await world.cluster(5);
    const ring = foldHistory(world.nodes.get("n1")?.history() ?? []);
    const nameOf = (node: NodeId): string => ring.members.get(node)?.name ?? "";
    const partition = partitionOf("carts", "k", ring.settings.partitions);
    const [coordinator = "", ...others] = ownersOf(ring, partition, 3).map(nameOf);
    const sponsor = ["n1", "n2", "n3", "n4", "n5"].find((name) => name !== coordinator && !others.includes(name)) ?? "";
    const { disk } = world.machine(coordinator);
    const prng = simulation.prng("race");
    // Its own commit fails, so it may vouch for emptiness while the others' copies are still on their way.
    disk.isFull = true;
    for (const other of others) network.cut(world.machine(coordinator), world.machine(other));
    simulation.schedule(prng.uniform(3, 8), undefined, () => {
      disk.isFull = false;
    });
    simulation.schedule(prng.uniform(4, 20), world.machine(sponsor).process, () => {
      void world.nodes.get(sponsor)?.setBucket("carts", { n: 5, r: "quorum", w: "quorum" });
    });
    simulation.schedule(prng.uniform(5, 40), undefined, () => network.mendAll());
    const outcome = await world.put(coordinator, "k", "v", 2);
    await simulation.run(3000);
    if (outcome !== "written") continue;
    acknowledged++;
    const { n } = world.nodes.get(sponsor)?.bucket("carts") ?? { n: 0 };
    assert.ok(n === 3 || copies(world) >= 3, `seed ${seed}: acknowledged, on ${copies(world)} of ${n} owners`);
  }
  t.diagnostic(`${acknowledged} acknowledged`);
});

test("a member vouches for a bucket while others are written to without a pause", async () => {
  const simulation = new Simulation(1, nodeSurroundings);
  const process = new SimProcess(simulation, "n1", 0, 0.05);
  const engine = new SimDisk(simulation, "n1", { leastCommitMs: 2, mostCommitMs: 2 }).open(process);
  const clock = new MachineClock(simulation, 1, 0).of(process);
  const buffer = new WriteBuffer({ engine, clock, limitBytes: 1e6 });
  const holdings = holdingsOf(buffer, { isEmpty: () => true }, () => 16);
  const pledge = new Pledge(openMetaStore(engine, nodeSurroundings.checksum), holdings);
  for (let i = 0; i < 1000; i++) {
    simulation.schedule(i, process, () => buffer.put(placeOf("busy", `k${i}`, 16).storeKey, new Uint8Array(1)));
  }
  await simulation.run(100);
  const sponsor = "0000000000000001" as NodeId;
  const wanted = { attempt: "a", sponsor, sponsorIncarnation: "1", bucket: "carts", ringVersion: 1 };
  assert.equal(await simulation.settle(pledge.make(wanted), 100, "the promise"), "promised");
  await simulation.settle(pledge.end("a"), 100, "its end");
  const busy = { ...wanted, attempt: "b", bucket: "busy" };
  assert.equal(await simulation.settle(pledge.make(busy), 100, "the refusal"), "holds-data");
});
