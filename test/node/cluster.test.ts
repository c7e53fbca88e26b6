/** Several nodes in one process over TCP on loopback, with the memory engine: the whole data path, no fault. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defaultLimits } from "../../src/core/limits.ts";
import { hostRuntime } from "../../src/host/runtime.ts";
import type { GetFound, GetOutcome, WriteOutcome, Written } from "../../src/node/api.ts";
import { Node } from "../../src/node/node.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { MemoryEngine } from "../../src/storage/memory-engine.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const nodes: Node[] = [];

async function startNode(name: string, join: readonly string[]): Promise<Node> {
  const node = new Node({
    runtime: hostRuntime(silentLog),
    engine: new MemoryEngine(),
    name,
    zone: `zone-${name}`,
    listen: "127.0.0.1:0",
    http: "",
    join,
    settings: { partitions: 32 },
    limits: defaultLimits,
    software: "test",
  });
  await node.start();
  nodes.push(node);
  return node;
}

/** Resolves when every seat is where it shall be. */
async function settled(): Promise<void> {
  const isPending = (node: Node): boolean => node.cluster().pendingTransfers > 0;
  while (nodes.some(isPending)) await new Promise((resolve) => setTimeout(resolve, 20));
}

function found(outcome: GetOutcome): GetFound {
  if (outcome.kind !== "found") assert.fail(JSON.stringify(outcome));
  return outcome;
}

function written(outcome: WriteOutcome): Written {
  if (outcome.kind !== "written") assert.fail(JSON.stringify(outcome));
  return outcome;
}

function texts(outcome: GetFound): readonly string[] {
  return outcome.versions.map(({ value }) => decoder.decode(value)).sort();
}

function put(node: Node | undefined, key: string, text: string, context?: string): Promise<WriteOutcome> {
  const value = encoder.encode(text);
  assert.ok(node);
  return node.put({
    bucket: "b",
    key,
    value,
    contentType: "text/plain",
    ...(context === undefined ? {} : { context }),
  });
}

async function get(node: Node | undefined, key: string): Promise<GetFound> {
  assert.ok(node);
  return found(await node.get({ bucket: "b", key }));
}

before(async () => {
  const first = await startNode("n1", []);
  const peer = first.cluster().members[0]?.peer ?? "";
  await Promise.all(["n2", "n3", "n4", "n5"].map((name) => startNode(name, [peer])));
  await settled();
});

after(() => Promise.all(nodes.map((node) => node.stop())));

test("what is put at one node is read at every other", async () => {
  written(await put(nodes[0], "everywhere", "hello"));
  for (const node of nodes) assert.deepEqual(texts(await get(node, "everywhere")), ["hello"]);
});

test("two puts with one context, through two coordinators or one, leave two siblings", async () => {
  for (const [key, second] of [
    ["two", nodes[3]],
    ["one", nodes[1]],
  ] as const) {
    written(await put(nodes[1], key, "start"));
    const { context } = await get(nodes[2], key);
    assert.ok(context);
    const [left, right] = await Promise.all([put(nodes[1], key, "left", context), put(second, key, "right", context)]);
    written(left);
    written(right);
    for (const node of nodes) assert.deepEqual(texts(await get(node, key)), ["left", "right"]);

    const both = await get(nodes[4], key);
    assert.ok(both.context);
    written(await put(nodes[0], key, "resolved", both.context));
    assert.deepEqual(texts(await get(nodes[1], key)), ["resolved"]);
  }
});

test("a put with the context that a write answered with replaces that write and nothing its client has not seen", async () => {
  const mine = written(await put(nodes[0], "blind", "mine"));
  written(await put(nodes[1], "blind", "theirs"));
  assert.deepEqual(texts(await get(nodes[2], "blind")), ["mine", "theirs"]);
  const next = written(await put(nodes[3], "blind", "mine again", mine.context));
  assert.deepEqual(texts(await get(nodes[4], "blind")), ["mine again", "theirs"]);
  written(await put(nodes[3], "blind", "mine at last", next.context));
  assert.deepEqual(texts(await get(nodes[4], "blind")), ["mine at last", "theirs"]);
});

