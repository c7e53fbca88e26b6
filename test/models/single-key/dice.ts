/**
 * Chance for the model: mulberry32, a few nanoseconds a throw. A step of a history is one 32-bit number, and all its
 * choices are thrown from that number alone: a step taken out of a history leaves the others what they were, which is
 * what makes a failing history easy to shrink.
 */

export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number from 0 to 2^32-1. */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * limit);
  }

  /** True in `percent` of 100 throws. */
  percent(percent: number): boolean {
    return this.below(100) < percent;
  }
}
