/**
 * The bytes of a group: all that one write to the disk stores, whole or not at all.
 *
 *     0  u32 magic              16  u32 first segment that is still needed
 *     4  u32 bytes of heads     20  u32 flags: 1 = no group follows in this segment
 *     8  u32 bytes of values    24  u32 CRC-32 of the values
 *    12  u32 operations         28  u32 CRC-32 of the place, the 28 bytes before and the heads
 *    32  heads: per operation u8 kind (1 put, 2 delete) | u16 length of the key | u32 length of the value | key
 *        values, in the order of the heads
 *
 * Heads lie together so that a store is opened, and compacted, without reading values that nobody wants. They have a
 * checksum of their own: while it holds it is known which keys the group is about, whatever became of their values.
 *
 * The place is the store's salt, the segment's number and the offset. A group is thus valid in its own place only: what
 * an earlier run left behind is no group, nor is a value that looks like one, since its writer does not know the salt.
 *
 * Numbers are big-endian. Hot path: every write is encoded here.
 */

import type { Checksum } from "../../core/hash/crc32.ts";
import { StorageError, type WriteOperation } from "../engine.ts";

export const groupHeadBytes = 32;
/** Before an operation's key. */
export const operationHeadBytes = 7;
const groupMagic = 0xca27_106e;
const putKind = 1;
const deleteKind = 2;
const lastFlag = 1;
/** The buffer is kept for the next group up to this size. */
const keptBytes: number = 4 * 1024 * 1024;

/** Where a group is. */
export interface GroupPlace {
  readonly salt: number;
  readonly segment: number;
  readonly offset: number;
}

/** What a group's head says of it. */
export interface GroupHead {
  readonly place: GroupPlace;
  readonly operations: number;
  readonly firstSegment: number;
  /** Whether no group follows in this segment. */
  readonly isLast: boolean;
  readonly valuesChecksum: number;
  /** Offsets in the segment. */
  readonly valuesOffset: number;
  readonly endOffset: number;
}

/** One operation of a group that was read back. */
export interface ReadOperation {
  readonly key: Uint8Array;
  /** Where the value begins in the segment; undefined for a delete. */
  readonly offset: number | undefined;
  readonly valueBytes: number;
}

/** Encodes groups, one after the other, into the same memory. */
export class GroupEncoder {
  readonly #checksum: Checksum;
  #memory: Uint8Array = new Uint8Array(64 * 1024);

  constructor(checksum: Checksum) {
    this.#checksum = checksum;
  }

