/**
 * The engine that keeps everything in memory, for tests, and for a store whose copies on other machines are its only
 * durability (`--storage memory`).
 *
 * It keeps every law of the port except that nothing survives the process: `write` resolves when the batch can be
 * read, and a node restarted on it comes back empty, as one that lost its disk.
 *
 * Keys are found and ordered as the log engine's are (`log/key-directory.ts`), with a page in memory for a segment on
 * disk. Values lie in memory that is used again (`value-arena.ts`), so what is read is a copy.
 *
 * Hot path.
 */

import { Slab } from "../core/bytes/slab.ts";
import {
  type EngineUsage,
  type KeyRange,
  type StorageEngine,
  StorageError,
  type StoredEntry,
  type WriteOperation,
} from "./engine.ts";
import { longestKeyBytes } from "./log/key-arena.ts";
import { KeyDirectory, type KeyRef } from "./log/key-directory.ts";
import { ValueArena } from "./value-arena.ts";

export class MemoryEngine implements StorageEngine {
  readonly name = "memory";
  readonly #directory: KeyDirectory;
  readonly #values: ValueArena = new ValueArena();
  readonly #slab: Slab = new Slab();
  #bytes = 0;
  #isClosed = false;

  /** `seed` keeps those who choose keys from making them meet: drawn by chance, but in tests. */
  constructor(seed = 0) {
    this.#directory = new KeyDirectory(seed);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#mustBeOpen();
    const ref = this.#directory.find(key);
    return ref === 0 ? undefined : this.#value(ref);
  }

  async write(operations: readonly WriteOperation[]): Promise<void> {
    this.#mustBeOpen();
    for (const { key } of operations) {
      if (key.length > 0 && key.length <= longestKeyBytes) continue;
      throw new RangeError(`key of ${key.length} bytes, allowed are 1 to ${longestKeyBytes}`);
    }
    for (const { key, value } of operations) {
      if (value === undefined) this.#delete(key);
      else this.#set(key, value);
    }
  }

  scan(range: KeyRange, limit: number): readonly StoredEntry[] {
    this.#mustBeOpen();
    const refs = this.#directory.page(range.from, range.to, limit);
    return refs.map((ref) => ({ key: this.#directory.key(ref), value: this.#value(ref) }));
  }

  async drop({ from, to }: KeyRange): Promise<void> {
    this.#mustBeOpen();
    const refs = this.#directory.page(from, to, Number.POSITIVE_INFINITY);
    for (const key of refs.map((ref) => this.#directory.key(ref))) this.#delete(key);
  }

  usage(): EngineUsage {
    this.#mustBeOpen();
    return { keys: this.#directory.keys, bytes: this.#bytes };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #value(ref: KeyRef): Uint8Array {
    const value = this.#slab.take(this.#directory.valueBytes(ref));
    this.#values.copy(this.#piece(ref), value);
    return value;
  }

  #set(key: Uint8Array, value: Uint8Array): void {
    const directory = this.#directory;
    const ref = directory.find(key);
    this.#bytes += value.length;
    if (ref === 0) {
      this.#bytes += key.length;
    } else {
      const before = directory.valueBytes(ref);
      const piece = this.#piece(ref);
      this.#bytes -= before;
      if (this.#values.fits(value.length, before)) {
        this.#values.overwrite(piece, value);
        if (value.length !== before) directory.set(key, piece.page, piece.offset, value.length);
        return;
      }
      this.#values.free(piece);
    }
    const { page, offset } = this.#values.add(value);
    directory.set(key, page, offset, value.length);
  }

  #delete(key: Uint8Array): void {
    const ref = this.#directory.find(key);
    if (ref === 0) return;
    this.#bytes -= key.length + this.#directory.valueBytes(ref);
    this.#values.free(this.#piece(ref));
    this.#directory.remove(key);
  }

  #piece(ref: KeyRef): { readonly page: number; readonly offset: number } {
    return { page: this.#directory.segment(ref), offset: this.#directory.offset(ref) };
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new StorageError("closed", "the store is closed");
  }
}
