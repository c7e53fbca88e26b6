/**
 * Where the log engine keeps its keys in memory, with the place of each value: records in a few large arrays.
 *
 * A million objects and strings would cost some 200 bytes each, and the garbage collector would walk over them all. So
 * each record lies in a chunk of plain memory: four words (segment, offset and length of the value, length of the key)
 * and the key's bytes, rounded up to 8. A record is named by its number of 8-byte units from the start, which fits 32
 * bits for 32 GiB of keys. What is freed is used again for records of the same size.
 *
 * Invariants: 0 names no record; a record lies in one chunk; it never moves while it lives.
 *
 * Hot path.
 */

import { keyHash } from "./key-hash.ts";

const unitBytes = 8;
const chunkBits = 17;
const chunkUnits: number = 1 << chunkBits;
const unitMask: number = chunkUnits - 1;
const headBytes = 16;
const mostUnits: number = 2 ** 32 - chunkUnits;

/** Longest key, in bytes: twice what a node stores under. */
export const longestKeyBytes = 2048;

export class KeyArena {
  readonly #words: Uint32Array[] = [];
  readonly #bytes: Uint8Array[] = [];
  /** By size in units: the first free record, which names the next in its first word. */
  readonly #free: Uint32Array = new Uint32Array((headBytes + longestKeyBytes) / unitBytes + 1);
  /** The first unit that was never used. */
  #end = 1;

  /** Bytes of memory taken. */
  get memoryBytes(): number {
    return this.#words.length * chunkUnits * unitBytes;
  }

  /** A record with this key, its place still to be set. */
  add(key: Uint8Array): number {
    const ref = this.#room(unitsOf(key.length));
    const base = (ref & unitMask) * unitBytes;
    this.#wordsOf(ref)[(base >>> 2) + 3] = key.length;
    const bytes = this.#bytesOf(ref);
    for (let i = 0, at = base + headBytes; i < key.length; i++) bytes[at++] = key[i] as number;
    return ref;
  }

  free(ref: number): void {
    const units = unitsOf(this.keyLength(ref));
    this.#wordsOf(ref)[(ref & unitMask) << 1] = this.#free[units] as number;
    this.#free[units] = ref;
  }

  place(ref: number, segment: number, offset: number, valueBytes: number): void {
    const words = this.#wordsOf(ref);
    const at = (ref & unitMask) << 1;
    words[at] = segment;
    words[at + 1] = offset;
    words[at + 2] = valueBytes;
  }

  /** The segment that the value is in. */
  segment(ref: number): number {
    return this.#wordsOf(ref)[(ref & unitMask) << 1] as number;
  }

  /** Where the value begins there. */
  offset(ref: number): number {
    return this.#wordsOf(ref)[((ref & unitMask) << 1) + 1] as number;
  }

  valueBytes(ref: number): number {
    return this.#wordsOf(ref)[((ref & unitMask) << 1) + 2] as number;
  }

  keyLength(ref: number): number {
    return this.#wordsOf(ref)[((ref & unitMask) << 1) + 3] as number;
  }

  /** A copy of the key. */
  key(ref: number): Uint8Array {
    const from = (ref & unitMask) * unitBytes + headBytes;
    return this.#bytesOf(ref).slice(from, from + this.keyLength(ref));
  }

  /** A view of the key, good until the record is freed. */
  keyView(ref: number): Uint8Array {
    const from = (ref & unitMask) * unitBytes + headBytes;
    return this.#bytesOf(ref).subarray(from, from + this.keyLength(ref));
  }

  /** The hash of the key (`keyHash`). */
  hash(ref: number, seed: number): number {
    const from = (ref & unitMask) * unitBytes + headBytes;
    return keyHash(this.#bytesOf(ref), from, from + this.keyLength(ref), seed);
  }

  /** Below 0, 0 or above it: how the record's key stands to this one in the order of bytes. */
  compare(ref: number, key: Uint8Array): number {
    const bytes = this.#bytesOf(ref);
    const length = this.keyLength(ref);
    const shorter = length < key.length ? length : key.length;
    for (let i = 0, at = (ref & unitMask) * unitBytes + headBytes; i < shorter; i++, at++) {
      const difference = (bytes[at] as number) - (key[i] as number);
      if (difference !== 0) return difference;
    }
    return length - key.length;
  }

  hasKey(ref: number, key: Uint8Array): boolean {
    if (this.keyLength(ref) !== key.length) return false;
    const bytes = this.#bytesOf(ref);
    for (let i = key.length - 1, at = (ref & unitMask) * unitBytes + headBytes + i; i >= 0; i--, at--) {
      if (bytes[at] !== key[i]) return false;
    }
    return true;
  }

  #wordsOf(ref: number): Uint32Array {
    return this.#words[ref >>> chunkBits] as Uint32Array;
  }

  #bytesOf(ref: number): Uint8Array {
    return this.#bytes[ref >>> chunkBits] as Uint8Array;
  }

  #room(units: number): number {
    const freed = this.#free[units] as number;
    if (freed !== 0) {
      this.#free[units] = this.#wordsOf(freed)[(freed & unitMask) << 1] as number;
      return freed;
    }
    // What is left of a chunk, at most a longest record in a mebibyte, is left unused.
    if ((this.#end & unitMask) + units > chunkUnits) this.#end = (this.#end & ~unitMask) + chunkUnits;
    const ref = this.#end;
    if (ref > mostUnits) throw new RangeError("the log engine cannot hold more than 32 GiB of keys in memory");
    if (ref >>> chunkBits >= this.#words.length) {
      const memory = new ArrayBuffer(chunkUnits * unitBytes);
      this.#words.push(new Uint32Array(memory));
      this.#bytes.push(new Uint8Array(memory));
    }
    this.#end = ref + units;
    return ref;
  }
}

function unitsOf(keyBytes: number): number {
  return (headBytes + keyBytes + unitBytes - 1) >>> 3;
}
