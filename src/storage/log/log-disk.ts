/**
 * The disk under the log engine, as a port: a folder of files that are written at a position and read at one.
 *
 * Laws, which the engine's promises stand on:
 * - What was written can be read at once, and survives the process. Only `sync` makes it survive the loss of power:
 *   until then each sector of 512 bytes of it may be lost or kept by itself, whatever was written before or after it.
 * - A file's name is there after the loss of power, or gone after its removal, only once `syncNames` has resolved.
 * - Of a write that failed any part may have been done. After a `sync` that failed nothing is known of what it was to
 *   make durable, and a later one that succeeds says nothing about it.
 *
 * Point reads are synchronous, as the engine's are; what reads or writes much at a time waits. A host binds it to a
 * real folder (`host/folder-disk.ts`), the simulation to one that keeps the letter of these laws (`sim/lossy-disk.ts`).
 */

export interface LogFile {
  /** For people: where it is. */
  readonly name: string;
  /** Bytes from the file's start to its end. */
  readonly sizeBytes: number;
  /** Fills `into` from `position`; answers how many bytes there were. Throws `StorageError` with code `io`. */
  readNow(into: Uint8Array, position: number): number;
  /** The same without holding anybody up. Rejects with `StorageError`, code `io`. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes all the bytes, which must not change until then. Rejects with `StorageError`: `disk-full` or `io`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Resolves when all that was written would survive the loss of power. Rejects as `write` does. */
  sync(): Promise<void>;
  /** Nothing may be under way. */
  close(): void;
}

export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface LogDisk {
  /** For people: where it is. */
  readonly name: string;
  list(): Promise<readonly string[]>;
  /** Opens the file, or makes it. */
  open(name: string): Promise<LogFile>;
  /** Takes the place of what has that name already. */
  rename(from: string, to: string): Promise<void>;
  /** What is open stays readable until it is closed. */
  remove(name: string): Promise<void>;
  /** Resolves when every name made, changed or removed so far would be found so after the loss of power. */
  syncNames(): Promise<void>;
  space(): DiskSpace;
}
