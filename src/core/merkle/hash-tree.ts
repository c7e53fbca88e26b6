/**
 * A hash tree over a set of keys (§4.7): equal trees mean equal sets, and where two trees differ, a descent finds the
 * leaves that do.
 *
 * The shape is fixed: each node has 16 children, and three levels below the root are 4,096 leaves, whatever the number
 * of keys. A leaf is the XOR of its keys' digests and a node that of its children, so a key that comes, changes or goes
 * is three steps up from its leaf, in place, and no tree is ever rebuilt for an exchange. XOR needs no order and undoes
 * itself; what a hash over sorted children would give besides, a defence against forged digests, is not asked of a tree
 * that only members fill.
 *
 * Invariant: every node is the XOR of its children.
 *
 * Hot path: `apply` runs for every write. Its naive twin is in the tests.
 */

import type { Hash64 } from "../hash/murmur3.ts";

/** Children of each node. */
export const fanOut: number = 16;
/** The level of the leaves; the root's is 0. */
export const leafLevel: number = 3;
export const leafCount: number = fanOut ** leafLevel;

/** Where each level begins in the arrays. */
const levelStarts: readonly number[] = [0, 1, 17, 273];
const nodeCount = 273 + leafCount;

/** What a tree takes in memory, in bytes, roughly. */
export const treeBytes: number = nodeCount * 8 + 200;

export class HashTree {
  /** How many keys there are in it, and what they and their values take, in bytes: whoever applies them counts. */
  keys = 0;
  bytes = 0;
  readonly #hi: Uint32Array = new Uint32Array(nodeCount);
  readonly #lo: Uint32Array = new Uint32Array(nodeCount);

  /** Puts the digest into the leaf, or takes it out if it is there: XOR does both. */
  apply(leaf: number, hi: number, lo: number): void {
    let index = leaf;
    for (let level = leafLevel; level >= 0; level--) {
      const at = (levelStarts[level] as number) + index;
      this.#hi[at] = (this.#hi[at] as number) ^ hi;
      this.#lo[at] = (this.#lo[at] as number) ^ lo;
      index >>>= 4;
    }
  }

  /** The hash of a node: `index` counts from 0 within its level. */
  hash(level: number, index: number): Hash64 {
    const at = (levelStarts[level] as number) + index;
    return { hi: this.#hi[at] as number, lo: this.#lo[at] as number };
  }
}

/** The tree of no keys, for comparing; nobody changes it. */
export const emptyHash: Hash64 = { hi: 0, lo: 0 };

export function sameHash(a: Hash64, b: Hash64): boolean {
  return a.hi === b.hi && a.lo === b.lo;
}
