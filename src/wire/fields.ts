/**
 * The fields that several messages share, each with its one way to be written and the checks that reading it makes.
 *
 * Invariant: what `write` wrote, `read` gives back; a field out of its range is the sender's nonsense and fails the
 * whole frame.
 */

import { type ByteReader, MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { Hash64 } from "../core/hash/murmur3.ts";
import { type NodeId, parseNodeId } from "../core/ids.ts";
import { bucketNameBytes, keyBytes, mostCopies } from "../core/limits.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { Quorum } from "../core/settings.ts";

/** Eight bytes: the id's sixteen hexadecimal digits. */
export function writeNodeId(head: ByteWriter, node: NodeId): void {
  head.u32(Number.parseInt(node.slice(0, 8), 16));
  head.u32(Number.parseInt(node.slice(8), 16));
}

export function readNodeId(head: ByteReader): NodeId {
  return nodeIdOf(head.u32(), head.u32());
}

function nodeIdOf(high: number, low: number): NodeId {
  const id = parseNodeId(high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0"));
  if (id === undefined) throw new MalformedBytes("a node id without its sixteen digits");
  return id;
}

/** One byte, 0 or 1. */
export function writeFlag(head: ByteWriter, isSet: boolean): void {
  head.u8(isSet ? 1 : 0);
}

export function readFlag(head: ByteReader): boolean {
  const byte = head.u8();
  if (byte > 1) throw new MalformedBytes(`flag ${byte} at offset ${head.offset - 1} is neither 0 nor 1`);
  return byte === 1;
}

/** A byte whose bits say which optional fields follow; none above `known` may be set. */
export function readPresence(head: ByteReader, known: number): number {
  const bits = head.u8();
  if ((bits & ~known) !== 0) throw new MalformedBytes(`field bits ${bits} at offset ${head.offset - 1} are not known`);
  return bits;
}

const quorumWords = ["one", "quorum", "all"] as const;
const mostQuorum = 0xffff;

/** 0 to 2 for the words, a number plus 3 otherwise. */
export function writeQuorum(head: ByteWriter, quorum: Quorum): void {
  head.varint(typeof quorum === "number" ? quorum + quorumWords.length : quorumWords.indexOf(quorum));
}

export function readQuorum(head: ByteReader): Quorum {
  const code = head.varint();
  if (code > mostQuorum) throw new MalformedBytes(`quorum ${code} at offset ${head.offset} is out of range`);
  return quorumWords[code] ?? code - quorumWords.length;
}

export function writeKey(head: ByteWriter, bucket: string, key: string): void {
  head.text(bucket);
  head.text(key);
}

export function readBucket(head: ByteReader): string {
  const start = head.offset;
  return bounded(head.name(), head.offset - start, bucketNameBytes, "bucket");
}

export function readKey(head: ByteReader): string {
  const start = head.offset;
  return bounded(head.text(), head.offset - start, keyBytes, "key");
}

/** The length takes at most two bytes for texts within these limits, and more only for those beyond. */
function bounded(text: string, taken: number, limit: number, what: string): string {
  if (taken < 2 || taken > limit + (taken > 128 ? 2 : 1)) {
    throw new MalformedBytes(`${what} of about ${taken} bytes is not 1 to ${limit} bytes long`);
  }
  return text;
}

/** Text of at most `limit` bytes, for names and addresses. */
export function readShortText(head: ByteReader, limit = 1024): string {
  const start = head.offset;
  const text = head.text();
  if (head.offset - start > limit + 2) throw new MalformedBytes(`text at offset ${start} is over ${limit} bytes long`);
  return text;
}

/** The seat plus one and the epoch; a zero alone for no voice. */
export function writeVoice(head: ByteWriter, voice: Voice | undefined): void {
  if (voice === undefined) {
    head.varint(0);
    return;
  }
  head.varint(voice.seat + 1);
  head.varint(voice.epoch);
}

export function readVoice(head: ByteReader): Voice | undefined {
  const seat = head.varint();
  if (seat === 0) return undefined;
  if (seat > mostCopies) throw new MalformedBytes(`seat ${seat - 1} is none: there are ${mostCopies} at most`);
  return { seat: seat - 1, epoch: head.varint() };
}

/** A byte that stands for one of `names`, by its place in the list: lists only ever grow at their end. */
export function writeName<T extends string>(head: ByteWriter, names: readonly T[], name: T): void {
  head.u8(names.indexOf(name));
}

export function readName<T extends string>(head: ByteReader, names: readonly T[], what: string): T {
  const code = head.u8();
  const name = names[code];
  if (name === undefined) throw new MalformedBytes(`${what} ${code} at offset ${head.offset - 1} is not known`);
  return name;
}

/** A count and the items. */
export function writeList<T>(head: ByteWriter, items: readonly T[], write: (head: ByteWriter, item: T) => void): void {
  head.varint(items.length);
  for (const item of items) write(head, item);
}

/** `bytesEach` is the least that an item takes, so that a false count fails before anything is allocated for it. */
export function readList<T>(head: ByteReader, bytesEach: number, read: (head: ByteReader) => T): T[] {
  const count = head.count(bytesEach);
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(read(head));
  return items;
}

export function writeHash(head: ByteWriter, { hi, lo }: Hash64): void {
  head.u32(hi);
  head.u32(lo);
}

export function readHash(head: ByteReader): Hash64 {
  return { hi: head.u32(), lo: head.u32() };
}
