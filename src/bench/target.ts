/**
 * What a load is driven against: our store through its own client, a bare model, or another store.
 *
 * An operation ends by a callback and not a promise: a load that makes a promise for each operation would put its price
 * on every target alike, and hide what a target without promises saves.
 */

/** Called once an operation has ended, in a later turn than it began in; with what went wrong, if anything did. */
export type Done = (error?: unknown) => void;

/** Makes of what is stored under a key, siblings included (nothing: an empty list), what shall be stored in its place. */
export type Change = (values: readonly Uint8Array[]) => Uint8Array;

/** A read found nothing, of a key that the load has stored: stale, lost, or asked of peers that do not share their keys. */
export const notFound: Error = new Error("a key that was stored is not found");

export interface Target {
  /** Reads the key whole. A load reads only what it has stored: `notFound`, if nothing is there. */
  get(key: string, done: Done): void;
  put(key: string, value: Uint8Array, done: Done): void;
  /** Reads, changes and writes: one operation of the load. */
  change(key: string, change: Change, done: Done): void;
  close(): Promise<void>;
}

/** What a process has used so far. */
export interface ProcessUsage {
  readonly name: string;
  /** CPU time in us, of all its threads, in user and kernel mode. */
  readonly cpuUs: number;
  readonly memoryBytes: number;
}

/** The processes behind a target, as far as they can be looked at. */
export interface Servers {
  usage(): Promise<readonly ProcessUsage[]>;
  /** Bytes that their data takes up on the disk; undefined where nobody knows. */
  diskBytes(): Promise<number | undefined>;
  stop(): Promise<void>;
}
