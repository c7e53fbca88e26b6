/**
 * Does something again and again, never twice at a time: the next round is due a while after the last one ended, with
 * a jitter, so that nodes that started together do not stay in step.
 */

import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import { Pause } from "./pause.ts";
import type { Random } from "./random.ts";
import { TaskGroup } from "./task-group.ts";

export interface TickerOptions {
  /** For the log. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Mean time from the end of a round to the start of the next; the real one is off by up to a fifth. */
  readonly everyMs: number;
  readonly round: () => Promise<void>;
}

export class Ticker {
  readonly #options: TickerOptions;
  readonly #pause: Pause;
  readonly #tasks: TaskGroup;
  #isStopped = false;

  constructor(options: TickerOptions) {
    this.#options = options;
    this.#pause = new Pause(options.clock);
    this.#tasks = new TaskGroup(options.log);
  }

  start(): void {
    this.#tasks.run(this.#options.name, () => this.#loop());
  }

  /** Begins the next round at once, where none is under way. */
  hurry(): void {
    this.#pause.cutShort();
  }

  /** Resolves when the round under way is done; there is none after it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause.end();
    await this.#tasks.close();
  }

  async #loop(): Promise<void> {
    const { random, everyMs, round, log, name } = this.#options;
    const fifth = Math.floor(everyMs / 5);
    while (!this.#isStopped) {
      await this.#pause.wait(everyMs - fifth + random.below(2 * fifth + 1));
      if (this.#isStopped) return;
      try {
        await round();
      } catch (error) {
        log.error(`${name} failed`, { error: String(error) });
      }
    }
  }
}
