import assert from "node:assert/strict";
import { test } from "node:test";
import { CartWorkload } from "../cart-workload.ts";
import { RealCluster, type RealNode, until } from "../real-cluster.ts";

test("kill -9 of any node at any moment under load loses nothing that was acknowledged with w=2", async (t) => {
  await using cluster = await RealCluster.start(5);
  using workload = new CartWorkload(24);
  const { counts, done } = workload.shop(16, () => cluster.live);

  // Each node twice, each time after another few hundred acknowledged writes, two of them down at once in between.
  for (let round = 0; round < 10; round++) {
    const victim = cluster.nodes[round % cluster.nodes.length] as RealNode;
    const target = workload.acknowledged + 150 + round * 7;
    await until(120_000, "the workload to go on", async () => workload.acknowledged >= target || undefined);
    await victim.end("SIGKILL");
    if (round % 3 === 0) {
      const second = cluster.nodes[(round + 2) % cluster.nodes.length] as RealNode;
      await second.end("SIGKILL");
      second.start();
    }
    victim.start();
    await Promise.all(cluster.nodes.map((node) => node.ready()));
  }
  workload.stop();
  await done;
  await cluster.whole();
  assert.ok(workload.acknowledged > 1500, "the workload hardly ran");
  const agreedMs = await workload.agreement(cluster.nodes, 10_000);
  t.diagnostic(`${JSON.stringify(counts)}; agreed after ${agreedMs} ms`);
  assert.deepEqual(await workload.flaws(cluster.nodes), []);
});
