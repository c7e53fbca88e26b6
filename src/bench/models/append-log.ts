/**
 * The bare model's disk: one file that only grows, and one sync for all who came while the sync before was under way.
 *
 * Records are messages as they came. There is no reading back, no compaction, no checkpoint: it is the least that a
 * write must pay to be on disk. Hot path.
 */

import { closeSync, fdatasync, openSync, writeSync } from "node:fs";

const startBytes = 1 << 20;

export class AppendLog {
  readonly #file: number;
  readonly #onSynced: (first: number, second: number) => void;
  #buffer: Buffer = Buffer.allocUnsafeSlow(startBytes);
  #length = 0;
  #waiting: number[] = [];
  #syncing: number[] = [];
  #isAway = false;
  #onIdle: (() => void) | undefined;

  /** `onSynced` is called with the two numbers that each record was appended with. */
  constructor(path: string, onSynced: (first: number, second: number) => void) {
    this.#file = openSync(path, "a");
    this.#onSynced = onSynced;
  }

  /** Appends the bytes; whoever waits is told by its two numbers once they are on disk. */
  append(bytes: Uint8Array, first: number, second: number): void {
    if (this.#length + bytes.length > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#buffer.length, this.#length + bytes.length));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    this.#waiting.push(first, second);
    if (!this.#isAway) {
      this.#isAway = true;
      setImmediate(() => this.#sync());
    }
  }

  /** Resolves once the file is closed, after the sync that is under way; what waits then is not told. */
  close(): Promise<void> {
    this.#length = 0;
    return new Promise((resolve) => {
      const end = (): void => {
        closeSync(this.#file);
        resolve();
      };
      if (this.#isAway) this.#onIdle = end;
      else end();
    });
  }

  #sync(): void {
    if (this.#length === 0) {
      this.#isAway = false;
      this.#onIdle?.();
      return;
    }
    writeSync(this.#file, this.#buffer, 0, this.#length);
    this.#length = 0;
    const syncing = this.#waiting;
    this.#waiting = this.#syncing;
    this.#syncing = syncing;
    fdatasync(this.#file, (error) => {
      if (error !== null) throw error;
      for (let i = 0; i < syncing.length; i += 2) this.#onSynced(syncing[i] as number, syncing[i + 1] as number);
      syncing.length = 0;
      this.#sync();
    });
  }
}
