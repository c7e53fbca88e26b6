/**
 * A disk that keeps the letter of the log engine's disk port (`storage/log/log-disk.ts`) and not a hair more.
 *
 * What was written and not synced is in the machine's memory: a killed process leaves it there, the loss of power takes
 * or keeps each sector of it by chance, and each name that was made, changed or removed. A crash may come before any
 * step of any call, in the middle of a write. Bits flip where a test asks for it; the disk fills up; a sync takes as long
 * as its owner says.
 */

import { StorageError } from "../storage/engine.ts";
import type { DiskSpace, LogDisk, LogFile } from "../storage/log/log-disk.ts";
import type { Prng } from "./prng.ts";

const sectorBytes = 512;

/** What the files' names stand for; their bytes may be shared by several names in several states. */
interface StoredFile {
  /** As the machine sees it. */
  bytes: Uint8Array;
  size: number;
  /** As the device has it: sectors that differ are not synced. */
  readonly durable: { bytes: Uint8Array; size: number };
  /** Numbers of the sectors written since the last sync. */
  readonly dirty: Set<number>;
}

export interface LossyDiskOptions {
  readonly prng: Prng;
  /** Room for all files, in bytes. */
  readonly totalBytes?: number;
  /** Awaited in each step that takes time: a crash is one that never ends. `what` names the step. */
  readonly step?: (what: string) => Promise<void>;
}

export class LossyDisk {
  readonly #prng: Prng;
  readonly #totalBytes: number;
  #names: Map<string, StoredFile> = new Map();
  #durableNames: Map<string, StoredFile> = new Map();
  #runs = 0;
  /** Each step waits for it; may be changed at any time. */
  step: (what: string) => Promise<void>;
  /** No write finds room while true. */
  isFull = false;
  /** Syncs fail while true, and what they were to make durable is lost or kept by chance. */
  failsSyncs = false;
  /** Hears of each write when it begins. */
  onWrite: ((name: string, position: number) => void) | undefined;

  constructor({ prng, totalBytes, step }: LossyDiskOptions) {
    this.#prng = prng;
    this.#totalBytes = totalBytes ?? 1024 * 1024 * 1024;
    this.step = step ?? (() => Promise.resolve());
  }

