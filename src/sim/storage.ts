/**
 * A disk that keeps the letter of the storage port's law and not a hair more.
 *
 * A write takes its time, is applied at some moment of it and acknowledged at the end. At a crash each write that was
 * not applied yet is lost or kept whole, as chance has it, whatever came after it: an engine orders nothing that nobody
 * waited for. A refused write may have been applied all the same.
 */

import { compareBytes } from "../core/bytes/order.ts";
import {
  type EngineUsage,
  type KeyRange,
  StorageError,
  type StoredEntry,
  type WriteOperation,
} from "../storage/engine.ts";
import { type DiskContents, Entries, firstAtOrAfter } from "./entries.ts";
import type { DiskTraits, MachineDisk, OpeningEngine } from "./machine-disk.ts";
import type { Prng } from "./prng.ts";
import type { SimProcess } from "./process.ts";
import type { Simulation } from "./simulation.ts";

/** One change of a batch, or the fall of a whole range. */
type Change = WriteOperation | { readonly range: KeyRange };

interface PendingWrite {
  readonly changes: readonly Change[];
  isApplied: boolean;
}

export class SimDisk implements MachineDisk {
  readonly #simulation: Simulation;
  readonly #prng: Prng;
  readonly #traits: DiskTraits;
  readonly #entries: Entries = new Entries();
  readonly #pending: Set<PendingWrite> = new Set();
  #lastCommitAt = 0;
  #stalledUntil = 0;
  #onNextWrite: ((commitMs: number) => void) | undefined;
  isFull = false;
  refusedWrites = 0;
  lostWrites = 0;
  /** What it holds is what it has recorded. */
  readonly openedAgain = 0;
  readonly isDamaged = false;
  onChange: ((key: Uint8Array | undefined, value: Uint8Array | undefined) => void) | undefined;
  onRefused: ((value: Uint8Array) => void) | undefined;

  constructor(simulation: Simulation, name: string, traits: DiskTraits) {
    this.#simulation = simulation;
    this.#prng = simulation.prng(`disk ${name}`);
    this.#traits = traits;
  }

