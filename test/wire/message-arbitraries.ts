/**
 * Any message of any kind, for the properties of the codec and the frames. The table has to name every kind: the
 * compiler sees to it.
 */

import fc from "fast-check";
import type { PartitionId } from "../../src/core/ids.ts";
import type { HistoryEvent } from "../../src/core/membership/event.ts";
import type { News } from "../../src/core/membership/news.ts";
import type { NodeRecord } from "../../src/core/membership/node-record.ts";
import type { RecordPart } from "../../src/core/membership/record-table.ts";
import type { KnownSeat } from "../../src/core/seats/known.ts";
import type { HandOver } from "../../src/core/seats/record.ts";
import type { Message, Refusal } from "../../src/wire/message.ts";
import { anyDotSet, anyState } from "../core/causality-arbitraries.ts";
import { plainRecord } from "../plain-record.ts";
import { clientMessages } from "./client-arbitraries.ts";
import {
  anyBucket,
  anyCheck,
  anyHash,
  anyId,
  anyKey,
  anyNode,
  anyNumber,
  anyQuorum,
  anyText,
  anyValue,
  anyVoice,
} from "./field-arbitraries.ts";

/** Like `fc.record`, where the named keys may be absent. */
function partly<T extends object, K extends keyof T>(
  model: { [P in keyof T]-?: fc.Arbitrary<Exclude<T[P], undefined>> },
  optional: readonly K[],
): fc.Arbitrary<T> {
  const required = (Object.keys(model) as (keyof T)[]).filter(
    (key) => !(optional as readonly (keyof T)[]).includes(key),
  );
  return fc.record(model, { requiredKeys: required, noNullPrototype: true }) as unknown as fc.Arbitrary<T>;
}

const anyBase = { lamport: anyNumber, author: anyNode, at: anyNumber };
const anyChange = partly(
  {
    n: fc.nat(16),
    r: anyQuorum,
    w: anyQuorum,
    pr: anyQuorum,
    pw: anyQuorum,
    dw: anyQuorum,
    durability: fc.constantFrom("synced" as const, "buffered" as const),
    reconcile: fc.constantFrom("siblings" as const, "last-write-wins" as const),
  },
  ["n", "r", "w", "pr", "pw", "dw", "durability", "reconcile"],
);
export const anyEvent: fc.Arbitrary<HistoryEvent> = fc.oneof(
  plainRecord({
    kind: fc.constant("found" as const),
    ...anyBase,
    cluster: anyText,
    settings: plainRecord({ partitions: fc.nat(65536), n: fc.nat(16), r: anyQuorum, w: anyQuorum }),
    name: anyText,
    zone: anyText,
    capacity: fc.nat(100),
    claim: fc.nat(9),
  }),
  plainRecord({
    kind: fc.constant("join" as const),
    ...anyBase,
    node: anyNode,
    directory: anyNode,
    name: anyText,
    zone: anyText,
    capacity: fc.nat(100),
    claim: fc.nat(9),
  }),
  plainRecord({ kind: fc.constant("bucket" as const), ...anyBase, bucket: anyBucket, change: anyChange }),
  plainRecord({
    kind: fc.constantFrom("leave" as const, "stay" as const, "remove" as const),
    ...anyBase,
    node: anyNode,
    claim: fc.nat(9),
  }),
  plainRecord({
    kind: fc.constant("capacity" as const),
    ...anyBase,
    node: anyNode,
    capacity: fc.nat(1000),
    claim: fc.nat(9),
  }),
  plainRecord({ kind: fc.constant("zone" as const), ...anyBase, node: anyNode, zone: anyText, claim: fc.nat(9) }),
);
export const anyNodeRecord: fc.Arbitrary<NodeRecord> = plainRecord({
  node: anyNode,
  incarnation: anyText,
  version: anyNumber,
  peer: anyText,
  http: anyText,
  voices: fc.nat(65536),
  software: anyText,
});
const anyEvents = fc.array(anyEvent, { maxLength: 4 });
const anyRecords = fc.array(anyNodeRecord, { maxLength: 4 });
const anyHistoryDigest = fc.array(plainRecord({ author: anyNode, events: anyNumber, last: anyNumber }), {
  maxLength: 5,
});
const anyRecordDigest = fc.array(plainRecord({ node: anyNode, incarnation: anyText, version: anyNumber }), {
  maxLength: 5,
});

