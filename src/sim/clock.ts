/**
 * A machine's clocks: a quartz that runs a little fast or slow, and a wall clock that people and daemons set.
 *
 * The wall clock may jump either way at any moment; the monotonic one never goes back, and its zero is another one for
 * each process, so that nobody may compare two machines' readings.
 */

import type { Clock, Timer } from "../runtime/clock.ts";
import type { SimProcess } from "./process.ts";
import type { Simulation } from "./simulation.ts";

/** Where every simulation begins: 2007-10-14, the paper's first day at SOSP. */
const epochMs = 1_192_320_000_000;

export class MachineClock {
  readonly #simulation: Simulation;
  /** How many of its ms pass in one true ms. */
  readonly #rate: number;
  #offsetMs: number;

  constructor(simulation: Simulation, rate: number, offsetMs: number) {
    this.#simulation = simulation;
    this.#rate = rate;
    this.#offsetMs = offsetMs;
  }

  jump(byMs: number): void {
    this.#offsetMs += byMs;
  }

  /** Sets the wall clock right. */
  correct(): void {
    this.#offsetMs = this.#simulation.now - this.#simulation.now * this.#rate;
  }

  /** The port of one process. */
  of(process: SimProcess): Clock {
    const simulation = this.#simulation;
    const rate = this.#rate;
    const zero = simulation.prng(`zero ${process.name}`).uniform(0, 1_000_000);
    const monotonicMs = (): number => zero + simulation.now * rate;
    return {
      wallMs: () => epochMs + Math.floor(simulation.now * rate + this.#offsetMs),
      monotonicMs,
      setTimer: (delayMs: number, fire: () => void): Timer => {
        const dueMs = monotonicMs() + Math.max(0, delayMs);
        const event = simulation.schedule(this.#trueDelay(delayMs, zero, dueMs), process, fire);
        return {
          cancel: () => {
            event.isCancelled = true;
          },
        };
      },
      endOfTurn: (fire) => process.endOfTurn(fire),
    };
  }

  /** Rounding must not let a timer fire a hair before its time. */
  #trueDelay(delayMs: number, zero: number, dueMs: number): number {
    const now = this.#simulation.now;
    let trueMs = Math.max(0, delayMs) / this.#rate;
    while (zero + (now + trueMs) * this.#rate < dueMs) trueMs += 0.000_001;
    return trueMs;
  }
}
