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

test("a node that is told to stop while it starts does not start, and leaves nothing behind that goes on", async () => {
  const world = new World(2);
  await world.cluster(3);
  const { simulation } = world;
  const { schedule } = simulation;
  // It is let in about a second after its old directory was last heard of.
  for (let afterMs = 965; afterMs < 1016; afterMs += 0.4) {
    world.kill("n3");
    world.wipe("n3");
    const { node, started } = world.start("n3", { join: ["n1"] });
    await simulation.run(afterMs);
    const ended = started.then(
      () => "started",
      (error: unknown) => (error as { readonly code?: string }).code,
    );
    let before: string | undefined;
    void ended.then((outcome) => {
      before ??= outcome;
    });
    await simulation.run(0);
    const isServing = before === "started";
    const [, outcome] = await simulation.settle(Promise.all([node.stop(), ended]), 30_000, "it stops");
    assert.equal(outcome, isServing ? "started" : "stopped", `${afterMs} ms after its start`);
    await simulation.run(1000);
    let events = 0;
    const { process } = world.machine("n3");
    simulation.schedule = (...args) => {
      if (args[1] === process) events += 1;
      return schedule.apply(simulation, args);
    };
    await simulation.run(5000);
    simulation.schedule = schedule;
    assert.equal(events, 0, `${afterMs} ms after its start`);
  }
});
