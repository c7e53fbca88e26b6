/** The first promise of the store, on real processes: always writable while nodes die and hang, and nothing lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CartWorkload, successShare } from "../cart-workload.ts";
import { RealCluster, until } from "../real-cluster.ts";

const pausedMs = 3000;

test("of six nodes two are killed, twice, and one hangs: requests to the others succeed, and all agree in the end", async (t) => {
  await using cluster = await RealCluster.start(6);
  using workload = new CartWorkload(100);
  await workload.fill(cluster.nodes);
  const { counts, done } = workload.shop(8, () => cluster.live);
  const goesOn = async (writes: number): Promise<void> => {
    const target = workload.acknowledged + writes;
    await until(120_000, `${writes} more writes`, async () => workload.acknowledged >= target || undefined);
  };

  await goesOn(500);
  for (const names of [
    ["n1", "n2"],
    ["n3", "n5"],
  ]) {
    const victims = names.map((name) => cluster.node(name));
    await Promise.all(victims.map((node) => node.end("SIGKILL")));
    await goesOn(1000);
    for (const node of victims) node.start();
    await Promise.all(victims.map((node) => node.ready()));
    await goesOn(500);
  }
  cluster.node("n4").pause();
  await new Promise((resolve) => setTimeout(resolve, pausedMs));
  await cluster.node("n4").resume();
  workload.stop();
  await done;

  const agreedMs = await workload.agreement(cluster.nodes, 5000);
  t.diagnostic(`${JSON.stringify(counts)}; agreed after ${agreedMs} ms`);
  assert.deepEqual(await workload.flaws(cluster.nodes), []);
  assert.ok(successShare(counts) >= 0.998, `${successShare(counts)} of the requests to live nodes succeeded`);
});
