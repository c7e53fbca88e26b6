/** Files of the log engine that are really damaged, under whole nodes: nothing wrong is served, and what can be is had again. */

import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { crc32 } from "../../src/core/hash/crc32.ts";
import type { RunningNode, startNode as StartNode } from "../../src/host/index.ts";
import type { Log, LogFields } from "../../src/runtime/log.ts";
import { plantedCopy } from "../planted-copy.ts";

/** The product, but for its log's segments and checkpoints, which are a sixteenth of their size: that is soon written. */
const withSmallSegments = plantedCopy({
  name: "segments of a mebibyte",
  file: "storage/log/log-engine",
  find: "const leastSegmentBytes = 16 * 1024 * 1024;",
  replace: "const leastSegmentBytes = 1024 * 1024;",
  and: {
    find: "const leastCheckpointBytes = 32 * 1024 * 1024;",
    replace: "const leastCheckpointBytes = 2 * 1024 * 1024;",
  },
});
const { startNode } = (await import(pathToFileURL(join(withSmallSegments, "src/host/index.js")).href)) as {
  readonly startNode: typeof StartNode;
};

/** Enough for three segments and a checkpoint. */
const keys = 440;
const valueBytes = 6200;
let scratch = "";
const running: Map<string, RunningNode> = new Map();
/** What n3 said since its last start. */
let said: string[] = [];

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), "cartwheel-damaged-log-"));
  await start("n1");
  for (const name of ["n2", "n3"]) await start(name, peerOf("n1"));
  for (let from = 0; from < keys; from += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, i) => put(from + i)));
  }
});

after(async () => {
  await Promise.all([...running.values()].map((node) => node.stop()));
  await rm(scratch, { recursive: true, force: true });
});

const dataOf = (name: string): string => join(scratch, name);
const storeOf = (name: string): string => join(dataOf(name), "store");
const peerOf = (name: string): string =>
  running
    .get(name)
    ?.api.cluster()
    .members.find((member) => member.name === name)?.peer ?? "";

const markOf = (i: number): string => `value ${i} of this test `;
const bodyOf = (i: number): Uint8Array => Buffer.alloc(valueBytes, markOf(i));

async function put(i: number): Promise<void> {
  const outcome = await running
    .get("n1")
    ?.api.put({ bucket: "b", key: `k${i}`, value: bodyOf(i), contentType: "x/y", w: 3 });
  assert.equal(outcome?.kind, "written", JSON.stringify(outcome));
}

const listening: Log = {
  debug: () => {},
  info: () => {},
  warn: (message, fields) => listen(message, fields),
  error: (message, fields) => listen(message, fields),
  child: () => listening,
};

function listen(message: string, fields: LogFields = {}): void {
  said.push(`${message} ${JSON.stringify(fields)}`);
}

async function start(name: string, through?: string): Promise<RunningNode> {
  const node = await startNode({
    name,
    data: dataOf(name),
    storage: "log",
    listen: "127.0.0.1:0",
    http: false,
    zone: name,
    settings: { partitions: 16, n: 3, r: 2, w: 2 },
    ...(name === "n3" && { log: listening }),
    ...(through !== undefined && { join: [through] }),
  });
  running.set(name, node);
  return node;
}

async function stop(name: string): Promise<void> {
  await running.get(name)?.stop();
  running.delete(name);
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1200; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`${what}: not within a minute`);
}

/** All three voices have the keys, this node's among them: each key, or one of so many. */
async function servesAll(node: RunningNode, oneOf = 8): Promise<void> {
  await until("the voices come back", () => !node.api.repair().rebuild.running);
  assert.deepEqual(node.api.repair().rebuild.waitingFor, []);
  for (let i = 0; i < keys; i += oneOf) {
    const found = await node.api.get({ bucket: "b", key: `k${i}`, r: 3, pr: 3 });
    assert.ok(found.kind === "found" && found.versions.length === 1, `k${i}: ${JSON.stringify(found).slice(0, 300)}`);
    assert.ok(Buffer.from(found.versions[0]?.value ?? []).equals(bodyOf(i)), `k${i} is another value`);
  }
}

const filesOf = (name: string, kind: string): readonly string[] =>
  readdirSync(storeOf(name))
    .filter((file) => file.endsWith(`.${kind}`))
    .sort()
    .map((file) => join(storeOf(name), file));

const setAside = (): readonly string[] => readdirSync(dataOf("n3")).filter((file) => file.startsWith("store-damaged-"));

function flip(file: string, at: number): void {
  const descriptor = openSync(file, "r+");
  assert.ok(at < fstatSync(descriptor).size);
  writeSync(descriptor, Uint8Array.of((readFileSync(file)[at] as number) ^ 4), 0, 1, at);
  closeSync(descriptor);
}

/** The damage to n3, which is down meanwhile; the names of its files before. */
async function damaged(act: (segments: readonly string[], checkpoints: readonly string[]) => void): Promise<void> {
  await stop("n3");
  const [segments, checkpoints] = [filesOf("n3", "segment"), filesOf("n3", "checkpoint")];
  assert.ok(segments.length >= 3, `${segments.length} segments`);
  assert.equal(checkpoints.length, 1);
  act(segments, checkpoints);
  said = [];
}

