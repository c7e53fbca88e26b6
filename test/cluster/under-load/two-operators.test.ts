/**
 * A real split of a real network, and an operator on either side who changes the membership: both changes hold, and after
 * the heal there is one ring everywhere, with every seat and all data where they shall be.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterView, RingView } from "../../../src/node/api.ts";
import { CartWorkload } from "../cart-workload.ts";
import { NamespaceNetwork } from "../namespace-network.ts";
import { RealCluster, type RealNode, until } from "../real-cluster.ts";

const skip = NamespaceNetwork.skip();
const withinMs = 120_000;

async function capacityOf(name: string, asked: RealNode): Promise<number | undefined> {
  const { members } = await asked.json<ClusterView>("/cluster");
  return members.find((member) => member.name === name)?.capacity;
}

test("two operators accept a join and a change of capacity on both sides of a split: after it there is one ring", {
  skip,
}, async (t) => {
  using network = new NamespaceNetwork(6);
  await using cluster = await RealCluster.start(6, { network, founders: 5 });
  const [n1, n2, n3, n4, n5, n6] = cluster.nodes as [RealNode, RealNode, RealNode, RealNode, RealNode, RealNode];
  const [west, east] = [
    [n1, n2],
    [n3, n4, n5],
  ] as const;
  using workload = new CartWorkload(60);
  await workload.fill([...west, ...east]);
  const groups = [west, east].map((nodes) => workload.shop(3, () => nodes));
  const goesOn = async (writes: number): Promise<void> => {
    for (const { counts } of groups) {
      const target = counts.writes + writes;
      await until(withinMs, `${writes} more writes on a side`, async () => counts.writes >= target || undefined);
    }
  };

  await goesOn(50);
  network.split([0, 1, 5], [2, 3, 4]);
  n6.start(["--join", `${n1.peer.host}:${n1.peer.port}`]);
  const { status } = await n3.call("PUT", "/cluster/members/n5", {
    body: JSON.stringify({ capacity: 2 }),
    headers: { "content-type": "application/json" },
  });
  assert.equal(status, 202);
  await n6.ready(60_000);
  await goesOn(150);
  // Neither side knows what the other has decided.
  assert.equal(await capacityOf("n6", n3), undefined);
  assert.equal(await capacityOf("n5", n1), 1);
  network.heal();
  const startedMs = performance.now();
  await cluster.whole(cluster.nodes, withinMs);
  t.diagnostic(`every seat in its place ${((performance.now() - startedMs) / 1000).toFixed(1)} s after the heal`);
  workload.stop();
  await Promise.all(groups.map(({ done }) => done));

  const agreedMs = await workload.agreement(cluster.nodes, 30_000);
  for (const [i, { counts }] of groups.entries()) t.diagnostic(`${["west", "east"][i]}: ${JSON.stringify(counts)}`);
  t.diagnostic(`agreed after ${agreedMs} ms`);
  assert.deepEqual(await workload.flaws(cluster.nodes), []);
  const rings = new Set<string>();
  for (const node of cluster.nodes) {
    const { ringVersion, pendingTransfers, members } = await node.json<ClusterView>("/cluster");
    const { partitions } = await node.json<RingView>("/cluster/ring");
    rings.add(JSON.stringify([ringVersion, pendingTransfers, partitions]));
    assert.equal(members.length, 6);
    assert.equal(await capacityOf("n5", node), 2);
  }
  assert.equal(rings.size, 1, "there is more than one ring");
});
