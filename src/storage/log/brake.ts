/**
 * Slows writers down to what compaction can give back, once there is far more garbage than it should ever come to.
 *
 * Compaction shares the machine with those who write, and is paced so that they hardly notice. Where they overwrite
 * faster than that for long, the log would grow without a bound. So from some times the wanted bytes on, each group
 * must be paid for: compaction walks over half as many bytes again as the group had before the next one is stored. What
 * it walks over there is garbage for the greater part, so the log then shrinks.
 */

/** Bytes to be walked over for each byte that is written. */
const price = 1.5;

export class Brake {
  readonly #isBehind: () => boolean;
  #debtBytes = 0;
  #waiters: (() => void)[] = [];

  constructor(isBehind: () => boolean) {
    this.#isBehind = isBehind;
  }

  /** Whether writers have to wait. */
  get isOn(): boolean {
    if (this.#debtBytes > 0 && !this.#isBehind()) this.#debtBytes = 0;
    return this.#debtBytes > 0;
  }

  /** A group of writes was stored. */
  stored(bytes: number): void {
    if (this.#isBehind()) this.#debtBytes += price * bytes;
  }

  /** Compaction has done with so many bytes of an old segment. */
  walked(bytes: number): void {
    this.#debtBytes = Math.max(0, this.#debtBytes - bytes);
    if (!this.isOn) this.wake();
  }

  /** Compaction cannot go on, or need not. */
  release(): void {
    this.#debtBytes = 0;
    this.wake();
  }

  /** Lets those who wait look again: there may be copies to store. */
  wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** Resolves when there may be something to do. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}
