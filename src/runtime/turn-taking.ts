/**
 * Lets one task run at a time, in the order they came: for changes that read, wait for the disk, and then write what
 * they read.
 */

export class TurnTaking {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Tasks that wait or run. */
  get size(): number {
    return this.#waiting;
  }

  /** Runs the task when all before it have ended, and answers as it does. */
  run<T>(task: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const result = this.#last.then(task, task).finally(() => {
      this.#waiting--;
    });
    this.#last = result.catch(() => {});
    return result;
  }
}
