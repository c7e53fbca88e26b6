/**
 * Who takes part in a young cluster's requests changes while they run: seats are filled, handed over, and sealed for a
 * moment. That costs them the moment, and not half of their time, after which others stand in (§4.6).
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "../../src/node/node.ts";
import { World } from "./world.ts";

const names = ["n1", "n2", "n3", "n4", "n5", "n6"];
/** A quarter of a request's usual time, and half of what owners are waited for. In ms. */
const quickMs = 500;

interface Told {
  readonly what: string;
  readonly ms: number;
}

/** Six nodes start at once, and each is written to as soon as all know each other: their seats have just begun to move. */
async function firstWrites(seed: number, partitions: number): Promise<readonly Told[]> {
  const world = new World(seed);
  for (const [i, name] of names.entries()) {
    world.start(name, { join: i === 0 ? [] : ["n1"], zone: `z${(i % 3) + 1}`, settings: { partitions } });
  }
  const nodeOf = (name: string): Node => world.nodes.get(name) as Node;
  const knowsAll = (name: string): boolean => {
    const up = nodeOf(name)
      .cluster()
      .members.filter(({ status }) => status !== "down");
    return nodeOf(name).isReady && up.length === names.length;
  };
  while (!names.every(knowsAll)) await world.simulation.run(5);
  const told: Told[] = [];
  const startedMs = world.simulation.now;
  for (let i = 0; i < 60; i++) {
    const name = names[i % names.length] as string;
    const request = { bucket: "carts", key: `k${i}`, value: new Uint8Array(100), contentType: "text/plain" };
    world.simulation.schedule(0, world.machine(name).process, () => {
      const done = nodeOf(name).put(request);
      void done.then(({ kind }) => told.push({ what: kind, ms: world.simulation.now - startedMs }));
    });
  }
  while (told.length < 60) await world.simulation.run(5);
  return told;
}

const cases = [
  { partitions: 128, seed: 2, why: "a seat that a request finds to be this node's own is not waited for" },
  {
    partitions: 16,
    seed: 4,
    why: "a seat that is sealed is taken, or tried again, at once, while other members still join",
  },
];

for (const { partitions, seed, why } of cases) {
  test(`the first writes of a cluster are quick: ${why}`, async () => {
    const slow = (await firstWrites(seed, partitions)).filter(({ what, ms }) => what !== "written" || ms > quickMs);
    assert.deepEqual(slow, []);
  });
}
