/**
 * The engine for more keys than memory holds: LMDB, a memory-mapped B+ tree with copy-on-write pages.
 *
 * Point reads come from the page cache without a system call. A commit writes new pages beside the old ones, waits
 * for the device (fdatasync), then writes the root through a descriptor that waits as well (O_DSYNC): whenever power
 * is lost, the last root that was acknowledged, or the one after it, is there whole.
 *
 * What the package does by default and we do not want:
 * - *Overlapping sync* shows a commit to readers before it is on disk and, when the device fails, never settles.
 *   It is off; it was no faster here.
 * - *Event-turn batching* is off: the write buffer has gathered the turn already, and one `write` is one batch, which
 *   LMDB commits or drops as a whole.
 * - A commit that could not write its root leaves the environment dead: reads throw and further writes would wait for
 *   ever. So after every failure the environment is asked, and a dead one fails all later calls at once.
 * - A commit on a full disk is never tried (`docs/decisions/096-room-before-a-commit.md`): the package writes the
 *   message of the failure past the end of its buffer, and the process may end by it.
 * - A failed sync is final, too: what the kernel did with pages it could not write is unknown, and a later sync that
 *   succeeds says nothing about them.
 */

import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  type StatsFs,
  statfsSync,
  statSync,
  truncateSync,
} from "node:fs";
import { endianness } from "node:os";
import { join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import {
  type EngineUsage,
  type KeyRange,
  type StorageEngine,
  StorageError,
  type StoredEntry,
  type WriteOperation,
} from "../storage/engine.ts";
import { keyAfter } from "../storage/store-key.ts";

/** LMDB's limit with pages of 4 KiB. */
const longestKeyBytes = 1978;
/** Keys that `drop` removes in one commit. */
const dropBatch = 1000;
/** The disk counts as full where it has less left than this, in bytes, or than its sixteenth part if that is less. */
const marginBytes = 16 * 1024 * 1024;
const marginShare = 1 / 16;
/** EIO: LMDB's answer to a short write, which a full disk gives; and to a device that fails. */
const errnoIo = 5;
const errnoNoSpace = 28;
const errnoQuota = 122;
const lmdbMapFull = -30792;
/** The last one is what a transaction answers whose earlier read met damage. */
const lmdbCorruptions: ReadonlySet<number> = new Set([-30797, -30796, -30793, -30782]);

/** Where and how LMDB marks its first page; the file begins with two of them. */
const magicOffset = 24;
const magic = 0xbeefc0de;
const headBytes = 28;
const leastBytes = 8192;
const isLittleEndian: boolean = endianness() === "LE";

type Database = RootDatabase<Uint8Array, Uint8Array>;

/** Opens, or makes, the store in this directory. Throws `StorageError`. */
export function openLmdbEngine(directory: string): StorageEngine {
  try {
    mustBeLmdb(directory);
    const database: Database = open<Uint8Array, Uint8Array>({
      path: directory,
      noSubdir: false,
      encoding: "binary",
      keyEncoding: "binary",
      overlappingSync: false,
      eventTurnBatching: false,
    });
    makeRoomForEveryPage(database, directory);
    mustHaveRoot(database);
    return new LmdbEngine(database, directory);
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw storageError(error, directory, 0);
  }
}

class LmdbEngine implements StorageEngine {
  readonly name = "lmdb";
  readonly #database: Database;
  readonly #directory: string;
  readonly #underWay: Set<Promise<void>> = new Set();
  /** Why every call fails from now on. */
  #dead: StorageError | undefined;

  constructor(database: Database, directory: string) {
    this.#database = database;
    this.#directory = directory;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#mustBeAlive();
    if (!isStorable(key)) return undefined;
    try {
      const value = this.#database.getBinary(key);
      return value && plain(value);
    } catch (error) {
      throw this.#readFailure(error);
    }
  }

  async write(operations: readonly WriteOperation[]): Promise<void> {
    this.#mustBeAlive();
    if (operations.length === 0) return;
    for (const { key } of operations) {
      if (!isStorable(key)) throw new RangeError(`key of ${key.length} bytes, allowed are 1 to ${longestKeyBytes}`);
    }
    this.#mustHaveRoom(operations);
    const commit = this.#commit(operations);
    this.#underWay.add(commit);
    try {
      await commit;
    } finally {
      this.#underWay.delete(commit);
    }
  }

  scan(range: KeyRange, limit: number): readonly StoredEntry[] {
    this.#mustBeAlive();
    const found: StoredEntry[] = [];
    try {
      for (const { key, value } of this.#database.getRange({ start: range.from, end: range.to, limit })) {
        found.push({ key: plain(key), value: plain(value) });
      }
    } catch (error) {
      throw this.#readFailure(error);
    }
    return found;
  }

  async drop(range: KeyRange): Promise<void> {
    this.#mustBeAlive();
    for (let from = range.from; ; ) {
      const keys: Uint8Array[] = [];
      for (const key of this.#database.getKeys({ start: from, end: range.to, limit: dropBatch })) keys.push(plain(key));
      await this.write(keys.map((key) => ({ key, value: undefined })));
      const last = keys[keys.length - 1];
      if (last === undefined || keys.length < dropBatch) return;
      from = keyAfter(last);
    }
  }

  usage(): EngineUsage {
    this.#mustBeAlive();
    const { entryCount } = this.#database.getStats() as { readonly entryCount: number };
    return { keys: entryCount, bytes: statSync(dataFile(this.#directory)).size };
  }

  async close(): Promise<void> {
    if (this.#dead?.code === "closed") return;
    this.#dead = new StorageError("closed", "the store is closed");
    // A commit that fails while the environment closes can end the process.
    await Promise.allSettled(this.#underWay);
    await this.#database.close();
  }

  /** The package keeps one read transaction a turn, which a failed read spoils for the reads of other keys. */
  #readFailure(error: unknown): StorageError {
    this.#database.resetReadTxn();
    return storageError(error, this.#directory, 0);
  }

  async #commit(operations: readonly WriteOperation[]): Promise<void> {
    try {
      await this.#database.batch(() => {
        for (const { key, value } of operations) {
          if (value === undefined) this.#database.remove(key);
          else this.#database.put(key, value);
        }
      });
    } catch (error) {
      const failure = storageError(await causeOf(error), this.#directory, bytesOf(operations));
      if (failure.code !== "disk-full" || !this.#isUsable()) this.#dead ??= failure;
      throw failure;
    }
  }

  /** Removals need next to no room, and are what may make some. */
  #mustHaveRoom(operations: readonly WriteOperation[]): void {
    if (operations.every(({ value }) => value === undefined)) return;
    const { bavail, blocks, bsize } = this.#statistics();
    const leftBytes = bavail * bsize - Math.min(marginBytes, blocks * bsize * marginShare);
    if (leftBytes >= 2 * bytesOf(operations)) return;
    throw new StorageError("disk-full", `no room on the disk of ${this.#directory}: ${bavail * bsize} bytes are left`);
  }

  /** What the file system says of the directory; its words are the reason where it is gone under an open store. */
  #statistics(): StatsFs {
    try {
      return statfsSync(this.#directory);
    } catch (error) {
      throw storageError(error, this.#directory, 0);
    }
  }

  /** Whether the environment still takes transactions: an empty one touches no disk. */
  #isUsable(): boolean {
    try {
      this.#database.transactionSync(() => undefined);
      return true;
    } catch {
      return false;
    }
  }

  #mustBeAlive(): void {
    if (this.#dead !== undefined) throw new StorageError(this.#dead.code, this.#dead.message, { cause: this.#dead });
  }
}

function bytesOf(operations: readonly WriteOperation[]): number {
  return operations.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
}

function isStorable(key: Uint8Array): boolean {
  return key.length > 0 && key.length <= longestKeyBytes;
}

/** The same bytes as a plain array: `slice` of a Buffer would be a view where its reader expects a copy. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function dataFile(directory: string): string {
  return join(directory, "data.mdb");
}

/** LMDB believes what it finds where its roots should be, and ends the process over a file that is something else. */
function mustBeLmdb(directory: string): void {
  if (!existsSync(dataFile(directory))) return;
  const file = openSync(dataFile(directory), "r");
  try {
    const head = new DataView(new ArrayBuffer(headBytes));
    const length = readSync(file, head, 0, headBytes, 0);
    if (length === 0) return;
    const isLmdb = head.getUint32(magicOffset, isLittleEndian) === magic;
    if (length < headBytes || !isLmdb || fstatSync(file).size < leastBytes) {
      throw new StorageError("corrupt", `${dataFile(directory)} is not a store of LMDB, or its head is lost`);
    }
  } finally {
    closeSync(file);
  }
}

/**
 * LMDB maps the file and trusts it: to read a page beyond the file's end would end the process. Pages that one commit
 * took and gave back were never written, so a file may well be shorter than its page count; or it was cut off. Room
 * is made for every page, and what is missing reads as zeros, which LMDB and the records' checksums refuse.
 */
function makeRoomForEveryPage(database: Database, directory: string): void {
  const stats = database.getStats() as { readonly lastPageNumber: number; readonly pageSize: number };
  const needed = (stats.lastPageNumber + 1) * stats.pageSize;
  if (statSync(dataFile(directory)).size < needed) truncateSync(dataFile(directory), needed);
}

/** Throws where the tree's root is damaged: then nothing can be found. */
function mustHaveRoot(database: Database): void {
  for (const _ of database.getKeys({ limit: 1 }));
}

/** What lies behind the package's "Commit failed". */
async function causeOf(error: unknown): Promise<unknown> {
  const commitError = (error as { readonly commitError?: Promise<unknown> }).commitError;
  if (commitError === undefined) return error;
  try {
    return await commitError;
  } catch (cause) {
    return cause;
  }
}

/** The failure in the port's words; `bytes` is how much was to be written. */
function storageError(cause: unknown, directory: string, bytes: number): StorageError {
  const code = (cause as { readonly code?: unknown }).code;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (
    code === errnoNoSpace ||
    code === errnoQuota ||
    code === lmdbMapFull ||
    (code === errnoIo && isFull(directory, bytes))
  ) {
    return new StorageError("disk-full", `no room on the disk of ${directory}: ${reason}`, { cause });
  }
  if (lmdbCorruptions.has(code as number)) {
    return new StorageError("corrupt", `the store in ${directory} is damaged: ${reason}`, { cause });
  }
  return new StorageError("io", `the store in ${directory} failed: ${reason}`, { cause });
}

/** Whether the disk lacks room for a write of that size, which takes up to twice its bytes in pages. */
function isFull(directory: string, bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize < 2 * bytes + 64 * bsize;
  } catch {
    return false;
  }
}
