/** Nodes that are told to stop do, whatever their requests wait for. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../membership/world.ts";

test("nodes that stop together do not wait for each other's copies beyond their time to finish", async () => {
  const world = new World(1);
  await world.cluster(3);
  const value = new TextEncoder().encode("v");
  // Each finds the other stopping, which may pass, and would ask again until its client's patience ends.
  const stopped = ["n1", "n2"].map((name) => {
    const node = world.nodes.get(name);
    assert.ok(node);
    return new Promise<string>((resolve) => {
      world.simulation.schedule(0, world.machine(name).process, () => {
        const request = { bucket: "carts", key: name, value, contentType: "text/plain", w: 3, timeoutMs: 60_000 };
        const answered = node.put(request);
        void node.stop().then(async () => {
          const outcome = await answered;
          resolve(outcome.kind === "failure" ? `${outcome.code} ${outcome.outcome}` : outcome.kind);
        });
      });
    });
  });
  const outcomes = await world.simulation.settle(Promise.all(stopped), 11_000, "both stop");
  assert.deepEqual(outcomes, ["quorum-not-met unknown", "quorum-not-met unknown"]);
});
