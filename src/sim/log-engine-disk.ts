/**
 * A machine's disk with the product's own log engine on it (`storage/log`), over files that lose what was not synced.
 *
 * A killed process leaves its writes in the machine's memory, the loss of power takes or keeps each unsynced sector and
 * name, a full disk cuts writes short. What the checkers look at is a record beside it, of what was acknowledged.
 *
 * Law ("disks keep"), looked at each time a process has opened the log: there is what was acknowledged before, and
 * beside it nothing but what was under way or refused when the last process died, key by key. Whole batches, and their
 * order, are for the engine's own histories (`test/storage/log-history.ts`).
 */

import { compareBytes } from "../core/bytes/order.ts";
import type { Runtime } from "../runtime/runtime.ts";
import {
  type EngineUsage,
  type KeyRange,
  type StorageEngine,
  StorageError,
  type StoredEntry,
  type WriteOperation,
} from "../storage/engine.ts";
import { openLogEngine } from "../storage/log/log-engine.ts";
import { keyAfter } from "../storage/store-key.ts";
import { type DiskContents, Entries, nameOf } from "./entries.ts";
import { LossyDisk } from "./lossy-disk.ts";
import type { DiskTraits, MachineDisk, OpeningEngine } from "./machine-disk.ts";
import type { Prng } from "./prng.ts";
import type { SimProcess } from "./process.ts";
import type { Simulation } from "./simulation.ts";

export interface LogFileSizes {
  /** Small, so that there are many. */
  readonly segmentBytes: number;
  /** What is written between two checkpoints, at least. */
  readonly checkpointBytes: number;
}

export interface LogTraits extends DiskTraits, LogFileSizes {}

interface GroupPlace {
  readonly file: string;
  readonly position: number;
}

/** What was asked for: operations, or the fall of a whole range. */
type Asked = readonly WriteOperation[] | KeyRange;

const diskBytes: number = 256 * 1024 * 1024;
/** How likely another step than a sync takes time at all. */
const slowSteps = 0.1;
const pageKeys = 200;
/** Groups at the log's end in which no bit changes: the last may be torn, and the one before it is then the last. */
const spared = 3;

export class LogEngineDisk implements MachineDisk {
  readonly #simulation: Simulation;
  readonly #name: string;
  readonly #prng: Prng;
  readonly #traits: LogTraits;
  /** What is acknowledged. */
  readonly #entries: Entries = new Entries();
  /** What a process asked for and has not been told about; after its death, what may be there or not. */
  readonly #pending: Set<Asked> = new Set();
  /** What was refused since the last write that succeeded: its bytes may lie behind the log's end, and be found there. */
  readonly #refused: Set<Asked> = new Set();
  #files: LossyDisk;
  #restored: DiskContents | undefined;
  #process: SimProcess | undefined;
  #stalledUntil = 0;
  #onNextWrite: ((commitMs: number) => void) | undefined;
  #opened = 0;
  refusedWrites = 0;
  lostWrites = 0;
  openedAgain = 0;
  isDamaged = false;
  /** Where the newest groups begin, the newest first. */
  #newest: readonly GroupPlace[] = [];
  onChange: ((key: Uint8Array | undefined, value: Uint8Array | undefined) => void) | undefined;
  onRefused: ((value: Uint8Array) => void) | undefined;

  constructor(simulation: Simulation, name: string, traits: LogTraits) {
    this.#simulation = simulation;
    this.#name = name;
    this.#prng = simulation.prng(`disk ${name}`);
    this.#traits = traits;
    this.#files = this.#newFiles();
  }

  get isFull(): boolean {
    return this.#files.isFull;
  }

  set isFull(isFull: boolean) {
    this.#files.isFull = isFull;
  }

