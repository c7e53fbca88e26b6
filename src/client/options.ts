/** What a request may say of itself. Each number has the meaning it has over HTTP; what is absent is the bucket's affair. */

import type { Quorum } from "../core/settings.ts";
import type { Context } from "./context.ts";

export type { Quorum } from "../core/settings.ts";

export interface RequestOptions {
  /** How long to wait at most, in ms, retries included; 2000 where absent. */
  readonly timeoutMs?: number | undefined;
  /** In how many zones those who answer must be. */
  readonly zones?: number | undefined;
  /** Gives the request up: it rejects at once, as `aborted`. A write that was sent may happen all the same. */
  readonly signal?: AbortSignal | undefined;
}

export interface GetOptions extends RequestOptions {
  /** How many answers to wait for. */
  readonly r?: Quorum | undefined;
  /** Of those, how many must be owners'. */
  readonly pr?: Quorum | undefined;
}

export interface WriteOptions extends RequestOptions {
  /** How many must hold the write. */
  readonly w?: Quorum | undefined;
  /** Of those, how many must be owners. */
  readonly pw?: Quorum | undefined;
  /** How many of the copies must be on disk. */
  readonly dw?: Quorum | undefined;
  /** What the write builds on, and replaces: of the read before it. */
  readonly context?: Context | string | undefined;
  /** Equal on a write and its retries, so that readers see one of them; 1 to 64 printable characters. */
  readonly writeId?: string | undefined;
  /**
   * What to do when nobody can say whether the write happened: `throw`, the default, or `retry` it. A retry is a second
   * write, and can bring a value back that somebody deleted between the two; give it where that does no harm.
   */
  readonly ifUnknown?: "throw" | "retry" | undefined;
}

export interface PutOptions extends WriteOptions {
  /** Refuse, as `precondition-failed`, if a quorum read finds a live version. */
  readonly onlyIfAbsent?: boolean | undefined;
  /** The value's Content-Type, if not the codec's. */
  readonly contentType?: string | undefined;
}

export interface DeleteOptions extends WriteOptions {}
