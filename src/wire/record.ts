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
import type { MintRecord } from "../core/causality/minting.ts";
import { type SiblingSet, stateBytes } from "../core/causality/sibling-set.ts";
import type { Checksum } from "../core/hash/crc32.ts";
import { parseActorId } from "../core/ids.ts";
import { readState, verifyValues, writeState } from "./state-codec.ts";

/** One key's record, decoded. */
export interface KeyRecord {
  /** Absent where this node has minted no dot for the key, or none since the state came by merge alone. */
  readonly mint: MintRecord | undefined;
  readonly state: SiblingSet;
}

const format = 1;
const beforeHead = 9;

/** The bytes to be stored under `key`. */
export function encodeRecord(record: KeyRecord, key: Uint8Array, checksum: Checksum): Uint8Array {
  const { mint, state } = record;
  const writer = new ByteWriter(stateBytes(state) + 64);
  const bodies: Uint8Array[] = [];
  writer.u8(format);
  writer.u32(0);
  writer.u32(0);
  writer.text(mint?.actor ?? "");
  if (mint !== undefined) writer.varint(mint.counter);
  writeState(writer, bodies, state);
  writer.setU32(1, writer.length - beforeHead);
  const written = writer.view();
  writer.setU32(5, headChecksum(key, written.subarray(0, 5), written.subarray(beforeHead), checksum));
  for (const body of bodies) writer.raw(body);
  return writer.view();
}

/** The record found under `key`; its values are views into `bytes`. Throws `MalformedBytes` on any damage. */
export function decodeRecord(bytes: Uint8Array, key: Uint8Array, checksum: Checksum): KeyRecord {
  const start = new ByteReader(bytes);
  const found = start.u8();
  if (found !== format) throw new MalformedBytes(`record format ${found} is unknown, this version reads ${format}`);
  const headBytes = start.raw(start.u32() + 4).subarray(4);
  const expected = new ByteReader(bytes.subarray(5)).u32();
  if (headChecksum(key, bytes.subarray(0, 5), headBytes, checksum) !== expected) {
    throw new MalformedBytes("the record's head and its key do not match its checksum");
  }
  const head = new ByteReader(headBytes);
  const bodies = new ByteReader(bytes.subarray(start.offset));
  const mint = readMint(head);
  const state = readState(head, bodies);
  head.end();
  bodies.end();
  if (!verifyValues(state, checksum)) throw new MalformedBytes("a value does not match its checksum");
  return { mint, state };
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
