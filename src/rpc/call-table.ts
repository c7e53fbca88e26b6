/**
 * The calls of one connection that wait for their answers.
 *
 * Hot path. A call is a slot in a table, taken and given back, not a promise, a closure or a timer. Its id is the
 * slot's place and how often the slot has been taken, so that an answer to a call given up before never settles the
 * call that has its slot now.
 *
 * Invariant: a slot is in the free list or holds a call, never both; a call leaves by `take` or `takeExpired`, once.
 */

import type { AnswerHandler } from "./call.ts";

/** Most calls of one connection at a time: places are the low 16 bits of an id. */
const mostSlots = 0x10000;

/** A call, as long as its slot is not given back. */
export interface PendingCall {
  readonly id: number;
  readonly handler: AnswerHandler;
  readonly tag: number;
  readonly sentAtMs: number;
  readonly deadlineMs: number;
  /** The turn at whose end its frame leaves; `notEncoded` before it has one. */
  readonly turn: number;
}

/** The turn of a call that waits for its connection. */
export const notEncoded: number = Number.POSITIVE_INFINITY;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Slot extends Mutable<PendingCall> {
  isTaken: boolean;
}

export class CallTable {
  readonly #slots: Slot[] = [];
  readonly #free: Slot[] = [];

  /** Calls that wait. */
  get size(): number {
    return this.#slots.length - this.#free.length;
  }

  /** Takes a slot; undefined if there are too many calls. */
  open(handler: AnswerHandler, tag: number, nowMs: number, deadlineMs: number): PendingCall | undefined {
    const slot = this.#free.pop() ?? this.#newSlot(handler);
    if (slot === undefined) return undefined;
    slot.id += mostSlots;
    slot.handler = handler;
    slot.tag = tag;
    slot.sentAtMs = nowMs;
    slot.deadlineMs = deadlineMs;
    slot.turn = notEncoded;
    slot.isTaken = true;
    return slot;
  }

  /** Notes that the call's frame leaves at the end of the turn. */
  encoded(call: PendingCall, turn: number): void {
    (call as Slot).turn = turn;
  }

  /** The call, while it waits. */
  find(id: number): PendingCall | undefined {
    const slot = this.#slots[id % mostSlots];
    return slot?.isTaken && slot.id === id ? slot : undefined;
  }

  /** Gives the call's slot back; undefined if it is no longer there. What it says is valid until the next `open`. */
  take(id: number): PendingCall | undefined {
    const slot = this.#slots[id % mostSlots];
    if (slot === undefined || !slot.isTaken || slot.id !== id) return undefined;
    slot.isTaken = false;
    this.#free.push(slot);
    return slot;
  }

  /** Every call whose deadline is not after `nowMs`. */
  expired(nowMs: number): PendingCall[] {
    return this.#slots.filter((slot) => slot.isTaken && slot.deadlineMs <= nowMs);
  }

  /** Every call there is. */
  all(): PendingCall[] {
    return this.#slots.filter((slot) => slot.isTaken);
  }

  /** The earliest deadline, or infinity without calls. */
  earliestMs(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const slot of this.#slots) if (slot.isTaken && slot.deadlineMs < earliest) earliest = slot.deadlineMs;
    return earliest;
  }

  #newSlot(handler: AnswerHandler): Slot | undefined {
    const place = this.#slots.length;
    if (place >= mostSlots) return undefined;
    const slot: Slot = { id: place, handler, tag: 0, sentAtMs: 0, deadlineMs: 0, turn: 0, isTaken: false };
    this.#slots.push(slot);
    return slot;
  }
}