describe("a node on a damaged log", () => {
  test("refuses the keys of damaged values, and has them again from the others", async () => {
    let hit = 0;
    await damaged((segments) => {
      for (const segment of segments) {
        const bytes = readFileSync(segment);
        for (let i = 0; i < keys; i += 20) {
          const at = bytes.indexOf(Buffer.from(markOf(i).repeat(2)));
          if (at < 0) continue;
          bytes[at + 5000] = (bytes[at + 5000] as number) ^ 1;
          hit++;
        }
        writeFileSync(segment, bytes);
      }
    });
    assert.equal(hit, keys / 20);
    const before = setAside().length;
    const node = await start("n3");
    assert.equal(setAside().length, before);
    await until("the damage is found", () => node.api.repair().damaged.waiting === hit);
    for (let i = 0; i < keys; i += 20) {
      const found = await node.api.get({ bucket: "b", key: `k${i}`, r: 2 });
      assert.ok(found.kind === "found" && Buffer.from(found.versions[0]?.value ?? []).equals(bodyOf(i)), `k${i}`);
    }
    assert.equal(said.filter((line) => line.startsWith("a stored record is damaged")).length, hit);
    node.api.startRepair(true);
    await until("what was damaged is whole again", () => node.api.repair().damaged.waiting === 0);
    await servesAll(node, 1);
  });

  const harmless: Readonly<Record<string, (segments: readonly string[], checkpoints: readonly string[]) => void>> = {
    "a checkpoint that is cut off": (_, [checkpoint = ""]) => truncateSync(checkpoint, statSync(checkpoint).size >> 1),
    "a checkpoint of no bytes": (_, [checkpoint = ""]) => truncateSync(checkpoint, 0),
    "a checkpoint with a flipped bit": (_, [checkpoint = ""]) => flip(checkpoint, statSync(checkpoint).size >> 1),
    "no checkpoint": (_, [checkpoint = ""]) => rmSync(checkpoint),
    "the head of a segment lost": ([segment = ""]) => flip(segment, 9),
    "files that are not its own": () => {
      writeFileSync(join(storeOf("n3"), "notes.txt"), "mine");
      writeFileSync(join(storeOf("n3"), "0000ffff.segment"), Buffer.alloc(9000, "no log at all"));
    },
  };
  for (const [what, damage] of Object.entries(harmless)) {
    test(`takes no harm from ${what}`, async () => {
      await damaged(damage);
      const before = setAside().length;
      await servesAll(await start("n3"));
      assert.equal(setAside().length, before);
      await until("another checkpoint", () => filesOf("n3", "checkpoint").length === 1);
    });
  }
  test("leaves alone what is not its own", () => assert.ok(existsSync(join(storeOf("n3"), "notes.txt"))));

  const fatal: Readonly<Record<string, (segments: readonly string[]) => string>> = {
    "a segment that is missing": (segments) => gone(segments[1], (file) => rmSync(file)),
    "a segment of no bytes": (segments) => gone(segments[1], (file) => truncateSync(file, 0)),
    "a damaged head of a group": (segments) => gone(segments[1], (file) => flip(file, 40)),
  };
  for (const [what, damage] of Object.entries(fatal)) {
    test(`sets the store aside for ${what}, names the file, and is filled again`, async () => {
      let name = "";
      await damaged((segments, checkpoints) => {
        // A checkpoint would stand in for the groups before it.
        for (const checkpoint of checkpoints) rmSync(checkpoint);
        name = damage(segments);
      });
      const before = setAside().length;
      const node = await start("n3");
      assert.equal(setAside().length, before + 1);
      assert.ok(
        said.some((line) => line.startsWith("the store is damaged: it is set aside") && line.includes(name)),
        `${name} in ${said.join("\n")}`,
      );
      await servesAll(node);
      await until("a checkpoint", () => filesOf("n3", "checkpoint").length === 1);
      for (const aside of setAside()) rmSync(join(dataOf("n3"), aside), { recursive: true });
    });
  }

  test("refuses a file of a newer version, by its name, and leaves everything where it is", async () => {
    let file = "";
    let kept = Buffer.alloc(0);
    await damaged((segments) => {
      file = segments[1] ?? "";
      kept = readFileSync(file);
      const newer = Buffer.from(kept.subarray(0, 16));
      newer.writeUInt32BE(2, 8);
      newer.writeUInt32BE(crc32(newer.subarray(0, 12)), 12);
      const descriptor = openSync(file, "r+");
      writeSync(descriptor, newer, 0, newer.length, 0);
      closeSync(descriptor);
    });
    const before = readdirSync(storeOf("n3"));
    await assert.rejects(
      start("n3"),
      /\.segment has format 2, this version of the log engine knows formats up to 1: start a newer one/,
    );
    assert.deepEqual(readdirSync(storeOf("n3")), before);
    assert.deepEqual(setAside(), []);
    writeFileSync(file, kept);
    await servesAll(await start("n3"));
  });

  test("is not opened by another engine, which names both", async () => {
    await stop("n3");
    const options = { name: "n3", data: dataOf("n3"), listen: "127.0.0.1:0", http: false } as const;
    await assert.rejects(
      startNode({ ...options, storage: "lmdb" }),
      /belongs to the log engine and cannot be opened with lmdb/,
    );
    const node = await startNode(options);
    running.set("n3", node);
    await servesAll(node);
  });
});

/** Does it to the file; answers its last name. */
function gone(file: string | undefined, act: (file: string) => void): string {
  assert.ok(file !== undefined);
  act(file);
  return file.slice(file.lastIndexOf("/") + 1);
}
