/**
 * What a replica stores under a key: the state, and the private record under which the node mints (`minting.ts`).
 *
 * The layout is a byte for the format, the head's length, the head's checksum, the head, and the values:
 *
 *     u8 format | u32 head length | u32 CRC-32 of the stored key, the five bytes before and the head | head | bodies
 *
 * Every bit is under a checksum, the head's or a value's own, and the lengths in the head say how long the whole is:
 * a record that was torn, shortened or damaged is found when it is read, and never served (§4.7 repairs it then). So
 * is one that lies under another key than its own, where a bit of the key flipped or the engine lost its way. A later
 * format gets a new first byte; older ones stay readable.
 */

import { ByteReader, MalformedBytes } from "../core/bytes/byte-reader.ts";
import { ByteWriter } from "../core/bytes/byte-writer.ts";
import { Slab } from "../core/bytes/slab.ts";
import { TextMemo } from "../core/bytes/text-memo.ts";
import type { MintRecord } from "../core/causality/minting.ts";
import type { SiblingSet } from "../core/causality/sibling-set.ts";
import type { Checksum } from "../core/hash/crc32.ts";
import { parseActorId } from "../core/ids.ts";
import { readState, verifyBodies, verifyValues, writeState } from "./state-codec.ts";

/** One key's record, decoded. */
export interface KeyRecord {
  /** Absent where this node has minted no dot for the key, or none since the state came by merge alone. */
  readonly mint: MintRecord | undefined;
  readonly state: SiblingSet;
}

/** The same as it was found. */
export interface FoundRecord extends KeyRecord {
  /** The head of the state, as it would be sent (`state-codec.ts`); a view. */
  readonly stateHead: Uint8Array;
}

const format = 1;
/** Format and head's length, which the head's checksum covers, and that checksum. */
const startBytes = 5;
const beforeHead = 9;

/** Why a record is refused whose head is whole. */
export const damagedValue = "a value does not match its checksum";

/** Room that every head reuses, and readers that every record does; nothing of one call is left for the next. */
const scratch: ByteWriter = new ByteWriter(2048);
/** What is encoded goes to the disk soon: small records share their memory. */
const slab: Slab = new Slab();
const nothing: Uint8Array = new Uint8Array(0);
const headReader: ByteReader = new ByteReader(nothing, new TextMemo());
const bodiesReader: ByteReader = new ByteReader(nothing);

/** The bytes to be stored under `key`. */
export function encodeRecord(record: KeyRecord, key: Uint8Array, checksum: Checksum): Uint8Array {
  const { mint, state } = record;
  const writer = scratch;
  writer.reset();
  const bodies: Uint8Array[] = [];
  writer.u8(format);
  writer.u32(0);
  writer.u32(0);
  writer.text(mint?.actor ?? "");
  if (mint !== undefined) writer.varint(mint.counter);
  writeState(writer, bodies, state);
  writer.setU32(1, writer.length - beforeHead);
  const written = writer.view();
  const check = headChecksum(key, written.subarray(0, startBytes), written.subarray(beforeHead), checksum);
  writer.setU32(startBytes, check);
  let length = written.length;
  for (const body of bodies) length += body.length;
  const bytes = slab.take(length);
  bytes.set(written);
  let at = written.length;
  for (const body of bodies) {
    bytes.set(body, at);
    at += body.length;
  }
  return bytes;
}

/** The record found under `key`; its values are views into `bytes`. Throws `MalformedBytes` on any damage. */
export function decodeRecord(bytes: Uint8Array, key: Uint8Array, checksum: Checksum): FoundRecord {
  const record = decodeUnverified(bytes, key, checksum);
  if (!verifyValues(record.state, checksum)) throw new MalformedBytes(damagedValue);
  return record;
}

/** The same, its values not compared with their checksums yet: for those who may replace them. */
export function decodeUnverified(bytes: Uint8Array, key: Uint8Array, checksum: Checksum): FoundRecord {
  const head = headReader;
  const bodies = bodiesReader;
  const headEnd = open(bytes, key, checksum);
  const mint = readMint(head);
  const stateHead = bytes.subarray(head.offset, headEnd);
  const state = readState(head, bodies);
  head.end();
  bodies.end();
  letGo();
  return { mint, state, stateHead };
}

/**
 * Whether the record found under `key` is one of the state with this head, and nothing of it is damaged: what
 * `decodeRecord` would find, for a fraction of the work. May throw `MalformedBytes` where it would.
 */
export function holdsState(bytes: Uint8Array, key: Uint8Array, stateHead: Uint8Array, checksum: Checksum): boolean {
  const head = headReader;
  const headEnd = open(bytes, key, checksum);
  const actorBytes = head.varint();
  head.skip(actorBytes);
  if (actorBytes > 0) head.varint();
  const at = head.offset;
  const holds = isAt(bytes, at, headEnd, stateHead) && verifyBodies(head, bodiesReader, checksum);
  letGo();
  return holds;
}

function isAt(bytes: Uint8Array, from: number, to: number, expected: Uint8Array): boolean {
  if (to - from !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[from + i] !== expected[i]) return false;
  return true;
}

/** Aims both readers at their parts, once the head has been compared with its checksum; answers where it ends. */
function open(bytes: Uint8Array, key: Uint8Array, checksum: Checksum): number {
  const head = headReader;
  head.aim(bytes, 0, bytes.length);
  const found = head.u8();
  if (found !== format) throw new MalformedBytes(`record format ${found} is unknown, this version reads ${format}`);
  const headBytes = head.u32();
  const expected = head.u32();
  const written = head.raw(headBytes);
  if (headChecksum(key, bytes.subarray(0, startBytes), written, checksum) !== expected) {
    throw new MalformedBytes("the record's head and its key do not match its checksum");
  }
  const headEnd = beforeHead + headBytes;
  head.aim(bytes, beforeHead, headEnd);
  bodiesReader.aim(bytes, headEnd, bytes.length);
  return headEnd;
}

/** The readers are kept, and would keep the record. */
function letGo(): void {
  headReader.aim(nothing, 0, 0);
  bodiesReader.aim(nothing, 0, 0);
}

function headChecksum(key: Uint8Array, start: Uint8Array, head: Uint8Array, checksum: Checksum): number {
  return checksum(head, checksum(start, checksum(key)));
}

function readMint(head: ByteReader): MintRecord | undefined {
  const text = head.text();
  if (text === "") return undefined;
  const actor = parseActorId(text);
  if (actor === undefined) throw new MalformedBytes("the minting actor is not an actor");
  return { actor, counter: head.varint() };
}