  /** The group's bytes, good until the next group. */
  encode(
    place: GroupPlace,
    batches: readonly (readonly WriteOperation[])[],
    group: { readonly firstSegment: number; readonly targetBytes: number },
  ): { readonly bytes: Uint8Array; readonly isLast: boolean; readonly valuesOffset: number } {
    let count = 0;
    let headsBytes = 0;
    let valuesBytes = 0;
    for (const batch of batches) {
      count += batch.length;
      for (const { key, value } of batch) {
        headsBytes += operationHeadBytes + key.length;
        if (value !== undefined) valuesBytes += value.length;
      }
    }
    const length = groupHeadBytes + headsBytes + valuesBytes;
    const isLast = place.offset + length >= group.targetBytes;
    const bytes = this.#room(length);
    writeU32(bytes, 0, groupMagic);
    writeU32(bytes, 4, headsBytes);
    writeU32(bytes, 8, valuesBytes);
    writeU32(bytes, 12, count);
    writeU32(bytes, 16, group.firstSegment);
    writeU32(bytes, 20, isLast ? lastFlag : 0);
    this.#writeOperations(bytes, batches, groupHeadBytes + headsBytes);
    writeU32(bytes, 24, this.#checksum(bytes.subarray(groupHeadBytes + headsBytes)));
    const heads = bytes.subarray(0, groupHeadBytes + headsBytes);
    writeU32(bytes, 28, headChecksum(this.#checksum, place, heads));
    return { bytes, isLast, valuesOffset: place.offset + groupHeadBytes + headsBytes };
  }

  #writeOperations(bytes: Uint8Array, batches: readonly (readonly WriteOperation[])[], valuesAt: number): void {
    let at = groupHeadBytes;
    let valueAt = valuesAt;
    for (const batch of batches) {
      for (const { key, value } of batch) {
        const valueBytes = value === undefined ? 0 : value.length;
        bytes[at] = value === undefined ? deleteKind : putKind;
        bytes[at + 1] = key.length >>> 8;
        bytes[at + 2] = key.length;
        writeU32(bytes, at + 3, valueBytes);
        at += operationHeadBytes;
        for (let i = 0; i < key.length; i++) bytes[at++] = key[i] as number;
        if (value === undefined) continue;
        bytes.set(value, valueAt);
        valueAt += valueBytes;
      }
    }
  }

  #room(length: number): Uint8Array {
    if (length > keptBytes) return new Uint8Array(length);
    if (length > this.#memory.length) this.#memory = new Uint8Array(Math.min(keptBytes, length * 2));
    return this.#memory.subarray(0, length);
  }
}

/** How many bytes the group's head and heads take, if `bytes` begin with a group's head; undefined if they do not. */
export function groupHeadsBytes(bytes: Uint8Array): number | undefined {
  if (bytes.length < groupHeadBytes || readU32(bytes, 0) !== groupMagic) return undefined;
  return groupHeadBytes + readU32(bytes, 4);
}

/** Where the next group might begin in `bytes`, from `from` on; -1 for nowhere. */
export function findGroupMagic(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(groupMagic >>> 24, from); at >= 0; at = bytes.indexOf(groupMagic >>> 24, at + 1)) {
    if (at + 4 > bytes.length || readU32(bytes, at) === groupMagic) return at;
  }
  return -1;
}

/** The group whose head and heads these are, if it is one and this is its place. */
export function readGroupHead(heads: Uint8Array, place: GroupPlace, checksum: Checksum): GroupHead | undefined {
  if (groupHeadsBytes(heads) !== heads.length) return undefined;
  if (headChecksum(checksum, place, heads) !== readU32(heads, 28)) return undefined;
  const valuesOffset = place.offset + heads.length;
  return {
    place,
    operations: readU32(heads, 12),
    firstSegment: readU32(heads, 16),
    isLast: (readU32(heads, 20) & lastFlag) !== 0,
    valuesChecksum: readU32(heads, 24),
    valuesOffset,
    endOffset: valuesOffset + readU32(heads, 8),
  };
}

/** The operations of a group, in order; their keys are views into `heads`, which `readGroupHead` found good. */
export function* groupOperations(head: GroupHead, heads: Uint8Array): Generator<ReadOperation> {
  let at = groupHeadBytes;
  let offset = head.valuesOffset;
  for (let i = 0; i < head.operations; i++) {
    const kind = heads[at];
    const keyLength = ((heads[at + 1] as number) << 8) | (heads[at + 2] as number);
    const valueBytes = readU32(heads, at + 3);
    at += operationHeadBytes;
    const key = heads.subarray(at, at + keyLength);
    at += keyLength;
    if (kind !== putKind && kind !== deleteKind) {
      throw new StorageError("corrupt", `segment ${head.place.segment} has an operation of unknown kind ${kind}`);
    }
    yield { key, offset: kind === putKind ? offset : undefined, valueBytes };
    offset += valueBytes;
  }
}

function headChecksum(checksum: Checksum, place: GroupPlace, heads: Uint8Array): number {
  const start = new Uint8Array(12 + 28);
  writeU32(start, 0, place.salt);
  writeU32(start, 4, place.segment);
  writeU32(start, 8, place.offset);
  start.set(heads.subarray(0, 28), 12);
  return checksum(heads.subarray(groupHeadBytes), checksum(start));
}

/** Writes a number of 32 bits, big-endian. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Reads a number of 32 bits, big-endian. */
export function readU32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  return ((high << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0;
}
