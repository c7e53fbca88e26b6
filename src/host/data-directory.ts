/**
 * A node's data directory: one node's, one process's, one format's.
 *
 *   cartwheel.json      what this is: the format's version, the engine, and once its node is a member of a cluster, which
 *   store/              the engine's files: data, and the node's own records, its identity among them
 *   store-damaged-<time>/   a store that could not be read any more (`damaged-store.ts`)
 *   unread              while nobody has read the store through since it was opened
 *   lock-<hex>.sock     while a process has it open (`directory-lock.ts`)
 *
 * Opening it refuses whatever is not surely right, with a sentence that says what is wrong: starting a node on
 * something else's files, beside another process or over a newer format's data costs more than starting it again.
 */

import { existsSync, writeFileSync } from "node:fs";
import { mkdir, open, readdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Log, silentLog } from "../runtime/log.ts";
import { TurnTaking } from "../runtime/turn-taking.ts";
import type { StorageEngine } from "../storage/engine.ts";
import { DirectoryInUse, type DirectoryLock, lockDirectory, lockLeavings } from "./directory-lock.ts";
import { defaultStorage, openEngine, type StorageName, storageNames } from "./engines.ts";

/** The layout of everything below the directory, keys and records included. Older ones are to be migrated here. */
export const formatVersion = 1;

/**
 * - `in-use`: another process has it open.
 * - `newer-format`: a later version wrote it.
 * - `other-storage`: it belongs to another engine than the one asked for.
 * - `foreign`: it holds files that are not a node's.
 * - `damaged`: its description cannot be understood.
 * - `not-a-directory`, `no-access`: the file system says so.
 */
export type DataDirectoryErrorCode =
  | "in-use"
  | "newer-format"
  | "other-storage"
  | "foreign"
  | "damaged"
  | "not-a-directory"
  | "no-access";

/** Why a data directory cannot be used, as one sentence for whoever starts the node. */
export class DataDirectoryError extends Error {
  override readonly name = "DataDirectoryError";
  readonly code: DataDirectoryErrorCode;

