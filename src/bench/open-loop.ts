/**
 * Operations at a fixed rate, whatever the answers do, and latencies from when each was to begin.
 *
 * A closed loop asks nothing while its target stalls, and so hides the stall ("coordinated omission"). Here what falls
 * due during a stall waits, and its wait is counted. What is due is begun whenever this process is awake, with each
 * answer and each millisecond: a timer alone would begin everything up to a millisecond late, and a loop that never
 * sleeps would take a core from what it measures.
 */

import type { Clock } from "../runtime/clock.ts";
import { type Load, perform } from "./operation.ts";
import type { Recorder } from "./recording.ts";
import type { Target } from "./target.ts";

export interface OpenLoop {
  /** The same throughout, or what it is so many ms after the loop began. */
  readonly perSecond: number | ((sinceMs: number) => number);
  readonly durationMs: number;
  /** More are not in flight: beyond it, what is due waits, which is counted like any wait. */
  readonly mostInFlight: number;
  readonly signal?: AbortSignal | undefined;
  readonly clock: Clock;
}

/** How often the loop wakes by itself, in ms. */
const wakeMs = 1;

/** Resolves once the last operation has ended. */
export function runOpenLoop(target: Target, load: Load, loop: OpenLoop, recording: Recorder): Promise<void> {
  const following = schedule(loop);
  const { clock } = loop;
  const beganMs = clock.monotonicMs();
  return new Promise((resolve) => {
    let dueMs = following();
    let left = 0;
    let isBeginning = false;
    const isOver = (): boolean => dueMs === undefined || loop.signal?.aborted === true;
    let timer = clock.setTimer(wakeMs, () => wake());
    const wake = (): void => {
      timer = clock.setTimer(wakeMs, wake);
      beginDue();
    };
    const begin = (fromMs: number): void => {
      const operation = load.next();
      left += 1;
      perform(target, operation, (error) => {
        left -= 1;
        recording.ended(operation.kind, fromMs, clock.monotonicMs(), error);
        if (error === undefined) load.ended?.(operation);
        beginDue();
      });
    };
    const beginDue = (): void => {
      if (isBeginning) return;
      isBeginning = true;
      const sinceMs = clock.monotonicMs() - beganMs;
      while (dueMs !== undefined && dueMs <= sinceMs && !isOver() && left < loop.mostInFlight) {
        const fromMs = beganMs + dueMs;
        dueMs = following();
        begin(fromMs);
      }
      isBeginning = false;
      if (!isOver() || left > 0) return;
      timer.cancel();
      resolve();
    };
  });
}

/** Answers when each operation is due after the one before, in ms since the loop began; undefined once there are no more. */
function schedule({ perSecond, durationMs }: OpenLoop): () => number | undefined {
  if (typeof perSecond === "number") {
    const everyMs = 1000 / perSecond;
    const count = Math.floor(durationMs / everyMs);
    let i = 0;
    return () => (i < count ? i++ * everyMs : undefined);
  }
  let nextMs = 0;
  return () => {
    const dueMs = nextMs;
    if (dueMs >= durationMs) return undefined;
    nextMs += 1000 / perSecond(dueMs);
    return dueMs;
  };
}
