/** A disk that is really full: its node keeps serving, others take what it cannot, and it has all once there is room. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CartWorkload, successShare } from "../cart-workload.ts";
import { RealCluster, type RealNode, until } from "../real-cluster.ts";
import { SmallDisk } from "../small-disk.ts";

const skip = SmallDisk.skip();

test("with one of four disks full, requests succeed, and it has everything once there is room", { skip }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cartwheel-disk-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const disk = new SmallDisk(directory, 24 * 1024 * 1024);
  await using cluster = await RealCluster.start(4, {
    withinOf: (name) => (name === "n2" ? disk.within : undefined),
    dataOf: (name) => (name === "n2" ? disk.dataOf(name) : undefined),
  });
  using workload = new CartWorkload(100);
  await workload.fill(cluster.nodes);
  const { counts, done } = workload.shop(6, () => cluster.live);
  const goesOn = async (writes: number): Promise<void> => {
    const target = workload.acknowledged + writes;
    await until(120_000, `${writes} more writes`, async () => workload.acknowledged >= target || undefined);
  };

  await goesOn(300);
  disk.fill(cluster.node("n2"));
  // A store that is full still has room within for carts like those it has: what is new and large has none.
  for (let i = 0; i < 200; i++) {
    const status = await workload.writeBlindly(`large-${i}`, cluster.nodes[i % 4] as RealNode, 16_384);
    assert.equal(status, 204, `large-${i}`);
  }
  await goesOn(300);
  const refused: string[] = [];
  for (let i = 0; i < 8; i++) {
    const path = `/kv/other/large-${i}?pw=all&dw=all&timeout=1000`;
    const { status, body } = await cluster.node("n1").call("PUT", path, { body: Buffer.alloc(65_536) });
    if (status !== 204) refused.push(`${status} ${body}`);
  }
  disk.free(cluster.node("n2"));
  await goesOn(300);
  workload.stop();
  await done;

  t.diagnostic(`what needs every disk: ${refused[0]}`);
  assert.ok(refused.length > 0, "its disk was not full");
  const agreedMs = await workload.agreement(cluster.nodes, 10_000);
  t.diagnostic(`${JSON.stringify(counts)}; agreed after ${agreedMs} ms`);
  assert.deepEqual(await workload.flaws(cluster.nodes), []);
  assert.ok(successShare(counts) >= 0.998, `${successShare(counts)} of the requests succeeded`);
});
