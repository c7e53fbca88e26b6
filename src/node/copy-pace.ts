/**
 * How fast seats are copied, on the node that copies and on the one that is copied from: up to the limit, and at that
 * share of it which requests leave (`admission.ts`).
 *
 * Invariant: over any few seconds, no more bytes than the limit allows, and a batch.
 */

import type { Clock } from "../runtime/clock.ts";
import { Pause } from "../runtime/pause.ts";
import type { Admission } from "./admission.ts";

/** What a batch is taken to bring until one has come, in bytes. */
const firstBatchBytes = 32 * 1024;
/** What each batch costs besides its bytes, as if it were so many. */
const batchCostBytes = 4096;

export class CopyPace {
  readonly #clock: Clock;
  readonly #admission: Admission;
  readonly #limit: number;
  /** When the next batch may leave. */
  #freeMs = 0;
  #expectedBytes: number = firstBatchBytes;
  readonly #pauses: Set<Pause> = new Set();
  #isStopped = false;

  /** `bytesPerSecond` is the limit. */
  constructor(clock: Clock, admission: Admission, bytesPerSecond: number) {
    this.#clock = clock;
    this.#admission = admission;
    this.#limit = bytesPerSecond;
  }

  /** How fast it may go now. */
  get bytesPerSecond(): number {
    return this.#limit * this.#admission.share;
  }

  /**
   * Resolves when the next batch may go, at the latest after so long, in ms. To be followed by `took`, or by nothing if
   * that failed.
   */
  async turn(longestMs: number = Number.POSITIVE_INFINITY): Promise<void> {
    this.#admission.works();
    const nowMs = this.#clock.monotonicMs();
    const waitMs = Math.min(longestMs, Math.max(0, this.#freeMs - nowMs));
    this.#freeMs = Math.max(this.#freeMs, nowMs) + this.#costMs(this.#expectedBytes);
    if (waitMs === 0 || this.#isStopped) return;
    const pause = new Pause(this.#clock);
    this.#pauses.add(pause);
    await pause.wait(waitMs);
    this.#pauses.delete(pause);
  }

  /** Nobody waits any more. */
  stop(): void {
    this.#isStopped = true;
    for (const pause of this.#pauses) pause.end();
  }

  /** The batch had so many bytes. */
  took(bytes: number): void {
    this.#admission.works();
    this.#freeMs += this.#costMs(bytes) - this.#costMs(this.#expectedBytes);
    this.#expectedBytes = (3 * this.#expectedBytes + bytes) / 4;
  }

  #costMs(bytes: number): number {
    return ((bytes + batchCostBytes) * 1000) / this.bytesPerSecond;
  }
}
