/** Stores that are really damaged, under whole nodes: nothing wrong is served, and the others fill a new one. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { type RunningNode, startNode } from "../../src/host/index.ts";

const keys = 300;
let scratch = "";
const running: Map<string, RunningNode> = new Map();
const children: Set<ChildProcess> = new Set();

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), "cartwheel-damaged-"));
  await start("n1");
  const through = peerOf("n1");
  await start("n2", through);
  await start("n3", through);
  const all = Array.from({ length: keys }, (_, i) => put(`k${i}`, i));
  await Promise.all(all);
});

after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all([...running.values()].map((node) => node.stop()));
  await rm(scratch, { recursive: true, force: true });
});

const valueNo = (i: number): Uint8Array => new Uint8Array(1000).fill(i);
const dataOf = (name: string): string => join(scratch, name);
const fileOf = (name: string): string => join(dataOf(name), "store", "data.mdb");
const peerOf = (name: string): string =>
  running
    .get(name)
    ?.api.cluster()
    .members.find((member) => member.name === name)?.peer ?? "";

async function put(key: string, i: number): Promise<void> {
  const outcome = await running.get("n1")?.api.put({ bucket: "b", key, value: valueNo(i), contentType: "x/y", w: 3 });
  assert.equal(outcome?.kind, "written", JSON.stringify(outcome));
}

async function start(name: string, through?: string): Promise<RunningNode> {
  const settings = { partitions: 16, n: 3, r: 2, w: 2 } as const;
  const node = await startNode({
    name,
    data: dataOf(name),
    storage: "lmdb",
    listen: "127.0.0.1:0",
    http: false,
    zone: name,
    settings,
    ...(through !== undefined && { join: [through] }),
  });
  running.set(name, node);
  return node;
}

async function stop(name: string): Promise<void> {
  await running.get(name)?.stop();
  running.delete(name);
}

/** Every key is there, by its own voice, with the other two away or not. */
async function servesAll(node: RunningNode): Promise<void> {
  const isRebuilt = (): boolean => !node.api.repair().rebuild.running;
  for (let i = 0; i < 600 && !isRebuilt(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(node.api.repair().rebuild.waitingFor, []);
  for (let i = 0; i < keys; i++) {
    const found = await node.api.get({ bucket: "b", key: `k${i}`, r: 3, pr: 3 });
    assert.ok(found.kind === "found" && found.versions.length === 1, JSON.stringify(found));
    assert.deepEqual(found.versions[0]?.value, valueNo(i));
  }
}

function overwrite(file: string, at: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, bytes, 0, bytes.length, at);
  closeSync(descriptor);
}

const setAside = (name: string): readonly string[] =>
  readdirSync(dataOf(name)).filter((file) => /^store-damaged-/.test(file));

/** Starts n3 in a process of its own, which damage may end; resolves with `serving`, or how it ended. */
async function startApart(): Promise<{ readonly child: ChildProcess; readonly became: string }> {
  const child = spawn(process.execPath, ["dist/test/host/node-apart.js", "n3", dataOf("n3")], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  children.add(child);
  if (child.stdout === null) throw new Error("no output to read");
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ended = new Promise<string>((resolve) => {
    child.once("close", (status, signal) => resolve(`ended with ${signal ?? status}`));
  });
  const became = await Promise.race([
    ended,
    lines.next().then(({ value }) => (value === undefined ? ended : String(value))),
  ]);
  return { child, became };
}

test("a store that cannot be opened is set aside, and its node takes its place again through members it remembers", async () => {
  const damages: Readonly<Record<string, (file: string) => void>> = {
    "cut off": (file) => truncateSync(file, 8192),
    "head lost": (file) => overwrite(file, 0, new Uint8Array(8192)),
    "something else": (file) => truncateSync(file, 100),
  };
  for (const [what, damage] of Object.entries(damages)) {
    await stop("n3");
    damage(fileOf("n3"));
    const before = setAside("n3").length;
    const node = await start("n3");
    assert.equal(setAside("n3").length, before + 1, what);
    await servesAll(node);
    assert.equal(node.api.cluster().members.find(({ name }) => name === "n3")?.zone, "n3");
  }
  await stop("n3");
  await servesAll(await start("n3"));
});

test("damage in the middle ends the node that meets it, and started again it is filled anew", async () => {
  await stop("n3");
  const { size } = statSync(fileOf("n3"));
  // Every second page of the rest: some of it is met with an error, some ends the process.
  for (let at = 16_384; at + 4096 <= size; at += 8192) overwrite(fileOf("n3"), at, new Uint8Array(4096).fill(at % 251));
  const before = setAside("n3").length;
  let became = "";
  for (let tries = 0; tries < 8 && became !== "serving"; tries++) {
    const apart = await startApart();
    became = apart.became;
    if (became !== "serving") continue;
    // It may serve for a moment before its first scan meets the damage.
    const lives = new Promise<string>((resolve) => setTimeout(() => resolve("serving"), 3000));
    const ends = new Promise<string>((resolve) => apart.child.once("close", () => resolve("ended")));
    became = await Promise.race([lives, ends]);
    if (became === "serving") {
      const closed = new Promise((resolve) => apart.child.once("close", resolve));
      apart.child.kill("SIGTERM");
      await closed;
    }
  }
  assert.equal(became, "serving");
  assert.equal(setAside("n3").length, before + 1);
  await servesAll(await start("n3"));
});

test("a store of the only member there ever was is not set aside: nobody could fill it", async () => {
  const data = dataOf("alone");
  const options = { name: "alone", data, storage: "lmdb", listen: "127.0.0.1:0", http: false } as const;
  await (await startNode(options)).stop();
  truncateSync(fileOf("alone"), 8192);
  await assert.rejects(startNode(options), /the store in .* is damaged .*--join/);
  assert.deepEqual(setAside("alone"), []);
});

test("a node whose own records are damaged says what its next start does, which then does it", async () => {
  await stop("n3");
  const stored = readFileSync(fileOf("n3"));
  for (let at = stored.indexOf('{"node":"'); at >= 0; at = stored.indexOf('{"node":"', at + 1)) stored[at + 2] = 0x4e;
  writeFileSync(fileOf("n3"), stored);
  const before = setAside("n3").length;
  await assert.rejects(start("n3"), /the store of n3 is damaged: .*identity.*; started again, it sets it aside/);
  const node = await start("n3");
  assert.equal(setAside("n3").length, before + 1);
  await servesAll(node);
});
