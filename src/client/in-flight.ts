/**
 * How many requests are under way at a time, and how many wait for that: so a caller that asks faster than the cluster
 * answers meets an error before its memory is full, and no node gets more of one client than it takes
 * (`rpc/handshake.ts`).
 *
 * Invariant: whoever was started leaves once; whoever waits is started when one leaves, in the order they came.
 */

export interface Waiter {
  /** It is its turn. */
  start(): void;
}

export class InFlight {
  readonly #most: number;
  readonly #mostWaiting: number;
  #underWay = 0;
  /** A queue: what is before `#first` has been started. */
  #waiting: Waiter[] = [];
  #first = 0;
  /** Places that nobody has taken yet, while they are being given away. */
  #freed = 0;
  #isStarting = false;
  #onIdle: (() => void) | undefined;

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /** Started, and not over. */
  get underWay(): number {
    return this.#underWay;
  }

  get waiting(): number {
    return this.#waiting.length - this.#first;
  }

  /** Starts it now or when it is its turn; `full` if too many wait already. */
  enter(waiter: Waiter): "started" | "waiting" | "full" {
    if (this.#underWay < this.#most) {
      this.#underWay++;
      waiter.start();
      return "started";
    }
    if (this.waiting >= this.#mostWaiting) return "full";
    this.#waiting.push(waiter);
    return "waiting";
  }

  /** One that was started is over. */
  leave(): void {
    this.#freed++;
    // Who is started may be over at once: its place goes to the next in this loop, not ever deeper in the stack.
    if (this.#isStarting) return;
    this.#isStarting = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#freed--;
      next.start();
    }
    this.#isStarting = false;
    this.#underWay -= this.#freed;
    this.#freed = 0;
    if (this.#underWay === 0) this.#onIdle?.();
  }

  #next(): Waiter | undefined {
    if (this.#freed === 0 || this.waiting === 0) return undefined;
    const next = this.#waiting[this.#first++];
    if (this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return next;
  }

  /** Resolves once nothing is under way or waits. */
  idle(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }
}
