/** A request that comes too late at its coordinator is not begun; one that comes in time is waited for. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriteOutcome } from "../../src/node/api.ts";
import { World } from "../membership/world.ts";

const key = "k";

/** Four nodes, and one of them that is no owner of the key. */
async function withOutsider(): Promise<{ world: World; outsider: string; owners: readonly string[] }> {
  const world = new World(1);
  await world.cluster(4, { settings: { n: 3 } });
  const located = world.nodes.get("n1")?.locate("carts", key);
  const owners = located?.preferenceList.slice(0, 3).map(({ name }) => name) ?? [];
  const outsider = ["n1", "n2", "n3", "n4"].find((name) => !owners.includes(name)) as string;
  await world.simulation.run(2000);
  return { world, outsider, owners };
}

function putWithin(world: World, on: string, timeoutMs: number): Promise<WriteOutcome> {
  const value = Uint8Array.of(1);
  const request = { bucket: "carts", key, value, contentType: "text/plain", timeoutMs };
  return world.inside(on, (node) => node.put(request));
}

for (const [stoppedMs, isDone] of [
  [300, true],
  [800, false],
  [1500, false],
] as const) {
  test(`a write of 500 ms whose coordinator is stopped for ${stoppedMs} ms is ${isDone ? "done" : "never begun"}`, async () => {
    const { world, outsider, owners } = await withOutsider();
    for (const owner of owners) world.machine(owner).process?.pause();
    world.simulation.schedule(stoppedMs, undefined, () => {
      for (const owner of owners) world.machine(owner).process?.resume();
    });
    const outcome = await putWithin(world, outsider, 500);
    await world.simulation.run(10_000);
    assert.deepEqual(await world.get(outsider, key), isDone ? ["\u0001"] : []);
    assert.equal(outcome.kind, isDone ? "written" : "failure");
  });
}

test("a write that was passed on waits for a coordinator that falls silent: it can go nowhere else", async () => {
  const { world, outsider, owners } = await withOutsider();
  for (const owner of owners) world.machine(owner).process?.pause();
  world.simulation.schedule(1500, undefined, () => {
    for (const owner of owners) world.machine(owner).process?.resume();
  });
  const startedMs = world.simulation.now;
  assert.equal((await putWithin(world, outsider, 4000)).kind, "written");
  assert.ok(world.simulation.now - startedMs < 2000);
  // One that has not left goes on to the next at once.
  for (const owner of owners.slice(0, 2)) world.machine(owner).process?.pause();
  await world.simulation.run(1500);
  assert.equal((await putWithin(world, outsider, 4000)).kind, "written");
});
