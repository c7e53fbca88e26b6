/**
 * Where things are in a store: the layout of every key a node writes.
 *
 * A key begins with the tag of its space, so that the node's own records, its data and its hints lie apart in one
 * engine and one batch may touch them all. Data is ordered by partition first: a partition is what moves between
 * nodes, what is compared and what is dropped (§6.2, strategy 3), and so must be one range. Hints are ordered by the
 * owner they wait for (§4.6): that is how they leave. Bytes that are damaged are set aside under the key they had.
 *
 *   meta       01 | name, ASCII
 *   data       02 | partition u16 | length of the bucket u8 | bucket, UTF-8 | key, UTF-8
 *   hint       03 | id of the owner, 8 bytes | a data key without its tag
 *   set aside  04 | any key of the above
 *
 * Numbers are big-endian, so that byte order is number order. The layout is part of the data directory's format.
 *
 * Hot path: `dataKey` runs for every request.
 */

import { MalformedBytes } from "../core/bytes/byte-reader.ts";
import { type NodeId, type PartitionId, parseNodeId } from "../core/ids.ts";
import { bucketNameBytes, mostPartitions } from "../core/limits.ts";
import type { KeyRange } from "./engine.ts";

const metaTag = 0x01;
const dataTag = 0x02;
const hintTag = 0x03;
const setAsideTag = 0x04;
const nodeIdBytes = 8;
const dataHeadBytes = 4;

const encoder: TextEncoder = new TextEncoder();
const decoder: TextDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A key as the engine has it, and as tables in memory have it: equal bytes, equal ids. */
export interface StoreKey {
  /** A text unique for the bytes, among data and hints. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

export interface DataKeyParts {
  readonly partition: PartitionId;
  readonly bucket: string;
  readonly key: string;
}

export interface HintKeyParts extends DataKeyParts {
  readonly owner: NodeId;
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
  return { from, to: after(from) as Uint8Array };
}

/** The key of the hint that waits for `owner`, of the key whose data key this is. */
export function hintKey(owner: NodeId, data: StoreKey): StoreKey {
  const bytes = new Uint8Array(nodeIdBytes + data.bytes.length);
  bytes[0] = hintTag;
  bytes.set(bytesOfNodeId(owner), 1);
  bytes.set(data.bytes.subarray(1), 1 + nodeIdBytes);
  return { id: `\0${owner}${data.id}`, bytes };
}

/** Undoes `hintKey`. Throws `MalformedBytes` where the bytes are no hint's key. */
export function parseHintKey(bytes: Uint8Array): HintKeyParts {
  if (bytes[0] !== hintTag || bytes.length < nodeIdBytes + dataHeadBytes) {
    throw new MalformedBytes(`stored key of ${bytes.length} bytes is not a hint's key`);
  }
  const data = bytes.slice(nodeIdBytes);
  data[0] = dataTag;
  return { owner: ownerOfHint(bytes), ...parseDataKey(data) };
}

/** The owner for whom the hint under this key waits. */
export function ownerOfHint(bytes: Uint8Array): NodeId {
  return nodeIdOf(bytes.subarray(1, 1 + nodeIdBytes));
}

export function isHintKey(bytes: Uint8Array): boolean {
  return bytes[0] === hintTag;
}

/** All hints, or those for one owner. */
export function hintRange(owner?: NodeId): KeyRange {
  const all = { from: Uint8Array.of(hintTag), to: Uint8Array.of(hintTag + 1) };
  if (owner === undefined) return all;
  const from = Uint8Array.of(hintTag, ...bytesOfNodeId(owner));
  return { from, to: after(from) ?? all.to };
}

/** All hints for one owner of one bucket's keys in a partition. */
export function hintBucketRange(owner: NodeId, partition: PartitionId, bucket: string): KeyRange {
  const from = hintKey(owner, dataKey(partition, bucket, "")).bytes;
  return { from, to: after(from) as Uint8Array };
}

/** What is stored under bytes that are no key of this layout: damaged ones. */
export function damagedKey(bytes: Uint8Array): StoreKey {
  return { id: `\0${hexOf(bytes)}`, bytes };
}

/** Where bytes that are damaged are kept for people to look at, instead of under `key`. */
export function setAsideKey(key: StoreKey): StoreKey {
  return { id: `\0\0${key.id}`, bytes: Uint8Array.of(setAsideTag, ...key.bytes) };
}

/** All that is kept so. */
export function setAsideRange(): KeyRange {
  return { from: Uint8Array.of(setAsideTag), to: Uint8Array.of(setAsideTag + 1) };
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

/** The first bytes behind all that begin with these; undefined where all of these are 255. */
function after(prefix: Uint8Array): Uint8Array | undefined {
  const next = prefix.slice();
  for (let i = next.length - 1; i >= 0; i--) {
    const byte = next[i] as number;
    if (byte < 0xff) {
      next[i] = byte + 1;
      return next.subarray(0, i + 1);
    }
  }
  return undefined;
}

function bytesOfNodeId(node: NodeId): Uint8Array {
  return Uint8Array.from({ length: nodeIdBytes }, (_, i) => Number.parseInt(node.slice(2 * i, 2 * i + 2), 16));
}

function nodeIdOf(bytes: Uint8Array): NodeId {
  return parseNodeId(hexOf(bytes)) as NodeId;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
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
