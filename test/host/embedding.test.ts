/** A node inside another process: `import { startNode } from "cartwheel"`. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type RunningNode, startNode } from "../../src/host/index.ts";

const ports = { listen: "127.0.0.1:0", http: false, storage: "memory" } as const;

const peerOf = (node: RunningNode): string => node.api.cluster().members[0]?.peer ?? "";

test("two embedded nodes are a cluster, and close with the scope they were opened in", async () => {
  let first: RunningNode | undefined;
  {
    await using one = await startNode({ name: "n1", zone: "a", ...ports });
    first = one;
    await using two = await startNode({ name: "n2", zone: "b", ...ports, join: [peerOf(one)] });
    assert.equal(two.http, undefined);
    assert.equal(two.api.cluster().members.length, 2);
    const value = new TextEncoder().encode("from the other");
    const put = await two.api.put({ bucket: "b", key: "k", value, contentType: "text/plain", timeoutMs: 10_000 });
    assert.equal(put.kind, "written", JSON.stringify(put));
    const got = await one.api.get({ bucket: "b", key: "k", r: "all", timeoutMs: 10_000 });
    assert.equal(got.kind, "found", JSON.stringify(got));
    assert.deepEqual(got.kind === "found" && got.versions.map((version) => version.value.toString()), [
      value.toString(),
    ]);
  }
  assert.equal(first.api.isReady, false);
  await first.stop();
});

test("what cannot start rejects with a sentence, and gives its ports and directory free", async () => {
  await using node = await startNode({ name: "n1", ...ports });
  const seeds = [peerOf(node)];
  await assert.rejects(startNode({ name: "n1", ...ports, join: seeds }), /the name n1 is taken by a member that is up/);
  await assert.rejects(startNode({ name: "n2", listen: ports.listen, http: false }), /needs a data directory/);
  const given = AbortSignal.abort(new Error("changed my mind"));
  await assert.rejects(startNode({ name: "n2", ...ports, join: seeds, signal: given }), /changed my mind/);
});

test("a cluster is not founded with settings that its node could not read back", async () => {
  const data = await mkdtemp(join(tmpdir(), "cartwheel-embedding-"));
  try {
    const options = { name: "n1", listen: "127.0.0.1:0", http: false, data } as const;
    for (const [settings, why] of [
      [{ w: 4 }, /w is 4 and n is 3/],
      [{ n: 2, r: 3 }, /r is 3 and n is 2/],
      [{ partitions: 100 }, /partitions is 100/],
    ] as const) {
      await assert.rejects(startNode({ ...options, settings }), why);
    }
    // Nothing of it stays behind.
    const settings = { n: 4, w: 4 };
    await (await startNode({ ...options, settings })).stop();
    await (await startNode({ ...options, settings })).stop();
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});

test("the package's own name leads to the same door", async () => {
  const name: string = "cartwheel";
  assert.equal(((await import(name)) as { startNode: unknown }).startNode, startNode);
});

test("a directory whose store is gone does not begin anew in silence, and zone and capacity need no repeating", async () => {
  const data = await mkdtemp(join(tmpdir(), "cartwheel-embedding-"));
  try {
    const options = { name: "n1", listen: "127.0.0.1:0", http: false, data } as const;
    await (await startNode({ ...options, zone: "a", capacity: 2 })).stop();
    const again = await startNode(options);
    const [member] = again.api.cluster().members;
    assert.deepEqual([member?.zone, member?.capacity], ["a", 2]);
    await again.stop();
    await rm(join(data, "store"), { recursive: true });
    await assert.rejects(startNode(options), /the store of a member of cluster [0-9a-f]{32} is gone/);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
