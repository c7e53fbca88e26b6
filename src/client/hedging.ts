/**
 * When a read is asked of a second node because the first is slow: after a while, and for few reads.
 *
 * Asking twice cures the slow few, such as a coordinator that collects garbage, and doubles the load if all are slow.
 * So each read earns a tenth of a hedge, and a few are saved up: at most a tenth of reads are asked twice, whatever
 * happens.
 */

const earned = 0.1;
const mostSaved = 10;

export class Hedging {
  /** After how long, in ms; undefined for never. */
  readonly afterMs: number | undefined;
  #saved: number = mostSaved;

  constructor(afterMs: number | undefined) {
    this.afterMs = afterMs;
  }

  /** A read begins. */
  earn(): void {
    if (this.#saved < mostSaved) this.#saved += earned;
  }

  /** Whether one more may be asked twice. */
  spend(): boolean {
    if (this.#saved < 1) return false;
    this.#saved--;
    return true;
  }
}
