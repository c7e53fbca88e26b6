/**
 * Random histories of the log engine on the disk that loses what it may, and what must hold after each of their ends.
 *
 * A history is some lives of a process on one disk: writes that overlap, deletes, dropped ranges, full disks, then a clean
 * end, a kill or the loss of power at any step of any call, and sometimes flipped bits. After each, what is found must
 * be what the batches left in the order they were asked for, up to one that is no older than the last acknowledged: so
 * nothing acknowledged is lost, nothing is half there, and nothing comes back. Values name their key and batch under a
 * checksum, as records do; one that does not match counts as damaged, and is allowed where a bit was flipped.
 *
 * All that waits, waits for a turn of the event loop or for virtual time counted in such turns: a seed is a history.
 */

import { crc32 } from "../../src/core/hash/crc32.ts";
import type { Clock, Timer } from "../../src/runtime/clock.ts";
import { silentLog } from "../../src/runtime/log.ts";
import type { LossyDisk } from "../../src/sim/lossy-disk.ts";
import { Prng } from "../../src/sim/prng.ts";
import type { StorageEngine, WriteOperation } from "../../src/storage/engine.ts";
import type { LogEngine, LogEngineOptions } from "../../src/storage/log/log-engine.ts";

/** The product under trial: itself, or a copy with a bug in it. */
export interface LogProduct {
  readonly openLogEngine: (options: LogEngineOptions) => Promise<LogEngine>;
  readonly LossyDisk: new (options: { prng: Prng; totalBytes?: number }) => LossyDisk;
}

export interface HistoryTraits {
  /** How likely a bit flips after a life; once in a history. */
  readonly flips: number;
  /** How likely a sync fails in a life, which ends the engine. */
  readonly failedSyncs: number;
  /** How likely the disk fills up for a while in a life. */
  readonly fullDisks: number;
}

/** What happened in a history, so that a test can see that enough did. */
export interface HistoryCounts {
  lives: number;
  batches: number;
  refused: number;
  failedSyncs: number;
  compactions: number;
  checkpoints: number;
  powerLosses: number;
  flips: number;
  damagedValues: number;
  damagedStores: number;
}

const keys = 14;
const lives = 6;
const batchesALife = 60;
const headBytes = 40;

/** What a key should have; undefined: nothing. */
type Contents = readonly (number | undefined)[];

/** One batch: what it leaves of each key it is about. */
interface Batch {
  readonly changes: ReadonlyMap<number, number | undefined>;
  outcome: "asked" | "stored" | "refused";
}

interface GroupPlace {
  readonly name: string;
  readonly position: number;
}

/** Virtual time, counted in turns of the event loop. */
export class TurnClock implements Clock {
  #turns = 0;
  isDead = false;