test("a delete removes what its context has seen, and a concurrent write survives it", async () => {
  written(await put(nodes[0], "gone", "old"));
  const { context } = await get(nodes[1], "gone");
  assert.ok(context);
  written(await put(nodes[2], "gone", "concurrent"));
  assert.ok(nodes[3]);
  written(await nodes[3].delete({ bucket: "b", key: "gone", context }));
  assert.deepEqual(texts(await get(nodes[4], "gone")), ["concurrent"]);
  written(await nodes[3].delete({ bucket: "b", key: "gone" }));
  const last = await get(nodes[4], "gone");
  assert.deepEqual(texts(last), []);
  assert.ok(last.context, "a deleted key has a context");
});

test("if-absent refuses where a live version is, and writes where there is none or only a tombstone", async () => {
  const node = nodes[2];
  assert.ok(node);
  const value = encoder.encode("first");
  const request = { bucket: "b", key: "only-once", value, contentType: "text/plain", onlyIfAbsent: true };
  written(await node.put(request));
  const refused = await nodes[1]?.put(request);
  assert.equal(refused?.kind === "failure" && refused.code, "precondition-failed");
  written(await node.delete({ bucket: "b", key: "only-once" }));
  written(await node.put(request));
});

test("a token of another key, or one that was tampered with, is refused", async () => {
  const { context } = written(await put(nodes[0], "token-a", "a"));
  for (const wrong of [context, `${context}x`, "", "nonsense"]) {
    const outcome = await put(nodes[1], "token-b", "b", wrong);
    assert.equal(outcome.kind === "failure" && outcome.code, "bad-context", wrong);
  }
});

test("a write id is one version however often its write is sent", async () => {
  const write = { bucket: "b", key: "retry", value: encoder.encode("v"), contentType: "text/plain", writeId: "w-1" };
  for (const node of nodes) written(await node.put(write));
  assert.deepEqual(texts(await get(nodes[0], "retry")), ["v"]);
});

test("a write id given to another write by mistake loses neither write", async () => {
  const [node] = nodes;
  assert.ok(node);
  const base = { bucket: "b", key: "reused", contentType: "text/plain", writeId: "w-1" };
  const first = written(await node.put({ ...base, value: encoder.encode("first") }));
  written(await node.put({ ...base, value: encoder.encode("second") }));
  assert.deepEqual(texts(await get(nodes[1], "reused")), ["first", "second"]);
  const { context } = first;
  written(await node.delete({ bucket: "b", key: "reused", writeId: "w-1", context }));
  assert.deepEqual(texts(await get(nodes[1], "reused")), ["second"]);
});

test("a bucket keeps one version where it is told to, and each bucket its own n", async () => {
  const [first, second] = nodes;
  assert.ok(first && second);
  assert.equal((await first.setBucket("single", { reconcile: "last-write-wins" })).kind, "set");
  assert.equal((await second.setBucket("wide", { n: 5, r: 3, w: 3 })).kind, "set");
  await second.setBucket("single", { n: 2, r: 2, w: 1 });
  await settled();
  for (const text of ["a", "b", "c"]) {
    const value = encoder.encode(text);
    written(await first.put({ bucket: "single", key: "k", value, contentType: "text/plain", w: 2 }));
    written(await first.put({ bucket: "wide", key: "k", value, contentType: "text/plain", w: "all" }));
  }
  assert.equal(found(await second.get({ bucket: "single", key: "k" })).versions.length, 1);
  assert.equal(found(await second.get({ bucket: "wide", key: "k", r: 5 })).versions.length, 3);
  assert.equal((await first.setBucket("wide", { n: 3, r: 2, w: 2 })).kind, "set");
  assert.equal(found(await second.get({ bucket: "wide", key: "k" })).versions.length, 3);
});

test("more answers than copies are refused, with the value and what is allowed", async () => {
  const outcome = await nodes[0]?.get({ bucket: "b", key: "k", r: 4 });
  assert.ok(outcome?.kind === "failure");
  assert.equal(outcome.code, "bad-request");
  assert.match(outcome.detail, /r is 4, allowed are 1 to 3/);
});