  /** The disk as one process has it, until it dies. */
  open(): LogDisk {
    return new LossyFolder(this, ++this.#runs);
  }

  /** The process dies; the machine goes on. */
  kill(): void {
    this.#runs++;
  }

  /** All that is not durable is lost or kept, sector by sector and name by name. */
  losePower(): void {
    this.kill();
    const names = new Set([...this.#names.keys(), ...this.#durableNames.keys()]);
    const left = new Map<string, StoredFile>();
    for (const name of names) {
      const from = this.#prng.chance(0.5) ? this.#names : this.#durableNames;
      const stored = from.get(name);
      if (stored !== undefined) left.set(name, stored);
    }
    for (const stored of new Set(left.values())) this.#settle(stored);
    this.#names = left;
    this.#durableNames = new Map(left);
  }

  /** Changes one bit of a file, for good. */
  flip(name: string, byte: number, bit: number): void {
    const stored = this.#names.get(name);
    if (stored === undefined || byte >= stored.size) throw new RangeError(`no byte ${byte} in ${name}`);
    for (const bytes of [stored.bytes, stored.durable.bytes]) {
      if (byte < bytes.length) bytes[byte] = (bytes[byte] as number) ^ (1 << bit);
    }
  }

  /** The files with their sizes. */
  files(): ReadonlyMap<string, number> {
    return new Map([...this.#names].map(([name, { size }]) => [name, size]));
  }

  /** Removes a file, or cuts it off. */
  damage(name: string, sizeBytes: number | undefined): void {
    const stored = this.#names.get(name);
    if (sizeBytes === undefined || stored === undefined) {
      this.#names.delete(name);
      this.#durableNames.delete(name);
      return;
    }
    stored.size = Math.min(stored.size, sizeBytes);
    stored.durable.size = Math.min(stored.durable.size, sizeBytes);
    stored.bytes.fill(0, sizeBytes);
    stored.durable.bytes.fill(0, sizeBytes);
  }

  /** For its folders: whether this process still lives. */
  isRunning(run: number): boolean {
    return run === this.#runs;
  }

  names(): Map<string, StoredFile> {
    return this.#names;
  }

  space(): DiskSpace {
    let used = 0;
    for (const { size } of this.#names.values()) used += size;
    return { freeBytes: this.isFull ? 0 : Math.max(0, this.#totalBytes - used), totalBytes: this.#totalBytes };
  }

  create(): StoredFile {
    return {
      bytes: new Uint8Array(0),
      size: 0,
      durable: { bytes: new Uint8Array(0), size: 0 },
      dirty: new Set(),
    };
  }

  /** How many of the bytes find room. */
  fits(stored: StoredFile, end: number): boolean {
    return end <= stored.size || (!this.isFull && this.space().freeBytes >= end - stored.size);
  }

  write(stored: StoredFile, bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > stored.bytes.length) {
      const grown = new Uint8Array(Math.max(end, stored.bytes.length * 2));
      grown.set(stored.bytes);
      stored.bytes = grown;
    }
    stored.bytes.set(bytes, position);
    stored.size = Math.max(stored.size, end);
    for (let sector = Math.floor(position / sectorBytes); sector * sectorBytes < end; sector++)
      stored.dirty.add(sector);
  }

  sync(stored: StoredFile): void {
    for (const sector of stored.dirty) this.#keep(stored, sector);
    stored.durable.size = stored.size;
    stored.dirty.clear();
  }

  /** A sync failed: the machine takes for written what it could not write. */
  forget(stored: StoredFile): void {
    for (const sector of stored.dirty) if (this.#prng.chance(0.5)) stored.dirty.delete(sector);
  }

  syncNames(): void {
    this.#durableNames = new Map(this.#names);
  }

  /** A part of a write that a crash interrupts. */
  writePart(stored: StoredFile, bytes: Uint8Array, position: number): void {
    this.write(stored, bytes.subarray(0, this.#prng.below(bytes.length + 1)), position);
  }

  #settle(stored: StoredFile): void {
    const before = stored.durable.size;
    let end = before;
    for (const sector of [...stored.dirty].sort((a, b) => a - b)) {
      if (this.#prng.chance(0.5)) continue;
      this.#keep(stored, sector);
      end = Math.max(end, Math.min(stored.size, (sector + 1) * sectorBytes));
    }
    // The file's end may be known without what lies before it, which then reads as zeros.
    stored.durable.size = this.#prng.chance(0.5) ? stored.size : end;
    stored.size = stored.durable.size;
    const left = new Uint8Array(stored.size);
    left.set(stored.durable.bytes.subarray(0, stored.size));
    stored.bytes = left;
    stored.durable.bytes = left.slice();
    stored.dirty.clear();
  }

  #keep(stored: StoredFile, sector: number): void {
    const from = sector * sectorBytes;
    const to = Math.min(from + sectorBytes, stored.size);
    const { durable } = stored;
    if (to > durable.bytes.length) {
      const grown = new Uint8Array(Math.max(to, durable.bytes.length * 2));
      grown.set(durable.bytes);
      durable.bytes = grown;
    }
    if (to > from) durable.bytes.set(stored.bytes.subarray(from, to), from);
  }
}

class LossyFolder implements LogDisk {
  readonly name = "the lossy disk";
  readonly #disk: LossyDisk;
  readonly #run: number;

  constructor(disk: LossyDisk, run: number) {
    this.#disk = disk;
    this.#run = run;
  }

  async list(): Promise<readonly string[]> {
    await this.step("list");
    return [...this.#disk.names().keys()];
  }

  async open(name: string): Promise<LogFile> {
    await this.step(`open ${name}`);
    const known = this.#disk.names().get(name);
    const stored = known ?? this.#disk.create();
    this.#disk.names().set(name, stored);
    return new LossyFile(this.#disk, this, stored, name);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.step(`rename ${from}`);
    const names = this.#disk.names();
    const stored = names.get(from);
    if (stored === undefined) throw new StorageError("io", `${from} is not there`);
    names.delete(from);
    names.set(to, stored);
    await this.step(`renamed ${from}`);
  }

  async remove(name: string): Promise<void> {
    await this.step(`remove ${name}`);
    this.#disk.names().delete(name);
    await this.step(`removed ${name}`);
  }

  async syncNames(): Promise<void> {
    await this.step("sync names");
    this.#disk.syncNames();
    await this.step("synced names");
  }

  space(): DiskSpace {
    return this.#disk.space();
  }

  /** A step of a dead process never ends. */
  async step(what: string): Promise<void> {
    await this.#disk.step(what);
    if (!this.#disk.isRunning(this.#run)) await new Promise<never>(() => {});
  }

  get isRunning(): boolean {
    return this.#disk.isRunning(this.#run);
  }
}

class LossyFile implements LogFile {
  readonly #disk: LossyDisk;
  readonly #folder: LossyFolder;
  readonly #stored: StoredFile;
  readonly name: string;
  #isClosed = false;

  constructor(disk: LossyDisk, folder: LossyFolder, stored: StoredFile, name: string) {
    this.#disk = disk;
    this.#folder = folder;
    this.#stored = stored;
    this.name = name;
  }

  get sizeBytes(): number {
    return this.#stored.size;
  }

  readNow(into: Uint8Array, position: number): number {
    if (this.#isClosed) throw new StorageError("io", `${this.name} is closed`);
    const { bytes, size } = this.#stored;
    const found = bytes.subarray(Math.min(position, size), Math.min(position + into.length, size));
    into.set(found);
    return found.length;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    await this.#folder.step(`read ${this.name}`);
    return this.readNow(into, position);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.#isClosed) throw new StorageError("io", `${this.name} is closed`);
    const fits = this.#disk.fits(this.#stored, position + bytes.length);
    this.#disk.onWrite?.(this.name, position);
    // The process may die within the write: some of it is then there. So is some of what does not fit.
    const room = fits ? bytes.length : Math.max(0, this.#stored.size - position);
    this.#disk.writePart(this.#stored, bytes.subarray(0, room), position);
    await this.#folder.step(`write ${this.name}`);
    if (!fits || !this.#disk.fits(this.#stored, position + bytes.length)) {
      throw new StorageError("disk-full", "no room on the lossy disk");
    }
    this.#disk.write(this.#stored, bytes, position);
    await this.#folder.step(`written ${this.name}`);
  }

  async sync(): Promise<void> {
    await this.#folder.step(`sync ${this.name}`);
    if (this.#disk.failsSyncs) {
      this.#disk.forget(this.#stored);
      throw new StorageError("io", "the lossy disk cannot sync");
    }
    this.#disk.sync(this.#stored);
    await this.#folder.step(`synced ${this.name}`);
  }

  close(): void {
    this.#isClosed = true;
  }
}
