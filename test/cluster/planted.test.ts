/** That the workload and its checker catch what they are for: real clusters run from builds with a bug in them. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type PlantedLine, plantedCopy } from "../planted-copy.ts";
import { CartWorkload } from "./cart-workload.ts";
import { RealCluster, until } from "./real-cluster.ts";

/** Runs three nodes of that build under load, does to them what is asked, and answers the kinds of flaws found. */
async function flawsOf(
  bug: PlantedLine,
  fault: (cluster: RealCluster) => Promise<void>,
  args: readonly string[] = [],
): Promise<ReadonlySet<string>> {
  const executable = join(plantedCopy(bug), "src/cli/main.js");
  await using cluster = await RealCluster.start(3, { executableOf: () => executable, args });
  using workload = new CartWorkload(12);
  const { done } = workload.shop(12, () => cluster.live);
  await until(120_000, "a few hundred writes", async () => workload.acknowledged >= 400 || undefined);
  await fault(cluster);
  workload.stop();
  await done;
  const flaws = await workload.flaws(cluster.nodes, ["all"]);
  return new Set(flaws.map((flaw) => / is (\w+)$/.exec(flaw)?.[1] ?? flaw));
}

const none = async (): Promise<void> => {};

test("a merge that keeps one side's versions is caught: acknowledged writes are lost", async () => {
  const bug = {
    name: "real: a merge that keeps one side",
    file: "core/causality/sibling-set",
    find: "if (order === 0 || !holds(order < 0 ? b.context : a.context, sibling.dot))",
    replace: "if (order <= 0 || a.siblings.length === 0)",
  };
  assert.ok((await flawsOf(bug, none)).has("lost"));
});

test("a merge that keeps every version is caught: what was replaced returns", async () => {
  const bug = {
    name: "real: a merge that keeps all",
    file: "core/causality/sibling-set",
    find: "!holds(order < 0 ? b.context : a.context, sibling.dot)",
    replace: "true",
  };
  assert.ok((await flawsOf(bug, none)).has("returned"));
});

test("a store that answers before it has written is caught by kill -9 of all nodes: acknowledged writes are lost", async () => {
  const bug = {
    name: "real: a store that answers before it has written",
    file: "host/lmdb-engine",
    find: "const commit = this.#commit(operations);",
    replace:
      "const commit = new Promise((done) => setTimeout(done, 1)); setTimeout(() => this.#commit(operations), 200);",
  };
  const killAll = async ({ nodes }: RealCluster): Promise<void> => {
    await Promise.all(nodes.map((node) => node.end("SIGKILL")));
    for (const node of nodes) node.start();
    await Promise.all(nodes.map((node) => node.ready()));
  };
  assert.ok((await flawsOf(bug, killAll, ["--storage", "lmdb"])).has("lost"));
});
