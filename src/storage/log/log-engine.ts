/**
 * The log engine: local persistence as an append log, in the manner of Bitcask (§5 leaves the engine open).
 *
 * What a store of small values needs most is cheap durable writes. A tree writes pages, several times the bytes of what
 * changed; a log writes what changed, once, in a row, and all writers that wait share one wait for the disk. The price:
 * all keys are in memory (`key-directory.ts`), and room comes back by copying (`compaction.ts`). A key set larger than
 * memory is for LMDB.
 *
 *     write      group-commit.ts  ->  segments.ts, group-format.ts  ->  key-directory.ts
 *     get, scan  key-directory.ts ->  one read each
 *     open       recovery.ts      <-  log-walk.ts, checkpoint.ts
 *     background compaction.ts, checkpoints.ts
 *
 * Law, beside the port's (`../engine.ts`): after any crash, torn write, flipped bit or full disk, every batch that was
 * acknowledged is there, no half of another is, and what is damaged is never given as if it were whole: its bytes do
 * not match its record's checksum, or the store is `corrupt` as a whole.
 */

import { Slab } from "../../core/bytes/slab.ts";
import type { Checksum } from "../../core/hash/crc32.ts";
import type { Clock, Timer } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import {
  type EngineUsage,
  type KeyRange,
  type StorageEngine,
  StorageError,
  type StoredEntry,
  type WriteOperation,
} from "../engine.ts";
import { keyAfter } from "../store-key.ts";
import { Brake } from "./brake.ts";
import { Checkpoints } from "./checkpoints.ts";
import { Compaction } from "./compaction.ts";
import { DiskRoom } from "./disk-room.ts";
import { GroupCommit } from "./group-commit.ts";
import { longestKeyBytes } from "./key-arena.ts";
import type { KeyDirectory, KeyRef } from "./key-directory.ts";
import type { LogDisk } from "./log-disk.ts";
import { type OpenedLog, openLog } from "./recovery.ts";
import type { Segment, Segments } from "./segments.ts";

/** Keys that `drop` removes in one batch. */
const dropKeys = 500;
/** A segment's size: a share of what is stored, so that there are some dozens, and at most a share of the disk. */
const leastSegmentBytes: number = 16 * 1024 * 1024;
const mostSegmentBytes: number = 512 * 1024 * 1024;
const segmentShareOfStore = 1 / 64;
const segmentShareOfDisk = 1 / 64;
/** The next segment is made when this share of the one before is written. */
const preparedAt = 0.75;
const leastCheckpointBytes: number = 32 * 1024 * 1024;
/** A log that nobody writes to for so long gets an empty group: that shows the last one to be whole, whatever becomes of it. */
const confirmAfterMs = 200;

export interface LogEngineOptions {
  readonly disk: LogDisk;
  readonly clock: Clock;
  readonly random: Random;
  readonly checksum: Checksum;
  readonly log: Log;
  /** For tests: segments and checkpoints small enough that there are many. */
  readonly segmentBytes?: number;
  readonly checkpointBytes?: number;
}

/** Figures of the engine's own, for benchmarks and metrics. */
export interface LogEngineFigures {
  readonly memoryBytes: number;
  readonly wantedBytes: number;
  readonly segmentBytes: number;
  readonly groups: number;
  readonly copiedBytes: number;
}

/** Opens, or makes, the store on this disk. Rejects with `StorageError`. */
export async function openLogEngine(options: LogEngineOptions): Promise<LogEngine> {
  const { disk, clock, random, checksum, log } = options;
  const turn = (): Promise<void> => new Promise((resolve) => clock.endOfTurn(resolve));
  const opened = await openLog({ disk, checksum, seed: random.u32(), newSalt: random.u32(), turn });
  if (opened.tornBytes > 0)
    log.info("the log ends in a write that was never acknowledged", { bytes: opened.tornBytes });
  return new LogEngine(options, opened);
}

export class LogEngine implements StorageEngine {
  readonly name = "log";
  readonly #clock: Clock;
  readonly #segments: Segments;
  readonly #directory: KeyDirectory;
  readonly #commit: GroupCommit;
  readonly #compaction: Compaction;
  readonly #checkpoints: Checkpoints;
  readonly #segmentBytes: () => number;
  readonly #slab: Slab = new Slab();
  #confirming: Timer | undefined;
  #isConfirmed = true;
  #lastGroupMs = 0;
  #closing: Promise<void> | undefined;

