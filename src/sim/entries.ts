/** Keys with their values, in the order of bytes: what a simulated disk holds, as the checkers look at it. */

import { compareBytes } from "../core/bytes/order.ts";
import type { KeyRange, StoredEntry } from "../storage/engine.ts";

/** What a disk holds: copies of it are backups. */
export type DiskContents = ReadonlyMap<string, StoredEntry>;

interface Entry {
  readonly key: Uint8Array;
  value: Uint8Array;
}

/** Keys as strings of one character a byte: they sort as the bytes do. */
export function nameOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

export class Entries {
  #entries: Map<string, Entry> = new Map();
  /** In key order, until a key comes or goes. */
  #sorted: readonly Entry[] | undefined;

  get count(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    let bytes = 0;
    for (const entry of this.#entries.values()) bytes += entry.key.length + entry.value.length;
    return bytes;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(nameOf(key))?.value;
  }

  sorted(): readonly StoredEntry[] {
    this.#sorted ??= [...this.#entries.values()].sort((a, b) => compareBytes(a.key, b.key));
    return this.#sorted;
  }

  /** A copy, in no particular order. */
  contents(): DiskContents {
    return new Map([...this.#entries].map(([name, { key, value }]) => [name, { key, value }]));
  }

  /** Puts these in the place of what is there. */
  replace(contents: DiskContents): void {
    this.#entries = new Map([...contents].map(([name, { key, value }]) => [name, { key, value }]));
    this.#sorted = undefined;
  }

  /** `value` undefined: the key goes. */
  set(key: Uint8Array, value: Uint8Array | undefined): void {
    const name = nameOf(key);
    const entry = this.#entries.get(name);
    if (value === undefined) {
      if (this.#entries.delete(name)) this.#sorted = undefined;
    } else if (entry === undefined) {
      this.#entries.set(name, { key, value });
      this.#sorted = undefined;
    } else {
      entry.value = value;
    }
  }

  /** The keys of the range, in no particular order. */
  keysIn({ from, to }: KeyRange): readonly Uint8Array[] {
    const keys = [...this.#entries.values()].map(({ key }) => key);
    return keys.filter((key) => compareBytes(key, from) >= 0 && compareBytes(key, to) < 0);
  }
}

/** The first of the entries, which are in order, whose key is not less than this one. */
export function firstAtOrAfter(entries: readonly StoredEntry[], key: Uint8Array): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes((entries[middle] as StoredEntry).key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
