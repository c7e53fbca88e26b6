/**
 * Keeps the keys' records in the order of bytes, for scans: a row of leaves with up to 512 references each.
 *
 * Nothing is ever sorted as a whole. A new key is put into its leaf by two searches by halves; a full leaf is split in
 * two. The row of leaves is short (five thousand for a million keys), so that a leaf more or less costs a few
 * microseconds. Keys that come in order, as from a checkpoint, fill the leaves to their ends.
 *
 * Invariants: no leaf is empty; the first key of each leaf is greater than all of the leaf before.
 */

import type { KeyArena } from "./key-arena.ts";

const leafRefs = 512;
/** Two neighbours with no more than this together become one. */
const mergedRefs: number = leafRefs / 2;

interface Leaf {
  readonly refs: Uint32Array;
  count: number;
}

export class KeyOrder {
  readonly #arena: KeyArena;
  readonly #leaves: Leaf[] = [];

  constructor(arena: KeyArena) {
    this.#arena = arena;
  }

  get memoryBytes(): number {
    return this.#leaves.length * leafRefs * 4;
  }

  /** Adds a record whose key is not there yet. */
  add(ref: number, key: Uint8Array): void {
    const last = this.#leaves[this.#leaves.length - 1];
    if (last === undefined || this.#arena.compare(last.refs[last.count - 1] as number, key) < 0) {
      if (last === undefined || last.count === leafRefs) this.#leaves.push(newLeaf(ref));
      else last.refs[last.count++] = ref;
      return;
    }
    const index = this.#leafFor(key);
    const leaf = this.#leaves[index] as Leaf;
    const at = this.#firstFrom(leaf, key);
    if (leaf.count < leafRefs) {
      insert(leaf, at, ref);
    } else {
      const upper = split(leaf);
      this.#leaves.splice(index + 1, 0, upper);
      if (at <= leaf.count) insert(leaf, at, ref);
      else insert(upper, at - leaf.count, ref);
    }
  }

  /** Removes the record of a key that is there. */
  remove(key: Uint8Array): void {
    const index = this.#leafFor(key);
    const leaf = this.#leaves[index] as Leaf;
    const at = this.#firstFrom(leaf, key);
    leaf.refs.copyWithin(at, at + 1, leaf.count);
    leaf.count--;
    if (leaf.count === 0) this.#leaves.splice(index, 1);
    else if (leaf.count < mergedRefs / 2) this.#mergeAround(index);
  }

  /** The records of at most `limit` keys from `from` on and before `to`, in order. */
  page(from: Uint8Array, to: Uint8Array | undefined, limit: number): number[] {
    const found: number[] = [];
    let index = this.#leafFor(from);
    let leaf = this.#leaves[index];
    let at = leaf === undefined ? 0 : this.#firstFrom(leaf, from);
    while (leaf !== undefined && found.length < limit) {
      if (at === leaf.count) {
        leaf = this.#leaves[++index];
        at = 0;
        continue;
      }
      const ref = leaf.refs[at++] as number;
      if (to !== undefined && this.#arena.compare(ref, to) >= 0) break;
      found.push(ref);
    }
    return found;
  }

  /** The last leaf whose first key is not greater than this one; the first leaf if there is none. */
  #leafFor(key: Uint8Array): number {
    let low = 0;
    let high = this.#leaves.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#arena.compare((this.#leaves[middle] as Leaf).refs[0] as number, key) <= 0) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Where in the leaf the first key is that is not less than this one. */
  #firstFrom({ refs, count }: Leaf, key: Uint8Array): number {
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#arena.compare(refs[middle] as number, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #mergeAround(index: number): void {
    const left = index > 0 ? index - 1 : index;
    const lower = this.#leaves[left] as Leaf;
    const upper = this.#leaves[left + 1];
    if (upper === undefined || lower.count + upper.count > mergedRefs) return;
    lower.refs.set(upper.refs.subarray(0, upper.count), lower.count);
    lower.count += upper.count;
    this.#leaves.splice(left + 1, 1);
  }
}

function newLeaf(ref: number): Leaf {
  const refs = new Uint32Array(leafRefs);
  refs[0] = ref;
  return { refs, count: 1 };
}

function insert(leaf: Leaf, at: number, ref: number): void {
  leaf.refs.copyWithin(at + 1, at, leaf.count);
  leaf.refs[at] = ref;
  leaf.count++;
}

function split(leaf: Leaf): Leaf {
  const half = leafRefs / 2;
  const refs = new Uint32Array(leafRefs);
  refs.set(leaf.refs.subarray(half));
  leaf.count = half;
  return { refs, count: half };
}
