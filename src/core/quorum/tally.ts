/**
 * Counts the answers to one request until enough have come, or enough cannot come any more (§4.5).
 *
 * Only voices count, each seat once: a node that has lost its disk, or holds the seat no longer, answers too, but its
 * answer says nothing about what was acknowledged. Where two answers speak for one seat they are one voice.
 *
 * Every request that was sent ends in exactly one of `heard` and `failed`, so `isOver` comes true.
 */

import type { Voice } from "./voice.ts";

export class Tally {
  /** How many voices the request needs. */
  readonly needed: number;
  #outstanding: number;
  /** One bit a seat: there are at most `mostCopies` of them. */
  #seats = 0;
  #received = 0;

  constructor(needed: number, asked: number) {
    this.needed = needed;
    this.#outstanding = asked;
  }

  /** One answer came; without a voice it counts for nothing. */
  heard(voice: Voice | undefined): void {
    this.#outstanding -= 1;
    if (voice === undefined) return;
    const bit = 1 << voice.seat;
    if ((this.#seats & bit) !== 0) return;
    this.#seats |= bit;
    this.#received += 1;
  }

  /** One answer will not come. */
  failed(): void {
    this.#outstanding -= 1;
  }

  /** Voices counted so far. */
  get received(): number {
    return this.#received;
  }

  get isMet(): boolean {
    return this.#received >= this.needed;
  }

  /** What is outstanding cannot make up for what is missing. */
  get isLost(): boolean {
    return this.#received + this.#outstanding < this.needed;
  }

  /** Nothing is outstanding. */
  get isOver(): boolean {
    return this.#outstanding <= 0;
  }
}
