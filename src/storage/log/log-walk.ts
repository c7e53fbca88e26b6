/**
 * Reads a log from a place to its end, group by group, and tells a torn end from damage.
 *
 * Every group was durable before the next one was begun. So a crash can have lost or torn the last group only, and
 * nobody was told that it is stored: the log ends before it. But where something is wrong and a good group comes behind
 * it, what was there had been acknowledged, and nobody knows which keys it was about: `corrupt`.
 *
 * A group whose head is good and whose values are not is told from a torn one in the same way. In the middle it is good
 * enough: its keys are known, and their records' own checksums refuse what is damaged, key by key.
 */

import type { Checksum } from "../../core/hash/crc32.ts";
import { StorageError } from "../engine.ts";
import { type FileHead, fileHeadBytes, fileName } from "./file-head.ts";
import type { LogFile } from "./log-disk.ts";
import { type ReadGroup, SegmentReader } from "./segment-reader.ts";

export interface FoundSegment {
  readonly number: number;
  readonly file: LogFile;
  /** Undefined where it is damaged, or was never finished. */
  readonly head: FileHead | undefined;
}

export interface LogPlace {
  readonly segment: number;
  readonly offset: number;
}

export interface LogEnd extends LogPlace {
  /** Whether the segment takes no more groups. */
  readonly isFull: boolean;
}

export class LogWalk {
  readonly #found: ReadonlyMap<number, FoundSegment>;
  readonly #salt: number;
  readonly #checksum: Checksum;
  #end: LogEnd | undefined;

  constructor(found: ReadonlyMap<number, FoundSegment>, salt: number, checksum: Checksum) {
    this.#found = found;
    this.#salt = salt;
    this.#checksum = checksum;
  }

  /** Where the log ends: behind the last of `groups`, which must have been read to their end. */
  get end(): LogEnd {
    if (this.#end === undefined) throw new Error("the log was not read to its end");
    return this.#end;
  }

  /** Where a group behind the log's end would begin. */
  get nextPlace(): LogPlace {
    const { segment, offset, isFull } = this.end;
    return isFull ? { segment: segment + 1, offset: fileHeadBytes } : { segment, offset };
  }

  /** All whole groups from the place on, at which one begins or the log ends. Throws `StorageError`. */
  async *groups(from: LogPlace): AsyncGenerator<ReadGroup, void, undefined> {
    // Only the next group, or a look at its values, says that one is whole.
    let held: ReadGroup | undefined;
    let at = from;
    for (;;) {
      const group = await this.#reader(at.segment)?.groupAt(at.offset);
      if (group === undefined) break;
      if (held !== undefined) yield held;
      held = group;
      const { isLast, endOffset } = group.head;
      at = isLast ? { segment: at.segment + 1, offset: fileHeadBytes } : { segment: at.segment, offset: endOffset };
    }
    await this.#mustBeTheEnd(at);
    if (held === undefined) {
      this.#end = this.#emptyEnd(from);
      return;
    }
    const { place, endOffset, isLast } = held.head;
    if (await this.#reader(place.segment)?.hasGoodValues(held)) {
      this.#end = { segment: place.segment, offset: endOffset, isFull: isLast };
      yield held;
    } else {
      this.#end = { segment: place.segment, offset: place.offset, isFull: false };
    }
  }

  /** The oldest segment that is needed, by the newest groups behind the place; undefined where there are none. */
  async firstNeeded(behind: LogPlace | undefined): Promise<number | undefined> {
    for (const number of [...this.#found.keys()].sort((a, b) => b - a)) {
      if (behind !== undefined && number < behind.segment) break;
      let at = number === behind?.segment ? behind.offset : fileHeadBytes;
      let first: number | undefined;
      for (;;) {
        const group = await this.#reader(number)?.groupAt(at);
        if (group === undefined) break;
        first = Math.max(first ?? 0, group.head.firstSegment);
        at = group.head.endOffset;
      }
      if (first !== undefined) return first;
    }
    return undefined;
  }

  #reader(number: number): SegmentReader | undefined {
    const found = this.#found.get(number);
    if (found === undefined) return undefined;
    // One at a time is read: the last one is kept for the sake of what it has read ahead.
    if (this.#lastReader?.number !== number) {
      const place = { number, salt: this.#salt };
      this.#lastReader = {
        number,
        reader: new SegmentReader(found.file, place, this.#checksum, { reusesMemory: false }),
      };
    }
    return this.#lastReader.reader;
  }
  #lastReader: { readonly number: number; readonly reader: SegmentReader } | undefined;

  async #mustBeTheEnd({ segment, offset }: LogPlace): Promise<void> {
    for (const number of this.#found.keys()) {
      const from = number === segment ? offset : fileHeadBytes;
      if (number < segment || !(await this.#reader(number)?.hasGroupAfter(from))) continue;
      const where = this.#found.get(segment)?.file.name ?? `${fileName("segment", segment)}, which is missing,`;
      throw new StorageError("corrupt", `the log is damaged: ${where} at byte ${offset}, with whole groups behind it`);
    }
  }

  /** The end of a log in which nothing comes behind the place. */
  #emptyEnd({ segment, offset }: LogPlace): LogEnd {
    const before = this.#found.get(segment - 1);
    if (this.#found.has(segment) || before === undefined) return { segment, offset, isFull: false };
    return { segment: segment - 1, offset: before.file.sizeBytes, isFull: true };
  }
}