  wallMs(): number {
    return this.#turns;
  }
  monotonicMs(): number {
    return this.#turns;
  }
  setTimer(delayMs: number, fire: () => void): Timer {
    let left = Math.max(1, Math.ceil(delayMs));
    let isCancelled = false;
    const wait = (): void => {
      if (isCancelled || this.isDead) return;
      this.#turns++;
      if (left-- <= 0) fire();
      else setImmediate(wait);
    };
    setImmediate(wait);
    return {
      cancel: () => {
        isCancelled = true;
      },
    };
  }
  endOfTurn(fire: () => void): void {
    setImmediate(() => {
      if (!this.isDead) fire();
    });
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function keyOf(i: number): Uint8Array {
  return Uint8Array.from({ length: 2 + (i % 3) }, (_, at) => (at === 0 ? 2 : i * 13 + at));
}

/** Names key and batch, has any length, and a checksum behind. */
function sealedValue(key: number, batch: number): Uint8Array {
  const value = new Uint8Array(12 + ((batch * 37 + key * 101) % 13 === 0 ? 2500 : (batch * 53 + key) % 190));
  const view = new DataView(value.buffer);
  view.setUint32(0, batch);
  view.setUint32(4, key);
  for (let i = 8; i < value.length - 4; i++) value[i] = batch * 31 + i;
  view.setUint32(value.length - 4, crc32(value.subarray(0, value.length - 4)));
  return value;
}

/** The batch that the value names, or "damaged". */
function batchIn(value: Uint8Array, key: number): number | "damaged" {
  if (value.length < 12) return "damaged";
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  if (crc32(value.subarray(0, value.length - 4)) !== view.getUint32(value.length - 4)) return "damaged";
  if (view.getUint32(4) !== key) throw new Error(`key ${key} has the value of key ${view.getUint32(4)}`);
  return view.getUint32(0);
}

class History {
  readonly #product: LogProduct;
  readonly #traits: HistoryTraits;
  readonly #prng: Prng;
  readonly #disk: LossyDisk;
  readonly #counts: HistoryCounts;
  #contents: Contents = Array.from({ length: keys }, () => undefined);
  #batches: Batch[] = [];
  #named = 0;
  #hasFlipped = false;
  /** Where groups begin, or began. */
  readonly #heads: GroupPlace[] = [];
  /** Where the group begins that is being written, the last that was written, and the last that was stored. */
  #writing: GroupPlace | undefined;
  #written: GroupPlace | undefined;
  #stored: GroupPlace | undefined;

  constructor(product: LogProduct, seed: number, traits: HistoryTraits, counts: HistoryCounts) {
    this.#product = product;
    this.#traits = traits;
    this.#prng = new Prng(seed, "log history");
    this.#disk = new product.LossyDisk({ prng: new Prng(seed, "lossy disk"), totalBytes: 256 * 1024 });
    this.#counts = counts;
    this.#disk.onWrite = (name, position) => {
      if (name.endsWith(".segment") && position > 0) {
        this.#writing = { name, position };
        this.#heads.push(this.#writing);
      }
    };
  }

  async run(): Promise<void> {
    for (let life = 0; life < lives; life++) {
      this.#counts.lives++;
      if (!(await this.#live())) return;
    }
  }

  /** Answers false where the history is over, since the store is damaged, as it may be. */
  async #live(): Promise<boolean> {
    const prng = this.#prng;
    const clock = new TurnClock();
    let crash: (() => void) | undefined;
    const crashed = new Promise<"crashed">((resolve) => {
      crash = () => resolve("crashed");
    });
    const crashesAt = prng.chance(0.8) ? prng.below(prng.chance(0.3) ? 40 : 700) : Number.POSITIVE_INFINITY;
    let steps = 0;
    this.#disk.step = async (what) => {
      if (clock.isDead) await new Promise<never>(() => {});
      if (what.startsWith("remove ") && what.endsWith(".segment")) this.#counts.compactions++;
      if (what === `written ${this.#writing?.name}`) this.#written = this.#writing;
      if (what === `synced ${this.#written?.name}`) this.#stored = this.#written;
      if (what.startsWith("renamed ")) this.#counts.checkpoints++;
      if (steps++ >= crashesAt) {
        clock.isDead = true;
        this.#end();
        crash?.();
        await new Promise<never>(() => {});
      }
      // A disk needs its time, and for a sync now and then a long one.
      for (let i = what.startsWith("sync ") && prng.chance(0.07) ? 250 : prng.below(3); i > 0; i--) await turn();
    };
    const outcome = await Promise.race([crashed, this.#process(clock)]);
    clock.isDead = true;
    const isClean = outcome === "closed" && !this.#disk.failsSyncs;
    this.#disk.failsSyncs = false;
    if (outcome === "closed" && prng.chance(0.5)) this.#end();
    this.#disk.isFull = false;
    if (!this.#hasFlipped && prng.chance(this.#traits.flips)) this.#hasFlipped = this.#flipBit(isClean);
    return await this.#check();
  }

  #end(): void {
    if (this.#prng.chance(0.6)) {
      this.#counts.powerLosses++;
      this.#disk.losePower();
    } else {
      this.#disk.kill();
    }
  }

  async #process(clock: TurnClock): Promise<"closed"> {
    const prng = this.#prng;
    const engine = await this.#open(clock);
    const pending: Promise<void>[] = [];
    const waits = prng.pick([0.05, 0.3, 0.6]);
    for (let i = 0; i < batchesALife && !clock.isDead; i++) {
      if (prng.chance(this.#traits.failedSyncs / 60)) this.#disk.failsSyncs = true;
      if (prng.chance(this.#traits.fullDisks / 10)) this.#disk.isFull = !this.#disk.isFull;
      if (prng.chance(0.03)) {
        await Promise.all(pending.splice(0));
        if (!clock.isDead) await this.#drop(engine);
      } else {
        pending.push(this.#write(engine));
      }
      if (prng.chance(waits)) await Promise.all(pending.splice(0));
      else if (prng.chance(0.3)) await turn();
      if (!clock.isDead && !this.#disk.failsSyncs && prng.chance(0.1)) this.#look(engine);
      // An idle while: compaction, checkpoints and the confirming group get their turns.
      if (prng.chance(0.1)) for (let turns = prng.below(300); turns > 0 && !clock.isDead; turns--) await turn();
    }
    await Promise.all(pending);
    this.#disk.isFull = false;
    await engine.close();
    return "closed";
  }

  #open(clock: TurnClock): Promise<LogEngine> {
    return this.#product.openLogEngine({
      disk: this.#disk.open(),
      clock,
      random: this.#prng,
      checksum: crc32,
      log: silentLog,
      segmentBytes: 4096,
      checkpointBytes: 6000,
    });
  }

  async #write(engine: StorageEngine): Promise<void> {
    const prng = this.#prng;
    const name = ++this.#named;
    const changes = new Map<number, number | undefined>();
    const operations: WriteOperation[] = [];
    for (let i = 1 + prng.below(4); i > 0; i--) {
      const key = prng.below(keys);
      const isDelete = prng.chance(0.35);
      changes.set(key, isDelete ? undefined : name);
      operations.push({ key: keyOf(key), value: isDelete ? undefined : sealedValue(key, name) });
    }
    await this.#store(changes, () => engine.write(operations));
  }

  async #drop(engine: StorageEngine): Promise<void> {
    const from = keyOf(this.#prng.below(keys));
    const to = keyOf(this.#prng.below(keys));
    const changes = new Map<number, undefined>();
    for (let key = 0; key < keys; key++) {
      if (isBefore(from, keyOf(key)) && !isBefore(to, keyOf(key))) changes.set(key, undefined);
    }
    await this.#store(changes, () => engine.drop({ from, to }));
  }

  async #store(changes: Batch["changes"], act: () => Promise<void>): Promise<void> {
    const batch: Batch = { changes, outcome: "asked" };
    this.#batches.push(batch);
    this.#counts.batches++;
    try {
      await act();
      batch.outcome = "stored";
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "disk-full") {
        batch.outcome = "refused";
        this.#counts.refused++;
      } else if (code === "io" && this.#disk.failsSyncs) {
        this.#counts.failedSyncs++;
      } else {
        throw error;
      }
    }
  }

  /** While the process lives, reads see no less than what was acknowledged. */
  #look(engine: StorageEngine): void {
    this.#mustBePrefix(contentsOf(engine), "a read");
  }

  #flipBit(isClean: boolean): boolean {
    const files = [...this.#disk.files()].flatMap(([name, size]) => {
      const bytes = isClean ? size : Math.min(size, this.#surelyWhole(name));
      return bytes > 0 ? [{ name, bytes }] : [];
    });
    if (files.length === 0) return false;
    const { name, bytes } = this.#prng.pick(files);
    // Heads are few bytes among values, and matter most.
    const heads = this.#heads.filter((head) => head.name === name && head.position + headBytes < bytes);
    const isHead = heads.length > 0 && this.#prng.chance(0.5);
    const byte = isHead ? this.#prng.pick(heads).position + this.#prng.below(headBytes) : this.#prng.below(bytes);
    this.#disk.flip(name, byte, this.#prng.below(8));
    this.#counts.flips++;
    return true;
  }

  /**
   * Up to where in a file damage can be told from a torn write. A crash leaves no way to tell which of both befell the
   * last group that was stored, and behind it may be one that was being written.
   */
  #surelyWhole(name: string): number {
    const last = this.#stored ?? this.#written;
    if (!name.endsWith(".segment") || last === undefined || name < last.name) return Number.POSITIVE_INFINITY;
    return name === last.name ? last.position : 0;
  }

