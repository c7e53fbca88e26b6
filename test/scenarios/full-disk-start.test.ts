/** A node whose disk is full can be started all the same: it is read, and takes up what is new once there is room. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { metaKey } from "../../src/storage/store-key.ts";
import { World } from "../membership/world.ts";

test("a node starts on a full disk though the others have news for it, is read, and stores once there is room", async () => {
  const world = new World(1);
  await world.cluster(3);
  assert.equal(await world.put("n1", "kept", "v", 3), "written");
  world.kill("n3");
  // Those that are written to say something new of themselves from time to time.
  for (let i = 0; i < 3; i++) {
    await world.simulation.run(20_000);
    assert.equal(await world.put("n1", "other", `v${i}`), "written");
  }
  const { disk } = world.machine("n3");
  disk.isFull = true;
  const others = (world.nodes.get("n1")?.cluster().members ?? []).filter(({ name }) => name !== "n3");
  const known = (): string =>
    others.map(({ id }) => Buffer.from(disk.get(metaKey(`record/${id}`).bytes) ?? [])).join("\n");
  const knownBefore = known();
  await world.up("n3");
  const read = await world.inside("n3", (node) => node.get({ bucket: "carts", key: "kept", r: 3, pr: 3 }));
  assert.ok(read.kind === "found" && read.voices === 3);
  disk.isFull = false;
  await world.simulation.run(5000);
  assert.notEqual(known(), knownBefore);
  assert.equal(await world.put("n3", "kept", "more", 3), "written");
});

/** What the machine's disk says of who holds which seat, partition by partition. */
function seatsOnDisk(world: World, machine: string): readonly unknown[] {
  const { disk } = world.machine(machine);
  return Array.from({ length: 16 }, (_, partition) => {
    const stored = disk.get(metaKey(`seat/${partition}`).bytes);
    if (stored === undefined) return undefined;
    return (JSON.parse(new TextDecoder().decode(stored.subarray(4))) as { readonly known: unknown }).known;
  });
}

for (const isRestarted of [false, true]) {
  const when = isRestarted ? "after a restart on the full disk" : "as it is";
  test(`seats that a full disk did not take are stored once there is room, ${when}`, async () => {
    const world = new World(1);
    await world.cluster(3);
    // What is merely known is written now and then.
    await world.simulation.run(2000);
    const n2 = world.nodes.get("n2");
    const ringBefore = n2?.cluster().ringVersion;
    const { node, started } = world.start("n4", { join: ["n1"] });
    assert.ok(await world.simulation.runUntil(() => n2?.cluster().ringVersion !== ringBefore, 10_000));
    const { disk } = world.machine("n2");
    disk.isFull = true;
    const before = seatsOnDisk(world, "n2");
    await world.simulation.settle(started, 60_000, "n4 starts");
    await world.simulation.run(2000);
    // A write that is refused may be there all the same: what the disk has until it has room, chance decides.
    assert.ok(disk.refusedWrites > 0);
    if (isRestarted) {
      world.kill("n2");
      await world.up("n2");
    }
    disk.isFull = false;
    await world.agreed();
    await world.simulation.run(5000);
    assert.notDeepEqual(seatsOnDisk(world, "n2"), before);
    assert.deepEqual(seatsOnDisk(world, "n2"), seatsOnDisk(world, "n4"));
    assert.equal(node.cluster().pendingTransfers, 0);
  });
}
