/**
 * Where things are in a store: the layout of every key a node writes.
 *
 * A key begins with the tag of its space, so that the node's own records, its data and (later) its hints lie apart in
 * one engine and one batch may touch them all. Data is ordered by partition first: a partition is what moves between
 * nodes, what is compared and what is dropped (§6.2, strategy 3), and so must be one range.
 *
 *   meta   01 | name, ASCII
 *   data   02 | partition u16 | length of the bucket u8 | bucket, UTF-8 | key, UTF-8
 *
 * Numbers are big-endian, so that byte order is number order. The layout is part of the data directory's format.
 *
 * Hot path: `dataKey` runs for every request.
 */

import { MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { PartitionId } from "../core/ids.ts";
import { bucketNameBytes, mostPartitions } from "../core/limits.ts";
import type { KeyRange } from "./engine.ts";

const metaTag = 0x01;
const dataTag = 0x02;
const dataHeadBytes = 4;

const encoder: TextEncoder = new TextEncoder();
const decoder: TextDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A key as the engine has it, and as tables in memory have it: equal bytes, equal ids. */
export interface StoreKey {
  /** A text unique for the bytes, within the space. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

export interface DataKeyParts {
  readonly partition: PartitionId;
  readonly bucket: string;
  readonly key: string;
}

/** The key of a bucket's key, which must lie in `partition`. */
export function dataKey(partition: PartitionId, bucket: string, key: string): StoreKey {
  return asciiDataKey(partition, bucket, key) ?? encodedDataKey(partition, bucket, key);
}

/** Undoes `dataKey`. Throws `MalformedBytes` where the bytes are no data key. */
export function parseDataKey(bytes: Uint8Array): DataKeyParts {
  const bucketLength = bytes[3];
  if (bytes[0] !== dataTag || bucketLength === undefined || bytes.length < dataHeadBytes + bucketLength) {
    throw new MalformedBytes(`stored key of ${bytes.length} bytes is not a data key`);
  }
  const keyStart = dataHeadBytes + bucketLength;
  try {
    return {
      partition: (((bytes[1] as number) << 8) | (bytes[2] as number)) as PartitionId,
      bucket: decoder.decode(bytes.subarray(dataHeadBytes, keyStart)),
      key: decoder.decode(bytes.subarray(keyStart)),
    };
  } catch (cause) {
    throw new MalformedBytes("stored key is not UTF-8", { cause });
  }
}

/** All data keys. */
export function dataRange(): KeyRange {
  return { from: Uint8Array.of(dataTag), to: Uint8Array.of(dataTag + 1) };
}

/** All data keys of a partition. */
export function partitionRange(partition: PartitionId): KeyRange {
  const next = partition + 1;
  return {
    from: Uint8Array.of(dataTag, partition >> 8, partition & 0xff),
    to: next === mostPartitions ? Uint8Array.of(dataTag + 1) : Uint8Array.of(dataTag, next >> 8, next & 0xff),
  };
}

/** All data keys of one bucket in a partition. */
export function bucketRange(partition: PartitionId, bucket: string): KeyRange {
  const from = dataKey(partition, bucket, "").bytes;
  const to = from.slice();
  for (let i = to.length - 1; ; i--) {
    const byte = to[i] as number;
    if (byte < 0xff) {
      to[i] = byte + 1;
      return { from, to: to.subarray(0, i + 1) };
    }
  }
}

/** The key of one of the node's own records; `name` is printable ASCII. */
export function metaKey(name: string): StoreKey {
  if (!/^[\x21-\x7e]{1,100}$/.test(name)) throw new RangeError(`"${name}" cannot name a record of the node`);
  return { id: name, bytes: Uint8Array.of(metaTag, ...encoder.encode(name)) };
}

/** The key right after this one: where a scan goes on. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const after = new Uint8Array(key.length + 1);
  after.set(key);
  return after;
}

/** The key if both texts are ASCII, as nearly all are: their length in bytes is then known before they are encoded. */
function asciiDataKey(partition: PartitionId, bucket: string, key: string): StoreKey | undefined {
  const bytes = new Uint8Array(dataHeadBytes + bucket.length + key.length);
  let at = dataHeadBytes;
  for (let i = 0; i < bucket.length; i++) {
    const code = bucket.charCodeAt(i);
    if (code > 0x7f) return undefined;
    bytes[at++] = code;
  }
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code > 0x7f) return undefined;
    bytes[at++] = code;
  }
  writeHead(bytes, partition, bucket.length);
  return { id: idOf(bucket, key), bytes };
}

/** The id is made from the bytes, since texts that differ in a lone surrogate only have the same bytes. */
function encodedDataKey(partition: PartitionId, bucket: string, key: string): StoreKey {
  const bucketBytes = encoder.encode(bucket);
  const keyBytes = encoder.encode(key);
  const bytes = new Uint8Array(dataHeadBytes + bucketBytes.length + keyBytes.length);
  writeHead(bytes, partition, bucketBytes.length);
  bytes.set(bucketBytes, dataHeadBytes);
  bytes.set(keyBytes, dataHeadBytes + bucketBytes.length);
  return { id: idOf(decoder.decode(bucketBytes), decoder.decode(keyBytes)), bytes };
}

function writeHead(bytes: Uint8Array, partition: PartitionId, bucketLength: number): void {
  if (bucketLength > bucketNameBytes) {
    throw new RangeError(`bucket name of ${bucketLength} bytes, the limit is ${bucketNameBytes}`);
  }
  bytes[0] = dataTag;
  bytes[1] = partition >> 8;
  bytes[2] = partition & 0xff;
  bytes[3] = bucketLength;
}

/** The bucket's length comes first, so that no two pairs run together into one text. */
function idOf(bucket: string, key: string): string {
  return String.fromCharCode(bucket.length) + bucket + key;
}
