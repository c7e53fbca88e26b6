/**
 * The bytes of each kind of message, once and for all: `test/data/golden-frames.txt` has a line for each, its name and
 * its frame in hexadecimal digits. A change that breaks one speaks another protocol: it needs a new version in
 * `hello.ts`, not new lines there.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import type { Sibling } from "../../src/core/causality/sibling-set.ts";
import type { ActorId, NodeId, PartitionId } from "../../src/core/ids.ts";
import { defaultLimits } from "../../src/core/limits.ts";
import type { HistoryEvent } from "../../src/core/membership/event.ts";
import type { NodeRecord } from "../../src/core/membership/node-record.ts";
import type { KnownSeats } from "../../src/core/seats/known.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import { FrameEncoder } from "../../src/wire/frame-encoder.ts";
import { encodePreamble, ownVersions } from "../../src/wire/hello.ts";
import type { Message } from "../../src/wire/message.ts";
import { messageKinds } from "./message-arbitraries.ts";

const n1 = "00112233445566ff" as NodeId;
const n2 = "f0e1d2c3b4a59687" as NodeId;
const actor = "Zm9vYmFyYmF.1a" as ActorId;
const cluster = "0123456789abcdef0123456789abcdef";
const value = Uint8Array.from(Buffer.from('{"sku":"tea","pieces":2}'));
const sibling: Sibling = {
  dot: { actor, counter: 7 },
  value,
  checksum: crc32(value),
  contentType: "application/json",
  modified: 1_700_000_000_123,
};
const context = [
  { actor: "Zm9vYmFyYmE.0" as ActorId, from: 1, to: 300, time: 1_700_000_000_001 },
  { actor, from: 1, to: 4, time: 1_700_000_000_100 },
  { actor, from: 7, to: 7, time: 1_700_000_000_123 },
];
const state = { context, siblings: [{ ...sibling, dot: { actor, counter: 3 }, writeId: "w-1" }, sibling] };
const tombstone = { context, siblings: [] };
const found: HistoryEvent = {
  kind: "found",
  lamport: 1,
  author: n1,
  at: 1_700_000_000_000,
  cluster,
  settings: { partitions: 256, n: 3, r: "quorum", w: 2 },
  name: "n1",
  zone: "a",
  capacity: 1,
  claim: 1,
};
const join: HistoryEvent = {
  kind: "join",
  lamport: 2,
  author: n1,
  at: 1_700_000_000_500,
  node: n2,
  directory: n1,
  name: "n2",
  zone: "b",
  capacity: 100,
  claim: 1,
};
const bucket: HistoryEvent = {
  kind: "bucket",
  lamport: 3,
  author: n2,
  at: 1_700_000_001_000,
  bucket: "carts",
  change: { n: 5, r: "one", w: "all", pr: 0, pw: 1, dw: 2, durability: "buffered", reconcile: "last-write-wins" },
};
const smallBucket: HistoryEvent = { ...bucket, lamport: 4, change: { durability: "synced" } };
const about = { author: n1, at: 1_700_000_003_000, node: n2, claim: 1 };
const changes: readonly HistoryEvent[] = [
  { kind: "capacity", lamport: 5, ...about, capacity: 8 },
  { kind: "zone", lamport: 6, ...about, zone: "c" },
  { kind: "leave", lamport: 7, ...about },
  { kind: "remove", lamport: 8, ...about },
];
const record: NodeRecord = {
  node: n2,
  incarnation: `2-${n1}`,
  version: 1_700_000_002_000,
  peer: "[::1]:7400",
  http: "",
  voices: 128,
  software: "0.1.0",
};
const history = [{ author: n1, events: 2, last: 2 }];
const summary = { history: { hi: 0x01020304, lo: 0xfffefdfc }, records: { hi: 1, lo: 2 ** 32 - 1 } };
const asker = { node: n2, incarnation: `2-${n1}`, stamp: 1_700_000_003_000 };
const seatsHash = { hi: 0x01234567, lo: 0x89abcdef };
const versions = [{ node: n2, incarnation: `2-${n1}`, version: 1_700_000_002_000 }];
const sixteen = Array.from({ length: 16 }, (_, i) => ({ hi: i, lo: 2 ** 32 - 1 - i }));
const recent = { earlier: { hi: 7, lo: 0xfedcba98 }, newest: [{ lamport: 300, author: n1 }] };
const noNews = { events: [], records: [], wantedEvents: [], wantedRecords: [], parts: [] };
const tree = { partition: 300 as PartitionId, n: 3 };
const coordinated = { knownHash: 0x89abcdef, bucket: "carts", key: "Grüße/42" };
const place = { bucket: "carts", key: "Grüße/42" };
const key = { ...coordinated, changes: 3 };
const known: KnownSeats = [
  { held: 1_048_577, holder: n1, fence: 2_097_152, fencedBy: n2 },
  { held: -1, fence: -1 },
  { held: 3, holder: n2, fence: 3, filled: { count: 300, hash: 0x89abcdef } },
];

const seat = { partition: 300 as PartitionId, seat: 2 };

const messages: Readonly<Record<string, Message>> = {
  "hello member": { kind: "hello", id: 0, role: "member", cluster, node: n1, incarnation: `1-${n1}`, name: "n1" },
  "hello joiner": { kind: "hello", id: 0, role: "joiner", cluster: "", node: n2, incarnation: "", name: "n2" },
  "hello client": { kind: "hello", id: 0, role: "client", cluster, node: n2, incarnation: "", name: "shop" },
  ping: { kind: "ping", id: 1 },
  done: { kind: "done", id: 65_537 },
  refusal: {
    kind: "refusal",
    id: 2,
    ringVersion: 2,
    code: "not-ready",
    detail: "the node n2 is starting",
    mayHaveHappened: false,
  },
  "refusal of a quorum": {
    kind: "refusal",
    id: 3,
    ringVersion: 2,
    code: "quorum-not-met",
    detail: "2 answers needed, 1 received",
    needed: 2,
    received: 1,
    mayHaveHappened: true,
  },
  "replica-get": { kind: "replica-get", id: 4, ...key },
  "replica-get of a stand-in": { kind: "replica-get", id: 35, ...key, standInFor: n2 },
  "replica-put": {
    kind: "replica-put",
    id: 5,
    ...key,
    purpose: "write",
    synced: true,
    lastWriteWins: false,
    state,
  },
  "replica-put of a tombstone as a hint": {
    kind: "replica-put",
    id: 6,
    ...key,
    purpose: "repair",
    synced: false,
    lastWriteWins: true,
    hintFor: n2,
    state: tombstone,
  },
  "replica-put of a hint that comes home": {
    kind: "replica-put",
    id: 36,
    ...key,
    purpose: "hint",
    synced: true,
    lastWriteWins: false,
    state: tombstone,
  },
  "replica-state": { kind: "replica-state", id: 7, voice: { seat: 2, epoch: 300 }, state },
  "replica-state of nothing": { kind: "replica-state", id: 8 },
  "replica-stored": { kind: "replica-stored", id: 9, voice: { seat: 0, epoch: 1 }, synced: true },
  "replica-stored without a voice": { kind: "replica-stored", id: 10, synced: false },
  "coordinate-get": { kind: "coordinate-get", id: 11, ...coordinated, budgetMs: 1900 },
  "coordinate-get with quorums": {
    kind: "coordinate-get",
    id: 12,
    ...coordinated,
    budgetMs: 1900,
    r: "all",
    pr: 1,
    zones: 2,
  },
  "coordinate-get of a fallback": { kind: "coordinate-get", id: 37, ...coordinated, budgetMs: 900, asFallback: true },
  "coordinate-write": {
    kind: "coordinate-write",
    id: 13,
    ...coordinated,
    budgetMs: 250,
    w: 2,
    pw: "one",
    dw: "quorum",
    zones: 2,
    context,
    onlyIfAbsent: true,
    writeId: "w-2",
    version: { value, checksum: crc32(value), contentType: "application/json" },
  },
  "coordinate-write of a blind delete": {
    kind: "coordinate-write",
    id: 14,
    ...coordinated,
    budgetMs: 0,
    onlyIfAbsent: false,
  },
  "coordinate-write of a fallback": {
    kind: "coordinate-write",
    id: 38,
    ...coordinated,
    budgetMs: 900,
    w: "one",
    onlyIfAbsent: false,
    asFallback: true,
  },
  "get-answer": { kind: "get-answer", id: 15, state, fastest: n1, voices: 2, seats: 3 },
  "get-answer of nothing": { kind: "get-answer", id: 16, voices: 3, seats: 4 },
  "write-answer": { kind: "write-answer", id: 17, context, siblings: 2, voices: 1, seats: 2 },
  gossip: { kind: "gossip", id: 18, asker, summary, seats: seatsHash },
  "gossip-digest": {
    kind: "gossip-digest",
    id: 39,
    news: { ...noNews, recent, parts: [{ kind: "hashes", prefix: "", hashes: sixteen }] },
    seats: seatsHash,
  },
  "gossip-digest to an older copy": {
    kind: "gossip-digest",
    id: 40,
    news: noNews,
    shown: 1_700_000_004_000,
    seats: seatsHash,
  },
  "gossip-delta": {
    kind: "gossip-delta",
    id: 20,
    news: {
      events: [bucket, smallBucket],
      records: [record],
      wantedEvents: [{ lamport: 3, author: n2 }],
      wantedRecords: [n1, n2],
      history,
      parts: [
        { kind: "versions", prefix: "0f", versions },
        { kind: "hashes", prefix: "a", hashes: sixteen },
      ],
    },
  },
  "gossip-delta of changes of members": { kind: "gossip-delta", id: 38, news: { ...noNews, events: changes } },
  "gossip-answer": { kind: "gossip-answer", id: 19, news: { ...noNews, events: [found, join], records: [record] } },
  "join-request": {
    kind: "join-request",
    id: 21,
    node: n2,
    name: "n2",
    zone: "b",
    capacity: 2,
    peer: "127.0.0.1:7401",
    http: "127.0.0.1:7481",
    software: "0.1.0",
  },
  "join-request with settings": {
    kind: "join-request",
    id: 22,
    node: n2,
    name: "n2",
    zone: "b",
    capacity: 2,
    peer: "127.0.0.1:7401",
    http: "",
    software: "0.1.0",
    partitions: 64,
    n: 3,
    r: "one",
    w: 3,
  },
  "join-answer": {
    kind: "join-answer",
    id: 23,
    node: n2,
    incarnation: `2-${n1}`,
    secret: Uint8Array.from({ length: 32 }, (_, i) => i * 7),
    events: [found, join],
    records: [record],
    seats: [{ partition: 300 as PartitionId, known }],
  },
  "compare-trees": {
    kind: "compare-trees",
    changes: 0x89abcdef,
    id: 29,
    trees: [
      { ...tree, root: { hi: 0x01234567, lo: 0x89abcdef } },
      { partition: 0 as PartitionId, n: 1, root: { hi: 0, lo: 0 } },
    ],
    wantsSizes: true,
  },
  "compare-nodes": {
    kind: "compare-nodes",
    id: 30,
    tree,
    level: 2,
    nodes: [
      { index: 255, children: Array.from({ length: 16 }, (_, i) => ({ hi: i === 3 ? 7 : 0, lo: i === 15 ? 9 : 0 })) },
    ],
  },
  "hashes-compared": {
    kind: "hashes-compared",
    id: 31,
    differing: [0, 4095],
    unvouched: [3, 4096],
    sizes: [{ keys: 300, bytes: 70_000 }],
  },
  "list-keys": { kind: "list-keys", id: 32, tree, leaves: [0, 4095], after: Uint8Array.of(2, 1) },
  "keys-listed": {
    kind: "keys-listed",
    id: 33,
    keys: [{ bucket: "carts", key: "Grüße/42", digest: { hi: 0xfedcba98, lo: 0x76543210 } }],
  },
  "keys-listed in part": { kind: "keys-listed", id: 34, keys: [], until: Uint8Array.of(2, 1, 255) },
  "ask-forgetting": {
    kind: "ask-forgetting",
    id: 35,
    ringVersion: 2,
    keys: [{ bucket: "carts", key: "Grüße/42", digest: { hi: 0xfedcba98, lo: 0x76543210 } }],
  },
  "forgetting-views": {
    kind: "forgetting-views",
    id: 36,
    views: ["ready", "watched", "kept", "other-state", "no-voice", "busy"],
  },
  forget: {
    kind: "forget",
    id: 37,
    ringVersion: 2,
    keys: [{ bucket: "carts", key: "Grüße/42", digest: { hi: 0xfedcba98, lo: 0x76543210 } }],
  },
  "take-seat": { kind: "take-seat", id: 38, ...seat, incarnation: `2-${n1}` },
  "seat-sealed": {
    kind: "seat-sealed",
    id: 39,
    partition: seat.partition,
    handOver: { seat: 2, epoch: 300, to: { node: n2, incarnation: `2-${n1}` }, known },
  },
  "seat-sealed with a promise": {
    kind: "seat-sealed",
    id: 40,
    partition: seat.partition,
    handOver: {
      seat: 2,
      epoch: 300,
      to: { node: n2, incarnation: `2-${n1}` },
      known,
      grant: { seat: 1, epoch: 1_048_576, by: n1 },
    },
  },
  "fill-seat": { kind: "fill-seat", id: 41, partition: seat.partition, changes: 0x89abcdef },
  "fence-seat": { kind: "fence-seat", id: 41, ...seat, epoch: 1_048_576 },
  "seat-fenced": { kind: "seat-fenced", id: 42, voice: { seat: 0, epoch: 2 }, known },
  "rebuild-inquiry": { kind: "rebuild-inquiry", id: 43, ...seat, epoch: 1_048_576 },
  "rebuild-state": { kind: "rebuild-state", id: 44, isUnderWay: true, known: [] },
  "compare-seats": { kind: "compare-seats", id: 45, hashes: [0, 0xffffffff] },
  "seats-told": { kind: "seats-told", id: 46, seats: [{ partition: 300 as PartitionId, known }] },
  "replica-state with news of seats": { kind: "replica-state", id: 48, known },
  "copy-states": { kind: "copy-states", id: 49, tree, keys: [{ bucket: "carts", key: "Grüße/42" }] },
  "client-get": { kind: "client-get", id: 51, ...place, budgetMs: 1900, r: undefined, pr: undefined, zones: undefined },
  "client-get with quorums": { kind: "client-get", id: 52, ...place, budgetMs: 1900, r: "all", pr: 1, zones: 2 },
  "client-write": {
    kind: "client-write",
    id: 53,
    ...place,
    budgetMs: 250,
    w: 2,
    pw: "one",
    dw: "quorum",
    zones: 2,
    context: Uint8Array.of(1, 0, 255),
    onlyIfAbsent: true,
    writeId: "w-2",
    version: { value, checksum: crc32(value), contentType: "application/json" },
  },
  "client-write of a blind delete": {
    kind: "client-write",
    id: 54,
    ...place,
    budgetMs: 0,
    w: undefined,
    pw: undefined,
    dw: undefined,
    zones: undefined,
    context: undefined,
    onlyIfAbsent: false,
    writeId: undefined,
    version: undefined,
  },
  "client-found": {
    kind: "client-found",
    id: 55,
    isStray: true,
    context: Uint8Array.of(1, 0, 255),
    versions: [{ value, checksum: crc32(value), contentType: "application/json", modified: 1_700_000_000_123 }],
    voices: 2,
    seats: 3,
  },
  "client-found of nothing": {
    kind: "client-found",
    id: 56,
    isStray: false,
    context: undefined,
    versions: [],
    voices: 3,
    seats: 3,
  },
  "client-written": {
    kind: "client-written",
    id: 57,
    isStray: false,
    context: Uint8Array.of(1, 0, 255),
    siblings: 2,
    voices: 1,
    seats: 2,
  },
  "client-failed": {
    kind: "client-failed",
    id: 58,
    isStray: true,
    code: "quorum-not-met",
    detail: "1 of the 2 answers needed came",
    needed: 2,
    received: 1,
    isUnknown: true,
  },
  "ring-inquiry": { kind: "ring-inquiry", id: 59, hash: seatsHash },
  "ring-told": {
    kind: "ring-told",
    id: 60,
    hash: seatsHash,
    ring: {
      version: 3_145_729,
      cluster,
      valueBytes: 1_048_576,
      members: [
        { node: n1, name: "n1", zone: "a", address: "127.0.0.1:7400" },
        { node: n2, name: "n2", zone: "b", address: "[::1]:7400" },
      ],
      n: 3,
      buckets: [{ bucket: "carts", n: 1 }],
      owners: [
        { n: 1, partitions: [[0], [1]] },
        { n: 3, partitions: [[1, 0], []] },
      ],
    },
  },
  "ring-told that it is the same": { kind: "ring-told", id: 61, hash: seatsHash, ring: undefined },
  "states-copied": { kind: "states-copied", id: 50, states: [undefined, state, "refused"] },
  "when-stored": { kind: "when-stored", id: 52 },
  "replica-get of whoever has another one": { kind: "replica-get", id: 54, ...key, unless: Uint8Array.of(1, 0, 255) },
  "replica-state that is the same": { kind: "replica-state", id: 55, voice: { seat: 2, epoch: 300 }, isSame: true },
  "all-stored": { kind: "all-stored", id: 53, run: "AAECAwQFBgc." },
};

function frameOf(message: Message): string {
  const encoder = new FrameEncoder(machineChecksum, defaultLimits.frameBytes);
  encoder.add(message, message.id);
  return Buffer.concat(encoder.take()).toString("hex");
}

const golden: ReadonlyMap<string, string> = new Map(
  readFileSync("test/data/golden-frames.txt", "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(": ") as [string, string]),
);

test("every kind of message has golden bytes", () => {
  const covered = new Set(Object.values(messages).map((message) => message.kind));
  assert.deepEqual(
    messageKinds.filter((kind) => !covered.has(kind)),
    [],
  );
  assert.deepEqual(Object.keys(messages), [...golden.keys()]);
});

/** Fields that are absent are there as undefined, in some kinds of messages. */
function withoutAbsent(message: Message | undefined): object {
  return Object.fromEntries(Object.entries(message ?? {}).filter(([, field]) => field !== undefined));
}

for (const [name, message] of Object.entries(messages)) {
  test(`the bytes of ${name} are what they always were`, () => {
    assert.equal(frameOf(message), golden.get(name), `${name}: ${frameOf(message)}`);
  });

  test(`the golden bytes of ${name} are read as that message`, () => {
    const decoder = new FrameDecoder(machineChecksum, defaultLimits.frameBytes);
    const preamble = encodePreamble(ownVersions);
    decoder.push(Uint8Array.from([...preamble, ...Buffer.from(golden.get(name) ?? "", "hex")]));
    assert.deepEqual(withoutAbsent(decoder.next()), withoutAbsent(message));
    assert.equal(decoder.next(), undefined);
  });
}

test("the preamble is what it always was", () => {
  assert.equal(Buffer.from(encodePreamble({ oldest: 1, newest: 258 })).toString("hex"), "4357484c00010102");
});
