/** Runs a few tasks at a time, and lets whoever brings more wait until there is room: what throttles bulk work. */

export class Lanes {
  readonly #limit: number;
  readonly #running: Set<Promise<void>> = new Set();
  #error: unknown;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Resolves when the task has been started. Rejects with the first failure of an earlier one. */
  async run(task: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running);
    if (this.#error !== undefined) throw this.#error;
    const running: Promise<void> = task()
      .catch((error: unknown) => {
        this.#error ??= error;
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when every task has ended. Rejects with the first failure. */
  async idle(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#error !== undefined) throw this.#error;
  }
}
