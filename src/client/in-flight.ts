/**
 * How many requests are under way at a time, and how many wait for that: so a caller that asks faster than the cluster
 * answers meets an error before its memory is full, and no node gets more of one client than it takes
 * (`rpc/handshake.ts`). Values count by their bytes, too: a few hundred large ones are as much as a node should hold.
 *
 * Invariant: whoever was started leaves once; whoever waits is started once there is room, in the order they came. One
 * alone always has room.
 */

export interface Waiter {
  /** Of the value that it carries. */
  readonly bytes: number;
  /** It is its turn. */
  start(): void;
}

export interface InFlightLimits {
  readonly requests: number;
  readonly bytes: number;
  /** Requests that wait. */
  readonly waiting: number;
}

export class InFlight {
  readonly #limits: InFlightLimits;
  #underWay = 0;
  #bytes = 0;
  /** A queue: what is before `#first` has been started. */
  #waiting: Waiter[] = [];
  #first = 0;
  #isStarting = false;
  #onIdle: (() => void) | undefined;

  constructor(limits: InFlightLimits) {
    this.#limits = limits;
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
    if (this.waiting === 0 && this.#hasRoomFor(waiter)) {
      this.#start(waiter);
      return "started";
    }
    if (this.waiting >= this.#limits.waiting) return "full";
    this.#waiting.push(waiter);
    return "waiting";
  }

  /** One that was started is over. */
  leave({ bytes }: Waiter): void {
    this.#underWay--;
    this.#bytes -= bytes;
    // Who is started may be over at once: its place goes to the next in this loop, not ever deeper in the stack.
    if (this.#isStarting) return;
    this.#isStarting = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) this.#start(next);
    this.#isStarting = false;
    if (this.#underWay === 0) this.#onIdle?.();
  }

  /** Resolves once nothing is under way or waits. */
  idle(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #hasRoomFor({ bytes }: Waiter): boolean {
    if (this.#underWay === 0) return true;
    return this.#underWay < this.#limits.requests && this.#bytes + bytes <= this.#limits.bytes;
  }

  #start(waiter: Waiter): void {
    this.#underWay++;
    this.#bytes += waiter.bytes;
    waiter.start();
  }

  /** Takes the first that waits, if there is room for it. */
  #next(): Waiter | undefined {
    const next = this.#waiting[this.#first];
    if (next === undefined || !this.#hasRoomFor(next)) return undefined;
    this.#first++;
    if (this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return next;
  }
}
