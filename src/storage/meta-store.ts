/**
 * The node's own small records: its identity, its history, its seats. They are few and short, are read at start and
 * written when something about the node itself changes, which must be on disk before anybody hears of it.
 *
 * They bypass the write buffer: `put` is the engine's own durable, atomic batch. Each value is stored behind a
 * checksum of its name and bytes, since an engine vouches for nothing; a record that fails it is answered with
 * `corrupt`, never served. Its caller may then stop, but not go on as if it were new.
 */

import type { Checksum } from "../runtime/runtime.ts";
import { type StorageEngine, StorageError } from "./engine.ts";
import { metaKey } from "./store-key.ts";

/** One change of a `put`: undefined deletes. */
export interface MetaChange {
  readonly name: string;
  readonly value: Uint8Array | undefined;
}

export interface MetaStore {
  /** The record's bytes, its caller's own; undefined if there is none. Throws `StorageError`. */
  get(name: string): Uint8Array | undefined;
  /** Makes all the changes, as one; they are on disk when it resolves. Rejects with `StorageError`. */
  put(changes: readonly MetaChange[]): Promise<void>;
}

const checksumBytes = 4;

/** The records that live in `engine`. */
export function openMetaStore(engine: StorageEngine, checksum: Checksum): MetaStore {
  return {
    get(name) {
      const key = metaKey(name).bytes;
      const stored = engine.get(key);
      if (stored === undefined) return undefined;
      if (stored.length < checksumBytes) throw damaged(name);
      const value = stored.slice(checksumBytes);
      const expected = new DataView(stored.buffer, stored.byteOffset, checksumBytes).getUint32(0);
      if (checksum(value, checksum(key)) !== expected) throw damaged(name);
      return value;
    },
    async put(changes) {
      await engine.write(
        changes.map(({ name, value }) => {
          const key = metaKey(name).bytes;
          return { key, value: value && sealed(value, checksum(value, checksum(key))) };
        }),
      );
    },
  };
}

function sealed(value: Uint8Array, checksum: number): Uint8Array {
  const stored = new Uint8Array(checksumBytes + value.length);
  new DataView(stored.buffer).setUint32(0, checksum);
  stored.set(value, checksumBytes);
  return stored;
}

function damaged(name: string): StorageError {
  return new StorageError("corrupt", `the node's record "${name}" is damaged: what is stored is not what was written`);
}
