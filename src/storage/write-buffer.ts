/**
 * The object buffer in front of an engine (§6.1): reads see what is being written, and writes that come together are
 * committed together.
 *
 * A durable write costs a wait for the disk of a fraction of a millisecond to some milliseconds. One wait for each
 * write would allow a few thousand writes a second; so the writes of one event-loop turn share a commit, and while
 * one commit is under way the next gathers. Reads look at the gathering batch first, then at the one under way, then
 * at the engine: the newest value is found whatever the disk is doing, and a key's read, merge and write are one step
 * without an await.
 *
 * Invariants:
 * - `get` returns what was committed or is on its way to be, never anything else. When a commit fails, its batch is
 *   let go, and reads find the engine's truth again (or a newer value that still gathers), but for the next law.
 * - A write without a listener was done, for its writer, when it was put. While the disk is full it stays here and is
 *   committed again and again; it counts as waiting, so that `isFull` pushes back before memory runs out.
 * - Commits are strictly one after another, so a later value of a key never overtakes an earlier one.
 * - A listener is told once, after the commit its write went with (or failed with), never from within `put`.
 * - What nobody waits for, and what is put `later`, begins no commit: it goes with the next one, and after a while, or once
 *   there is much of it, with one of its own.
 * - Every listener of a key's earlier write in the same batch is told with it: the last value includes theirs.
 *
 * Hot path.
 */

import { compareBytes } from "../core/bytes/order.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import { type KeyRange, type StorageEngine, StorageError, type StoredEntry, type WriteOperation } from "./engine.ts";
import { keyAfter, metaKey, type StoreKey } from "./store-key.ts";

/** Hears what became of a write. An object with methods, so that a write needs no closure of its own. */
export interface DurableListener {
  onDurable(): void;
  /** The write may or may not be on disk. */
  onFailed(error: StorageError): void;
}

export interface WriteBufferOptions {
  readonly engine: StorageEngine;
  readonly clock: Clock;
  /** At this many bytes of waiting writes `isFull` is true. */
  readonly limitBytes: number;
  /** A commit takes no more than this many bytes, save for a single write that is larger. */
  readonly batchBytes?: number;
  /** A commit failed: called before its listeners are, with the keys that may have gone back to what they were. */
  readonly onCommitFailed?: (error: StorageError, keys: readonly Uint8Array[]) => void;
  /** The engine met damage in what it stores, whatever it was asked for: called before its caller hears of it. */
  readonly onDamaged?: (error: StorageError) => void;
}

/** What a waiting write costs in memory beside its bytes, roughly. */
const slotBytes = 200;
const defaultBatchBytes: number = 8 * 1024 * 1024;

/** How long to wait before what a full disk did not take is tried again, in ms. */
const retryMs = 200;
/** How long what nobody waits for, or is put `later`, waits for a commit that it can go with, in ms. */
const laterMs = 40;
/** So many bytes of what nobody waits for are worth a commit of their own: a larger one would hold up the loop. */
const worthwhileBytes: number = 512 * 1024;

/** A key's newest value in a batch, and who waits for it. */
interface Slot extends WriteOperation {
  value: Uint8Array | undefined;
  bytes: number;
  /** The value holds a write that nobody waits for: it must not be let go. */
  isPromised: boolean;
  listener: DurableListener | undefined;
  /** Listeners beyond the first. */
  more: DurableListener[] | undefined;
}

type Batch = Map<string, Slot>;

export class WriteBuffer {
  readonly #engine: StorageEngine;
  readonly #clock: Clock;
  readonly #limitBytes: number;
  readonly #batchBytes: number;
  readonly #onCommitFailed: WriteBufferOptions["onCommitFailed"];
  readonly #onDamaged: WriteBufferOptions["onDamaged"];

  /** Writes of which no commit knows yet. */
  #gathering: Batch = new Map();
  /** The writes of the one commit under way; empty when there is none. */
  #underWay: Batch = new Map();
  #isCommitDue = false;
  /** Whether something that gathers is to be committed soon. */
  #isHurried = false;
  #isPuttingLater = false;
  #laterTimer: Timer | undefined;
  #isClosed = false;
  #queuedBytes = 0;
  #idleWaiters: (() => void)[] = [];
  #commits = 0;
  #failedCommits = 0;
  #writes = 0;
  #barriers = 0;

  constructor(options: WriteBufferOptions) {
    this.#engine = options.engine;
    this.#clock = options.clock;
    this.#limitBytes = options.limitBytes;
    this.#batchBytes = options.batchBytes ?? defaultBatchBytes;
    this.#onCommitFailed = options.onCommitFailed;
    this.#onDamaged = options.onDamaged;
  }

  /** Bytes of the writes that are not yet durable. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Whether new work should be refused, before it reads anything. `put` itself refuses nothing. */
  get isFull(): boolean {
    return this.#queuedBytes >= this.#limitBytes;
  }

