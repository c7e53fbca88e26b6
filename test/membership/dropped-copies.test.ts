/** Copies that are nobody's go, whatever brings them: one that stays keeps its keys from being forgotten. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Replica } from "../../src/node/replica.ts";
import { dataRange } from "../../src/storage/store-key.ts";
import { plant } from "./plant.ts";
import { World } from "./world.ts";

const keys: readonly string[] = Array.from({ length: 200 }, (_, i) => `key-${i}`);

/** How many keys lie on the machines' disks. */
function keysOn(world: World, ...machines: readonly string[]): number {
  const { from } = dataRange();
  const all = machines.flatMap((machine) => [...world.machine(machine).disk.contents().values()]);
  return all.filter(({ key }) => key[0] === from[0]).length;
}

const everywhere = ["n1", "n2", "n3", "n4"] as const;

async function filled(seed: number, size: number): Promise<World> {
  const world = new World(seed);
  await world.cluster(size);
  for (const key of keys) assert.equal(await world.put("n1", key, key), "written");
  return world;
}

test("what comes to one that holds nothing, of an exchange that began before, goes like what was there before", async () => {
  const world = await filled(1, 3);
  await world.up("n4", { join: ["n2"] });
  await world.agreed();
  await world.simulation.run(5000);
  assert.equal(keysOn(world, ...everywhere), 3 * keys.length);
  // Whatever is merged anywhere is merged at n1, too, as if an exchange of before had brought it late.
  let late = 0;
  let atN1: Replica | undefined;
  const { merge, write } = Replica.prototype;
  const known = plant(Replica.prototype, "write", function (this: Replica, ...of) {
    atN1 = this;
    return write.apply(this, of);
  });
  const own = keys.find((key) => world.nodes.get("n1")?.locate("carts", key)?.preferenceList[0]?.name === "n1");
  assert.equal(await world.put("n1", own as string, "n1 coordinates it"), "written");
  known();
  const heal = plant(Replica.prototype, "merge", function (this: Replica, place, state, lastWriteWins, listener) {
    if (this !== atN1 && atN1?.read(place).kind === "state") {
      late += 1;
      merge.call(atN1, place, state, lastWriteWins, undefined);
    }
    return merge.call(this, place, state, lastWriteWins, listener);
  });
  for (const key of keys) await world.put("n2", key, `${key} again`);
  heal();
  assert.ok(late > keys.length);
  assert.ok(keysOn(world, ...everywhere) > 3 * keys.length);
  await world.simulation.run(10_000);
  assert.equal(keysOn(world, ...everywhere), 3 * keys.length);
});
