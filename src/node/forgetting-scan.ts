/**
 * Finds, in what this node has stored, the keys whose states are worth forgetting something: a page at a time, when it
 * is asked to. A cluster in which nobody deletes is scanned once after each start.
 */

import { MalformedBytes } from "../core/bytes/byte-reader.ts";
import { isWorthForgetting } from "../core/causality/compaction.ts";
import type { Checksum } from "../core/hash/crc32.ts";
import type { PartitionId } from "../core/ids.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { Clock } from "../runtime/clock.ts";
import { Pause } from "../runtime/pause.ts";
import { PageSize } from "../storage/page-size.ts";
import { keyAfter, parseDataKey, partitionRange } from "../storage/store-key.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import { decodeRecord } from "../wire/record.ts";
import { type KeyPlace, placeOf } from "./key-place.ts";

/** Read in one turn. */
const page = { bytes: 128 * 1024, mostRecords: 64 };
/** Pages of one round: the next follows a second or so later. */
const pagesAtOnce = 16;
/** Between two pages, in ms: requests come first. */
const pauseMs = 2;

interface Position {
  readonly partition: number;
  /** The last stored key that was looked at. */
  readonly after: Uint8Array | undefined;
}

export class ForgettingScan {
  readonly #buffer: WriteBuffer;
  readonly #checksum: Checksum;
  readonly #pause: Pause;
  readonly #pageSize: PageSize = new PageSize(page);
  /** Where the scan under way goes on; undefined while there is none. */
  #at: Position | undefined;
  #isDue = true;

  constructor(buffer: WriteBuffer, checksum: Checksum, clock: Clock) {
    this.#buffer = buffer;
    this.#checksum = checksum;
    this.#pause = new Pause(clock);
  }

  /** Lets the scan under way stop at its next page. */
  stop(): void {
    this.#pause.end();
  }

  /** There may be keys that nobody knows of: once more from the beginning, when the scan under way is done. */
  begin(): void {
    this.#isDue = true;
  }

  /** Goes on for a few pages, and tells of what it finds until `found` answers that there is no more room. */
  async advance(
    ring: Ring,
    leads: (partition: PartitionId) => boolean,
    found: (place: KeyPlace) => boolean,
  ): Promise<void> {
    for (let pages = 0; pages < pagesAtOnce; pages++) {
      if (this.#at === undefined) {
        if (!this.#isDue) return;
        this.#isDue = false;
        this.#at = { partition: 0, after: undefined };
      }
      while (this.#at !== undefined && !leads(this.#at.partition as PartitionId)) this.#next(ring);
      if (this.#at === undefined || !this.#page(ring, this.#at, found)) return;
      await this.#pause.wait(pauseMs);
    }
  }

  /** False where there is no more room: the page is looked at again then. */
  #page(ring: Ring, at: Position, found: (place: KeyPlace) => boolean): boolean {
    const { from, to } = partitionRange(at.partition as PartitionId);
    const { records } = this.#pageSize;
    const entries = this.#buffer.scan({ from: at.after === undefined ? from : keyAfter(at.after), to }, records);
    this.#pageSize.learn(entries);
    for (const { key, value } of entries) {
      const place = this.#placeIfWorth(ring, key, value);
      if (place !== undefined && !found(place)) return false;
    }
    const last = entries[entries.length - 1];
    if (last === undefined || entries.length < records) this.#next(ring);
    else this.#at = { partition: at.partition, after: last.key.slice() };
    return true;
  }

  #next(ring: Ring): void {
    const partition = (this.#at?.partition ?? 0) + 1;
    this.#at = partition < ring.settings.partitions ? { partition, after: undefined } : undefined;
  }

  #placeIfWorth(ring: Ring, storeKey: Uint8Array, record: Uint8Array): KeyPlace | undefined {
    try {
      const { state } = decodeRecord(record, storeKey, this.#checksum);
      if (!isWorthForgetting(state)) return undefined;
      const { bucket, key } = parseDataKey(storeKey);
      return placeOf(bucket, key, ring.settings.partitions);
    } catch (error) {
      // Hash trees, which read it too, have counted and logged it.
      if (error instanceof MalformedBytes) return undefined;
      throw error;
    }
  }
}