const anyEventIds = fc.array(plainRecord({ lamport: anyNumber, author: anyNode }), { maxLength: 4 });
const anyPrefix = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }).map((number) => number.toString(16));
const anyPart: fc.Arbitrary<RecordPart> = fc.oneof(
  plainRecord<RecordPart & { kind: "hashes" }>({
    kind: fc.constant("hashes"),
    prefix: anyPrefix,
    hashes: fc.array(anyHash, { minLength: 16, maxLength: 16 }),
  }),
  plainRecord<RecordPart & { kind: "versions" }>({
    kind: fc.constant("versions"),
    prefix: anyPrefix,
    versions: anyRecordDigest,
  }),
);
const anyNews: fc.Arbitrary<News> = partly<News, "recent" | "history">(
  {
    events: anyEvents,
    records: anyRecords,
    wantedEvents: anyEventIds,
    wantedRecords: fc.array(anyNode, { maxLength: 4 }),
    recent: plainRecord({ earlier: anyHash, newest: anyEventIds }),
    history: anyHistoryDigest,
    parts: fc.array(anyPart, { maxLength: 4 }),
  },
  ["recent", "history"],
);

const refusals: Readonly<Record<Refusal["code"], true>> = {
  "stale-ring": true,
  "not-ready": true,
  "no-owner": true,
  "quorum-not-met": true,
  "deadline-passed": true,
  "precondition-failed": true,
  "too-many-siblings": true,
  "value-too-large": true,
  "bad-request": true,
  overloaded: true,
  "disk-full": true,
  corrupt: true,
  "storage-failed": true,
  "join-refused": true,
  superseded: true,
  "unknown-request": true,
};
const refusalCodes = Object.keys(refusals) as Refusal["code"][];

const anyPartition = fc.nat(65535).map((id) => id as PartitionId);
const anyCopies = fc.integer({ min: 1, max: 16 });
const anyTree = plainRecord({ partition: anyPartition, n: anyCopies });
const anyEpoch = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 40 }));
const anySeat = fc.nat(15);
const anyKnown = fc.array(
  partly<KnownSeat, "holder" | "fencedBy" | "wasVacated" | "filled">(
    {
      held: anyEpoch.map((epoch) => epoch - 1),
      holder: anyNode,
      fence: anyEpoch.map((epoch) => epoch - 1),
      fencedBy: anyNode,
      wasVacated: fc.constant(true),
      filled: plainRecord({ count: anyEpoch, hash: fc.nat(0xffff_ffff) }),
    },
    ["holder", "fencedBy", "wasVacated", "filled"],
  ),
  { maxLength: 5 },
);
const anyPartitions = fc.array(plainRecord({ partition: anyPartition, known: anyKnown }), { maxLength: 4 });
const anySuccessor = plainRecord({ node: anyNode, incarnation: anyText });
const anyGrant = plainRecord({ seat: anySeat, epoch: anyEpoch, by: anyNode });
const seatOf = { id: anyId, partition: anyPartition, seat: anySeat };

type Of<K extends Message["kind"]> = Extract<Message, { kind: K }>;
const kind = <K extends Message["kind"]>(name: K): fc.Arbitrary<K> => fc.constant(name);

