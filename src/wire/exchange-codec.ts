/**
 * The messages of an exchange between hash trees: `core/merkle` says what they mean.
 *
 * The children of a node travel as sixteen bits that say which of them are not empty, and the hashes of those: the
 * lower levels of a tree of few keys are nearly all empty.
 */

import { type ByteReader, MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { Hash64 } from "../core/hash/murmur3.ts";
import type { PartitionId } from "../core/ids.ts";
import { mostCopies } from "../core/limits.ts";
import type { NodeChildren } from "../core/merkle/exchange.ts";
import { emptyHash, fanOut, leafCount, leafLevel, sameHash } from "../core/merkle/hash-tree.ts";
import type {
  AllStored,
  CompareNodes,
  CompareTrees,
  CopiedState,
  CopyStates,
  HashesCompared,
  KeysListed,
  ListedKey,
  ListKeys,
  StatesCopied,
  TreeName,
} from "./exchange-message.ts";
import {
  readBucket,
  readFlag,
  readHash,
  readKey,
  readList,
  readShortText,
  writeFlag,
  writeHash,
  writeKey,
  writeList,
} from "./fields.ts";
import { readState, writeState } from "./state-codec.ts";

/** A stored key is at most its head, a bucket and a key long. */
const mostStoredKeyBytes = 2048;
/** The name of a run (`core/causality/minting.ts`) is shorter. */
const mostRunBytes = 64;

function writeTree(head: ByteWriter, { partition, n }: TreeName): void {
  head.u16(partition);
  head.u8(n);
}

function readTree(head: ByteReader): TreeName {
  const partition = head.u16() as PartitionId;
  const n = head.u8();
  if (n < 1 || n > mostCopies) throw new MalformedBytes(`a tree of ${n} copies`);
  return { partition, n };
}

function readBelow(head: ByteReader, limit: number, what: string): number {
  const value = head.varint();
  if (value >= limit) throw new MalformedBytes(`${what} ${value} is not below ${limit}`);
  return value;
}

export function writeCompareTrees(head: ByteWriter, message: CompareTrees): void {
  head.u32(message.changes);
  writeList(head, message.trees, (to, tree) => {
    writeTree(to, tree);
    writeHash(to, tree.root);
  });
  writeFlag(head, message.wantsSizes);
}

export function readCompareTrees(head: ByteReader, id: number): CompareTrees {
  const changes = head.u32();
  const trees = readList(head, 11, (from) => ({ ...readTree(from), root: readHash(from) }));
  return { kind: "compare-trees", id, changes, trees, wantsSizes: readFlag(head) };
}

export function writeCompareNodes(head: ByteWriter, message: CompareNodes): void {
  writeTree(head, message.tree);
  head.u8(message.level);
  writeList(head, message.nodes, writeNode);
}

export function readCompareNodes(head: ByteReader, id: number): CompareNodes {
  const tree = readTree(head);
  const level = head.u8();
  if (level >= leafLevel) throw new MalformedBytes(`nodes of level ${level} have no children`);
  const nodes = readList(head, 3, (from) => readNode(from, fanOut ** level));
  return { kind: "compare-nodes", id, tree, level, nodes };
}

function writeNode(head: ByteWriter, { index, children }: NodeChildren): void {
  head.varint(index);
  let present = 0;
  for (let i = 0; i < fanOut; i++) if (!sameHash(children[i] ?? emptyHash, emptyHash)) present |= 1 << i;
  head.u16(present);
  for (let i = 0; i < fanOut; i++) if ((present & (1 << i)) !== 0) writeHash(head, children[i] as Hash64);
}

function readNode(head: ByteReader, nodes: number): NodeChildren {
  const index = readBelow(head, nodes, "node");
  const present = head.u16();
  const children: Hash64[] = [];
  for (let i = 0; i < fanOut; i++) children.push((present & (1 << i)) === 0 ? emptyHash : readHash(head));
  return { index, children };
}

export function writeHashesCompared(head: ByteWriter, message: HashesCompared): void {
  writeList(head, message.differing, (to, place) => to.varint(place));
  writeList(head, message.unvouched, (to, place) => to.varint(place));
  writeList(head, message.sizes, (to, { keys, bytes }) => {
    to.varint(keys);
    to.varint(bytes);
  });
}

export function readHashesCompared(head: ByteReader, id: number): HashesCompared {
  const differing = readList(head, 1, (from) => from.varint());
  const unvouched = readList(head, 1, (from) => from.varint());
  const sizes = readList(head, 2, (from) => ({ keys: from.varint(), bytes: from.varint() }));
  return { kind: "hashes-compared", id, differing, unvouched, sizes };
}

export function writeListKeys(head: ByteWriter, message: ListKeys): void {
  writeTree(head, message.tree);
  writeList(head, message.leaves, (to, leaf) => to.varint(leaf));
  head.bytes(message.after);
}

export function readListKeys(head: ByteReader, id: number): ListKeys {
  const tree = readTree(head);
  const leaves = readList(head, 1, (from) => readBelow(from, leafCount, "leaf"));
  return { kind: "list-keys", id, tree, leaves, after: readStoredKey(head) };
}

/** As a copy: it is kept beyond the turn. */
function readStoredKey(head: ByteReader): Uint8Array {
  const bytes = head.bytes();
  if (bytes.length > mostStoredKeyBytes) throw new MalformedBytes(`a stored key of ${bytes.length} bytes`);
  return bytes.slice();
}

/** Keys with the digests of their states. */
export function writeListedKeys(head: ByteWriter, keys: readonly ListedKey[]): void {
  writeList(head, keys, (to, { bucket, key, digest }) => {
    writeKey(to, bucket, key);
    writeHash(to, digest);
  });
}

export function readListedKeys(head: ByteReader): ListedKey[] {
  return readList(head, 12, (from) => ({ bucket: readBucket(from), key: readKey(from), digest: readHash(from) }));
}

export function writeKeysListed(head: ByteWriter, message: KeysListed): void {
  writeListedKeys(head, message.keys);
  writeFlag(head, message.until !== undefined);
  if (message.until !== undefined) head.bytes(message.until);
}

export function readKeysListed(head: ByteReader, id: number): KeysListed {
  const keys = readListedKeys(head);
  return { kind: "keys-listed", id, keys, ...(readFlag(head) && { until: readStoredKey(head) }) };
}

export function writeCopyStates(head: ByteWriter, message: CopyStates): void {
  writeTree(head, message.tree);
  writeList(head, message.keys, (to, { bucket, key }) => writeKey(to, bucket, key));
}

export function readCopyStates(head: ByteReader, id: number): CopyStates {
  const tree = readTree(head);
  const keys = readList(head, 4, (from) => ({ bucket: readBucket(from), key: readKey(from) }));
  return { kind: "copy-states", id, tree, keys };
}

export function writeAllStored(head: ByteWriter, { run }: AllStored): void {
  head.text(run);
}

export function readAllStored(head: ByteReader, id: number): AllStored {
  return { kind: "all-stored", id, run: readShortText(head, mostRunBytes) };
}

const noState = 0;
const hasState = 1;
const isRefused = 2;

export function writeStatesCopied(head: ByteWriter, bodies: Uint8Array[], message: StatesCopied): void {
  writeList(head, message.states, (to, state) => {
    to.u8(state === undefined ? noState : state === "refused" ? isRefused : hasState);
    if (state !== undefined && state !== "refused") writeState(to, bodies, state);
  });
}

export function readStatesCopied(head: ByteReader, bodies: ByteReader, id: number): StatesCopied {
  const states = readList(head, 1, (from) => readCopiedState(from, bodies));
  return { kind: "states-copied", id, states };
}

function readCopiedState(head: ByteReader, bodies: ByteReader): CopiedState {
  const is = head.u8();
  if (is > isRefused) throw new MalformedBytes(`a copied state of kind ${is}`);
  return is === noState ? undefined : is === isRefused ? "refused" : readState(head, bodies);
}
