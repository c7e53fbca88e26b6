/** A real split of a real network: both sides go on, and afterwards are one again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CartWorkload, type RequestCounts, successShare } from "../cart-workload.ts";
import { NamespaceNetwork } from "../namespace-network.ts";
import { RealCluster, type RealNode, until } from "../real-cluster.ts";

const skip = NamespaceNetwork.skip();

function writtenShare({ writes, failedWrites }: RequestCounts): number {
  return 1 - failedWrites / Math.max(1, writes);
}

test("both sides of a split take writes, and within 10 s of its end every node shows what both took", {
  skip,
}, async (t) => {
  using network = new NamespaceNetwork(5);
  await using cluster = await RealCluster.start(5, { network });
  const west = cluster.nodes.slice(0, 2);
  const east = cluster.nodes.slice(2);
  using workload = new CartWorkload(60);
  await workload.fill(cluster.nodes);
  const groups = [west, east].map((nodes) => workload.shop(4, () => nodes));
  const goesOn = async (writes: number): Promise<void> => {
    for (const { counts } of groups) {
      const target = counts.writes + writes;
      await until(120_000, `${writes} more writes on a side`, async () => counts.writes >= target || undefined);
    }
  };

  await goesOn(200);
  network.split([0, 1], [2, 3, 4]);
  await goesOn(1000);
  const both = ["split-a", "split-b", "split-c", "split-d"];
  for (const cart of both) {
    for (const side of [west, east]) assert.equal(await workload.writeBlindly(cart, side[0] as RealNode), 204);
  }
  network.heal();
  workload.stop();
  await Promise.all(groups.map(({ done }) => done));

  const agreedMs = await workload.agreement(cluster.nodes, 10_000);
  for (const [i, { counts }] of groups.entries()) t.diagnostic(`${["west", "east"][i]}: ${JSON.stringify(counts)}`);
  t.diagnostic(`agreed after ${agreedMs} ms`);
  assert.deepEqual(await workload.flaws(cluster.nodes), []);
  for (const cart of both) {
    for (const node of cluster.nodes) {
      const { status, siblings } = await node.call("GET", `/kv/carts/${cart}?r=1`);
      assert.deepEqual({ status, siblings }, { status: 300, siblings: "2" }, `${cart} at ${node.name}`);
    }
  }
  for (const { counts } of groups)
    assert.ok(writtenShare(counts) >= 0.98, `${writtenShare(counts)} of the writes succeeded`);
});

test("a link that loses what goes one way, and says nothing, stops nobody", { skip }, async (t) => {
  using network = new NamespaceNetwork(4);
  await using cluster = await RealCluster.start(4, { network });
  using workload = new CartWorkload(60);
  await workload.fill(cluster.nodes);
  const { counts, done } = workload.shop(6, () => cluster.nodes);
  const goesOn = async (writes: number): Promise<void> => {
    const target = workload.acknowledged + writes;
    await until(120_000, `${writes} more writes`, async () => workload.acknowledged >= target || undefined);
  };

  await goesOn(200);
  network.cut(0, 1);
  network.cut(0, 2);
  await goesOn(1000);
  network.heal();
  await goesOn(200);
  workload.stop();
  await done;

  const agreedMs = await workload.agreement(cluster.nodes, 10_000);
  t.diagnostic(`${JSON.stringify(counts)}; agreed after ${agreedMs} ms`);
  assert.deepEqual(await workload.flaws(cluster.nodes), []);
  assert.ok(successShare(counts) >= 0.98, `${successShare(counts)} of the requests succeeded`);
});
