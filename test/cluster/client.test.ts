/** The native client and real processes: killed, stopped and started again while it writes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CartwheelError, connect, textCodec } from "../../src/host/client.ts";
import { RealCluster, type RealNode, until } from "./real-cluster.ts";

test("kill -9 and SIGSTOP of any node while a client writes: what it says of each write is so", async (t) => {
  await using cluster = await RealCluster.start(3);
  const peers = cluster.nodes.map(({ peer }) => `${peer.host}:${peer.port}`);
  await using db = await connect(peers);
  const bucket = db.bucket("carts", { codec: textCodec });
  const done: string[] = [];
  const refused: string[] = [];
  let unknown = 0;
  let slowestReadMs = 0;
  let isOver = false;
  const lane = async (name: string): Promise<void> => {
    for (let i = 0; !isOver; i++) {
      const key = `${name}-${i}`;
      try {
        await bucket.put(key, key);
        done.push(key);
        const began = performance.now();
        const found = await bucket.get(key);
        slowestReadMs = Math.max(slowestReadMs, performance.now() - began);
        assert.equal(found.kind === "value" && found.value, key);
      } catch (error) {
        if ((error as CartwheelError).outcome === "unknown") unknown++;
        else refused.push(`${key} ${String(error)}`);
      }
    }
  };
  const lanes = Array.from({ length: 16 }, (_, i) => lane(`l${i}`));
  for (let round = 0; round < 6; round++) {
    const victim = cluster.nodes[round % 3] as RealNode;
    const target = done.length + 100;
    await until(60_000, "the writes to go on", async () => done.length >= target || undefined);
    if (round % 2 === 0) {
      await victim.end("SIGKILL");
      victim.start();
    } else {
      victim.pause();
      const during = done.length + 20;
      await until(60_000, "writes while a node is stopped", async () => done.length >= during || undefined);
      await victim.resume();
    }
    await Promise.all(cluster.nodes.map((node) => node.ready()));
  }
  isOver = true;
  await Promise.all(lanes);
  await cluster.whole();
  t.diagnostic(
    `${done.length} done, ${unknown} unknown, ${refused.length} refused; slowest read ${Math.round(slowestReadMs)} ms`,
  );
  const found = await bucket.getMany(done, { r: "all", timeoutMs: 10_000 });
  for (const [i, one] of found.entries()) {
    assert.ok(one.status === "fulfilled" && one.value.kind === "value", `${done[i]} was acknowledged and is not there`);
  }
  for (const key of refused) {
    const one = await bucket.get(key.split(" ")[0] as string, { r: "all" });
    assert.equal(one.kind, "nothing", `${key}: and it is there`);
  }
});