  open(process: SimProcess): OpeningEngine {
    process.onDeath(() => this.#crash());
    return new SimEngine(this.#simulation, this, process);
  }

  /** What was acknowledged is on the disk, and what was not was lost or kept when the process died. */
  losePower(): void {}

  /** Its records are not bytes in files. */
  damage(): undefined {
    return undefined;
  }

  stall(durationMs: number): void {
    this.#stalledUntil = this.#simulation.now + durationMs;
  }

  whenNextWrite(listener: (commitMs: number) => void): void {
    this.#onNextWrite = listener;
  }

  contents(): DiskContents {
    return this.#entries.contents();
  }

  replace(contents: DiskContents): void {
    this.#entries.replace(contents);
    this.onChange?.(undefined, undefined);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(key);
  }

  sorted(): readonly StoredEntry[] {
    return this.#entries.sorted();
  }

  get usage(): EngineUsage {
    return { keys: this.#entries.count, bytes: this.#entries.bytes };
  }

  /** Starts a write; one of the two is called in an event of the process, if it lives. */
  begin(
    changes: readonly Change[],
    process: SimProcess,
    resolve: () => void,
    reject: (error: StorageError) => void,
  ): void {
    const write: PendingWrite = {
      changes: changes.map((change) =>
        "range" in change ? change : { key: change.key.slice(), value: change.value?.slice() },
      ),
      isApplied: false,
    };
    this.#pending.add(write);
    const commitMs = this.#prng.skewed(this.#traits.leastCommitMs, this.#traits.mostCommitMs);
    const from = Math.max(this.#simulation.now, this.#lastCommitAt, this.#stalledUntil);
    const doneAt = from + commitMs;
    this.#lastCommitAt = doneAt;
    const onNextWrite = this.#onNextWrite;
    this.#onNextWrite = undefined;
    onNextWrite?.(doneAt - this.#simulation.now);
    const isEarly = this.#prng.chance(0.3);
    if (isEarly) {
      this.#at(from + this.#prng.uniform(0, commitMs), () => {
        if (this.#pending.has(write) && !this.isFull) this.#apply(write);
      });
    }
    // The disk finishes its work whether or not the process is paused; only the news of it waits.
    this.#at(doneAt, () => {
      if (!this.#pending.delete(write)) return;
      if (!this.isFull) {
        this.#apply(write);
        this.#simulation.schedule(0, process, resolve);
        return;
      }
      this.refusedWrites++;
      if (this.#prng.chance(0.2)) this.#apply(write);
      if (write.isApplied) this.#tellRefused(write);
      const error = new StorageError("disk-full", "no room on the simulated disk");
      this.#simulation.schedule(0, process, () => reject(error));
    });
  }

  #tellRefused({ changes }: PendingWrite): void {
    for (const change of changes) {
      if (!("range" in change) && change.value !== undefined) this.onRefused?.(change.value);
    }
  }

  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  #at(time: number, run: () => void): void {
    this.#simulation.schedule(time - this.#simulation.now, undefined, run);
  }

  #crash(): void {
    for (const write of this.#pending) {
      if (write.isApplied) continue;
      if (this.#prng.chance(0.5)) this.#apply(write);
      else this.lostWrites++;
    }
    this.#pending.clear();
    this.#lastCommitAt = this.#simulation.now;
  }

  #apply(write: PendingWrite): void {
    if (write.isApplied) return;
    write.isApplied = true;
    for (const change of write.changes) {
      if ("range" in change) this.#drop(change.range);
      else this.#set(change);
    }
  }

  #set({ key, value }: WriteOperation): void {
    this.#entries.set(key, value);
    this.onChange?.(key, value);
  }

  #drop(range: KeyRange): void {
    for (const key of this.#entries.keysIn(range)) this.#entries.set(key, undefined);
  }
}

class SimEngine implements OpeningEngine {
  readonly name = "simulated";
  readonly opened: Promise<void> = Promise.resolve();
  readonly #simulation: Simulation;
  readonly #disk: SimDisk;
  readonly #process: SimProcess;
  #isClosed = false;

  constructor(simulation: Simulation, disk: SimDisk, process: SimProcess) {
    this.#simulation = simulation;
    this.#disk = disk;
    this.#process = process;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#check();
    return this.#disk.get(key)?.slice();
  }

  write(operations: readonly WriteOperation[]): Promise<void> {
    if (this.#isClosed) return Promise.reject(new StorageError("closed", "the engine is closed"));
    return new Promise((resolve, reject) => this.#disk.begin(operations, this.#process, resolve, reject));
  }

  scan(range: KeyRange, limit: number): readonly StoredEntry[] {
    this.#check();
    const found: StoredEntry[] = [];
    const entries = this.#disk.sorted();
    for (let i = firstAtOrAfter(entries, range.from); i < entries.length && found.length < limit; i++) {
      const entry = entries[i] as StoredEntry;
      if (compareBytes(entry.key, range.to) >= 0) break;
      found.push({ key: entry.key.slice(), value: entry.value.slice() });
    }
    return found;
  }

  drop(range: KeyRange): Promise<void> {
    if (this.#isClosed) return Promise.reject(new StorageError("closed", "the engine is closed"));
    return new Promise((resolve, reject) => this.#disk.begin([{ range }], this.#process, resolve, reject));
  }

  usage(): EngineUsage {
    this.#check();
    return this.#disk.usage;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#disk.hasPending) {
      await new Promise<void>((resolve) => {
        this.#simulation.schedule(1, this.#process, resolve);
      });
    }
  }

  #check(): void {
    if (this.#isClosed) throw new StorageError("closed", "the engine is closed");
  }
}