/** Any message, by kind. */
export const anyMessage: { readonly [K in Message["kind"]]: fc.Arbitrary<Of<K>> } = {
  hello: plainRecord({
    kind: kind("hello"),
    id: fc.constant(0 as const),
    role: fc.constantFrom("member" as const, "joiner" as const, "client" as const),
    cluster: anyText,
    node: anyNode,
    incarnation: anyText,
    name: anyText,
  }),
  ping: plainRecord({ kind: kind("ping"), id: anyId }),
  done: plainRecord({ kind: kind("done"), id: anyId }),
  refusal: partly<Of<"refusal">, "needed" | "received" | "known">(
    {
      kind: kind("refusal"),
      id: anyId,
      ringVersion: anyNumber,
      code: fc.constantFrom(...refusalCodes),
      detail: anyText,
      needed: fc.nat(16),
      received: fc.nat(16),
      mayHaveHappened: fc.boolean(),
      known: anyKnown,
    },
    ["needed", "received", "known"],
  ),
  "replica-get": partly<Of<"replica-get">, "standInFor" | "unless">(
    {
      kind: kind("replica-get"),
      id: anyId,
      knownHash: anyCheck,
      changes: anyCheck,
      bucket: anyBucket,
      key: anyKey,
      standInFor: anyNode,
      unless: fc.uint8Array({ maxLength: 40 }),
    },
    ["standInFor", "unless"],
  ),
  "replica-put": partly<Of<"replica-put">, "hintFor">(
    {
      kind: kind("replica-put"),
      id: anyId,
      knownHash: anyCheck,
      changes: anyCheck,
      bucket: anyBucket,
      key: anyKey,
      purpose: fc.constantFrom("write" as const, "repair" as const, "hint" as const),
      synced: fc.boolean(),
      lastWriteWins: fc.boolean(),
      hintFor: anyNode,
      state: anyState,
    },
    ["hintFor"],
  ),
  // One that is the same is not sent besides.
  "replica-state": partly<Of<"replica-state">, "voice" | "state" | "known" | "isSame">(
    {
      kind: kind("replica-state"),
      id: anyId,
      known: anyKnown,
      voice: anyVoice,
      state: anyState,
      isSame: fc.constant(true as const),
    },
    ["voice", "state", "known", "isSame"],
  ).map((answer) => (answer.isSame === true ? { ...answer, state: undefined } : answer)),
  "replica-stored": partly<Of<"replica-stored">, "voice" | "known">(
    { kind: kind("replica-stored"), id: anyId, known: anyKnown, voice: anyVoice, synced: fc.boolean() },
    ["voice", "known"],
  ),
  "coordinate-get": partly<Of<"coordinate-get">, "r" | "pr" | "zones" | "asFallback">(
    {
      kind: kind("coordinate-get"),
      id: anyId,
      knownHash: anyCheck,
      bucket: anyBucket,
      key: anyKey,
      budgetMs: fc.nat(60_000),
      r: anyQuorum,
      pr: anyQuorum,
      zones: fc.integer({ min: 1, max: 16 }),
      asFallback: fc.constant(true as const),
    },
    ["r", "pr", "zones", "asFallback"],
  ),
  "coordinate-write": partly<
    Of<"coordinate-write">,
    "w" | "pw" | "dw" | "zones" | "context" | "writeId" | "version" | "asFallback"
  >(
    {
      kind: kind("coordinate-write"),
      id: anyId,
      knownHash: anyCheck,
      bucket: anyBucket,
      key: anyKey,
      budgetMs: fc.nat(60_000),
      w: anyQuorum,
      pw: anyQuorum,
      dw: anyQuorum,
      zones: fc.integer({ min: 1, max: 16 }),
      context: anyDotSet,
      onlyIfAbsent: fc.boolean(),
      writeId: fc.string({ minLength: 1, maxLength: 64 }),
      version: plainRecord({ value: anyValue, checksum: anyCheck, contentType: fc.string({ maxLength: 255 }) }),
      asFallback: fc.constant(true as const),
    },
    ["w", "pw", "dw", "zones", "context", "writeId", "version", "asFallback"],
  ),
  "get-answer": partly<Of<"get-answer">, "state" | "fastest">(
    {
      kind: kind("get-answer"),
      id: anyId,
      state: anyState,
      fastest: anyNode,
      voices: fc.nat(16),
      seats: fc.nat(16),
    },
    ["state", "fastest"],
  ),
  "write-answer": plainRecord({
    kind: kind("write-answer"),
    id: anyId,
    context: anyDotSet,
    siblings: fc.nat(100),
    voices: fc.nat(16),
    seats: fc.nat(16),
  }),
  gossip: plainRecord({
    kind: kind("gossip"),
    id: anyId,
    asker: plainRecord({ node: anyNode, incarnation: anyText, stamp: anyNumber }),
    summary: plainRecord({ history: anyHash, records: anyHash }),
    seats: anyHash,
  }),
  "gossip-digest": partly<Of<"gossip-digest">, "shown">(
    { kind: kind("gossip-digest"), id: anyId, news: anyNews, shown: anyNumber, seats: anyHash },
    ["shown"],
  ),
  "gossip-delta": plainRecord({ kind: kind("gossip-delta"), id: anyId, news: anyNews }),
  "gossip-answer": plainRecord({ kind: kind("gossip-answer"), id: anyId, news: anyNews }),
  "join-request": partly<Of<"join-request">, "partitions" | "n" | "r" | "w">(
    {
      kind: kind("join-request"),
      id: anyId,
      node: anyNode,
      name: anyText,
      zone: anyText,
      capacity: fc.nat(100),
      peer: anyText,
      http: anyText,
      software: anyText,
      partitions: fc.nat(65536),
      n: fc.nat(16),
      r: anyQuorum,
      w: anyQuorum,
    },
    ["partitions", "n", "r", "w"],
  ),
  "join-answer": plainRecord({
    kind: kind("join-answer"),
    id: anyId,
    node: anyNode,
    incarnation: anyText,
    secret: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    events: anyEvents,
    records: anyRecords,
    seats: anyPartitions,
  }),
  "compare-trees": plainRecord({
    kind: kind("compare-trees"),
    id: anyId,
    changes: anyCheck,
    trees: fc.array(plainRecord({ partition: anyPartition, n: anyCopies, root: anyHash }), { maxLength: 20 }),
    wantsSizes: fc.boolean(),
  }),
  "compare-nodes": plainRecord({
    kind: kind("compare-nodes"),
    id: anyId,
    tree: anyTree,
    level: fc.constant(2),
    nodes: fc.array(
      plainRecord({
        index: fc.nat(255),
        children: fc.array(fc.oneof(fc.constant({ hi: 0, lo: 0 }), anyHash), { minLength: 16, maxLength: 16 }),
      }),
      { maxLength: 5 },
    ),
  }),
  "hashes-compared": plainRecord({
    kind: kind("hashes-compared"),
    id: anyId,
    differing: fc.array(fc.nat(65535), { maxLength: 20 }),
    unvouched: fc.array(fc.nat(65535), { maxLength: 20 }),
    sizes: fc.array(plainRecord({ keys: anyNumber, bytes: anyNumber }), { maxLength: 20 }),
  }),
  "copy-states": plainRecord({
    kind: kind("copy-states"),
    id: anyId,
    tree: anyTree,
    keys: fc.array(plainRecord({ bucket: anyBucket, key: anyKey }), { maxLength: 20 }),
  }),
  "when-stored": plainRecord({ kind: kind("when-stored"), id: anyId }),
  "all-stored": plainRecord({ kind: kind("all-stored"), id: anyId, run: fc.stringMatching(/^[A-Za-z0-9_.-]{0,64}$/) }),
  "states-copied": plainRecord({
    kind: kind("states-copied"),
    id: anyId,
    states: fc.array(fc.oneof(anyState, fc.constant(undefined), fc.constant("refused" as const)), { maxLength: 5 }),
  }),
  "list-keys": plainRecord({
    kind: kind("list-keys"),
    id: anyId,
    tree: anyTree,
    leaves: fc.array(fc.nat(4095), { maxLength: 20 }),
    after: fc.uint8Array({ maxLength: 1200 }),
  }),
  "keys-listed": partly<Of<"keys-listed">, "until">(
    {
      kind: kind("keys-listed"),
      id: anyId,
      keys: fc.array(plainRecord({ bucket: anyBucket, key: anyKey, digest: anyHash }), { maxLength: 10 }),
      until: fc.uint8Array({ maxLength: 1200 }),
    },
    ["until"],
  ),
  ...clientMessages,
  "ask-forgetting": plainRecord({
    kind: kind("ask-forgetting"),
    id: anyId,
    ringVersion: anyNumber,
    keys: fc.array(plainRecord({ bucket: anyBucket, key: anyKey, digest: anyHash }), { maxLength: 10 }),
  }),
  "forgetting-views": plainRecord({
    kind: kind("forgetting-views"),
    id: anyId,
    views: fc.array(fc.constantFrom("ready" as const, "watched" as const, "kept" as const, "busy" as const), {
      maxLength: 10,
    }),
  }),
  forget: plainRecord({
    kind: kind("forget"),
    id: anyId,
    ringVersion: anyNumber,
    keys: fc.array(plainRecord({ bucket: anyBucket, key: anyKey, digest: anyHash }), { maxLength: 10 }),
  }),
  "take-seat": plainRecord({ kind: kind("take-seat"), ...seatOf, incarnation: anyText }),
  "seat-sealed": plainRecord({
    kind: kind("seat-sealed"),
    id: anyId,
    partition: anyPartition,
    handOver: partly<HandOver, "grant">(
      { seat: anySeat, epoch: anyEpoch, to: anySuccessor, known: anyKnown, grant: anyGrant },
      ["grant"],
    ),
  }),
  "fence-seat": plainRecord({ kind: kind("fence-seat"), ...seatOf, epoch: anyEpoch }),
  "fill-seat": plainRecord({ kind: kind("fill-seat"), id: anyId, partition: anyPartition, changes: anyCheck }),
  "seat-fenced": plainRecord({ kind: kind("seat-fenced"), id: anyId, voice: anyVoice, known: anyKnown }),
  "rebuild-inquiry": plainRecord({ kind: kind("rebuild-inquiry"), ...seatOf, epoch: anyEpoch }),
  "rebuild-state": plainRecord({ kind: kind("rebuild-state"), id: anyId, isUnderWay: fc.boolean(), known: anyKnown }),
  "compare-seats": plainRecord({
    kind: kind("compare-seats"),
    id: anyId,
    hashes: fc.array(anyCheck, { maxLength: 20 }),
  }),
  "seats-told": plainRecord({ kind: kind("seats-told"), id: anyId, seats: anyPartitions }),
};

export const messageKinds = Object.keys(anyMessage) as Message["kind"][];

export const anyOfAnyKind: fc.Arbitrary<Message> = fc.oneof(
  ...messageKinds.map((name) => anyMessage[name] as fc.Arbitrary<Message>),
);
