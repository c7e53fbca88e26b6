/**
 * Time, as a port. A real machine binds it in `host/`, virtual time in `sim/`.
 *
 * Law: `monotonicMs` never goes back and is used for every wait and duration; `wallMs` may jump, is never used for
 * order, and is only ever carried, shown and compared with the same key's other times.
 */

export interface Timer {
  /** Lets the timer never fire; harmless when it has. */
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since 1970-01-01 UTC, whole; may jump either way. */
  wallMs(): number;
  /** Milliseconds since some fixed moment, with fractions; never goes back. */
  monotonicMs(): number;
  /** Calls `fire` once, not before `delayMs` have passed and never within this call. */
  setTimer(delayMs: number, fire: () => void): Timer;
  /** Calls `fire` once when what has arrived in this turn has been handled: where batches leave together. */
  endOfTurn(fire: () => void): void;
}
