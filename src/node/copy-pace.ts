/**
 * How fast this node copies what it is to hold: foreground first (§6.5).
 *
 * A batch of a copy goes the way a client's request goes: it waits for the same sockets, the same event loops and the
 * same disks, its own node's and the other's. So its own time tells how crowded that way is, with no word from anybody.
 * While batches take about as long as they did when the way was free, the copy goes faster, up to the limit; where they
 * take longer, it slows down, again and again, to an eighth of the limit at the slowest: it always gets on.
 *
 * Invariant: over any few seconds, no more bytes than the limit allows, and a batch.
 */

import type { Clock } from "../runtime/clock.ts";
import { Pause } from "../runtime/pause.ts";

/** The slowest it goes is this part of the limit: an operator who sets the one knows the other. */
const slowestPart = 1 / 8;
/** It begins with this part. */
const firstPart = 1 / 4;
/** A batch took too long if it took this many times the shortest one and so many ms more. */
const crowdedTimes = 2;
const crowdedMs = 10;
/** Between two steps of the speed, in ms. */
const stepMs = 100;
/** A step up is this part of the limit, a step down this part of the speed. */
const stepUp = 1 / 50;
const stepDown = 3 / 4;
/** The shortest time is that of the last one or two windows of this length, in ms: the way itself may change. */
const windowMs = 30_000;
/** What a batch is taken to bring until one has come, in bytes. */
const firstBatchBytes = 32 * 1024;
/** What each batch costs besides its bytes, as if it were so many. */
const batchCostBytes = 4096;

export class CopyPace {
  readonly #clock: Clock;
  readonly #limit: number;
  #bytesPerSecond: number;
  /** When the next batch may leave. */
  #freeMs = 0;
  #expectedBytes: number = firstBatchBytes;
  #shortestMs: number = Number.POSITIVE_INFINITY;
  #shortestBeforeMs: number = Number.POSITIVE_INFINITY;
  #windowEndsMs = 0;
  #steppedMs = 0;
  readonly #pauses: Set<Pause> = new Set();
  #isStopped = false;

  /** `bytesPerSecond` is the limit. */
  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#limit = bytesPerSecond;
    this.#bytesPerSecond = bytesPerSecond * firstPart;
  }

  /** How fast it may go now. */
  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  /** Resolves when the next batch may be asked for. To be followed by `took`, or by nothing if that failed. */
  async turn(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const waitMs = Math.max(0, this.#freeMs - nowMs);
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

  /** A batch of so many bytes is here and on disk. */
  took(bytes: number, tookMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#freeMs += this.#costMs(bytes) - this.#costMs(this.#expectedBytes);
    this.#expectedBytes = (3 * this.#expectedBytes + bytes) / 4;
    this.#remember(tookMs, nowMs);
    if (nowMs - this.#steppedMs < stepMs) return;
    this.#steppedMs = nowMs;
    const shortestMs = Math.min(this.#shortestMs, this.#shortestBeforeMs);
    const isCrowded = tookMs > crowdedTimes * shortestMs + crowdedMs;
    const next = isCrowded ? this.#bytesPerSecond * stepDown : this.#bytesPerSecond + this.#limit * stepUp;
    this.#bytesPerSecond = Math.min(this.#limit, Math.max(this.#limit * slowestPart, next));
  }

  #remember(tookMs: number, nowMs: number): void {
    if (nowMs >= this.#windowEndsMs) {
      this.#windowEndsMs = nowMs + windowMs;
      this.#shortestBeforeMs = this.#shortestMs;
      this.#shortestMs = Number.POSITIVE_INFINITY;
    }
    this.#shortestMs = Math.min(this.#shortestMs, tookMs);
  }

  #costMs(bytes: number): number {
    return ((bytes + batchCostBytes) * 1000) / this.#bytesPerSecond;
  }
}
