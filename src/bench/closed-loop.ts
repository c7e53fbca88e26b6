/**
 * So many operations in flight, the next one begun when one ends: how much goes through, and what it costs.
 *
 * Latencies of such a loop flatter: while a target stalls, nothing is asked of it, and the stall is counted once. The
 * open loop is the one for latencies (`open-loop.ts`).
 */

import type { Clock } from "../runtime/clock.ts";
import { type Load, type Operation, perform } from "./operation.ts";
import type { Recorder } from "./recording.ts";
import type { Target } from "./target.ts";

export interface ClosedLoop {
  readonly inFlight: number;
  /** When to begin no more, whichever comes first. */
  readonly operations?: number | undefined;
  readonly durationMs?: number | undefined;
  /** Gives up, once what is in flight has ended. */
  readonly signal?: AbortSignal | undefined;
  readonly clock: Clock;
}

/** Resolves once the last operation has ended. */
export function runClosedLoop(target: Target, load: Load, loop: ClosedLoop, recording: Recorder): Promise<void> {
  const operations = loop.operations ?? Number.POSITIVE_INFINITY;
  const { clock } = loop;
  const endsMs = clock.monotonicMs() + (loop.durationMs ?? Number.POSITIVE_INFINITY);
  return new Promise((resolve) => {
    let begun = 0;
    let left = 0;
    const begin = (): void => {
      const operation: Operation = load.next();
      const beganMs = clock.monotonicMs();
      begun += 1;
      left += 1;
      perform(target, operation, (error) => {
        const nowMs = clock.monotonicMs();
        recording.ended(operation.kind, beganMs, nowMs, error);
        if (error === undefined) load.ended?.(operation);
        left -= 1;
        if (begun < operations && nowMs < endsMs && loop.signal?.aborted !== true) begin();
        else if (left === 0) resolve();
      });
    };
    for (let i = 0; i < loop.inFlight && begun < operations; i++) begin();
  });
}

/** Stores what the load expects to find. Rejects with the first error, or when it is given up. */
export async function fill(target: Target, load: Load, inFlight: number, signal?: AbortSignal): Promise<void> {
  let next = 0;
  await new Promise<void>((resolve, reject) => {
    let left = load.keys;
    if (left === 0) resolve();
    const end = (error: unknown): void => {
      next = load.keys;
      reject(error);
    };
    const begin = (): void => {
      const { key, value } = load.first(next++);
      target.put(key, value, (error) => {
        if (error !== undefined) end(error);
        else if (signal?.aborted === true) end(new Error("it was interrupted"));
        else if (--left === 0) resolve();
        else if (next < load.keys) begin();
      });
    };
    for (let i = 0; i < inFlight && next < load.keys; i++) begin();
  });
}
