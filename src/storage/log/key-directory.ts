/**
 * The log engine's key directory (as Bitcask had it): every key in memory, with the place of its value on disk.
 *
 * A get is one look here and one read; a scan follows the order that is kept here. It also knows how many bytes of each
 * segment are still wanted, which tells compaction what is garbage.
 *
 * What a key costs in memory, all in plain arrays: 16 bytes and the key, rounded up to 8; 6.7 to 13.3 bytes of hash
 * table; 4 to 8 bytes of order. For keys of 40 bytes that is 67 to 77 bytes.
 */

import { operationHeadBytes } from "./group-format.ts";
import { KeyArena } from "./key-arena.ts";
import { KeyOrder } from "./key-order.ts";
import { KeyTable } from "./key-table.ts";

/** A key's record in the directory; 0 is none. Good until the key is removed. */
export type KeyRef = number;

export class KeyDirectory {
  readonly #arena: KeyArena = new KeyArena();
  readonly #table: KeyTable;
  readonly #order: KeyOrder;
  readonly #wanted: Map<number, number> = new Map();
  #wantedBytes = 0;

  constructor(seed: number) {
    this.#table = new KeyTable(this.#arena, seed);
    this.#order = new KeyOrder(this.#arena);
  }

  get keys(): number {
    return this.#table.count;
  }

  get memoryBytes(): number {
    return this.#arena.memoryBytes + this.#table.memoryBytes + this.#order.memoryBytes;
  }

  /** Bytes on disk of what is stored now, in all segments. */
  get wantedBytes(): number {
    return this.#wantedBytes;
  }

  /** Bytes of one segment that are still wanted. */
  wantedOf(segment: number): number {
    return this.#wanted.get(segment) ?? 0;
  }

  /** The oldest segment of which something is wanted. */
  get oldestSegment(): number | undefined {
    return this.#wanted.size === 0 ? undefined : Math.min(...this.#wanted.keys());
  }

  /** Makes room for about so many keys, in a directory without any. */
  reserve(keys: number): void {
    this.#table.reserve(keys);
  }

  find(key: Uint8Array): KeyRef {
    return this.#table.find(key);
  }

  segment(ref: KeyRef): number {
    return this.#arena.segment(ref);
  }

  offset(ref: KeyRef): number {
    return this.#arena.offset(ref);
  }

  valueBytes(ref: KeyRef): number {
    return this.#arena.valueBytes(ref);
  }

  keyLength(ref: KeyRef): number {
    return this.#arena.keyLength(ref);
  }

  /** A copy of the key. */
  key(ref: KeyRef): Uint8Array {
    return this.#arena.key(ref);
  }

  /** A view of the key, good until it is removed. */
  keyView(ref: KeyRef): Uint8Array {
    return this.#arena.keyView(ref);
  }

  /** Whether this is where the key's value is. */
  isAt(key: Uint8Array, segment: number, offset: number): boolean {
    const ref = this.#table.find(key);
    return ref !== 0 && this.#arena.segment(ref) === segment && this.#arena.offset(ref) === offset;
  }

  /** The key's value is here from now on. */
  set(key: Uint8Array, segment: number, offset: number, valueBytes: number): void {
    let ref = this.#table.find(key);
    if (ref === 0) {
      ref = this.#arena.add(key);
      this.#table.add(ref, key);
      this.#order.add(ref, key);
    } else {
      this.#count(this.#arena.segment(ref), -bytesOnDisk(key.length, this.#arena.valueBytes(ref)));
    }
    this.#arena.place(ref, segment, offset, valueBytes);
    this.#count(segment, bytesOnDisk(key.length, valueBytes));
  }

  /** The key is gone. */
  remove(key: Uint8Array): void {
    const ref = this.#table.find(key);
    if (ref === 0) return;
    this.#count(this.#arena.segment(ref), -bytesOnDisk(key.length, this.#arena.valueBytes(ref)));
    this.#order.remove(key);
    this.#table.remove(ref, key);
    this.#arena.free(ref);
  }

  /** At most `limit` keys from `from` on, and before `to` where it is given, in the order of bytes. */
  page(from: Uint8Array, to: Uint8Array | undefined, limit: number): readonly KeyRef[] {
    return this.#order.page(from, to, limit);
  }

  #count(segment: number, bytes: number): void {
    this.#wantedBytes += bytes;
    const wanted = (this.#wanted.get(segment) ?? 0) + bytes;
    if (wanted === 0) this.#wanted.delete(segment);
    else this.#wanted.set(segment, wanted);
  }
}

function bytesOnDisk(keyBytes: number, valueBytes: number): number {
  return operationHeadBytes + keyBytes + valueBytes;
}
