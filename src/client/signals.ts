/**
 * Whoever waits under each signal, with one listener for all of them: a signal is often shared by hundreds of requests, and
 * Node takes more than ten listeners for a leak, and warns.
 */

export interface Abortable {
  /** The signal has fired. */
  abort(): void;
}

interface Waiting {
  readonly all: Set<Abortable>;
  readonly listener: () => void;
}

export class Signals {
  readonly #waiting: Map<AbortSignal, Waiting> = new Map();

  /** Has it told when the signal fires, which it has not yet. */
  add(signal: AbortSignal, one: Abortable): void {
    let waiting = this.#waiting.get(signal);
    if (waiting === undefined) {
      const all = new Set<Abortable>();
      const listener = (): void => {
        for (const each of [...all]) each.abort();
      };
      waiting = { all, listener };
      this.#waiting.set(signal, waiting);
      signal.addEventListener("abort", listener, { once: true });
    }
    waiting.all.add(one);
  }

  /** Nothing is kept of a signal that nobody waits under. */
  remove(signal: AbortSignal, one: Abortable): void {
    const waiting = this.#waiting.get(signal);
    if (waiting === undefined || !waiting.all.delete(one) || waiting.all.size > 0) return;
    signal.removeEventListener("abort", waiting.listener);
    this.#waiting.delete(signal);
  }

  /** Signals that somebody waits under. */
  get size(): number {
    return this.#waiting.size;
  }
}
