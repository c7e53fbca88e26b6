/**
 * A seat that nobody has held yet is filled like any other: what there is to copy comes before anybody is asked for a
 * promise, a few partitions at a time and no faster than allowed; and it is told how much that is.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { PartitionCopies } from "../../src/node/partition-copies.ts";
import { plant } from "./plant.ts";
import { World } from "./world.ts";

const keys = 120;
const value = "v".repeat(1000);
const limits = { transferBytesPerSecond: 64 * 1024 };

/** Keys that came with copies: at their turn, and while somebody waited. */
let [inTurn, atOnce] = [0, 0];
const { copy, copyTail } = PartitionCopies.prototype;
after(
  plant(PartitionCopies.prototype, "copy", async function (this: PartitionCopies, ...of) {
    const copied = await copy.apply(this, of);
    inTurn += copied.kind === "whole" ? copied.keys : 0;
    return copied;
  }),
);
after(
  plant(PartitionCopies.prototype, "copyTail", async function (this: PartitionCopies, ...of) {
    const copied = await copyTail.apply(this, of);
    atOnce += copied.kind === "whole" ? copied.keys : 0;
    return copied;
  }),
);

/** Lets all seats be filled; how long that took, and whether it was told early how much there is. */
async function filledIn(world: World, name: string): Promise<{ readonly seconds: number; readonly isTold: boolean }> {
  [inTurn, atOnce] = [0, 0];
  const startedMs = world.simulation.now;
  let isTold = false;
  const isFilled = (): boolean => {
    const view = world.nodes.get(name)?.transfers();
    const coming = view?.transfers.filter(({ kind }) => kind === "rebuild") ?? [];
    isTold ||= coming.length > 12 && coming.every(({ keysInAll }) => (keysInAll ?? 0) > 0);
    return coming.length === 0 && view?.pending === 0 && (view.taken?.seats ?? 0) > 0;
  };
  assert.ok(await world.simulation.runUntil(isFilled, 120_000), world.describe());
  return { seconds: (world.simulation.now - startedMs) / 1000, isTold };
}

test("the second and the third node of a cluster copy what there is at their ease, and say how much it is", async () => {
  const world = new World(1);
  await world.up("n1", { limits });
  for (let i = 0; i < keys; i++) assert.equal(await world.put("n1", `k${i}`, value), "written");
  for (const name of ["n2", "n3"]) {
    world.start(name, { join: ["n1"], limits });
    const { seconds, isTold } = await filledIn(world, name);
    assert.deepEqual([inTurn, atOnce], [keys, 0], name);
    assert.ok(isTold, `${name} did not say how much there is`);
    assert.ok(seconds > (0.8 * keys * value.length) / limits.transferBytesPerSecond, `${name}: ${seconds} s`);
  }
});

test("so does whoever takes the seat that a greater n asks for", async () => {
  const world = new World(2);
  await world.cluster(4, { limits });
  for (let i = 0; i < keys; i++) assert.equal(await world.put("n1", `k${i}`, value), "written");
  [inTurn, atOnce] = [0, 0];
  await world.inside("n1", (node) => node.setBucket("carts", { n: 4 }));
  const isWhole = (): boolean => [...world.nodes.values()].every((node) => node.transfers().transfers.length === 0);
  assert.ok(await world.simulation.runUntil(() => inTurn + atOnce >= keys && isWhole(), 120_000), world.describe());
  assert.deepEqual([inTurn, atOnce], [keys, 0]);
});
