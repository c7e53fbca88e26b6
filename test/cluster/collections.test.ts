/** The garbage of values is collected where it is young: a node must not look through its whole heap for it all the time. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { RealCluster, type RealNode } from "./real-cluster.ts";

/** By itself V8 looks through all of it some thirty times in as many requests. */
const most = 8;

/** Counted from the first time that the node is asked. */
async function collections(node: RealNode, kind: "major" | "minor"): Promise<number> {
  const text = (await node.call("GET", "/metrics")).body.toString();
  const found = new RegExp(`^nodejs_gc_duration_seconds_count\\{kind="${kind}"\\} (\\S+)$`, "m").exec(text);
  return Number(found?.[1] ?? 0);
}

test("values of 64 KiB pass through a node with hardly a full collection of its heap", async (t) => {
  const cluster = await RealCluster.start(3);
  t.after(() => cluster.stop());
  const body = Buffer.alloc(64 * 1024, "v");
  const exchange = async (i: number): Promise<void> => {
    const node = cluster.nodes[i % 3] as RealNode;
    const path = `/kv/b/k${i % 300}`;
    const { context } = await node.call("GET", path);
    if (i % 2 === 0) return;
    const { status } = await node.call("PUT", path, { body, context });
    assert.equal(status, 204);
  };
  for (const node of cluster.nodes) await collections(node, "major");
  for (let i = 0; i < 3000; i += 4) await Promise.all([0, 1, 2, 3].map((more) => exchange(i + more)));
  for (const node of cluster.nodes) {
    assert.ok((await collections(node, "minor")) > 0, `${node.name} counts its collections`);
    const times = await collections(node, "major");
    assert.ok(times <= most, `${node.name} collected its whole heap ${times} times`);
  }
});
