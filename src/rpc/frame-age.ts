/**
 * How old a frame is when it is read, for sides whose clocks have nothing in common but their pace.
 *
 * A sender stamps each frame with the age of its end of the connection. The reader compares that with the age of its
 * own end: the difference is what the two ends' beginnings are apart, plus the time the frame took. The least
 * difference of all frames so far, the first of them the hello, is taken for the one without a delay.
 *
 * So an age is too small by at most what the hello took, which the handshake bounds (`channel.ts`), or what the two
 * clocks ran apart since the least one; and where the reader's clock is the faster one, too great by that: after days,
 * a connection is closed for it and made anew.
 *
 * Beside the age stands the lag, the same beyond the fastest frame of the last seconds: it bears no old drift, so
 * that it may be taken off a request's time, and misses what has delayed all frames for as long.
 *
 * Hot path: `ageMs` runs for every message.
 */

/**
 * The least difference of so long is forgotten once the next such time has its own, in ms: so short that clocks 2 %
 * apart, far worse than any quartz, add up to a fraction of a request's time.
 */
const windowMs = 5000;

export class FrameAge {
  readonly #startedMs: number;
  #least: number | undefined;
  #windowStartedMs = 0;
  #leastBefore = 0;
  #leastLately = 0;
  #lagMs = 0;

  constructor(nowMs: number) {
    this.#startedMs = nowMs;
  }

  /** What to write into a frame now: 32 bits. */
  stamp(nowMs: number): number {
    return Math.floor(nowMs - this.#startedMs) >>> 0;
  }

  /** How long ago the frame with this stamp was sent, in ms, as far as can be told. */
  ageMs(nowMs: number, stamp: number): number {
    const difference = (this.stamp(nowMs) - stamp) | 0;
    this.#noteLag(nowMs, difference);
    const least = this.#least ?? difference;
    const ageMs = (difference - least) | 0;
    if (ageMs >= 0 && this.#least !== undefined) return ageMs;
    this.#least = difference;
    return 0;
  }

  /** How long the last frame was under way beyond what frames take, in ms; never too long but by a clock's drift of seconds. */
  get lagMs(): number {
    return this.#lagMs;
  }

  #noteLag(nowMs: number, difference: number): void {
    if (this.#least === undefined) {
      this.#leastBefore = difference;
      this.#leastLately = difference;
      this.#windowStartedMs = nowMs;
    } else if (nowMs - this.#windowStartedMs >= windowMs) {
      this.#leastBefore = this.#leastLately;
      this.#leastLately = difference;
      this.#windowStartedMs = nowMs;
    } else if (((difference - this.#leastLately) | 0) < 0) this.#leastLately = difference;
    this.#lagMs = Math.max(0, (difference - this.#leastBefore) | 0, (difference - this.#leastLately) | 0);
  }
}