  /** Commits that succeeded, commits that failed, and puts, since the start. */
  get counts(): { readonly commits: number; readonly failedCommits: number; readonly writes: number } {
    return { commits: this.#commits, failedCommits: this.#failedCommits, writes: this.#writes };
  }

  /** The key's newest bytes: the caller's to keep, not to change. Throws `StorageError`. */
  get(key: StoreKey): Uint8Array | undefined {
    const waiting = this.#gathering.get(key.id) ?? this.#underWay.get(key.id);
    if (waiting !== undefined) return waiting.value;
    try {
      return this.#engine.get(key.bytes);
    } catch (error) {
      this.#tellIfDamaged(error);
      throw error;
    }
  }

  /**
   * Sets the key's bytes, or deletes the key, at once for every later `get`, and soon on disk: without `done`, with what
   * else comes within 40 ms, and as soon as the disk has room. The bytes must not change afterwards. Throws
   * `StorageError` once closed.
   */
  put(key: StoreKey, bytes: Uint8Array | undefined, done?: DurableListener): void {
    if (this.#isClosed) throw new StorageError("closed", "the store is closed");
    this.#writes++;
    const size = slotBytes + key.bytes.length + (bytes?.length ?? 0);
    const slot = this.#gathering.get(key.id);
    if (slot === undefined) {
      const isPromised = done === undefined;
      const fresh: Slot = { key: key.bytes, value: bytes, bytes: size, isPromised, listener: done, more: undefined };
      this.#gathering.set(key.id, fresh);
      this.#queuedBytes += size;
      this.#commitInTime(done !== undefined);
      return;
    }
    this.#queuedBytes += size - slot.bytes;
    slot.value = bytes;
    slot.bytes = size;
    if (done === undefined) slot.isPromised = true;
    else listen(slot, done);
    this.#commitInTime(done !== undefined);
  }

  /**
   * What is put within this call waits for a commit that others need, a little while: work in the background then costs
   * the disk no sync of its own (§6.5). Whoever reads finds it at once, as ever.
   */
  later<T>(act: () => T): T {
    this.#isPuttingLater = true;
    try {
      return act();
    } finally {
      this.#isPuttingLater = false;
    }
  }

  /**
   * Tells `done` when the key's newest write is durable. False where none is on its way: what `get` returns is then
   * on disk already, and `done` is not called.
   */
  follow(key: StoreKey, done: DurableListener): boolean {
    const slot = this.#gathering.get(key.id) ?? this.#underWay.get(key.id);
    if (slot === undefined) return false;
    listen(slot, done);
    this.#commitInTime(true);
    return true;
  }

  /** The key's newest write must not be let go either: somebody who does not wait counts on it. */
  promise(key: StoreKey): void {
    const slot = this.#gathering.get(key.id) ?? this.#underWay.get(key.id);
    if (slot !== undefined) slot.isPromised = true;
  }

  /** Tells `done` when every write put so far is on disk; `counts.failedCommits` says whether some were let go. */
  afterAll(done: DurableListener): void {
    this.#barriers += 1;
    // Commits take the oldest keys first, and this one is new each time.
    this.put(metaKey(`barrier/${this.#barriers}`), undefined, done);
  }

  /**
   * At most `limit` entries of the range in key order, writes on their way included; fewer only at the range's end.
   * Bytes as for `get`. Costs a look at every waiting write.
   */
  scan(range: KeyRange, limit: number): readonly StoredEntry[] {
    const waiting = this.#waitingIn(range);
    if (waiting.length === 0) return this.#scanStored(range, limit);
    const found: StoredEntry[] = [];
    let next = 0;
    const takeWaitingBefore = (key: Uint8Array | undefined): void => {
      for (; next < waiting.length && found.length < limit; next++) {
        const { key: waitingKey, value } = waiting[next] as WriteOperation;
        if (key !== undefined && compareBytes(waitingKey, key) >= 0) return;
        if (value !== undefined) found.push({ key: waitingKey, value });
      }
    };
    for (let from = range.from; found.length < limit; ) {
      const stored = this.#scanStored({ from, to: range.to }, limit);
      for (const entry of stored) {
        takeWaitingBefore(entry.key);
        if (found.length >= limit) return found;
        const same = waiting[next];
        if (same === undefined || compareBytes(same.key, entry.key) !== 0) found.push(entry);
      }
      const last = stored[stored.length - 1];
      if (last === undefined || stored.length < limit) {
        takeWaitingBefore(undefined);
        return found;
      }
      from = keyAfter(last.key);
    }
    return found;
  }

  /** Resolves once nothing waits and nothing is under way, whatever became of it. */
  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    this.#commitSoon();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Takes no more writes, and resolves once those it has are done with. The engine stays open. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.idle();
  }

  #isIdle(): boolean {
    return this.#gathering.size === 0 && this.#underWay.size === 0;
  }

