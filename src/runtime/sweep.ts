/**
 * Times of many things out of one timer: a request that is nearly always over before its time comes should not pay for a
 * timer of its own, nor be kept alive by one.
 *
 * Hot path. What waits lies in a list without order, and knows its place there: to add it or to take it out costs the
 * same however many wait. Every tick looks at all of them, which is little: those that are over are gone. While nothing
 * waits there is no timer.
 *
 * Invariant: an entry is called once, at its time or up to a tick later, unless it was taken out before; never from
 * within `add`. One that sets itself a later time when it is called waits for that.
 */

import type { Clock, Timer } from "./clock.ts";

export interface Swept {
  /** On the monotonic clock. */
  readonly dueMs: number;
  /** Where it lies: the sweep's own affair. Below zero while it does not wait; so it begins. */
  place: number;
  onDue(nowMs: number): void;
}

export class Sweep {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #waiting: Swept[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock;
    this.#tickMs = tickMs;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Has the entry called when it is due. It must not wait already. */
  add(entry: Swept): void {
    entry.place = this.#waiting.length;
    this.#waiting.push(entry);
    if (this.#timer === undefined) this.#plan();
  }

  /** The entry is not called any more; harmless where it does not wait. */
  remove(entry: Swept): void {
    const { place } = entry;
    if (place < 0) return;
    entry.place = -1;
    const last = this.#waiting.pop() as Swept;
    if (last === entry) return;
    this.#waiting[place] = last;
    last.place = place;
  }

  #plan(): void {
    this.#timer = this.#clock.setTimer(this.#tickMs, () => this.#tick());
  }

  /** From the end: what takes the place of one that goes has been looked at, or comes to be. */
  #tick(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const entry = this.#waiting[i];
      if (entry === undefined || entry.dueMs > nowMs) continue;
      this.remove(entry);
      entry.onDue(nowMs);
      if (entry.dueMs > nowMs) this.add(entry);
    }
    if (this.#waiting.length > 0 && this.#timer === undefined) this.#plan();
  }
}
