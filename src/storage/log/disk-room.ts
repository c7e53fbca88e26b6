/**
 * Keeps the last room of a disk for what makes some: deletes, and the copies of compaction.
 *
 * A log can only free room by writing: a delete is a record, and a segment goes once what is wanted of it stands at the
 * log's end. A disk that writes have filled to its last byte could never be emptied. So a batch that stores something is
 * refused while less is left than two segments and itself, or than a sixteenth of the disk if that is less.
 *
 * The disk is asked once for some megabytes of writes, or every quarter of a second; others may fill it between. Then a
 * write fails in the middle, which harms nothing.
 */

import type { Clock } from "../../runtime/clock.ts";
import { StorageError, type WriteOperation } from "../engine.ts";
import type { LogDisk } from "./log-disk.ts";

const marginShare = 1 / 16;
const askedAgainAfterBytes: number = 4 * 1024 * 1024;
const askedAgainAfterMs = 250;

export class DiskRoom {
  readonly #disk: LogDisk;
  readonly #clock: Clock;
  readonly #segmentBytes: () => number;
  #leftBytes = 0;
  #freeBytes = 0;
  #untilMs = Number.NEGATIVE_INFINITY;
  #untilLeftBytes = 0;

  constructor(disk: LogDisk, clock: Clock, segmentBytes: () => number) {
    this.#disk = disk;
    this.#clock = clock;
    this.#segmentBytes = segmentBytes;
  }

  /** Why there is no room for these, if there is none. Removals are always tried. */
  refusal(bytes: number, operations: readonly WriteOperation[]): StorageError | undefined {
    if (!operations.some(({ value }) => value !== undefined)) return undefined;
    if (this.#leftBytes < this.#untilLeftBytes || this.#clock.monotonicMs() >= this.#untilMs) this.#ask();
    if (bytes <= this.#leftBytes) return undefined;
    const { name } = this.#disk;
    return new StorageError("disk-full", `no room on the disk of ${name}: ${this.#freeBytes} bytes are left`);
  }

  spent(bytes: number): void {
    this.#leftBytes -= bytes;
  }

  /** A write found less than was thought to be there. */
  ranOut(): void {
    this.#untilMs = Number.NEGATIVE_INFINITY;
  }

  #ask(): void {
    const { freeBytes, totalBytes } = this.#disk.space();
    this.#freeBytes = freeBytes;
    this.#leftBytes = freeBytes - Math.min(2 * this.#segmentBytes(), totalBytes * marginShare);
    this.#untilLeftBytes = this.#leftBytes - askedAgainAfterBytes;
    this.#untilMs = this.#clock.monotonicMs() + askedAgainAfterMs;
  }
}