  async #check(): Promise<boolean> {
    this.#disk.step = () => Promise.resolve();
    const clock = new TurnClock();
    let engine: LogEngine;
    try {
      engine = await this.#open(clock);
    } catch (error) {
      if (!this.#hasFlipped || (error as { code?: string }).code !== "corrupt") throw error;
      this.#counts.damagedStores++;
      return false;
    }
    const found = contentsOf(engine);
    const damaged = found.filter((batch) => batch === "damaged").length;
    if (damaged > 0 && !this.#hasFlipped) throw new Error("a damaged value, and no bit was flipped");
    this.#counts.damagedValues += damaged;
    this.#contents = this.#mustBePrefix(found, "what a start finds");
    this.#batches = [];
    // Who reads now tells others: it must be there after whatever comes next.
    clock.isDead = true;
    if (this.#prng.chance(0.5)) this.#disk.losePower();
    else this.#disk.kill();
    return true;
  }

  /** The contents after as many batches as explain what was found; throws if none do. */
  #mustBePrefix(found: readonly (number | "damaged" | undefined)[], what: string): Contents {
    const lastStored = this.#batches.findLastIndex(({ outcome }) => outcome === "stored");
    let contents = this.#contents;
    for (let i = -1; i < this.#batches.length; i++) {
      const batch = this.#batches[i];
      if (batch?.outcome === "refused") continue;
      if (batch !== undefined) contents = after(contents, batch);
      if (i < lastStored) continue;
      const fits = found.every((value, key) => value === contents[key] || (value === "damaged" && contents[key]));
      if (fits) return contents;
    }
    const atLeast = this.#batches.slice(0, lastStored + 1).filter(({ outcome }) => outcome !== "refused");
    const expected = atLeast.reduce(after, this.#contents);
    throw new Error(
      `${what}: [${found.join()}], which no number of batches leaves; acknowledged: [${expected.join()}]`,
    );
  }
}

function after(contents: Contents, { changes }: Batch): Contents {
  return contents.map((before, key) => (changes.has(key) ? changes.get(key) : before));
}

function contentsOf(engine: StorageEngine): (number | "damaged" | undefined)[] {
  const scanned = engine.scan({ from: Uint8Array.of(0), to: Uint8Array.of(255) }, 1000);
  const found = Array.from({ length: keys }, (_, key) => {
    const value = engine.get(keyOf(key));
    return value && batchIn(value, key);
  });
  const count = found.filter((value) => value !== undefined).length;
  if (scanned.length !== count) throw new Error(`a scan finds ${scanned.length} keys, gets find ${count}`);
  return found;
}

function isBefore(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) <= 0;
}

export function noCounts(): HistoryCounts {
  return {
    lives: 0,
    batches: 0,
    refused: 0,
    failedSyncs: 0,
    compactions: 0,
    checkpoints: 0,
    powerLosses: 0,
    flips: 0,
    damagedValues: 0,
    damagedStores: 0,
  };
}

/** Plays the history of this seed; rejects with what it broke. */
export async function playHistory(
  product: LogProduct,
  seed: number,
  traits: HistoryTraits,
  counts: HistoryCounts,
): Promise<void> {
  try {
    await new History(product, seed, traits, counts).run();
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}
