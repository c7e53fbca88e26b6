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
import type { Recording } from "./recording.ts";
import type { Target } from "./target.ts";

export interface OpenLoop {
  readonly perSecond: number;
  readonly durationMs: number;
  /** More are not in flight: beyond it, what is due waits, which is counted like any wait. */
  readonly mostInFlight: number;
  readonly signal?: AbortSignal | undefined;
  readonly clock: Clock;
}

/** How often the loop wakes by itself, in ms. */
const wakeMs = 1;

/** Resolves once the last operation has ended. */
export function runOpenLoop(target: Target, load: Load, loop: OpenLoop, recording: Recording): Promise<void> {
  const everyMs = 1000 / loop.perSecond;
  const count = Math.floor(loop.durationMs / everyMs);
  const { clock } = loop;
  const beganMs = clock.monotonicMs();
  return new Promise((resolve) => {
    let begun = 0;
    let left = 0;
    let isBeginning = false;
    const isOver = (): boolean => begun >= count || loop.signal?.aborted === true;
    let timer = clock.setTimer(wakeMs, () => wake());
    const wake = (): void => {
      timer = clock.setTimer(wakeMs, wake);
      beginDue();
    };
    const begin = (dueMs: number): void => {
      const operation = load.next();
      begun += 1;
      left += 1;
      perform(target, operation, (error) => {
        left -= 1;
        recording.ended(operation.kind, dueMs, clock.monotonicMs(), error);
        if (error === undefined) load.ended?.(operation);
        beginDue();
      });
    };
    const beginDue = (): void => {
      if (isBeginning) return;
      isBeginning = true;
      const nowMs = clock.monotonicMs();
      while (!isOver() && left < loop.mostInFlight) {
        const dueMs = beganMs + begun * everyMs;
        if (dueMs > nowMs) break;
        begin(dueMs);
      }
      isBeginning = false;
      if (!isOver() || left > 0) return;
      timer.cancel();
      resolve();
    };
  });
}
