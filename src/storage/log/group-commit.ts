/**
 * Group commit: all writes that wait share one write to the disk and one wait for it.
 *
 * While a group is on its way the next one gathers, so the more there is to do, the more each wait is worth. One group
 * at a time: what the disk may have lost or torn is then never more than the log's last group.
 *
 * Invariants:
 * - A group is in the key directory only once it is durable; so is what a read sees.
 * - The log is one order. The newest operation on a key is the last one in it, copies by compaction included: a copy
 *   goes before all writes of its group, and only while the directory still says that its value is the newest.
 * - A sync that failed ends the engine: nobody knows what is on disk, and no later write may stand on it.
 *
 * Hot path.
 */

import type { Checksum } from "../../core/hash/crc32.ts";
import type { Clock } from "../../runtime/clock.ts";
import { StorageError, type WriteOperation } from "../engine.ts";
import type { Brake } from "./brake.ts";
import type { DiskRoom } from "./disk-room.ts";
import { GroupEncoder, type GroupPlace } from "./group-format.ts";
import type { KeyDirectory } from "./key-directory.ts";
import type { Segments } from "./segments.ts";

/** A group takes no more batches once it has so many bytes. */
const groupBytes: number = 8 * 1024 * 1024;
/** What copies may add to a group: as much again as its writes, but at least and at most this. */
const leastCopyBytes: number = 64 * 1024;
const mostCopyBytes: number = 512 * 1024;

/** How long copies wait for writes to go with. */
const copyWaitMs = 2;

/** A value that is to be stored again at the log's end, since its segment is to go. */
export interface Copy extends WriteOperation {
  readonly value: Uint8Array;
  /** Where it was read. */
  readonly segment: number;
  readonly offset: number;
}

interface Waiting {
  readonly operations: readonly WriteOperation[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: StorageError) => void;
}

interface Group {
  readonly writes: readonly Waiting[];
  readonly copies: readonly Copy[];
  readonly copied: Waiting | undefined;
  /** Stored even if there is nothing in it. */
  readonly isMark?: boolean;
}

