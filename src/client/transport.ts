/**
 * How buckets reach the store: over the native protocol (`native-transport.ts`) or HTTP (`../web`). Everything above this
 * is the same for both.
 *
 * `finish` turns what was found into what the caller is given, in the turn it arrives, so that a request makes one
 * promise; what it throws rejects that.
 */

import type { Context } from "./context.ts";
import type { GetOptions, WriteOptions } from "./options.ts";

/** A live version as it is stored. */
export interface StoredVersion {
  readonly value: Uint8Array;
  readonly contentType: string;
  /** Wall time of the write, in ms since 1970; undefined where the transport is not told. */
  readonly modified: number | undefined;
}

export interface StoredVersions {
  /** Undefined where nothing is known of the key. */
  readonly context: Context | undefined;
  /** Views into what arrived: whoever keeps one copies it. */
  readonly versions: readonly StoredVersion[];
}

/** What a write is told. */
export interface Written {
  /** Covers this write and what its context had seen, nothing else. */
  readonly context: Context;
  /** Live versions after the write, where it was coordinated; undefined where the transport is not told. */
  readonly siblings: number | undefined;
}

/** Undefined for a delete. */
export interface NewVersion {
  readonly value: Uint8Array;
  readonly contentType: string;
  readonly onlyIfAbsent: boolean;
}

export interface Place {
  readonly bucket: string;
  readonly key: string;
}

export interface Transport {
  /** How many requests of one call for many keys are to be under way at a time. */
  readonly manyAtOnce: number;
  get<R>(place: Place, options: GetOptions, finish: (found: StoredVersions) => R | PromiseLike<R>): Promise<R>;
  write(place: Place, version: NewVersion | undefined, options: WriteOptions): Promise<Written>;
  /** Takes no more requests, waits for those under way, and lets go of everything. */
  close(): Promise<void>;
}