  #scanStored(range: KeyRange, limit: number): readonly StoredEntry[] {
    try {
      return this.#engine.scan(range, limit);
    } catch (error) {
      this.#tellIfDamaged(error);
      throw error;
    }
  }

  #tellIfDamaged(error: unknown): void {
    if (error instanceof StorageError && error.code === "corrupt") this.#onDamaged?.(error);
  }

  /** Something was put, or is waited for. */
  #commitInTime(isAwaited: boolean): void {
    const isWorthwhile = isAwaited || this.#queuedBytes >= worthwhileBytes;
    if (isWorthwhile && !this.#isPuttingLater) this.#commitSoon();
    else this.#commitLater();
  }

  #commitLater(): void {
    if (this.#isHurried || this.#laterTimer !== undefined) return;
    this.#laterTimer = this.#clock.setTimer(laterMs, () => this.#commitSoon());
  }

  #commitSoon(): void {
    if (this.#gathering.size === 0) return;
    this.#isHurried = true;
    if (this.#isCommitDue || this.#underWay.size > 0) return;
    this.#isCommitDue = true;
    this.#clock.endOfTurn(() => this.#commit());
  }

  #commit(): void {
    this.#isCommitDue = false;
    const batch = this.#takeBatch();
    this.#isHurried = this.#gathering.size > 0;
    this.#laterTimer?.cancel();
    this.#laterTimer = undefined;
    this.#underWay = batch;
    this.#engine.write([...batch.values()]).then(
      () => this.#settle(batch, undefined),
      (cause: unknown) => this.#settle(batch, asStorageError(cause)),
    );
  }

  /** All that gathered, or as much of it, oldest keys first, as one commit may take. */
  #takeBatch(): Batch {
    const gathered = this.#gathering;
    if (this.#queuedBytes <= this.#batchBytes) {
      this.#gathering = new Map();
      return gathered;
    }
    const batch: Batch = new Map();
    let bytes = 0;
    for (const [id, slot] of gathered) {
      bytes += slot.bytes;
      if (bytes > this.#batchBytes && batch.size > 0) break;
      batch.set(id, slot);
      gathered.delete(id);
    }
    return batch;
  }

  #settle(batch: Batch, error: StorageError | undefined): void {
    this.#underWay = new Map();
    for (const slot of batch.values()) this.#queuedBytes -= slot.bytes;
    if (error === undefined) {
      this.#commits++;
    } else {
      this.#failedCommits++;
      this.#tellIfDamaged(error);
      this.#onCommitFailed?.(
        error,
        [...batch.values()].map(({ key }) => key),
      );
    }
    const kept = error?.code === "disk-full" && !this.#isClosed ? this.#keepPromised(batch) : 0;
    if (kept > 0) this.#clock.setTimer(retryMs, () => this.#commitSoon());
    if (this.#gathering.size > kept && this.#isHurried) this.#commitSoon();
    for (const slot of batch.values()) tell(slot, error);
    if (this.#isIdle()) {
      const waiters = this.#idleWaiters;
      this.#idleWaiters = [];
      for (const resolve of waiters) resolve();
    }
  }

  /** Back to those that gather, unless a newer value of the key, which then holds the promise, is there already. */
  #keepPromised(batch: Batch): number {
    let kept = 0;
    for (const [id, slot] of batch) {
      if (!slot.isPromised) continue;
      const newer = this.#gathering.get(id);
      if (newer !== undefined) {
        newer.isPromised = true;
        continue;
      }
      this.#gathering.set(id, { ...slot, listener: undefined, more: undefined });
      this.#queuedBytes += slot.bytes;
      kept++;
    }
    return kept;
  }

  /** The newest waiting write of every key in the range, in key order. */
  #waitingIn(range: KeyRange): WriteOperation[] {
    const waiting: WriteOperation[] = [];
    const isWithin = ({ key }: Slot): boolean => compareBytes(key, range.from) >= 0 && compareBytes(key, range.to) < 0;
    for (const slot of this.#gathering.values()) if (isWithin(slot)) waiting.push(slot);
    for (const [id, slot] of this.#underWay) {
      if (isWithin(slot) && !this.#gathering.has(id)) waiting.push(slot);
    }
    return waiting.sort((a, b) => compareBytes(a.key, b.key));
  }
}

function listen(slot: Slot, listener: DurableListener): void {
  if (slot.listener === undefined) slot.listener = listener;
  else if (slot.more === undefined) slot.more = [listener];
  else slot.more.push(listener);
}

function tell(slot: Slot, error: StorageError | undefined): void {
  if (slot.listener === undefined) return;
  tellOne(slot.listener, error);
  if (slot.more !== undefined) for (const listener of slot.more) tellOne(listener, error);
}

function tellOne(listener: DurableListener, error: StorageError | undefined): void {
  if (error === undefined) listener.onDurable();
  else listener.onFailed(error);
}

function asStorageError(cause: unknown): StorageError {
  return cause instanceof StorageError ? cause : new StorageError("io", "the store failed to write", { cause });
}
