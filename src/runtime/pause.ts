/** A wait that its owner can cut short: what a loop sleeps in between its rounds. */

import type { Clock, Timer } from "./clock.ts";

export class Pause {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #wake: (() => void) | undefined;
  #isEnded = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after `delayMs`, or at once when the pause is or was ended. One wait at a time. */
  wait(delayMs: number): Promise<void> {
    if (this.#wake !== undefined) throw new Error("a pause is waited for twice");
    if (this.#isEnded) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#timer = this.#clock.setTimer(delayMs, () => this.cutShort());
    });
  }

  /** Ends the wait under way, if there is one. */
  cutShort(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    this.#timer?.cancel();
    wake?.();
  }

  /** Ends the wait under way and every later one. */
  end(): void {
    this.#isEnded = true;
    this.cutShort();
  }
}
