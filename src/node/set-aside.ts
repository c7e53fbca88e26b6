/**
 * Where damaged bytes are kept for people to look at: a space of the store of their own, under the key they had.
 *
 * Of what cannot be read nothing can be said, so it is neither served nor thrown away. A disk that goes bad would
 * damage more and more of them, so only the newest are kept.
 */

import type { StoreKey } from "../storage/store-key.ts";
import { setAsideKey, setAsideRange } from "../storage/store-key.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import { toHex } from "./membership-store.ts";

/** Records kept; of those of an earlier run any may go first. */
const mostKept = 1000;
/** Bytes kept of one of them at most: enough to see what it was. */
const mostBytes = 64 * 1024;

export class SetAside {
  readonly #buffer: WriteBuffer;
  /** The oldest first. */
  readonly #kept: Map<string, StoreKey> = new Map();

  constructor(buffer: WriteBuffer) {
    this.#buffer = buffer;
  }

  /** Finds what was kept before. Throws `StorageError`. */
  open(): void {
    for (const { key } of this.#buffer.scan(setAsideRange(), mostKept)) this.#remember(key);
  }

  /** How many there are. */
  get count(): number {
    return this.#kept.size;
  }

  /** Keeps what was found under the key; answers with the name it has in the store, in hexadecimal digits. */
  keep(key: StoreKey, bytes: Uint8Array): string {
    const { bytes: at } = setAsideKey(key);
    const known = this.#remember(at);
    this.#buffer.put(known, bytes.slice(0, mostBytes));
    for (const [name, oldest] of this.#kept) {
      if (this.#kept.size <= mostKept) break;
      this.#kept.delete(name);
      this.#buffer.put(oldest, undefined);
    }
    return toHex(at);
  }

  #remember(at: Uint8Array): StoreKey {
    const name = toHex(at);
    const key: StoreKey = { id: `\0\0${name}`, bytes: at };
    this.#kept.delete(name);
    this.#kept.set(name, key);
    return key;
  }
}
