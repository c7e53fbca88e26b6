/** Hello and joins, as bytes. */

import { type ByteReader, MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import {
  leastEventBytes,
  leastNodeRecordBytes,
  readEvent,
  readNodeRecord,
  writeEvent,
  writeNodeRecord,
} from "./event-codec.ts";
import {
  readList,
  readName,
  readNodeId,
  readPresence,
  readQuorum,
  readShortText,
  writeList,
  writeName,
  writeNodeId,
  writeQuorum,
} from "./fields.ts";
import type { Hello, JoinAnswer, JoinRequest } from "./message.ts";
import { readPartitionSeats, writePartitionSeats } from "./seats-codec.ts";

const roles = ["member", "joiner", "client"] as const;

export function writeHello(head: ByteWriter, message: Hello): void {
  writeName(head, roles, message.role);
  head.text(message.cluster);
  writeNodeId(head, message.node);
  head.text(message.incarnation);
  head.text(message.name);
}

export function readHello(head: ByteReader, id: number): Hello {
  if (id !== 0) throw new MalformedBytes(`hello has the id ${id}, not 0`);
  return {
    kind: "hello",
    id,
    role: readName(head, roles, "role"),
    cluster: readShortText(head),
    node: readNodeId(head),
    incarnation: readShortText(head),
    name: readShortText(head),
  };
}

const hasPartitions = 1;
const hasN = 2;
const hasR = 4;
const hasW = 8;

export function writeJoinRequest(head: ByteWriter, message: JoinRequest): void {
  writeNodeId(head, message.node);
  head.text(message.name);
  head.text(message.zone);
  head.varint(message.capacity);
  head.text(message.peer);
  head.text(message.http);
  head.text(message.software);
  head.u8(
    (message.partitions !== undefined ? hasPartitions : 0) |
      (message.n !== undefined ? hasN : 0) |
      (message.r !== undefined ? hasR : 0) |
      (message.w !== undefined ? hasW : 0),
  );
  if (message.partitions !== undefined) head.varint(message.partitions);
  if (message.n !== undefined) head.varint(message.n);
  if (message.r !== undefined) writeQuorum(head, message.r);
  if (message.w !== undefined) writeQuorum(head, message.w);
}

export function readJoinRequest(head: ByteReader, id: number): JoinRequest {
  const node = readNodeId(head);
  const name = readShortText(head);
  const zone = readShortText(head);
  const capacity = head.varint();
  const peer = readShortText(head);
  const http = readShortText(head);
  const software = readShortText(head);
  const bits = readPresence(head, hasPartitions | hasN | hasR | hasW);
  return {
    kind: "join-request",
    id,
    node,
    name,
    zone,
    capacity,
    peer,
    http,
    software,
    ...((bits & hasPartitions) !== 0 && { partitions: head.varint() }),
    ...((bits & hasN) !== 0 && { n: head.varint() }),
    ...((bits & hasR) !== 0 && { r: readQuorum(head) }),
    ...((bits & hasW) !== 0 && { w: readQuorum(head) }),
  };
}

const secretBytes = 32;

export function writeJoinAnswer(head: ByteWriter, message: JoinAnswer): void {
  if (message.secret.length !== secretBytes) throw new RangeError(`a secret has ${secretBytes} bytes`);
  writeNodeId(head, message.node);
  head.text(message.incarnation);
  head.raw(message.secret);
  writeList(head, message.events, writeEvent);
  writeList(head, message.records, writeNodeRecord);
  writeList(head, message.seats, writePartitionSeats);
}

export function readJoinAnswer(head: ByteReader, id: number): JoinAnswer {
  return {
    kind: "join-answer",
    id,
    node: readNodeId(head),
    incarnation: readShortText(head),
    secret: head.raw(secretBytes).slice(),
    events: readList(head, leastEventBytes, readEvent),
    records: readList(head, leastNodeRecordBytes, readNodeRecord),
    seats: readPartitionSeats(head),
  };
}