  /** For `openLogEngine`. */
  constructor(options: LogEngineOptions, { segments, directory, replayedBytes, isConfirmed }: OpenedLog) {
    const { disk, clock, checksum, log } = options;
    this.#clock = clock;
    this.#segments = segments;
    this.#directory = directory;
    const mostOnDisk = Math.max(64 * 1024, disk.space().totalBytes * segmentShareOfDisk);
    this.#segmentBytes = (): number => {
      if (options.segmentBytes !== undefined) return options.segmentBytes;
      const share = directory.wantedBytes * segmentShareOfStore;
      return Math.min(mostOnDisk, mostSegmentBytes, Math.max(leastSegmentBytes, share));
    };
    const segmentBytes = this.#segmentBytes;
    const room = new DiskRoom(disk, clock, segmentBytes);
    const onGroup = (bytes: number, isEmpty: boolean): void => this.#stored(bytes, isEmpty);
    const brake = new Brake(() => this.#compaction.isBehind);
    const commit = new GroupCommit({ segments, directory, room, brake, clock, checksum, segmentBytes, onGroup });
    this.#commit = commit;
    this.#compaction = new Compaction({ segments, directory, commit, brake, clock, checksum, log, segmentBytes });
    const leastBytes = options.checkpointBytes ?? leastCheckpointBytes;
    this.#checkpoints = new Checkpoints({ disk, segments, directory, clock, checksum, log, leastBytes }, replayedBytes);
    this.#checkpoints.wrote(0);
    this.#compaction.wake();
    this.#isConfirmed = isConfirmed;
    if (!isConfirmed) this.#confirmLater();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#mustBeAlive();
    const ref = this.#directory.find(key);
    return ref === 0 ? undefined : this.#value(ref);
  }

  write(operations: readonly WriteOperation[]): Promise<void> {
    const refusal = this.#refusal(operations);
    if (refusal !== undefined) return Promise.reject(refusal);
    return operations.length === 0 ? Promise.resolve() : this.#commit.write(operations);
  }

  scan(range: KeyRange, limit: number): readonly StoredEntry[] {
    this.#mustBeAlive();
    const refs = this.#directory.page(range.from, range.to, limit);
    return refs.map((ref) => ({ key: this.#directory.key(ref), value: this.#value(ref) }));
  }

  async drop(range: KeyRange): Promise<void> {
    this.#mustBeAlive();
    for (let from = range.from; ; ) {
      const refs = this.#directory.page(from, range.to, dropKeys);
      const keys = refs.map((ref) => this.#directory.key(ref));
      const last = keys[keys.length - 1];
      if (last === undefined) return;
      await this.write(keys.map((key) => ({ key, value: undefined })));
      from = keyAfter(last);
    }
  }

  usage(): EngineUsage {
    this.#mustBeAlive();
    return { keys: this.#directory.keys, bytes: this.#segments.bytes };
  }

  figures(): LogEngineFigures {
    return {
      memoryBytes: this.#directory.memoryBytes,
      wantedBytes: this.#directory.wantedBytes,
      segmentBytes: this.#segments.bytes,
      groups: this.#commit.groups,
      copiedBytes: this.#compaction.copiedBytes,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#confirming?.cancel();
    await Promise.all([this.#compaction.stop(), this.#checkpoints.stop()]);
    await this.#commit.idle();
    // Nobody waits for this group: it shows that the one before it was whole.
    if (!this.#isConfirmed) await this.#commit.write([]).catch(() => {});
    await this.#segments.close();
  }

  #stored(bytes: number, isEmpty: boolean): void {
    const { newest } = this.#segments;
    if (newest !== undefined && !this.#segments.isNextPrepared && newest.endBytes > preparedAt * this.#segmentBytes()) {
      this.#segments.prepareNext().catch(() => {});
    }
    this.#checkpoints.wrote(bytes);
    this.#compaction.wake();
    this.#isConfirmed = isEmpty;
    if (!isEmpty) this.#confirmLater();
  }

  #confirmLater(): void {
    this.#lastGroupMs = this.#clock.monotonicMs();
    if (this.#confirming !== undefined || this.#closing !== undefined) return;
    this.#confirming = this.#clock.setTimer(confirmAfterMs, () => this.#confirm());
  }

  #confirm(): void {
    this.#confirming = undefined;
    if (this.#closing !== undefined || this.#isConfirmed) return;
    const waitsMs = this.#lastGroupMs + confirmAfterMs - this.#clock.monotonicMs();
    if (waitsMs > 0) this.#confirming = this.#clock.setTimer(waitsMs, () => this.#confirm());
    else this.#commit.write([]).catch(() => {});
  }

  /** What cannot be read, since the file ends before it, is zeros, which no record is. */
  #value(ref: KeyRef): Uint8Array {
    const bytes = this.#slab.take(this.#directory.valueBytes(ref));
    if (bytes.length === 0) return bytes;
    const segment = this.#segments.get(this.#directory.segment(ref)) as Segment;
    segment.file.readNow(bytes, this.#directory.offset(ref));
    return bytes;
  }

  #refusal(operations: readonly WriteOperation[]): Error | undefined {
    const failure = this.#failure();
    if (failure !== undefined) return failure;
    for (const { key } of operations) {
      if (key.length > 0 && key.length <= longestKeyBytes) continue;
      return new RangeError(`key of ${key.length} bytes, allowed are 1 to ${longestKeyBytes}`);
    }
    return undefined;
  }

  #mustBeAlive(): void {
    const failure = this.#failure();
    if (failure !== undefined) throw failure;
  }

  #failure(): StorageError | undefined {
    if (this.#closing !== undefined) return new StorageError("closed", "the store is closed");
    const cause = this.#commit.failure;
    return cause && new StorageError(cause.code, cause.message, { cause });
  }
}
