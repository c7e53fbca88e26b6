/**
 * Compaction: gives back the room of values that were replaced or deleted.
 *
 * Always of the oldest segment: what is still wanted of it is stored again at the log's end, then the log says durably
 * that it begins one segment later, then the file goes. So the log stays one order without gaps, a delete can be
 * dropped when it is met (nothing it deletes is left behind it), and a crash at any moment leaves a value in the old
 * place, the new one or both, which are the same.
 *
 * It runs while there is more garbage than wanted bytes, and a segment beside: so the log takes at most twice what is
 * stored, and each byte that is given back costs at most one byte of copying. Copies share the groups of foreground
 * writes and are no larger than those; between two portions it waits.
 *
 * Where a group of the segment cannot be read any more, the key directory still knows what is in it. A value that is
 * damaged is copied as it is: its record's own checksum goes on refusing it (`wire/record.ts`).
 */

import type { Checksum } from "../../core/hash/crc32.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { Pause } from "../../runtime/pause.ts";
import { keyAfter } from "../store-key.ts";
import { fileHeadBytes } from "./file-head.ts";
import type { Copy, GroupCommit } from "./group-commit.ts";
import { groupOperations } from "./group-format.ts";
import type { KeyDirectory } from "./key-directory.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { Segment, Segments } from "./segments.ts";

/** What is copied before it waits: bytes of values, and operations looked at. */
const portionBytes: number = 256 * 1024;
const portionOperations = 1000;
/** Values that are no further apart are read at once. */
const mostGapBytes: number = 16 * 1024;
const pauseMs = 2;
/** Until it tries again after a failure: a full disk, as a rule. */
const retryMs = 500;

export interface CompactionOptions {
  readonly segments: Segments;
  readonly directory: KeyDirectory;
  readonly commit: GroupCommit;
  readonly clock: Clock;
  readonly checksum: Checksum;
  readonly log: Log;
  readonly segmentBytes: () => number;
}

interface Place {
  readonly key: Uint8Array;
  readonly offset: number;
  readonly valueBytes: number;
}

export class Compaction {
  readonly #options: CompactionOptions;
  readonly #pause: Pause;
  #running: Promise<void> | undefined;
  #isStopped = false;
  #copiedBytes = 0;

  constructor(options: CompactionOptions) {
    this.#options = options;
    this.#pause = new Pause(options.clock);
  }

  /** Bytes of values stored again since the start. */
  get copiedBytes(): number {
    return this.#copiedBytes;
  }

  /** Begins, if there is enough to do and it is not at it. */
  wake(): void {
    if (this.#running !== undefined || this.#isStopped || !this.#isDue(1)) return;
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

  /** Whether there is so many times as much garbage as there are wanted bytes. */
  #isDue(times: number): boolean {
    const { segments, directory, segmentBytes } = this.#options;
    if (segments.first === segments.newest?.number) return false;
    const wanted = directory.wantedBytes;
    return segments.bytes - wanted > times * wanted + segmentBytes();
  }

  async #run(): Promise<void> {
    const { commit, log } = this.#options;
    while (!this.#isStopped && commit.failure === undefined && this.#isDue(1)) {
      try {
        await this.#compactOldest();
      } catch (error) {
        log.warn("the log cannot be compacted now", { why: String(error) });
        await this.#pause.wait(retryMs);
      }
    }
  }

  async #compactOldest(): Promise<void> {
    const { segments, directory, commit } = this.#options;
    const oldest = segments.get(segments.first) as Segment;
    if (directory.wantedOf(oldest.number) > 0) await this.#copyByGroups(oldest);
    if (directory.wantedOf(oldest.number) > 0) await this.#copyByDirectory(oldest);
    if (this.#isStopped) return;
    segments.firstNeeded(oldest.number + 1);
    await commit.write([]);
    await segments.removeUnneeded();
  }

  async #copyByGroups(segment: Segment): Promise<void> {
    const { segments, directory, checksum } = this.#options;
    const reader = new SegmentReader(segment.file, segment.number, segments.salt, checksum);
    let portion: Place[] = [];
    let bytes = 0;
    let looked = 0;
    for (let at = fileHeadBytes; at < segment.endBytes; ) {
      const group = await reader.groupAt(at);
      if (group === undefined) break;
      for (const { key, offset, valueBytes } of groupOperations(group.head, group.heads)) {
        looked++;
        if (offset !== undefined && directory.isAt(key, segment.number, offset)) {
          portion.push({ key, offset, valueBytes });
          bytes += valueBytes;
        }
        if (bytes < portionBytes && looked < portionOperations) continue;
        await this.#copy(segment, portion);
        if (this.#isStopped) return;
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
      const refs = directory.page(from, undefined, portionOperations / 4);
      const last = refs[refs.length - 1];
      if (last === undefined) return;
      from = keyAfter(directory.keyView(last));
      const there = refs.filter((ref) => directory.segment(ref) === segment.number);
      const places = there.map((ref) => ({
        key: directory.key(ref),
        offset: directory.offset(ref),
        valueBytes: directory.valueBytes(ref),
      }));
      await this.#copy(
        segment,
        places.sort((a, b) => a.offset - b.offset),
      );
    }
  }

  /** Stores these values again, which are in the order of their places, and waits a little. */
  async #copy(segment: Segment, places: readonly Place[]): Promise<void> {
    for (let from = 0; from < places.length; ) {
      const first = places[from] as Place;
      let to = from + 1;
      let end = first.offset + first.valueBytes;
      for (let next = places[to]; next !== undefined; next = places[++to]) {
        if (next.offset - end > mostGapBytes || next.offset + next.valueBytes - first.offset > portionBytes) break;
        end = next.offset + next.valueBytes;
      }
      // What is missing at the file's end stays zero, which no record is.
      const bytes = new Uint8Array(end - first.offset);
      if (bytes.length > 0) await segment.file.read(bytes, first.offset);
      const copies: Copy[] = places.slice(from, to).map(({ key, offset, valueBytes }) => {
        const at = offset - first.offset;
        return { key, value: bytes.subarray(at, at + valueBytes), segment: segment.number, offset };
      });
      await this.#options.commit.copy(copies);
      this.#copiedBytes += bytes.length;
      from = to;
    }
    await this.#pause.wait(this.#isDue(2) ? 0 : pauseMs);
  }
}
