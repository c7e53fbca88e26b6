/**
 * Timers for many requests out of one: a request that is nearly always over before its time comes should not pay for a
 * timer of its own.
 *
 * Hot path. Entries lie in slots by when they are due, to a tick; a tick looks at one slot. Nothing is taken out: an entry
 * whose request is over is called once more, and does nothing.
 *
 * Invariant: an entry is called at its `dueMs` or up to two ticks later, and never from within `add`.
 */

import type { Clock, Timer } from "../runtime/clock.ts";

export interface WheelEntry {
  /** On the monotonic clock; may be changed while the entry is in the wheel, to a later time. */
  readonly dueMs: number;
  onDue(nowMs: number): void;
}

/** A turn of the wheel: what is due later goes round again. */
const slots = 64;

export class Wheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #slots: WheelEntry[][] = Array.from({ length: slots }, () => []);
  #count = 0;
  /** Ticks so far: the slot that was looked at last. */
  #ticks: number;
  #timer: Timer | undefined;

  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#ticks = this.#tickOf(clock.monotonicMs());
  }

  /** Has the entry called when it is due. */
  add(entry: WheelEntry): void {
    if (this.#count === 0 && this.#timer === undefined) {
      this.#ticks = this.#tickOf(this.#clock.monotonicMs());
      this.#plan();
    }
    this.#put(entry);
  }

  /** Calls nobody any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#count = 0;
    for (const slot of this.#slots) slot.length = 0;
  }

  #tickOf(ms: number): number {
    return Math.floor(ms / this.#tickMs);
  }

  /** In the slot that is looked at once it is due, or, if that is a turn away or more, in the last one of this turn. */
  #put(entry: WheelEntry): void {
    const due = Math.max(this.#ticks + 1, Math.min(this.#tickOf(entry.dueMs) + 1, this.#ticks + slots - 1));
    (this.#slots[due % slots] as WheelEntry[]).push(entry);
    this.#count++;
  }

  #plan(): void {
    this.#timer = this.#clock.setTimer(this.#tickMs, () => this.#turn());
  }

  #turn(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    const until = this.#tickOf(nowMs);
    // After a long stop every slot is looked at once: nothing can be due that is in none.
    if (until - this.#ticks > slots) this.#ticks = until - slots;
    while (this.#ticks < until) {
      this.#ticks++;
      const slot = this.#slots[this.#ticks % slots] as WheelEntry[];
      if (slot.length === 0) continue;
      const entries = slot.splice(0);
      this.#count -= entries.length;
      for (const entry of entries) {
        if (entry.dueMs <= nowMs) entry.onDue(nowMs);
        else this.#put(entry);
      }
    }
    if (this.#count > 0 && this.#timer === undefined) this.#plan();
  }
}
