/** What a run has shown: latencies by kind of operation and by second, errors by what they say. */

import { Histogram } from "./histogram.ts";
import type { OperationKind } from "./operation.ts";

/** How often the timeline has an entry, in ms. */
const intervalMs = 1000;
/** Distinct errors that are told apart. */
const mostErrors = 20;

/** Hears of every operation that has ended. */
export interface Recorder {
  /** An operation that was to begin at `fromMs` ended at `nowMs`, well unless there is an error. */
  ended(kind: OperationKind, fromMs: number, nowMs: number, error: unknown): void;
}

/** One entry of the timeline; latencies in us. */
export interface Interval {
  /** When it ended, in s since the run began. */
  readonly second: number;
  readonly perSecond: number;
  readonly errors: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export class Recording implements Recorder {
  readonly all: Histogram = new Histogram();
  readonly kinds: Map<OperationKind, Histogram> = new Map();
  readonly timeline: Interval[] = [];
  readonly errors: Map<string, number> = new Map();
  readonly #interval = new Histogram();
  readonly #beganMs: number;
  readonly #onInterval: ((interval: Interval) => void) | undefined;
  #errorCount = 0;
  #intervalErrors = 0;
  #intervalMs: number;

  constructor(beganMs: number, onInterval?: (interval: Interval) => void) {
    this.#beganMs = beganMs;
    this.#intervalMs = beganMs;
    this.#onInterval = onInterval;
  }

  /** Operations that ended, well or not. */
  get count(): number {
    return this.all.count + this.#errorCount;
  }

  get errorCount(): number {
    return this.#errorCount;
  }

  /** An operation that was to begin at `fromMs` ended at `nowMs`. */
  ended(kind: OperationKind, fromMs: number, nowMs: number, error: unknown): void {
    if (nowMs - this.#intervalMs >= intervalMs) this.#endInterval(nowMs);
    if (error !== undefined) {
      this.#fail(error);
      return;
    }
    const us = (nowMs - fromMs) * 1000;
    this.all.record(us);
    this.#interval.record(us);
    let histogram = this.kinds.get(kind);
    if (histogram === undefined) this.kinds.set(kind, (histogram = new Histogram()));
    histogram.record(us);
  }

  #fail(error: unknown): void {
    this.#errorCount += 1;
    this.#intervalErrors += 1;
    const said = error instanceof Error ? error.message : String(error);
    const known = this.errors.has(said) || this.errors.size < mostErrors ? said : "others";
    this.errors.set(known, (this.errors.get(known) ?? 0) + 1);
  }

  #endInterval(nowMs: number): void {
    const of = this.#interval;
    const interval: Interval = {
      second: (nowMs - this.#beganMs) / 1000,
      perSecond: ((of.count + this.#intervalErrors) * 1000) / (nowMs - this.#intervalMs),
      errors: this.#intervalErrors,
      mean: of.mean,
      p50: of.percentile(0.5),
      p99: of.percentile(0.99),
      p999: of.percentile(0.999),
      max: of.max,
    };
    this.timeline.push(interval);
    of.clear();
    this.#intervalErrors = 0;
    this.#intervalMs = nowMs;
    this.#onInterval?.(interval);
  }
}
