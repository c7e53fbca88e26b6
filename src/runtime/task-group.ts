/**
 * Owns the work that nobody awaits, so that no promise is lost: a failure is logged, and whoever stops can wait until
 * the last of it is done.
 */

import type { Log } from "./log.ts";

export class TaskGroup {
  readonly #log: Log;
  readonly #running: Set<Promise<void>> = new Set();
  #isClosed = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** How many tasks are under way. */
  get size(): number {
    return this.#running.size;
  }

  /** Starts the task, unless the group is closed. `name` says in the log what failed. */
  run(name: string, task: () => Promise<void>): void {
    if (this.#isClosed) return;
    const running: Promise<void> = task()
      .catch((error: unknown) => this.#log.error(`${name} failed`, { error: String(error) }))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Takes no more tasks, and resolves when those under way are done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
