/**
 * Local persistence, as a port (§5): ordered byte keys, one byte string each.
 *
 * Laws, each tried by `conformance.ts`:
 * - `write` is atomic and resolves only when all of it would survive the loss of power; a rejected write left all of
 *   it or none of it, and the caller does not know which until it reads.
 * - A read sees every write that has resolved, and may see one that has not.
 * - Keys are ordered byte by byte, as unsigned numbers, a prefix before what it begins.
 * - The engine stores bytes and vouches for nothing: records carry their own checksums (`record.ts`).
 *
 * Point reads are synchronous on purpose: the read, the merge and the write of one key are then one step that
 * nothing can come between, and every engine worth having answers a point read in microseconds.
 */

/** One change of a batch: `value` undefined deletes. Later operations on the same key win. */
export interface WriteOperation {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

export interface StoredEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The half-open interval of keys `from <= key < to`. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export interface EngineUsage {
  /** Number of keys, exact or the engine's estimate. */
  readonly keys: number;
  /** Bytes on disk, or in memory for an engine without one. */
  readonly bytes: number;
}

export interface StorageEngine {
  /** The engine's name as `--storage` has it. */
  readonly name: string;
  /** The bytes under the key: the caller's to keep, for neither side changes them. Throws `StorageError`. */
  get(key: Uint8Array): Uint8Array | undefined;
  /** Applies the operations, in order, as one. Rejects with `StorageError`. */
  write(operations: readonly WriteOperation[]): Promise<void>;
  /** At most `limit` entries of the range in key order, their bytes as for `get`. To go on, start after the last key. */
  scan(range: KeyRange, limit: number): readonly StoredEntry[];
  /** Deletes every key of the range; durable when it resolves; not atomic, and safe to repeat. */
  drop(range: KeyRange): Promise<void>;
  usage(): EngineUsage;
  /** Finishes what was asked for and closes. Every later call fails with code `closed`. */
  close(): Promise<void>;
}

/**
 * - `disk-full`: no room for the write; a later one may succeed.
 * - `corrupt`: what is stored is not what was written.
 * - `closed`: the engine is closed.
 * - `io`: the device failed otherwise.
 */
export type StorageErrorCode = "disk-full" | "corrupt" | "closed" | "io";

export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Whether that is why: nothing is wrong but that there is no room, for now. */
export function isDiskFull(error: unknown): error is StorageError {
  return error instanceof StorageError && error.code === "disk-full";
}
