/**
 * What a key adds to its hash tree (§4.7): a leaf that bucket and key alone decide, and a digest of its state.
 *
 * The digest covers bucket, key, the dots of the context and those of the live versions: two states have the same one
 * if and only if they are the same state (`sameState`), as far as 64 bits can tell. A dot names its version, so values
 * are not hashed, however large; times are left out as they are there.
 *
 * The key's place on the ring gives the partition by its first bits, and the leaf by the first of its second word.
 *
 * Hot path: twice for every write.
 */

import { ByteWriter } from "../bytes/byte-writer.ts";
import type { SiblingSet } from "../causality/sibling-set.ts";
import { type Hash64, hash64 } from "../hash/murmur3.ts";
import { keyHash } from "../ring/key-hash.ts";
import { emptyHash, leafCount } from "./hash-tree.ts";

const leafShift = 32 - Math.log2(leafCount);

/** Room that every digest reuses; nothing of one call is left for the next. */
const scratch: ByteWriter = new ByteWriter(2048);

/** The leaf of a key, from 0. */
export function leafOf(bucket: string, key: string): number {
  return leafOfHash(keyHash(bucket, key));
}

/** The same, by the key's hash. */
export function leafOfHash({ lo }: Hash64): number {
  return lo >>> leafShift;
}

/** The digest of a key's state. A state that knows no dot has that of no state at all, zero. */
export function keyDigest(bucket: string, key: string, state: SiblingSet | undefined): Hash64 {
  if (state === undefined || state.context.length === 0) return emptyHash;
  scratch.reset();
  scratch.text(bucket);
  scratch.text(key);
  scratch.varint(state.context.length);
  for (const { actor, from, to } of state.context) {
    scratch.text(actor);
    scratch.varint(from);
    scratch.varint(to);
  }
  for (const { dot } of state.siblings) {
    scratch.text(dot.actor);
    scratch.varint(dot.counter);
  }
  return hash64(scratch.view());
}
