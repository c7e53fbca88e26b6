/**
 * The segments of a log: files that are filled one after the other, and removed from the other end.
 *
 * Invariants:
 * - The needed segments are those from `first` to the newest, without a gap. The newest one is written to; those before
 *   it end in a group that says so.
 * - A segment is written to only once its head and its name would survive the loss of power.
 */

import type { Checksum } from "../../core/hash/crc32.ts";
import { encodeFileHead, fileHeadBytes, fileName } from "./file-head.ts";
import type { LogDisk, LogFile } from "./log-disk.ts";

export interface Segment {
  readonly number: number;
  readonly file: LogFile;
  /** Where the next group goes, or where the last one ended. */
  endBytes: number;
  /** Whether its last group said that no other follows. */
  isFull: boolean;
}

export class Segments {
  readonly #disk: LogDisk;
  readonly #checksum: Checksum;
  readonly #segments: Map<number, Segment> = new Map();
  /** The next one, made before it is needed. */
  #next: Promise<Segment> | undefined;
  readonly salt: number;
  #first = 1;
  #newest = 0;
  #bytes = 0;

  constructor(disk: LogDisk, checksum: Checksum, salt: number) {
    this.#disk = disk;
    this.#checksum = checksum;
    this.salt = salt;
  }

  /** The oldest that is needed. */
  get first(): number {
    return this.#first;
  }

  /** The newest, which is written to; undefined in a log that was never written to. */
  get newest(): Segment | undefined {
    return this.#segments.get(this.#newest);
  }

  /** Bytes of all that are needed. */
  get bytes(): number {
    return this.#bytes;
  }

  get(number: number): Segment | undefined {
    return this.#segments.get(number);
  }

  /** Takes in a segment that was found, in the order of numbers. */
  found(segment: Segment): void {
    if (this.#segments.size === 0) this.#first = segment.number;
    this.#segments.set(segment.number, segment);
    this.#newest = segment.number;
    this.#bytes += segment.endBytes;
  }

  /** A group was appended to the newest. */
  appended(endBytes: number, isFull: boolean): void {
    const segment = this.newest as Segment;
    this.#bytes += endBytes - segment.endBytes;
    segment.endBytes = endBytes;
    segment.isFull = isFull;
  }

  /** The segment to write to: a new one where the newest is full. Rejects with `StorageError`. */
  async writable(): Promise<Segment> {
    const newest = this.newest;
    if (newest !== undefined && !newest.isFull) return newest;
    const next = await (this.#next ?? this.prepareNext());
    this.#next = undefined;
    this.found(next);
    return next;
  }

  /** Makes the next segment, so that nobody has to wait for it. Rejects with `StorageError`; the next call tries again. */
  prepareNext(): Promise<Segment> {
    this.#next ??= this.#make(this.#newest === 0 ? 1 : this.#newest + 1).catch((error: unknown) => {
      this.#next = undefined;
      throw error;
    });
    return this.#next;
  }

  get isNextPrepared(): boolean {
    return this.#next !== undefined;
  }

  /** Segments before this one are not needed any more. */
  firstNeeded(number: number): void {
    this.#first = Math.max(this.#first, number);
  }

  /** Removes what is not needed any more, once the log says so durably. Rejects with `StorageError`. */
  async removeUnneeded(): Promise<void> {
    for (const segment of [...this.#segments.values()]) {
      if (segment.number >= this.#first) return;
      this.#segments.delete(segment.number);
      this.#bytes -= segment.endBytes;
      segment.file.close();
      await this.#disk.remove(fileName("segment", segment.number));
    }
  }

  async close(): Promise<void> {
    const next = await this.#next?.catch(() => undefined);
    next?.file.close();
    for (const { file } of this.#segments.values()) file.close();
  }

  async #make(number: number): Promise<Segment> {
    const file = await this.#disk.open(fileName("segment", number));
    try {
      await file.write(encodeFileHead("segment", { number, salt: this.salt }, this.#checksum), 0);
      await file.sync();
      await this.#disk.syncNames();
    } catch (error) {
      file.close();
      throw error;
    }
    return { number, file, endBytes: fileHeadBytes, isFull: false };
  }
}
