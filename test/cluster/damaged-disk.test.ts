/** Bytes that went bad on a real disk while their node was down: never served, told of, and had again from the others. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RealCluster, type RealNode, until } from "./real-cluster.ts";

const keys = 120;
const damagedKeys = 30;

const pathOf = (i: number): string => `/kv/disk/key-${i}`;
const markOf = (i: number): string => `value ${i} of this test `;
const bodyOf = (i: number): string => markOf(i).padEnd(1024, "abcdefghij");

/** Changes one byte in everything the store has of these keys' values; answers how many keys that hit. */
function damage(node: RealNode): number {
  const hit = new Set<number>();
  for (const file of readdirSync(join(node.data, "store"))) {
    const path = join(node.data, "store", file);
    const bytes = readFileSync(path);
    for (let i = 0; i < damagedKeys; i++) {
      for (let at = bytes.indexOf(markOf(i)); at >= 0; at = bytes.indexOf(markOf(i), at + 1)) {
        bytes[at] = "V".charCodeAt(0);
        hit.add(i);
      }
    }
    writeFileSync(path, bytes);
  }
  return hit.size;
}

async function wrongAt(node: RealNode, query: string): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (let i = 0; i < keys; i++) {
    const { status, body } = await node.call("GET", `${pathOf(i)}${query}`);
    if (status !== 200 || body.toString() !== bodyOf(i)) wrong.push(`key-${i}: ${status} ${body.subarray(0, 200)}`);
  }
  return wrong;
}

async function stillDamaged(node: RealNode): Promise<number> {
  const metrics = (await node.call("GET", "/metrics")).body.toString();
  return Number(/^cartwheel_damaged_records (\d+)$/m.exec(metrics)?.[1]);
}

test("records damaged on disk are never served, and come back from the other owners", async (t) => {
  await using cluster = await RealCluster.start(3);
  const [first, damaged, third] = cluster.nodes as readonly [RealNode, RealNode, RealNode];
  for (let i = 0; i < keys; i++) {
    assert.equal((await first.call("PUT", `${pathOf(i)}?w=all&dw=all`, { body: bodyOf(i) })).status, 204);
  }
  await damaged.end("SIGTERM");
  assert.equal(damage(damaged), damagedKeys);
  damaged.start();
  await damaged.ready();
  await cluster.whole();

  assert.deepEqual(await wrongAt(damaged, ""), []);
  assert.equal(await stillDamaged(damaged), damagedKeys);
  assert.match(damaged.errors, /a stored record is damaged.*key-0|key-0.*a stored record is damaged/);
  // By itself it waits until no answer of before the damage can be on its way; an operator knows that none is.
  await until(60_000, "the damaged records to be whole again", async () => {
    await damaged.call("POST", "/cluster/repair?force=true");
    return (await stillDamaged(damaged)) === 0 || undefined;
  });
  for (const other of [first, third]) await other.end("SIGKILL");
  assert.deepEqual(await wrongAt(damaged, "?r=1"), []);
  t.diagnostic(`${damagedKeys} of ${keys} records were damaged`);
});
