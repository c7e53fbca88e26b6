/** A cluster grows under load from three real processes to six, gives one up and loses one, and nobody notices (§2.1, §6.2). */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PartitionId } from "../../../src/core/ids.ts";
import { partitionOf } from "../../../src/core/ring/key-hash.ts";
import type { Plan } from "../../../src/core/ring/plan.ts";
import type { ClusterView, RingView } from "../../../src/node/api.ts";
import { KnownKeys } from "../known-keys.ts";
import { RealCluster, type RealNode, until } from "../real-cluster.ts";

/** A removed member's seats are rebuilt only once it has been silent for half a minute. */
const withinMs = 180_000;

/** Who keeps each partition, by its first three nodes. */
async function holders(node: RealNode): Promise<readonly ReadonlySet<string>[]> {
  const { partitions } = await node.json<RingView>("/cluster/ring");
  return partitions.map(({ preferenceList }) => new Set(preferenceList.slice(0, 3)));
}

/** Replicas that somebody keeps now and did not before. */
function moved(before: readonly ReadonlySet<string>[], after: readonly ReadonlySet<string>[]): number {
  return after.reduce((sum, now, i) => sum + [...now].filter((name) => before[i]?.has(name) !== true).length, 0);
}

/** The mean number of keys that a node keeps, over the greatest, as in Figure 8; all have the same capacity. */
function efficiency(kept: readonly ReadonlySet<string>[], names: readonly string[]): number {
  const keys = new Map(names.map((name) => [name, 0]));
  for (let i = 0; i < 50_000; i++) {
    const partition: PartitionId = partitionOf("known", `any-${i}`, kept.length);
    for (const name of kept[partition] ?? []) keys.set(name, (keys.get(name) ?? 0) + 1);
  }
  const counts = [...keys.values()];
  return counts.reduce((sum, count) => sum + count, 0) / counts.length / Math.max(...counts);
}

test("three nodes grow to six under load, one leaves, one is lost and removed: no request notices", async (t) => {
  await using cluster = await RealCluster.start(6, { founders: 3 });
  const n1 = cluster.node("n1");
  using keys = new KnownKeys(400, () => cluster.live);
  await keys.fill();
  const running = keys.run(8);
  running.catch(() => {});
  let members: readonly RealNode[] = cluster.nodes.slice(0, 3);

  const step = async (what: string, plan: string, act: () => Promise<readonly RealNode[]>): Promise<void> => {
    const planned = await n1.json<Plan>(`/cluster/plan?${plan}`);
    const before = await holders(n1);
    const asked = keys.told.requests;
    const startedMs = performance.now();
    members = await act();
    await cluster.whole(members, withinMs);
    const seconds = (performance.now() - startedMs) / 1000;
    const after = await holders(n1);
    const names = members.map(({ name }) => name);
    const share = moved(before, after) / planned.fewest;
    const balance = efficiency(after, names);
    const requests = keys.told.requests - asked;
    t.diagnostic(
      `${what}: ${seconds.toFixed(1)} s, ${requests} requests, x ${share.toFixed(2)} moved, ${balance.toFixed(3)} efficient`,
    );
    assert.ok(share <= 1.5, `${what} moved ${share} times as much as it must`);
    assert.ok(balance >= 0.9, `after ${what} the efficiency is ${balance}`);
    assert.deepEqual((await keys.flaws(members, false)).slice(0, 5), [], `after ${what}`);
  };

  for (const name of ["n4", "n5", "n6"]) {
    await step(`the join of ${name}`, `change=join&name=${name}`, async () => {
      const node = cluster.node(name);
      node.start(["--join", `${n1.peer.host}:${n1.peer.port}`]);
      await node.ready(60_000);
      return [...members, node];
    });
  }
  const isMember = async (name: string): Promise<boolean> => {
    const view = await n1.json<ClusterView>("/cluster");
    return view.members.some((member) => member.name === name);
  };
  await step("the leave of n2", "change=leave&name=n2", async () => {
    const { status } = await n1.call("POST", "/cluster/members/n2/leave");
    assert.equal(status, 202);
    await until(withinMs, "n2 to have left", async () => ((await isMember("n2")) ? undefined : true));
    return members.filter(({ name }) => name !== "n2");
  });
  await step("the loss of n5", "change=remove&name=n5", async () => {
    await cluster.node("n5").end("SIGKILL");
    await until(20_000, "n5 to be removed", async () => {
      const { status } = await n1.call("DELETE", "/cluster/members/n5");
      return status === 202 ? true : undefined;
    });
    return members.filter(({ name }) => name !== "n5");
  });

  keys.stop();
  await running;
  let flaws: readonly string[] = [];
  const showsAll = async (): Promise<true | undefined> => {
    flaws = await keys.flaws(members, true);
    return flaws.length === 0 ? true : undefined;
  };
  await until(20_000, "every member to show the newest of every key", showsAll).catch(() => {});
  assert.deepEqual(flaws.slice(0, 5), []);
  const { requests, failed, disturbed, failures, wrong } = keys.told;
  t.diagnostic(`${requests} requests, ${failed} failed, ${disturbed} were asked of a node when it was killed`);
  for (const failure of failures) t.diagnostic(failure);
  assert.deepEqual(wrong.slice(0, 5), []);
  assert.ok(failed <= requests / 1000, `${failed} of ${requests} requests failed: ${failures.join("\n")}`);
});
