/**
 * How many hints wait for whom, how large and how old: the little that is kept in memory of what may be a gigabyte on
 * disk (§4.6).
 *
 * The numbers change with every hint that is stored or taken out. At the start they are counted by a scan of the
 * hints, a page at a time between requests, and say "at least" until it is done. A commit that fails may bring back
 * what was taken out, so everything is then counted anew. Only the list of owners is needed at once, by whoever looks
 * for the hints of one key: one read an owner finds it.
 */

import { MalformedBytes } from "../core/bytes/byte-reader.ts";
import { compareBytes } from "../core/bytes/order.ts";
import { newestTime } from "../core/causality/dot-set.ts";
import { type SiblingSet, stateBytes } from "../core/causality/sibling-set.ts";
import type { Checksum } from "../core/hash/crc32.ts";
import type { NodeId } from "../core/ids.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import { Pause } from "../runtime/pause.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { hintRange, keyAfter, ownerOfHint } from "../storage/store-key.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import { decodeRecord } from "../wire/record.ts";
import type { KeyPlace } from "./key-place.ts";
import type { StoredStates } from "./trees.ts";

/** What waits for one owner. */
export interface HintsForOwner {
  readonly owner: NodeId;
  readonly hints: number;
  /** Of their states and keys. */
  readonly bytes: number;
  /**
   * For how long there has been one, in ms, which is how long the oldest has waited at most; of those kept before a
   * restart, since they were written.
   */
  readonly oldestMs: number;
}

export interface HintIndexOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly checksum: Checksum;
  readonly buffer: WriteBuffer;
  /** A hint that the scan cannot read: its stored key, its bytes and why. */
  readonly onDamaged: (key: Uint8Array, bytes: Uint8Array, why: string) => void;
}

interface Waiting {
  hints: number;
  bytes: number;
  /** Monotonic time of the oldest, as far as it is known. */
  sinceMs: number;
}

/** What a hint costs on disk beside its state and its key, roughly. */
const recordBytes = 40;
/** Hints read in one turn, and the pause between two such pages, in ms: requests come first. */
const pageHints = 64;
const pauseMs = 1;
const troublePauseMs = 1000;

export class HintIndex implements StoredStates {
  readonly #options: HintIndexOptions;
  readonly #pause: Pause;
  readonly #tasks: TaskGroup;
  /** Every owner for which there is a hint, and while a scan goes on perhaps others. */
  readonly #waiting: Map<NodeId, Waiting> = new Map();
  #areOwnersKnown = false;
  /** The last key counted while a scan is under way; undefined before its first page. */
  #position: Uint8Array | undefined;
  #isComplete = false;
  /** Nothing is counted before then: a disk that is full fails again and again. */
  #quietMs = 0;
  #isCounting = false;
  #isStopped = false;

  constructor(options: HintIndexOptions) {
    this.#options = options;
    this.#pause = new Pause(options.clock);
    this.#tasks = new TaskGroup(options.log);
  }

  /** Begins to count what is stored. */
  start(): void {
    this.#tasks.run("counting the hints", () => this.#countAll());
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause.end();
    return this.#tasks.close();
  }

