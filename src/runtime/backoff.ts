/**
 * How long to wait before trying again: twice as long each time up to a limit, and of that a random part, so that
 * those who failed together do not come back together.
 */

import type { Random } from "./random.ts";

export interface BackoffLimits {
  readonly firstMs: number;
  readonly longestMs: number;
}

export class Backoff {
  readonly #random: Random;
  readonly #limits: BackoffLimits;
  #nextMs: number;

  constructor(random: Random, limits: BackoffLimits) {
    this.#random = random;
    this.#limits = limits;
    this.#nextMs = limits.firstMs;
  }

  /** The next delay, in ms: between half of what it is up to and all of it. */
  next(): number {
    const half = Math.ceil(this.#nextMs / 2);
    this.#nextMs = Math.min(this.#nextMs * 2, this.#limits.longestMs);
    return half + this.#random.below(half + 1);
  }

  /** After a success: begins anew. */
  reset(): void {
    this.#nextMs = this.#limits.firstMs;
  }
}
