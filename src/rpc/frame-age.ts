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
 * Hot path: `ageMs` runs for every message.
 */

export class FrameAge {
  readonly #startedMs: number;
  #least: number | undefined;

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
    const least = this.#least ?? difference;
    const ageMs = (difference - least) | 0;
    if (ageMs >= 0 && this.#least !== undefined) return ageMs;
    this.#least = difference;
    return 0;
  }
}
