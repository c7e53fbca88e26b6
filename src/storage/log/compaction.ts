/**
 * Compaction: gives back the room of values that were replaced or deleted.
 *
 * Always of the oldest segment: what is still wanted of it is stored again at the log's end, then the log says durably
 * that it begins one segment later, then the file goes. So the log stays one order without gaps, a delete can be
 * dropped when it is met (nothing it deletes is left behind it), and a crash at any moment leaves a value in the old
 * place, the new one or both, which are the same.
 *
 * It runs while there is more garbage than wanted bytes, and two segments beside: so the log takes about twice what is
 * stored, and each byte that is given back costs at most one byte of copying. Copies share the groups of foreground
 * writes and are no larger than those; between two portions it waits. Who overwrites faster than that is braked
 * (`brake.ts`) at three times as much garbage as wanted bytes, and six segments.
 *
 * Where a group of the segment cannot be read any more, the key directory still knows what is in it. A value that is
 * damaged is copied as it is: its record's own checksum goes on refusing it (`wire/record.ts`).
 */

import type { Checksum } from "../../core/hash/crc32.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { Pause } from "../../runtime/pause.ts";
import { keyAfter } from "../store-key.ts";
import type { Brake } from "./brake.ts";
import { fileHeadBytes } from "./file-head.ts";
import type { Copy, GroupCommit } from "./group-commit.ts";
import { groupOperations } from "./group-format.ts";
import type { KeyDirectory } from "./key-directory.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { Segment, Segments } from "./segments.ts";

/** What is copied before it waits: bytes of values, and operations looked at. */
const portionBytes: number = 256 * 1024;
const portionOperations = 800;
/** Keys that are looked at in one turn where a segment's groups cannot be read. */
const portionKeys = 500;
const pauseMs = 2;
/** Until it tries again after a failure, a full disk as a rule: at first, and at most. */
const leastRetryMs = 500;
const mostRetryMs = 30_000;
/** It runs at so many times as much garbage as wanted bytes, and segments beside; the more, the less it copies. */
const dueTimes = 1;
const dueSegments = 2;
/** Writers are braked at so many times as much garbage as wanted bytes, and segments beside. */
const behindTimes = 3;
const behindSegments = 6;

export interface CompactionOptions {
  readonly segments: Segments;
  readonly directory: KeyDirectory;
  readonly commit: GroupCommit;
  readonly brake: Brake;
  readonly clock: Clock;
  readonly checksum: Checksum;
  readonly log: Log;
  readonly segmentBytes: () => number;
}

interface Place {
  readonly key: Uint8Array;
  readonly offset: number;
  readonly valueBytes: number;
  /** Where it has been read already. */
  readonly value: Uint8Array | undefined;
}

export class Compaction {
  readonly #options: CompactionOptions;
  readonly #pause: Pause;
  #running: Promise<void> | undefined;
  #isStopped = false;
  #copiedBytes = 0;
  /** How far it has come in the oldest segment. */
  #walkedBytes = 0;
  /** Until it tries again after a failure, which was the last thing to happen; 0 if it was not. */
  #retryMs = 0;

  constructor(options: CompactionOptions) {
    this.#options = options;
    this.#pause = new Pause(options.clock);
  }

  /** Bytes of values stored again since the start. */
  get copiedBytes(): number {
    return this.#copiedBytes;
  }

  /** Whether writers are to wait for it. */
  get isBehind(): boolean {
    return this.#retryMs === 0 && !this.#isStopped && this.#isDue(behindTimes, behindSegments);
  }

  /** Begins, if there is enough to do and it is not at it. */
  wake(): void {
    if (this.#running !== undefined || this.#isStopped || !this.#isDue(dueTimes, dueSegments)) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Ends after what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause.end();
    await this.#running;
  }

  /** Whether there is so many times as much garbage as there are wanted bytes, and so many segments of it beside. */
  #isDue(times: number, besides: number): boolean {
    const { segments, directory, segmentBytes } = this.#options;
    if (segments.first === segments.newest?.number) return false;
    const wanted = directory.wantedBytes;
    return segments.bytes - wanted > times * wanted + besides * segmentBytes();
  }