  constructor(code: DataDirectoryErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export interface DataDirectoryOptions {
  /** The engine; where absent, the one the directory has, or else LMDB. */
  readonly storage?: StorageName;
  /** Where its engine says what happens; nowhere if absent. */
  readonly log?: Log;
}

export interface DataDirectory {
  /** Where it is, with every link followed. */
  readonly path: string;
  readonly storage: StorageName;
  /** What its node was when it last started; undefined before it was a member of a cluster. */
  readonly member: RememberedMember | undefined;
  /** Why its store is known to be damaged, if it is. */
  readonly damage: string | undefined;
  /** Whether its store was set aside, and its node is to take its place again with the empty one. */
  readonly isEmptied: boolean;
  /** Whether the process before this one ended before it had read the store through. */
  readonly wasLeftUnread: boolean;
  /** Where the engine's files are. */
  readonly store: string;
  /** Notes whose the store is, so that one that is gone is missed, and one that is damaged can be replaced. */
  remember(member: RememberedMember): Promise<void>;
  /** Notes that the store must not be opened again. */
  markDamaged(why: string): Promise<void>;
  /** Moves the store out of the way; answers with its new name. */
  setStoreAside(): Promise<string>;
  /** Opens the store, once; its opener closes it before the directory. Rejects with `StorageError`. */
  openEngine(): Promise<StorageEngine>;
  /** Nothing that is stored makes its reader end. */
  storeWasRead(): Promise<void>;
  /** The store has failed: whoever opens it next is to have it read through first, however this process ends. */
  distrust(): void;
  /** Gives the directory free for others. */
  close(): Promise<void>;
}

/** What a node must know to take its place again without its store. */
export interface RememberedMember {
  readonly cluster: string;
  readonly zone: string;
  readonly capacity: number;
  /** Where other members listened when it last looked. */
  readonly peers: readonly string[];
}

interface Description {
  readonly format: number;
  readonly storage: StorageName;
  readonly member?: RememberedMember;
  readonly damage?: string;
  readonly isEmptied?: true;
}

const descriptionFile = "cartwheel.json";
const newDescriptionFile = "cartwheel.json.new";
const storeDirectory = "store";
const unreadFile = "unread";

/** Opens the directory, or makes it, and keeps every other process out. Rejects with `DataDirectoryError`. */
export async function openDataDirectory(directory: string, options: DataDirectoryOptions = {}): Promise<DataDirectory> {
  const path = await existing(directory);
  const lock = await exclusively(path);
  try {
    const found = await readDescription(path);
    if (found !== undefined && options.storage !== undefined && found.storage !== options.storage) {
      throw new DataDirectoryError(
        "other-storage",
        `data directory ${path} belongs to the ${found.storage} engine and cannot be opened with ${options.storage}: ` +
          "a node changes its engine by starting with --join and an empty directory, which the others fill",
      );
    }
    if (found === undefined) await mustBeEmpty(path);
    const storage = found?.storage ?? options.storage ?? defaultStorage;
    const log = options.log ?? silentLog;
    let description: Description = found ?? { format: formatVersion, storage };
    const turns = new TurnTaking();
    const change = (changed: (known: Description) => Description): Promise<void> =>
      turns.run(async () => {
        const next = changed(description);
        if (isDeepStrictEqual(next, description)) return;
        await writeDescription(path, next);
        description = next;
      });
    if (found === undefined) await writeDescription(path, description);
    const store = join(path, storeDirectory);
    const unread = join(path, unreadFile);
    let isDistrusted = false;
    return {
      path,
      storage,
      store,
      get member() {
        return description.member;
      },
      get damage() {
        return description.damage;
      },
      get isEmptied() {
        return description.isEmptied === true;
      },
      wasLeftUnread: existsSync(unread),
      async remember(member) {
        // What is kept in memory is gone after every start, and missing it then would be no news.
        if (storage === "memory") return;
        await change(({ format, damage }) => ({ format, storage, member, ...(damage !== undefined && { damage }) }));
      },
      markDamaged: (why) => change((known) => ({ ...known, damage: why })),
      async setStoreAside() {
        const name = `${storeDirectory}-damaged-${new Date().toISOString().replaceAll(":", "-")}`;
        // First the note, since a store that is gone without one would be missed; and what is known to be damaged is
        // so until it is out of the way.
        await change((known) => ({ ...known, isEmptied: true }));
        await moveAway(store, join(path, name));
        await change(({ damage: _, ...rest }) => rest);
        await rm(unread, { force: true });
        return name;
      },
      async openEngine() {
        if (storage !== "memory") writeFileSync(unread, "");
        return openEngine(storage, store, log);
      },
      async storeWasRead() {
        if (!isDistrusted) await rm(unread, { force: true });
      },
      distrust() {
        isDistrusted = true;
      },
      async close() {
        // Who closes it has ended well, whatever was read.
        if (!isDistrusted) await rm(unread, { force: true });
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error instanceof DataDirectoryError ? error : noAccess(path, error);
  }
}

/** The directory's real path; made where it is not there, readable by its owner only, for it will hold a secret. */
async function existing(directory: string): Promise<string> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = await realpath(directory);
    if ((await stat(path)).isDirectory()) return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST" && code !== "ENOTDIR") throw noAccess(directory, error);
  }
  throw new DataDirectoryError("not-a-directory", `data directory ${directory} is not a directory`);
}

async function exclusively(path: string): Promise<DirectoryLock> {
  try {
    return await lockDirectory(path);
  } catch (error) {
    if (!(error instanceof DirectoryInUse)) throw noAccess(path, error);
    throw new DataDirectoryError("in-use", `data directory ${path} is ${error.message}`, { cause: error });
  }
}

async function readDescription(path: string): Promise<Description | undefined> {
  const file = join(path, descriptionFile);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw noAccess(path, error);
  }
  const { format, storage, member, damage, isEmptied } = parsedObject(text);
  if (typeof format !== "number" || !Number.isInteger(format) || format < 1) {
    throw new DataDirectoryError(
      "damaged",
      `data directory ${path}: ${descriptionFile} does not say which format it has`,
    );
  }
  if (format > formatVersion) {
    throw new DataDirectoryError(
      "newer-format",
      `data directory ${path} has format ${format}, this version knows formats up to ${formatVersion}: start a newer one`,
    );
  }
  const known = storageNames.find((name) => name === storage);
  if (known === undefined) {
    throw new DataDirectoryError(
      "damaged",
      `data directory ${path}: ${descriptionFile} names the engine ${JSON.stringify(storage)}, known are ${storageNames.join(", ")}`,
    );
  }
  const remembered = rememberedMember(member);
  return {
    format,
    storage: known,
    ...(remembered !== undefined && { member: remembered }),
    ...(typeof damage === "string" && { damage }),
    ...(isEmptied === true && { isEmptied }),
  };
}

function rememberedMember(value: unknown): RememberedMember | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { cluster, zone, capacity, peers } = value as Readonly<Record<string, unknown>>;
  if (typeof cluster !== "string" || typeof zone !== "string" || typeof capacity !== "number") return undefined;
  const known = Array.isArray(peers) ? peers.filter((peer) => typeof peer === "string") : [];
  return { cluster, zone, capacity, peers: known };
}

function parsedObject(text: string): { readonly [Name in keyof Description]?: unknown } {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

/** What a first start that was cut off leaves, and what a disk's own root directory holds, does not count. */
async function mustBeEmpty(path: string): Promise<void> {
  const foreign = (await readdir(path)).find(
    (file) => !lockLeavings.test(file) && file !== newDescriptionFile && file !== "lost+found",
  );
  if (foreign !== undefined) {
    throw new DataDirectoryError(
      "foreign",
      `data directory ${path} holds "${foreign}" but no ${descriptionFile}: it is not a node's, give an empty or a new one`,
    );
  }
}

/** A process that was killed while it did so may have done it. */
async function moveAway(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** The description appears whole or not at all, whenever power is lost. */
async function writeDescription(path: string, description: Description): Promise<void> {
  const file = await open(join(path, newDescriptionFile), "w");
  try {
    await file.writeFile(`${JSON.stringify(description)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(join(path, newDescriptionFile), join(path, descriptionFile));
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function noAccess(path: string, cause: unknown): DataDirectoryError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DataDirectoryError("no-access", `data directory ${path} cannot be used: ${reason}`, { cause });
}
