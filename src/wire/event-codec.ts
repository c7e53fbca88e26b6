/**
 * Events of the membership history and node records as bytes: in gossip, in joins, and in a node's own store.
 *
 * An event is never rewritten, so its form here is for ever: a new kind gets a new byte, a new field a new kind.
 */

import { type ByteReader, MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { BucketEvent, FoundEvent, HistoryEvent, JoinEvent, MemberEvent } from "../core/membership/event.ts";
import type { NodeRecord } from "../core/membership/node-record.ts";
import type { BucketChange } from "../core/settings.ts";
import {
  readBucket,
  readName,
  readNodeId,
  readPresence,
  readQuorum,
  readShortText,
  writeName,
  writeNodeId,
  writeQuorum,
} from "./fields.ts";

const foundKind = 1;
const joinKind = 2;
const bucketKind = 3;
const leaveKind = 4;
const removeKind = 5;
const capacityKind = 6;
const zoneKind = 7;
const stayKind = 8;

/** The least bytes an event takes, for the check of counts. */
export const leastEventBytes = 13;
/** The least bytes a node record takes, for the check of counts. */
export const leastNodeRecordBytes = 14;

export function writeEvent(head: ByteWriter, event: HistoryEvent): void {
  switch (event.kind) {
    case "found":
      head.u8(foundKind);
      writeBase(head, event);
      writeFound(head, event);
      return;
    case "join":
      head.u8(joinKind);
      writeBase(head, event);
      writeJoin(head, event);
      return;
    case "bucket":
      head.u8(bucketKind);
      writeBase(head, event);
      head.text(event.bucket);
      writeChange(head, event.change);
      return;
    case "leave":
      head.u8(leaveKind);
      writeMember(head, event);
      return;
    case "remove":
      head.u8(removeKind);
      writeMember(head, event);
      return;
    case "stay":
      head.u8(stayKind);
      writeMember(head, event);
      return;
    case "capacity":
      head.u8(capacityKind);
      writeMember(head, event);
      head.varint(event.capacity);
      return;
    case "zone":
      head.u8(zoneKind);
      writeMember(head, event);
      head.text(event.zone);
      return;
  }
}

export function readEvent(head: ByteReader): HistoryEvent {
  const kind = head.u8();
  switch (kind) {
    case foundKind:
      return readFound(head);
    case joinKind:
      return readJoin(head);
    case bucketKind:
      return readBucketEvent(head);
    case leaveKind:
      return { kind: "leave", ...readMember(head) };
    case removeKind:
      return { kind: "remove", ...readMember(head) };
    case stayKind:
      return { kind: "stay", ...readMember(head) };
    case capacityKind:
      return { kind: "capacity", ...readMember(head), capacity: head.varint() };
    case zoneKind:
      return { kind: "zone", ...readMember(head), zone: readShortText(head) };
    default:
      throw new MalformedBytes(`event kind ${kind} at offset ${head.offset - 1} is not known`);
  }
}

function writeBase(head: ByteWriter, event: HistoryEvent): void {
  head.varint(event.lamport);
  writeNodeId(head, event.author);
  head.varint(event.at);
}

function writeFound(head: ByteWriter, event: FoundEvent): void {
  head.text(event.cluster);
  head.varint(event.settings.partitions);
  head.varint(event.settings.n);
  writeQuorum(head, event.settings.r);
  writeQuorum(head, event.settings.w);
  head.text(event.name);
  head.text(event.zone);
  head.varint(event.capacity);
  head.varint(event.claim);
}

function readFound(head: ByteReader): FoundEvent {
  return {
    kind: "found",
    lamport: head.varint(),
    author: readNodeId(head),
    at: head.varint(),
    cluster: readShortText(head),
    settings: { partitions: head.varint(), n: head.varint(), r: readQuorum(head), w: readQuorum(head) },
    name: readShortText(head),
    zone: readShortText(head),
    capacity: head.varint(),
    claim: head.varint(),
  };
}

function writeJoin(head: ByteWriter, event: JoinEvent): void {
  writeNodeId(head, event.node);
  writeNodeId(head, event.directory);
  head.text(event.name);
  head.text(event.zone);
  head.varint(event.capacity);
  head.varint(event.claim);
}

function readJoin(head: ByteReader): JoinEvent {
  return {
    kind: "join",
    lamport: head.varint(),
    author: readNodeId(head),
    at: head.varint(),
    node: readNodeId(head),
    directory: readNodeId(head),
    name: readShortText(head),
    zone: readShortText(head),
    capacity: head.varint(),
    claim: head.varint(),
  };
}

function readBucketEvent(head: ByteReader): BucketEvent {
  return {
    kind: "bucket",
    lamport: head.varint(),
    author: readNodeId(head),
    at: head.varint(),
    bucket: readBucket(head),
    change: readChange(head),
  };
}

function writeMember(head: ByteWriter, event: MemberEvent): void {
  writeBase(head, event);
  writeNodeId(head, event.node);
  head.varint(event.claim);
}

function readMember(head: ByteReader): Pick<MemberEvent, "lamport" | "author" | "at" | "node" | "claim"> {
  return {
    lamport: head.varint(),
    author: readNodeId(head),
    at: head.varint(),
    node: readNodeId(head),
    claim: head.varint(),
  };
}

const durabilities = ["synced", "buffered"] as const;
const reconciliations = ["siblings", "last-write-wins"] as const;
const hasN = 1;
const hasR = 2;
const hasW = 4;
const hasPr = 8;
const hasPw = 16;
const hasDw = 32;
const hasDurability = 64;
const hasReconcile = 128;

function writeChange(head: ByteWriter, change: BucketChange): void {
  head.u8(
    (change.n !== undefined ? hasN : 0) |
      (change.r !== undefined ? hasR : 0) |
      (change.w !== undefined ? hasW : 0) |
      (change.pr !== undefined ? hasPr : 0) |
      (change.pw !== undefined ? hasPw : 0) |
      (change.dw !== undefined ? hasDw : 0) |
      (change.durability !== undefined ? hasDurability : 0) |
      (change.reconcile !== undefined ? hasReconcile : 0),
  );
  if (change.n !== undefined) head.varint(change.n);
  if (change.r !== undefined) writeQuorum(head, change.r);
  if (change.w !== undefined) writeQuorum(head, change.w);
  if (change.pr !== undefined) writeQuorum(head, change.pr);
  if (change.pw !== undefined) writeQuorum(head, change.pw);
  if (change.dw !== undefined) writeQuorum(head, change.dw);
  if (change.durability !== undefined) writeName(head, durabilities, change.durability);
  if (change.reconcile !== undefined) writeName(head, reconciliations, change.reconcile);
}

function readChange(head: ByteReader): BucketChange {
  const bits = readPresence(head, 255);
  return {
    ...((bits & hasN) !== 0 && { n: head.varint() }),
    ...((bits & hasR) !== 0 && { r: readQuorum(head) }),
    ...((bits & hasW) !== 0 && { w: readQuorum(head) }),
    ...((bits & hasPr) !== 0 && { pr: readQuorum(head) }),
    ...((bits & hasPw) !== 0 && { pw: readQuorum(head) }),
    ...((bits & hasDw) !== 0 && { dw: readQuorum(head) }),
    ...((bits & hasDurability) !== 0 && { durability: readName(head, durabilities, "durability") }),
    ...((bits & hasReconcile) !== 0 && { reconcile: readName(head, reconciliations, "reconciliation") }),
  };
}

export function writeNodeRecord(head: ByteWriter, record: NodeRecord): void {
  writeNodeId(head, record.node);
  head.text(record.incarnation);
  head.varint(record.version);
  head.text(record.peer);
  head.text(record.http);
  head.varint(record.voices);
  head.text(record.software);
}

export function readNodeRecord(head: ByteReader): NodeRecord {
  return {
    node: readNodeId(head),
    incarnation: readShortText(head),
    version: head.varint(),
    peer: readShortText(head),
    http: readShortText(head),
    voices: head.varint(),
    software: readShortText(head),
  };
}
