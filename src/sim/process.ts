/**
 * One run of one process on a machine: what dies at a crash, and stops at a pause.
 *
 * A crash is silence. Every timer, delivery and commit of a process is an event that belongs to it, and no event of a
 * dead process runs: so no promise of its settles again, and whoever waits for one waits for ever, or until `onDeath`.
 * A paused process's events wait, and run in their order when it goes on; time passes for it all the same. A slow one
 * needs time for each event, and the others stand in line.
 */

import type { SimEvent } from "./event-queue.ts";
import type { Simulation } from "./simulation.ts";

export class SimProcess {
  readonly simulation: Simulation;
  /** `n2.1`: the machine and how many-eth run on it. */
  readonly name: string;
  readonly index: number;
  /** How often it has been paused. */
  pauses = 0;
  #isDead = false;
  #isPaused = false;
  #deferred: SimEvent[] = [];
  readonly #deathListeners: (() => void)[] = [];
  #endOfTurn: (() => void)[] = [];
  readonly #turnMs: number;
  /** How long each event takes; nothing, unless the process is slow. */
  #eventMs = 0;
  #busyUntil = Number.NEGATIVE_INFINITY;
  /** What came up while an event was going on. */
  #line: SimEvent[] = [];

  /** `turnMs` is how long a turn gathers what arrives before its end: the longer, the larger the batches. */
  constructor(simulation: Simulation, name: string, index: number, turnMs: number) {
    this.simulation = simulation;
    this.name = name;
    this.index = index;
    this.#turnMs = turnMs;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get isRunning(): boolean {
    return !this.#isDead && !this.#isPaused;
  }

  kill(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    const waiting = [...this.#line, ...this.#deferred];
    this.#line = [];
    this.#deferred = [];
    for (const event of waiting) if (!event.isCancelled) event.lost?.();
    for (const listener of this.#deathListeners.splice(0)) listener();
  }

  pause(): void {
    this.pauses++;
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const event of deferred) {
      this.simulation.schedule(
        0,
        this,
        () => {
          if (!event.isCancelled) event.run();
        },
        event.lost,
      );
    }
  }

  /** From now on each event takes `eventMs`: a machine whose processor others use, too, or that swaps. */
  slow(eventMs: number): void {
    if (eventMs === this.#eventMs) return;
    this.pauses++;
    this.#eventMs = eventMs;
  }

  onDeath(listener: () => void): void {
    if (this.#isDead) listener();
    else this.#deathListeners.push(listener);
  }

  /** Calls `fire` at the turn's end, with all others who asked since the last one. */
  endOfTurn(fire: () => void): void {
    this.#endOfTurn.push(fire);
    if (this.#endOfTurn.length > 1) return;
    this.simulation.schedule(this.#turnMs, this, () => {
      const listeners = this.#endOfTurn;
      this.#endOfTurn = [];
      for (const listener of listeners) listener();
    });
  }

  /** For the simulation: an event came up while the process is paused. */
  defer(event: SimEvent): void {
    this.#deferred.push(event);
  }

  /** For the simulation: whether an event has to stand in line. */
  get isBusy(): boolean {
    return this.#line.length > 0 || this.simulation.now < this.#busyUntil;
  }

  /** For the simulation: an event came up while another was going on. */
  queue(event: SimEvent): void {
    this.#line.push(event);
    if (this.#line.length === 1) this.#nextInLine();
  }

  /** For the simulation: an event is about to run. */
  spend(): void {
    if (this.#eventMs > 0) this.#busyUntil = this.simulation.now + this.#eventMs;
  }

  #nextInLine(): void {
    this.simulation.schedule(this.#busyUntil - this.simulation.now, undefined, () => {
      if (this.#isDead) return;
      const event = this.#line.shift();
      if (event === undefined) return;
      if (this.#isPaused) this.defer(event);
      else if (!event.isCancelled) {
        this.spend();
        this.simulation.perform(event, this);
      }
      if (this.#line.length > 0) this.#nextInLine();
    });
  }
}
