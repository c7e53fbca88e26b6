/**
 * Three zones of real processes, one of which is killed whole, and comes back, and then is cut off, and comes back: with
 * a copy in each, writes of two and reads of two go on all the while, those that ask for two zones too (§4.6, §6.1).
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CartWorkload } from "../cart-workload.ts";
import { NamespaceNetwork } from "../namespace-network.ts";
import { RealCluster, type RealNode } from "../real-cluster.ts";

const skip = NamespaceNetwork.skip();
const zones = ["a", "b", "c"];
const withinMs = 120_000;

test("a zone of three is killed, then cut off: writes and reads of two zones go on, and all agree afterwards", {
  skip,
}, async (t) => {
  using network = new NamespaceNetwork(6);
  const zoneOf = (name: string): string => zones[(Number(name.slice(1)) - 1) % 3] as string;
  await using cluster = await RealCluster.start(6, { network, argsOf: (name) => ["--zone", zoneOf(name)] });
  const inZone = (zone: string): readonly RealNode[] => cluster.nodes.filter(({ name }) => zoneOf(name) === zone);
  const left = [...inZone("b"), ...inZone("c")];
  using workload = new CartWorkload(60);
  await workload.fill(cluster.nodes);
  const { counts, done } = workload.shop(6, () => left);

  /**
   * For a while, requests of two zones to those who are left, one after the other, each of which must succeed: from some
   * seconds after the loss on, since what was passed on to one that is lost before that is known ends as unknown.
   */
  const asksTwoZones = async (what: string): Promise<void> => {
    const knownMs = performance.now() + 5000;
    for (let i = 0; performance.now() < knownMs; i++) {
      await (left[i % left.length] as RealNode).call("PUT", `/kv/zoned/${what}-first-${i}?w=2&zones=2`, { body: "0" });
    }
    const target = workload.acknowledged + 200;
    for (let i = 0; workload.acknowledged < target; i++) {
      const node = left[i % left.length] as RealNode;
      const path = `/kv/zoned/${what}-${i}`;
      const written = await node.call("PUT", `${path}?w=2&zones=2`, { body: String(i) });
      assert.equal(written.status, 204, `${what}: ${written.body}`);
      const read = await node.call("GET", `${path}?r=2&zones=2`);
      assert.ok([200, 300].includes(read.status), `${what}: ${read.status} ${read.body}`);
      assert.ok(i < 5000, "the workload hardly runs");
    }
  };

  await Promise.all(inZone("a").map((node) => node.end("SIGKILL")));
  await asksTwoZones("killed");
  for (const node of inZone("a")) node.start();
  for (const node of inZone("a")) await node.ready();
  await cluster.whole(cluster.nodes, withinMs);

  network.split([0, 3], [1, 2, 4, 5]);
  await asksTwoZones("cut-off");
  network.heal();
  workload.stop();
  await done;

  await cluster.whole(cluster.nodes, withinMs);
  const agreedMs = await workload.agreement(cluster.nodes, 30_000);
  t.diagnostic(`${JSON.stringify(counts)}; agreed after ${agreedMs} ms`);
  assert.deepEqual(await workload.flaws(cluster.nodes), []);
  const { writes, failedWrites, reads, failedReads, failures } = counts;
  const share = (failedWrites + failedReads) / (writes + reads);
  assert.ok(share <= 0.01, `${share} of the requests failed: ${failures.join("\n")}`);
});
