/** Gossip as bytes: summaries, digests where they differ, and the difference itself. */

import type { ByteReader } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { HistoryDigest } from "../core/membership/history.ts";
import type { RecordDigest } from "../core/membership/node-record.ts";
import { recordGroups } from "../core/membership/summary.ts";
import {
  leastEventBytes,
  leastNodeRecordBytes,
  readEvent,
  readNodeRecord,
  writeEvent,
  writeNodeRecord,
} from "./event-codec.ts";
import {
  readFlag,
  readHash,
  readList,
  readNodeId,
  readShortText,
  writeFlag,
  writeHash,
  writeList,
  writeNodeId,
} from "./fields.ts";
import type { Gossip, GossipAnswer, GossipDelta, GossipDigest } from "./message.ts";

export function writeHistoryDigest(head: ByteWriter, digest: HistoryDigest): void {
  writeList(head, digest, (to, entry) => {
    writeNodeId(to, entry.author);
    to.varint(entry.events);
    to.varint(entry.last);
  });
}

export function readHistoryDigest(head: ByteReader): HistoryDigest {
  return readList(head, 10, (from) => ({ author: readNodeId(from), events: from.varint(), last: from.varint() }));
}

function writeRecordDigest(head: ByteWriter, digest: RecordDigest): void {
  writeList(head, digest, (to, entry) => {
    writeNodeId(to, entry.node);
    to.text(entry.incarnation);
    to.varint(entry.version);
  });
}

function readRecordDigest(head: ByteReader): RecordDigest {
  return readList(head, 10, (from) => ({
    node: readNodeId(from),
    incarnation: readShortText(from),
    version: from.varint(),
  }));
}

/** As many hashes as there are groups, so that no count is needed. */
export function writeGossip(head: ByteWriter, message: Gossip): void {
  const { history, records } = message.summary;
  if (records.length !== recordGroups) throw new RangeError(`a summary has ${recordGroups} groups of records`);
  writeHash(head, history);
  for (const hash of records) writeHash(head, hash);
  writeHash(head, message.seats);
}

export function readGossip(head: ByteReader, id: number): Gossip {
  const history = readHash(head);
  const records = Array.from({ length: recordGroups }, () => readHash(head));
  return { kind: "gossip", id, summary: { history, records }, seats: readHash(head) };
}

export function writeGossipDigest(head: ByteWriter, message: GossipDigest): void {
  writeFlag(head, message.history !== undefined);
  if (message.history !== undefined) writeHistoryDigest(head, message.history);
  head.u16(message.groups.reduce((bits, group) => bits | (1 << group), 0));
  writeRecordDigest(head, message.records);
  writeHash(head, message.seats);
}

export function readGossipDigest(head: ByteReader, id: number): GossipDigest {
  const history = readFlag(head) ? readHistoryDigest(head) : undefined;
  const bits = head.u16();
  const groups = Array.from({ length: recordGroups }, (_, group) => group).filter((group) => (bits >> group) & 1);
  const records = readRecordDigest(head);
  const seats = readHash(head);
  return { kind: "gossip-digest", id, ...(history === undefined ? {} : { history }), groups, records, seats };
}

export function writeGossipDelta(head: ByteWriter, message: GossipDelta): void {
  writeList(head, message.events, writeEvent);
  writeList(head, message.records, writeNodeRecord);
  writeFlag(head, message.history !== undefined);
  if (message.history !== undefined) writeHistoryDigest(head, message.history);
  writeList(head, message.wanted, writeNodeId);
}

export function readGossipDelta(head: ByteReader, id: number): GossipDelta {
  const events = readList(head, leastEventBytes, readEvent);
  const records = readList(head, leastNodeRecordBytes, readNodeRecord);
  const history = readFlag(head) ? readHistoryDigest(head) : undefined;
  const wanted = readList(head, 8, readNodeId);
  return { kind: "gossip-delta", id, events, records, ...(history === undefined ? {} : { history }), wanted };
}

export function writeGossipAnswer(head: ByteWriter, message: GossipAnswer): void {
  writeList(head, message.events, writeEvent);
  writeList(head, message.records, writeNodeRecord);
}

export function readGossipAnswer(head: ByteReader, id: number): GossipAnswer {
  return {
    kind: "gossip-answer",
    id,
    events: readList(head, leastEventBytes, readEvent),
    records: readList(head, leastNodeRecordBytes, readNodeRecord),
  };
}
