/** Latencies of a run by stretches of time and kind of operation: what figures over time are drawn from. */

import { Histogram } from "../../src/bench/histogram.ts";
import type { OperationKind } from "../../src/bench/operation.ts";
import type { Recorder } from "../../src/bench/recording.ts";

/** Latencies in us. */
export interface Latencies {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export class Series implements Recorder {
  readonly #beganMs: number;
  readonly #stretchMs: number;
  readonly #most: number;
  readonly #histograms: Map<OperationKind, Histogram[]> = new Map();
  readonly errors: Map<string, number> = new Map();

  /** Operations belong to the stretch in which they were due; what is due at the very end belongs to the last of `most`. */
  constructor(beganMs: number, stretchMs: number, most: number = Number.POSITIVE_INFINITY) {
    this.#beganMs = beganMs;
    this.#stretchMs = stretchMs;
    this.#most = most;
  }

  ended(kind: OperationKind, fromMs: number, nowMs: number, error: unknown): void {
    if (error !== undefined) {
      const said = error instanceof Error ? error.message : String(error);
      this.errors.set(said, (this.errors.get(said) ?? 0) + 1);
      return;
    }
    const at = Math.min(Math.max(0, Math.floor((fromMs - this.#beganMs) / this.#stretchMs)), this.#most - 1);
    let stretches = this.#histograms.get(kind);
    if (stretches === undefined) this.#histograms.set(kind, (stretches = []));
    (stretches[at] ??= new Histogram()).record((nowMs - fromMs) * 1000);
  }

  /** Stretch by stretch, as many as there were. */
  of(kind: OperationKind): readonly Latencies[] {
    return Array.from(this.#histograms.get(kind) ?? [], (one) => latenciesOf(one ?? new Histogram()));
  }

  /** All kinds of operations in one stretch, 0 up. */
  stretch(at: number): Histogram {
    return sum([...this.#histograms.values()].map((stretches) => stretches[at]));
  }

  /** All kinds of operations in all stretches. */
  all(): Histogram {
    return sum([...this.#histograms.values()].flat());
  }

  /** All stretches together. */
  whole(kind: OperationKind): Latencies {
    return latenciesOf(sum(this.#histograms.get(kind) ?? []));
  }

  get errorCount(): number {
    return [...this.errors.values()].reduce((sum, count) => sum + count, 0);
  }
}

function sum(histograms: readonly (Histogram | undefined)[]): Histogram {
  const all = new Histogram();
  for (const one of histograms) if (one !== undefined) all.add(one);
  return all;
}

/** What figures tell of a histogram. */
export function latenciesOf(histogram: Histogram): Latencies {
  return {
    count: histogram.count,
    mean: histogram.mean,
    p50: histogram.percentile(0.5),
    p99: histogram.percentile(0.99),
    p999: histogram.percentile(0.999),
  };
}