export interface GroupCommitOptions {
  readonly segments: Segments;
  readonly directory: KeyDirectory;
  readonly room: DiskRoom;
  readonly brake: Brake;
  readonly clock: Clock;
  readonly checksum: Checksum;
  /** A segment of this size takes no more groups. */
  readonly segmentBytes: () => number;
  /** Called after each group that was stored, with its bytes. An empty one only shows that all before it are whole. */
  readonly onGroup: (bytes: number, isEmpty: boolean) => void;
}

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #encoder: GroupEncoder;
  #waiting: Waiting[] = [];
  #copies: readonly Copy[] = [];
  #copied: Waiting | undefined;
  #isMarkDue = false;
  #isRunning = false;
  #idle: (() => void)[] = [];
  #failure: StorageError | undefined;
  #groups = 0;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#encoder = new GroupEncoder(options.checksum);
  }

  /** Why nothing can be read or written any more, if that is so. */
  get failure(): StorageError | undefined {
    return this.#failure;
  }

  /** Groups stored since the start. */
  get groups(): number {
    return this.#groups;
  }

  /** Whether writes wait or are on their way. */
  get isBusy(): boolean {
    return this.#isRunning;
  }

  /** Resolves when the operations are durable and can be read. Without any, when all before it are. */
  write(operations: readonly WriteOperation[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations, bytes: bytesOf(operations), resolve, reject });
      this.#start();
    });
  }

  /** Stores again what is still the newest of these; all have been looked at when it resolves. One call at a time. */
  copy(copies: readonly Copy[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#copies = copies;
      this.#copied = { operations: [], bytes: 0, resolve, reject };
      this.#options.brake.wake();
      // A group of its own would keep the next writes waiting: they are likely to come, and take the copies along.
      this.#options.clock.setTimer(copyWaitMs, () => this.#start());
    });
  }

  /** Stores a group with nothing in it, which says from which segment on the log is needed. Not during `copy`. */
  mark(): Promise<void> {
    this.#isMarkDue = true;
    return this.copy([]);
  }

  /** Resolves when nothing waits and nothing is on its way. */
  idle(): Promise<void> {
    if (!this.#isRunning) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Begins once all that is asked for in this turn is there. */
  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void Promise.resolve().then(() => this.#run());
  }

  async #run(): Promise<void> {
    const { brake } = this.#options;
    while (this.#waiting.length > 0 || this.#copied !== undefined) {
      const isBraked = this.#failure === undefined && brake.isOn;
      if (isBraked && this.#copied === undefined) {
        await brake.wait();
        continue;
      }
      const group = isBraked ? { writes: [], ...this.#takeCopies(0) } : this.#take();
      let error: StorageError | undefined;
      try {
        await this.#store(group);
      } catch (cause) {
        error = this.#failed(cause);
      }
      this.#settle(group, error);
      // Those who waited write again in their turn; what they ask for then shall share a group.
      await Promise.resolve();
    }
    this.#isRunning = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #take(): Group {
    const { room } = this.#options;
    const writes: Waiting[] = [];
    let bytes = 0;
    let taken = 0;
    for (const waiting of this.#waiting) {
      if (writes.length > 0 && bytes + waiting.bytes > groupBytes) break;
      taken++;
      const refusal = this.#failure ?? room.refusal(bytes + waiting.bytes, waiting.operations);
      if (refusal !== undefined) {
        waiting.reject(refusal);
        continue;
      }
      writes.push(waiting);
      bytes += waiting.bytes;
    }
    this.#waiting = taken === this.#waiting.length ? [] : this.#waiting.slice(taken);
    return { writes, ...this.#takeCopies(bytes) };
  }

  #takeCopies(writtenBytes: number): Omit<Group, "writes"> {
    const mostBytes = Math.min(mostCopyBytes, Math.max(leastCopyBytes, writtenBytes));
    let bytes = 0;
    let taken = 0;
    for (const { value } of this.#copies) {
      if (taken > 0 && bytes + value.length > mostBytes) break;
      bytes += value.length;
      taken++;
    }
    const { directory } = this.#options;
    const copies = this.#copies.slice(0, taken).filter((copy) => directory.isAt(copy.key, copy.segment, copy.offset));
    this.#copies = this.#copies.slice(taken);
    if (this.#copies.length > 0) return { copies, copied: undefined };
    const copied = this.#copied;
    const isMark = this.#isMarkDue;
    this.#copied = undefined;
    this.#isMarkDue = false;
    return { copies, copied, isMark };
  }

  async #store({ writes, copies, isMark }: Group): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (writes.length === 0 && copies.length === 0 && isMark !== true) return;
    const batches = [copies, ...writes.map(({ operations }) => operations)];
    const { segments, room, brake, segmentBytes, onGroup } = this.#options;
    const segment = await segments.writable();
    const place: GroupPlace = { salt: segments.salt, segment: segment.number, offset: segment.endBytes };
    const log = { firstSegment: segments.first, targetBytes: segmentBytes() };
    const { bytes, isLast, valuesOffset } = this.#encoder.encode(place, batches, log);
    await segment.file.write(bytes, place.offset);
    await this.#sync(segment.file);
    room.spent(bytes.length);
    if (writes.length > 0) brake.stored(bytes.length);
    segments.appended(place.offset + bytes.length, isLast);
    this.#apply(batches, segment.number, valuesOffset);
    this.#groups++;
    onGroup(
      bytes.length,
      batches.every((batch) => batch.length === 0),
    );
  }

  /** Whatever keeps a sync from succeeding, nobody knows what is on disk then, nor after a later one that succeeds. */
  async #sync(file: { sync(): Promise<void> }): Promise<void> {
    try {
      await file.sync();
    } catch (cause) {
      throw new StorageError("io", `the store could not be synced: ${(cause as Error).message}`, { cause });
    }
  }

  /** A full disk may have room again; what else fails is final. */
  #failed(cause: unknown): StorageError {
    const error = cause instanceof StorageError ? cause : new StorageError("io", "the log failed", { cause });
    if (error.code === "disk-full") this.#options.room.ranOut();
    else this.#failure ??= error;
    return error;
  }

  #apply(batches: readonly (readonly WriteOperation[])[], segment: number, valuesOffset: number): void {
    const { directory } = this.#options;
    let offset = valuesOffset;
    for (const batch of batches) {
      for (const { key, value } of batch) {
        if (value === undefined) {
          directory.remove(key);
        } else {
          directory.set(key, segment, offset, value.length);
          offset += value.length;
        }
      }
    }
  }

  #settle({ writes, copies, copied }: Group, error: StorageError | undefined): void {
    if (error === undefined) {
      for (const { resolve } of writes) resolve();
      copied?.resolve();
      return;
    }
    const removals = writes.filter(({ operations }) => operations.every(({ value }) => value === undefined));
    const isTriedAgain = error.code === "disk-full" && (removals.length < writes.length || copies.length > 0);
    for (const waiting of writes) {
      // What is to make room must not fail because others asked for some at the same time.
      if (isTriedAgain && removals.includes(waiting)) continue;
      waiting.reject(error);
    }
    if (isTriedAgain) this.#waiting = [...removals, ...this.#waiting];
    this.#copies = [];
    const copying = copied ?? this.#copied;
    this.#copied = undefined;
    copying?.reject(error);
  }
}

function bytesOf(operations: readonly WriteOperation[]): number {
  let bytes = 0;
  for (const { key, value } of operations) bytes += key.length + (value?.length ?? 0);
  return bytes;
}