  async #run(): Promise<void> {
    const { commit, brake, log } = this.#options;
    while (!this.#isStopped && commit.failure === undefined && this.#isDue(dueTimes, dueSegments)) {
      try {
        await this.#compactOldest();
        this.#retryMs = 0;
      } catch (error) {
        log.warn("the log cannot be compacted now", { why: String(error) });
        this.#retryMs = Math.min(mostRetryMs, Math.max(leastRetryMs, 2 * this.#retryMs));
        brake.release();
        await this.#pause.wait(this.#retryMs);
      }
    }
    brake.release();
  }

  async #compactOldest(): Promise<void> {
    const { segments, directory, commit, brake } = this.#options;
    this.#walkedBytes = 0;
    const oldest = segments.get(segments.first) as Segment;
    if (directory.wantedOf(oldest.number) > 0) await this.#copyByGroups(oldest);
    if (directory.wantedOf(oldest.number) > 0) await this.#copyByDirectory(oldest);
    if (this.#isStopped) return;
    segments.firstNeeded(oldest.number + 1);
    await commit.mark();
    await segments.removeUnneeded();
    brake.walked(oldest.endBytes - this.#walkedBytes);
    this.#walkedBytes = 0;
  }

  async #copyByGroups(segment: Segment): Promise<void> {
    const { segments, directory, checksum, brake } = this.#options;
    const place = { number: segment.number, salt: segments.salt };
    const reader = new SegmentReader(segment.file, place, checksum, { reusesMemory: true });
    let portion: Place[] = [];
    let bytes = 0;
    let looked = 0;
    for (let at = fileHeadBytes; at < segment.endBytes; ) {
      const group = await reader.groupAt(at);
      if (group === undefined) break;
      for (const { key, offset, valueBytes } of groupOperations(group.head, group.heads)) {
        looked++;
        if (offset !== undefined && directory.isAt(key, segment.number, offset)) {
          const value = reader.readBytes(offset, valueBytes)?.slice();
          portion.push({ key: key.slice(), offset, valueBytes, value });
          bytes += valueBytes;
        }
        if (bytes < portionBytes && looked < portionOperations) continue;
        await this.#copy(segment, portion);
        if (this.#isStopped) return;
        brake.walked(at - this.#walkedBytes);
        this.#walkedBytes = at;
        portion = [];
        bytes = 0;
        looked = 0;
      }
      at = group.head.endOffset;
    }
    await this.#copy(segment, portion);
  }

  async #copyByDirectory(segment: Segment): Promise<void> {
    const { directory } = this.#options;
    for (let from: Uint8Array = new Uint8Array(0); !this.#isStopped; ) {
      const refs = directory.page(from, undefined, portionKeys);
      const last = refs[refs.length - 1];
      if (last === undefined) return;
      from = keyAfter(directory.keyView(last));
      const there = refs.filter((ref) => directory.segment(ref) === segment.number);
      const places = there.map((ref) => ({
        key: directory.key(ref),
        offset: directory.offset(ref),
        valueBytes: directory.valueBytes(ref),
        value: undefined,
      }));
      await this.#copy(segment, places);
    }
  }

  /** Stores these values again, and waits a little. */
  async #copy(segment: Segment, places: readonly Place[]): Promise<void> {
    if (places.length > 0) {
      const copies: Copy[] = [];
      for (const { key, offset, valueBytes, value } of places) {
        copies.push({
          key,
          value: value ?? (await read(segment, offset, valueBytes)),
          segment: segment.number,
          offset,
        });
        this.#copiedBytes += valueBytes;
      }
      await this.#options.commit.copy(copies);
    }
    // Where there is more and more garbage, or nothing was found to be copied, others get a turn and no more.
    const { clock } = this.#options;
    if (places.length > 0 && !this.#isDue(2 * dueTimes, 2 * dueSegments)) await this.#pause.wait(pauseMs);
    else await new Promise<void>((resolve) => clock.endOfTurn(resolve));
  }
}

/** What is missing at the file's end is zeros, which no record is. */
async function read({ file }: Segment, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  if (length > 0) await file.read(bytes, offset);
  return bytes;
}