  /** Whether the numbers are exact; until then they are too small. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  get count(): number {
    let sum = 0;
    for (const { hints } of this.#waiting.values()) sum += hints;
    return sum;
  }

  get bytes(): number {
    let sum = 0;
    for (const { bytes } of this.#waiting.values()) sum += bytes;
    return sum;
  }

  /** What waits for whom, the most first. */
  waiting(): readonly HintsForOwner[] {
    const nowMs = this.#options.clock.monotonicMs();
    const some = [...this.#waiting].filter(([, { hints }]) => hints > 0);
    return some
      .map(([owner, { hints, bytes, sinceMs }]) => ({ owner, hints, bytes, oldestMs: Math.max(0, nowMs - sinceMs) }))
      .sort((a, b) => b.hints - a.hints || (a.owner < b.owner ? -1 : 1));
  }

  /** Whether there may be a hint for this owner. */
  has(owner: NodeId): boolean {
    return !this.#areOwnersKnown || this.#waiting.has(owner);
  }

  /** Everybody for whom there may be a hint. Throws `StorageError`. */
  owners(): readonly NodeId[] {
    if (!this.#areOwnersKnown) this.#findOwners();
    return [...this.#waiting.keys()];
  }

  stored({ storeKey }: KeyPlace, before: SiblingSet | undefined, after: SiblingSet): void {
    const waiting = this.#of(ownerOfHint(storeKey.bytes));
    if (!this.#isCounted(storeKey.bytes)) return;
    const nowMs = this.#options.clock.monotonicMs();
    if (waiting.hints === 0) waiting.sinceMs = nowMs;
    if (before === undefined) waiting.hints += 1;
    else waiting.bytes -= sizeOf(storeKey.bytes, before);
    waiting.bytes += sizeOf(storeKey.bytes, after);
  }

  /** The hint with this state was taken out. */
  removed({ storeKey }: KeyPlace, state: SiblingSet): void {
    if (!this.#isCounted(storeKey.bytes)) return;
    const owner = ownerOfHint(storeKey.bytes);
    const waiting = this.#of(owner);
    waiting.hints -= 1;
    waiting.bytes -= sizeOf(storeKey.bytes, state);
    if (waiting.hints <= 0 && this.#isComplete) this.#waiting.delete(owner);
  }

  /** The numbers are wrong: a commit failed, so that what was taken out may be there again, or a hint was damaged. */
  countAnew(): void {
    for (const waiting of this.#waiting.values()) {
      waiting.hints = 0;
      waiting.bytes = 0;
    }
    this.#areOwnersKnown = false;
    this.#isComplete = false;
    this.#position = undefined;
    this.#quietMs = this.#options.clock.monotonicMs() + troublePauseMs;
    this.start();
  }

  async #countAll(): Promise<void> {
    // One loop at a time: it goes on where a failed commit sets it back.
    if (this.#isCounting) return;
    this.#isCounting = true;
    try {
      while (!this.#isStopped && !this.#isComplete) await this.#pause.wait(this.#tryPage());
    } finally {
      this.#isCounting = false;
    }
  }

  /** How long to wait before the next page, in ms. */
  #tryPage(): number {
    const quietInMs = this.#quietMs - this.#options.clock.monotonicMs();
    if (quietInMs > 0) return quietInMs;
    try {
      this.#countPage();
      return this.#isComplete ? 0 : pauseMs;
    } catch (error) {
      this.#options.log.warn("the hints cannot be counted", { error: String(error) });
      return troublePauseMs;
    }
  }

  #countPage(): void {
    const { from, to } = hintRange();
    const start = this.#position === undefined ? from : keyAfter(this.#position);
    const page = this.#options.buffer.scan({ from: start, to }, pageHints);
    for (const { key, value } of page) this.#add(key, value);
    const last = page[page.length - 1];
    if (last !== undefined && page.length === pageHints) {
      this.#position = last.key.slice();
      return;
    }
    this.#isComplete = true;
    this.#areOwnersKnown = true;
    for (const [owner, { hints }] of this.#waiting) if (hints <= 0) this.#waiting.delete(owner);
  }

  #add(key: Uint8Array, record: Uint8Array): void {
    const { clock, checksum, onDamaged } = this.#options;
    try {
      const { state } = decodeRecord(record, key, checksum);
      const waiting = this.#of(ownerOfHint(key));
      const sinceMs = clock.monotonicMs() - Math.max(0, clock.wallMs() - newestTime(state.context));
      waiting.sinceMs = waiting.hints === 0 ? sinceMs : Math.min(waiting.sinceMs, sinceMs);
      waiting.hints += 1;
      waiting.bytes += sizeOf(key, state);
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      onDamaged(key, record, error.message);
    }
  }

  /** Finds one hint of each owner, and skips the rest of that owner's. */
  #findOwners(): void {
    const { from, to } = hintRange();
    for (let start = from; ; ) {
      const [first] = this.#options.buffer.scan({ from: start, to }, 1);
      if (first === undefined) break;
      const owner = ownerOfHint(first.key);
      this.#of(owner);
      start = hintRange(owner).to;
    }
    this.#areOwnersKnown = true;
  }

  #isCounted(storeKey: Uint8Array): boolean {
    if (this.#isComplete) return true;
    return this.#position !== undefined && compareBytes(storeKey, this.#position) <= 0;
  }

  #of(owner: NodeId): Waiting {
    let waiting = this.#waiting.get(owner);
    if (waiting === undefined) {
      waiting = { hints: 0, bytes: 0, sinceMs: this.#options.clock.monotonicMs() };
      this.#waiting.set(owner, waiting);
    }
    return waiting;
  }
}

function sizeOf(storeKey: Uint8Array, state: SiblingSet): number {
  return recordBytes + storeKey.length + stateBytes(state);
}