  open(process: SimProcess, runtime: Runtime): OpeningEngine {
    this.#process = process;
    process.onDeath(() => this.#files.kill());
    return new LogOnDisk(this, this.#openEngine(runtime));
  }

  losePower(): void {
    this.#files.losePower();
  }

  /**
   * A bit of any file, but for the newest groups: damage of the last one that is whole cannot be told from a torn write
   * (`docs/decisions/123-torn-or-damaged.md`).
   */
  damage(): string | undefined {
    const oldest = this.#newest[spared - 1];
    if (this.isDamaged || oldest === undefined) return undefined;
    const places = [...this.#files.files()].flatMap(([file, sizeBytes]) => {
      const isNewer = file.endsWith(".segment") && file > oldest.file;
      const end = isNewer ? 0 : file === oldest.file ? Math.min(sizeBytes, oldest.position) : sizeBytes;
      return end > 0 ? [{ file, end }] : [];
    });
    if (places.length === 0) return undefined;
    const { file, end } = this.#prng.pick(places);
    const byte = this.#prng.below(end);
    this.#files.flip(file, byte, this.#prng.below(8));
    this.isDamaged = true;
    return `byte ${byte} of ${file}`;
  }

  stall(durationMs: number): void {
    this.#stalledUntil = this.#simulation.now + durationMs;
  }

  whenNextWrite(listener: (commitMs: number) => void): void {
    this.#onNextWrite = listener;
  }

  replace(contents: DiskContents): void {
    this.#files = this.#newFiles();
    this.#pending.clear();
    this.#refused.clear();
    this.#entries.replace(contents);
    this.#newest = [];
    this.isDamaged = false;
    this.#restored = contents.size === 0 ? undefined : contents;
    this.onChange?.(undefined, undefined);
  }

  contents(): DiskContents {
    return this.#entries.contents();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(key);
  }

  sorted(): readonly StoredEntry[] {
    return this.#entries.sorted();
  }

  /** For the engine: these were asked for. */
  asked(asked: Asked): void {
    this.#pending.add(asked);
  }

  /** They are durable: now all may know. */
  stored(asked: Asked, engine: StorageEngine): void {
    this.#pending.delete(asked);
    this.#refused.clear();
    if ("from" in asked) {
      for (const key of this.#entries.keysIn(asked)) {
        if (engine.get(key) === undefined) this.#set(key, undefined);
      }
    } else {
      for (const { key, value } of asked) this.#set(key, value);
    }
  }

  /** They are not, and whoever asked is told so. */
  refused(asked: Asked): void {
    this.#pending.delete(asked);
    this.#refused.add(asked);
    this.refusedWrites++;
  }

  #newFiles(): LossyDisk {
    const prng = this.#simulation.prng(`files ${this.#name}.${this.#opened}`);
    const files = new LossyDisk({ prng, totalBytes: diskBytes, step: (what) => this.#step(what) });
    files.isFull = this.#files?.isFull ?? false;
    files.onWrite = (file, position) => this.#writes(file, position);
    return files;
  }

  #writes(file: string, position: number): void {
    if (!file.endsWith(".segment") || position === 0) return;
    const others = this.#newest.filter((place) => place.file !== file || place.position !== position);
    this.#newest = [{ file, position }, ...others].slice(0, spared);
  }

  async #openEngine({ clock, checksum, log }: Runtime): Promise<StorageEngine> {
    const random = this.#simulation.prng(`log ${this.#name}.${++this.#opened}`);
    const { segmentBytes, checkpointBytes } = this.#traits;
    const disk = this.#files.open();
    const engine = await openLogEngine({ disk, clock, random, checksum, log, segmentBytes, checkpointBytes });
    if (this.#restored !== undefined) {
      await engine.write([...this.#restored.values()]);
      this.#restored = undefined;
    }
    this.#recovered(engine);
    return engine;
  }

  /** Holds what the process found against what it had to find, and takes over what came through beside. */
  #recovered(engine: StorageEngine): void {
    const found = contentsOf(engine);
    if (this.#entries.count > 0) this.openedAgain++;
    const possible = this.#possible();
    for (const name of new Set([...this.#entries.contents().keys(), ...found.keys(), ...possible.keys()])) {
      const key = keyNamed(name);
      const there = found.get(name);
      if (isSame(there, this.#entries.get(key))) continue;
      if (this.isDamaged && differInOneBit(there, this.#entries.get(key))) {
        // Nobody may take it for what was stored: that is for the node, and for those who judge it.
        this.#entries.set(key, there);
        continue;
      }
      if (!(possible.get(name) ?? []).some((value) => isSame(there, value))) {
        const what = there === undefined ? "is gone" : "is one that was not asked for, or was replaced";
        this.#simulation.violate("disks keep", `${this.#name}: the value of ${describe(key)} ${what}`);
      }
      this.#set(key, there);
    }
    for (const asked of this.#pending) {
      if (!("from" in asked) && asked.some(({ key, value }) => !isSame(value, this.#entries.get(key))))
        this.lostWrites++;
    }
    this.#pending.clear();
    this.#refused.clear();
  }

  /** By key: what may be there, beside what was acknowledged. */
  #possible(): ReadonlyMap<string, readonly (Uint8Array | undefined)[]> {
    const possible = new Map<string, (Uint8Array | undefined)[]>();
    const add = (key: Uint8Array, value: Uint8Array | undefined): void => {
      const name = nameOf(key);
      const values = possible.get(name);
      if (values === undefined) possible.set(name, [value]);
      else values.push(value);
    };
    for (const asked of [...this.#refused, ...this.#pending]) {
      if ("from" in asked) for (const key of this.#entries.keysIn(asked)) add(key, undefined);
      else for (const { key, value } of asked) add(key, value);
    }
    return possible;
  }

  #set(key: Uint8Array, value: Uint8Array | undefined): void {
    this.#entries.set(key, value);
    this.onChange?.(key, value);
  }

  /**
   * The time that a step of the files takes. A sync is done at some moment though the process is paused; it is told of it
   * when it goes on. Whatever else resolves does so in an event of the process.
   */
  #step(what: string): Promise<void> {
    const simulation = this.#simulation;
    const stall = Math.max(0, this.#stalledUntil - simulation.now);
    if (what.startsWith("sync ")) {
      const commitMs = stall + this.#prng.skewed(this.#traits.leastCommitMs, this.#traits.mostCommitMs);
      const onNextWrite = this.#onNextWrite;
      this.#onNextWrite = undefined;
      onNextWrite?.(commitMs);
      return new Promise((resolve) => void simulation.schedule(commitMs, undefined, resolve));
    }
    const isTold = what.startsWith("synced ");
    if (!isTold && stall === 0 && !this.#prng.chance(slowSteps)) return Promise.resolve();
    const takesMs = isTold ? 0 : stall + this.#prng.skewed(this.#traits.leastCommitMs, this.#traits.mostCommitMs);
    return new Promise((resolve) => void simulation.schedule(takesMs, this.#process, resolve));
  }
}

/** The engine as its process has it: it tells the disk what was asked for, and what of it is durable, before anybody hears. */
class LogOnDisk implements OpeningEngine {
  readonly name = "log";
  readonly opened: Promise<void>;
  readonly #disk: LogEngineDisk;
  #engine: StorageEngine | undefined;

  constructor(disk: LogEngineDisk, opening: Promise<StorageEngine>) {
    this.#disk = disk;
    this.opened = opening.then((engine) => {
      this.#engine = engine;
    });
    this.opened.catch(() => {});
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#open().get(key);
  }

  async write(operations: readonly WriteOperation[]): Promise<void> {
    const copies = operations.map(({ key, value }) => ({ key: key.slice(), value: value?.slice() }));
    await this.#do(copies, (engine) => engine.write(operations));
  }

  scan(range: KeyRange, limit: number): readonly StoredEntry[] {
    return this.#open().scan(range, limit);
  }

  async drop(range: KeyRange): Promise<void> {
    await this.#do(range, (engine) => engine.drop(range));
  }

  usage(): EngineUsage {
    return this.#open().usage();
  }

  async close(): Promise<void> {
    await this.#engine?.close();
  }

  async #do(asked: Asked, act: (engine: StorageEngine) => Promise<void>): Promise<void> {
    const engine = this.#open();
    this.#disk.asked(asked);
    try {
      await act(engine);
    } catch (error) {
      this.#disk.refused(asked);
      throw error;
    }
    this.#disk.stored(asked, engine);
  }

  #open(): StorageEngine {
    if (this.#engine === undefined) throw new StorageError("closed", "the log is not open yet");
    return this.#engine;
  }
}

function contentsOf(engine: StorageEngine): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  const to = new Uint8Array(64).fill(0xff);
  for (let from: Uint8Array = new Uint8Array(0); ; ) {
    const page = engine.scan({ from, to }, pageKeys);
    const last = page[page.length - 1];
    if (last === undefined) return found;
    for (const { key, value } of page) found.set(nameOf(key), value.slice());
    from = keyAfter(last.key);
  }
}

function keyNamed(name: string): Uint8Array {
  return Uint8Array.from(name, (character) => character.charCodeAt(0));
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : compareBytes(a, b) === 0;
}

function differInOneBit(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  const at = a.findIndex((byte, i) => byte !== b[i]);
  const bits = (a[at] as number) ^ (b[at] as number);
  return (bits & (bits - 1)) === 0 && a.every((byte, i) => i === at || byte === b[i]);
}

function describe(key: Uint8Array): string {
  return JSON.stringify(nameOf(key));
}
