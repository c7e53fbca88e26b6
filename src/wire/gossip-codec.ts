/** Gossip as bytes: summaries, descriptions of what differs, and the difference itself. */

import type { ByteReader } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { EventId, HistoryDigest } from "../core/membership/history.ts";
import type { News } from "../core/membership/news.ts";
import type { RecordPart } from "../core/membership/record-table.ts";
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
  readPresence,
  readShortText,
  writeFlag,
  writeHash,
  writeList,
  writeNodeId,
} from "./fields.ts";
import type { Gossip, GossipAnswer, GossipDelta, GossipDigest } from "./message.ts";

/** All digits of a node's id. */
const longestPrefix = 16;
/** A part of no records: a flag, an empty prefix, a count. */
const leastPartBytes = 3;

function writeHistoryDigest(head: ByteWriter, digest: HistoryDigest): void {
  writeList(head, digest, (to, entry) => {
    writeNodeId(to, entry.author);
    to.varint(entry.events);
    to.varint(entry.last);
  });
}

function readHistoryDigest(head: ByteReader): HistoryDigest {
  return readList(head, 10, (from) => ({ author: readNodeId(from), events: from.varint(), last: from.varint() }));
}

/** Of a hash's sixteen parts, as many as there are digits; so no count is needed. */
const partHashes = 16;

function writePart(head: ByteWriter, part: RecordPart): void {
  writeFlag(head, part.kind === "hashes");
  head.text(part.prefix);
  if (part.kind === "hashes") {
    if (part.hashes.length !== partHashes) throw new RangeError(`a part has ${partHashes} parts`);
    for (const hash of part.hashes) writeHash(head, hash);
    return;
  }
  writeList(head, part.versions, (to, entry) => {
    writeNodeId(to, entry.node);
    to.text(entry.incarnation);
    to.varint(entry.version);
  });
}

function readPart(head: ByteReader): RecordPart {
  const isHashes = readFlag(head);
  const prefix = readShortText(head, longestPrefix);
  if (isHashes) return { kind: "hashes", prefix, hashes: Array.from({ length: partHashes }, () => readHash(head)) };
  const versions = readList(head, 10, (from) => ({
    node: readNodeId(from),
    incarnation: readShortText(from),
    version: from.varint(),
  }));
  return { kind: "versions", prefix, versions };
}

function writeEventId(head: ByteWriter, { lamport, author }: EventId): void {
  head.varint(lamport);
  writeNodeId(head, author);
}

function readEventId(head: ByteReader): EventId {
  return { lamport: head.varint(), author: readNodeId(head) };
}

/** Which of the lists are there: most messages have one or two of them. */
const hasEvents = 1;
const hasRecords = 2;
const hasWantedEvents = 4;
const hasWantedRecords = 8;
const hasParts = 16;
const hasRecent = 32;
const hasHistory = 64;

function writeNews(head: ByteWriter, news: News): void {
  const { events, records, wantedEvents, wantedRecords, parts, recent, history } = news;
  head.u8(
    (events.length > 0 ? hasEvents : 0) |
      (records.length > 0 ? hasRecords : 0) |
      (wantedEvents.length > 0 ? hasWantedEvents : 0) |
      (wantedRecords.length > 0 ? hasWantedRecords : 0) |
      (parts.length > 0 ? hasParts : 0) |
      (recent !== undefined ? hasRecent : 0) |
      (history !== undefined ? hasHistory : 0),
  );
  if (events.length > 0) writeList(head, events, writeEvent);
  if (records.length > 0) writeList(head, records, writeNodeRecord);
  if (wantedEvents.length > 0) writeList(head, wantedEvents, writeEventId);
  if (wantedRecords.length > 0) writeList(head, wantedRecords, writeNodeId);
  if (parts.length > 0) writeList(head, parts, writePart);
  if (recent !== undefined) {
    writeHash(head, recent.earlier);
    writeList(head, recent.newest, writeEventId);
  }
  if (history !== undefined) writeHistoryDigest(head, history);
}

function readNews(head: ByteReader): News {
  const bits = readPresence(head, 127);
  const has = (bit: number): boolean => (bits & bit) !== 0;
  return {
    events: has(hasEvents) ? readList(head, leastEventBytes, readEvent) : [],
    records: has(hasRecords) ? readList(head, leastNodeRecordBytes, readNodeRecord) : [],
    wantedEvents: has(hasWantedEvents) ? readList(head, 9, readEventId) : [],
    wantedRecords: has(hasWantedRecords) ? readList(head, 8, readNodeId) : [],
    parts: has(hasParts) ? readList(head, leastPartBytes, readPart) : [],
    ...(has(hasRecent) && { recent: { earlier: readHash(head), newest: readList(head, 9, readEventId) } }),
    ...(has(hasHistory) && { history: readHistoryDigest(head) }),
  };
}

export function writeGossip(head: ByteWriter, { asker, summary, seats }: Gossip): void {
  writeNodeId(head, asker.node);
  head.text(asker.incarnation);
  head.varint(asker.stamp);
  writeHash(head, summary.history);
  writeHash(head, summary.records);
  writeHash(head, seats);
}

export function readGossip(head: ByteReader, id: number): Gossip {
  const asker = { node: readNodeId(head), incarnation: readShortText(head), stamp: head.varint() };
  const summary = { history: readHash(head), records: readHash(head) };
  return { kind: "gossip", id, asker, summary, seats: readHash(head) };
}

export function writeGossipDigest(head: ByteWriter, { news, shown, seats }: GossipDigest): void {
  writeNews(head, news);
  writeFlag(head, shown !== undefined);
  if (shown !== undefined) head.varint(shown);
  writeHash(head, seats);
}

export function readGossipDigest(head: ByteReader, id: number): GossipDigest {
  const news = readNews(head);
  const shown = readFlag(head) ? head.varint() : undefined;
  return { kind: "gossip-digest", id, news, ...(shown === undefined ? {} : { shown }), seats: readHash(head) };
}

export function writeGossipDelta(head: ByteWriter, { news }: GossipDelta): void {
  writeNews(head, news);
}

export function readGossipDelta(head: ByteReader, id: number): GossipDelta {
  return { kind: "gossip-delta", id, news: readNews(head) };
}

export function writeGossipAnswer(head: ByteWriter, { news }: GossipAnswer): void {
  writeNews(head, news);
}

export function readGossipAnswer(head: ByteReader, id: number): GossipAnswer {
  return { kind: "gossip-answer", id, news: readNews(head) };
}
