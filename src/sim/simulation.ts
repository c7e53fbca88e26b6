/**
 * Virtual time: one queue of events, run one after the other, from one seed.
 *
 * The product's code is plain async/await, so an event is over only when every promise reaction it set off has run.
 * What can tell that lies outside the language: `Surroundings.pump` promises it, and is handed in by whoever starts the
 * simulation (`docs/decisions/060-draining-microtasks.md`). Between two events nothing of the product is under way, so
 * a crash, a pause or a checker's look falls between whole turns, as on a real machine.
 *
 * Invariant: the same seed, code and surroundings give the same events in the same order, and so the same trace.
 */

import type { Checksum } from "../runtime/runtime.ts";
import { EventQueue, type SimEvent } from "./event-queue.ts";
import { Prng } from "./prng.ts";
import type { SimProcess } from "./process.ts";
import { Trace, type TraceLine } from "./trace.ts";

export interface Surroundings {
  /**
   * Calls `step` again and again until it answers false; between two calls, and before it resolves, every promise
   * reaction that can run has run. Rejects with what `step` throws.
   */
  pump(step: () => boolean): Promise<void>;
  readonly checksum: Checksum;
}

/** More events than this at one instant are a loop that waits for a time that never comes. */
const mostEventsAtOnce = 200_000;

/** Something that must never happen, happened. */
export interface Violation {
  /** Which law, as the checkers name it. */
  readonly law: string;
  /** What was seen, as a sentence and the history that matters. */
  readonly what: string;
  /** Virtual ms. */
  readonly at: number;
}

export class Simulation {
  readonly seed: number;
  readonly surroundings: Surroundings;
  readonly trace: Trace;
  /** In the order in which they were seen; the first is the one to look at. */
  readonly violations: Violation[] = [];
  readonly #queue: EventQueue = new EventQueue();
  #now = 0;
  #sequence = 0;
  #events = 0;
  #eventsNow = 0;

  constructor(seed: number, surroundings: Surroundings, tell?: TraceLine) {
    this.seed = seed;
    this.surroundings = surroundings;
    this.trace = new Trace(tell);
  }

  /** Virtual ms since the start. */
  get now(): number {
    return this.#now;
  }

  /** How many events have run. */
  get events(): number {
    return this.#events;
  }

  /** A stream of chance that depends on the seed and this name alone. */
  prng(stream: string): Prng {
    return new Prng(this.seed, stream);
  }

  /** Runs `run` after `delayMs`, as an event of `process` where one is given: then not before it is resumed, and never once it is dead. */
  schedule(delayMs: number, process: SimProcess | undefined, run: () => void, lost?: () => void): SimEvent {
    const event: SimEvent = {
      at: this.#now + Math.max(0, delayMs),
      sequence: this.#sequence++,
      process,
      run,
      lost,
      isCancelled: false,
    };
    this.#queue.push(event);
    return event;
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.schedule(delayMs, undefined, resolve);
    });
  }

  /** Lets `durationMs` of virtual time pass. */
  async run(durationMs: number): Promise<void> {
    const until = this.#now + durationMs;
    await this.surroundings.pump(() => this.#step(until));
    this.#now = until;
  }

  /** Lets time pass until the condition holds, tried after every event; false if it does not within `withinMs`. */
  async runUntil(condition: () => boolean, withinMs: number): Promise<boolean> {
    const until = this.#now + withinMs;
    let holds = condition();
    if (holds) return true;
    await this.surroundings.pump(() => {
      holds = condition();
      return !holds && this.#step(until);
    });
    if (!holds) this.#now = until;
    return holds || condition();
  }

  /** Lets time pass until the promise has settled; fails if that takes longer than `withinMs`. */
  async settle<T>(promise: Promise<T>, withinMs: number, what: string): Promise<T> {
    let isSettled = false;
    const note = (): void => {
      isSettled = true;
    };
    promise.then(note, note);
    if (!(await this.runUntil(() => isSettled, withinMs)))
      throw new Error(`${what}: not done in ${withinMs} virtual ms`);
    return promise;
  }

  violate(law: string, what: string): void {
    this.tell("violation", `${law}: ${what}`);
    this.violations.push({ law, what, at: this.#now });
  }

  /** Says what happens to whoever follows the run, and folds it into the trace. */
  tell(who: string, what: string): void {
    this.trace.text(what);
    this.trace.tell?.(`${this.#now.toFixed(3).padStart(12)}  ${who.padEnd(10)} ${what}`);
  }

  #step(until: number): boolean {
    for (;;) {
      const event = this.#queue.peek();
      if (event === undefined || event.at > until) return false;
      this.#queue.pop();
      if (event.isCancelled) continue;
      this.#advance(event.at);
      const process = event.process;
      if (process !== undefined) {
        if (process.isDead) {
          event.lost?.();
          continue;
        }
        if (process.isPaused) {
          process.defer(event);
          continue;
        }
        if (process.isBusy) {
          process.queue(event);
          continue;
        }
        process.spend();
      }
      this.perform(event, process);
      return true;
    }
  }

  /** Runs the event now, as one of the process; for the simulation's own parts, one each step. */
  perform(event: SimEvent, process: SimProcess | undefined): void {
    this.#events++;
    this.trace.f64(this.#now);
    this.trace.u32(process?.index ?? 0xffff);
    if (process === undefined) {
      event.run();
      return;
    }
    try {
      event.run();
    } catch (error) {
      this.violate("no uncaught error", `${process.name}: ${describeError(error)}`);
    }
  }

  #advance(to: number): void {
    if (to > this.#now) {
      this.#now = to;
      this.#eventsNow = 0;
    } else if (++this.#eventsNow > mostEventsAtOnce) {
      throw new Error(`seed ${this.seed}: over ${mostEventsAtOnce} events at ${this.#now} ms; something loops`);
    }
  }
}

/** The error with its stack, and its cause's, for people. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\n  caused by ${describeError(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
