/** The machine's clock and timers, behind the port of `runtime/clock.ts`. */

import type { Clock, Timer } from "../runtime/clock.ts";

/** The longest wait setTimeout knows; beyond it, it would fire at once. */
const longestDelayMs: number = 2 ** 31 - 1;

export const machineClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs: number, fire: () => void) => new MachineTimer(delayMs, fire),
  endOfTurn(fire: () => void): void {
    setImmediate(fire);
  },
};

/**
 * setTimeout counts from when the current turn began, and in whole milliseconds: after a long turn it fires early by
 * as much. So the moment is checked, and what is left is waited for again.
 */
class MachineTimer implements Timer {
  readonly #dueMs: number;
  readonly #fire: () => void;
  #timeout: NodeJS.Timeout;

  constructor(delayMs: number, fire: () => void) {
    this.#dueMs = performance.now() + delayMs;
    this.#fire = fire;
    this.#timeout = this.#wait(delayMs);
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }

  #wait(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#check(), Math.min(Math.max(Math.ceil(delayMs), 0), longestDelayMs));
  }

  #check(): void {
    const leftMs = this.#dueMs - performance.now();
    if (leftMs > 0) this.#timeout = this.#wait(leftMs);
    else this.#fire();
  }
}
