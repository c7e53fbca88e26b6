/** A disk that is lost: its node takes its place again, and one repair makes it whole; and what equal replicas cost. */

import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { test } from "node:test";
import { RealCluster, type RealNode, until } from "./real-cluster.ts";

const keys = 4000;
const equalBytes = 100 * 1024;

interface RepairView {
  readonly running: boolean;
  readonly lastRun?: {
    readonly keysRepaired: number;
    readonly keysCompared: number;
    readonly bytesSent: number;
    readonly bytesReceived: number;
    readonly finished: string;
  };
}

const pathOf = (i: number): string => `/kv/disk/key-${i}`;
const bodyOf = (i: number): string => `value ${i} `.padEnd(1024, "abcdefghij");

/** Sixteen at a time. */
async function eachKey(act: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < keys) await act(next++);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

/** Starts a repair and waits for the end of the run that it started or joined. */
async function repair(node: RealNode): Promise<NonNullable<RepairView["lastRun"]>> {
  const before = (await node.json<RepairView>("/cluster/repair")).lastRun?.finished;
  assert.equal((await node.call("POST", "/cluster/repair")).status, 202);
  return until(120_000, "the repair to end", async () => {
    const { running, lastRun } = await node.json<RepairView>("/cluster/repair");
    return running || lastRun?.finished === before ? undefined : lastRun;
  });
}

async function isDownFor(others: readonly RealNode[], name: string): Promise<void> {
  await until(20_000, `${name} to be seen as down`, async () => {
    for (const other of others) {
      const { members } = await other.json<{ members: { name: string; status: string }[] }>("/cluster");
      if (members.find((member) => member.name === name)?.status !== "down") return undefined;
    }
    return true;
  });
}

test("one of three nodes loses its disk with 4,000 keys: after one repair it alone serves all, and equal replicas cost little", async (t) => {
  await using cluster = await RealCluster.start(3);
  const [first, lost, third] = cluster.nodes as readonly [RealNode, RealNode, RealNode];
  await eachKey(async (i) => {
    const { status, body } = await (cluster.nodes[i % 3] as RealNode).call("PUT", pathOf(i), { body: bodyOf(i) });
    assert.equal(status, 204, body.toString());
  });

  await lost.end("SIGKILL");
  await rm(lost.data, { recursive: true });
  await isDownFor([first, third], lost.name);
  lost.start(["--join", `${first.peer.host}:${first.peer.port}`]);
  await lost.ready();
  const refill = await repair(lost);
  t.diagnostic(`refilled: ${JSON.stringify(refill)}`);

  for (const other of [first, third]) await other.end("SIGKILL");
  const missing: string[] = [];
  await eachKey(async (i) => {
    const { status, body } = await lost.call("GET", `${pathOf(i)}?r=1`);
    if (status !== 200 || body.toString() !== bodyOf(i)) missing.push(`${pathOf(i)}: ${status}`);
  });
  assert.deepEqual(missing.slice(0, 10), [], `${missing.length} keys are missing`);

  for (const other of [first, third]) other.start();
  for (const other of [first, third]) await other.ready();
  await cluster.whole();
  const equal = await repair(lost);
  t.diagnostic(`equal: ${JSON.stringify(equal)}`);
  assert.equal(equal.keysRepaired, 0);
  assert.ok(equal.bytesSent + equal.bytesReceived < equalBytes, JSON.stringify(equal));
});
