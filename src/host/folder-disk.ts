/**
 * A folder of this machine as the log engine's disk (`storage/log/log-disk.ts`).
 *
 * Writes and syncs run on libuv's threads, so the event loop never waits for the device. A write that a full disk cut
 * short is told from a device that fails: the log can do without the one and not with the other.
 */

import * as fs from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { StorageError } from "../storage/engine.ts";
import type { DiskSpace, LogDisk, LogFile } from "../storage/log/log-disk.ts";

const fullDisk: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT"]);

/** The folder, made if it is not there. Rejects with `StorageError`. */
export async function folderDisk(folder: string): Promise<LogDisk> {
  const disk = new FolderDisk(folder);
  await disk.make();
  return disk;
}

class FolderDisk implements LogDisk {
  readonly name: string;

  constructor(folder: string) {
    this.name = folder;
  }

  async make(): Promise<void> {
    await told(this.name, async () => {
      await mkdir(this.name, { recursive: true });
    });
  }

  list(): Promise<readonly string[]> {
    return told(this.name, () => readdir(this.name));
  }

  open(name: string): Promise<LogFile> {
    const path = join(this.name, name);
    return told(path, async () => {
      const flags = fs.constants.O_RDWR | fs.constants.O_CREAT;
      const descriptor = fs.openSync(path, flags, 0o600);
      return new FolderFile(path, descriptor, fs.fstatSync(descriptor).size);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return told(this.name, () => rename(join(this.name, from), join(this.name, to)));
  }

  remove(name: string): Promise<void> {
    return told(this.name, () => rm(join(this.name, name), { force: true }));
  }

  syncNames(): Promise<void> {
    return told(this.name, async () => {
      const folder = await fs.promises.open(this.name, "r");
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    });
  }

  space(): DiskSpace {
    try {
      const { bavail, blocks, bsize } = fs.statfsSync(this.name);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch (error) {
      throw storageError(this.name, error);
    }
  }
}

class FolderFile implements LogFile {
  readonly #path: string;
  readonly #descriptor: number;
  #sizeBytes: number;

  constructor(path: string, descriptor: number, sizeBytes: number) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#sizeBytes = sizeBytes;
  }

  get name(): string {
    return this.#path;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  readNow(into: Uint8Array, position: number): number {
    try {
      let at = fs.readSync(this.#descriptor, into, 0, into.length, position);
      while (at < into.length) {
        const more = fs.readSync(this.#descriptor, into, at, into.length - at, position + at);
        if (more === 0) break;
        at += more;
      }
      return at;
    } catch (error) {
      throw storageError(this.#path, error);
    }
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    for (let at = 0; ; ) {
      const more = await this.#readSome(into, at, position + at);
      at += more;
      if (more === 0 || at === into.length) return at;
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let at = 0; at < bytes.length; ) at += await this.#writeSome(bytes, at, position + at);
    this.#sizeBytes = Math.max(this.#sizeBytes, position + bytes.length);
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#descriptor, (error) => {
        if (error === null) resolve();
        else reject(storageError(this.#path, error));
      });
    });
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }

  #readSome(into: Uint8Array, at: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#descriptor, into, at, into.length - at, position, (error, bytes) => {
        if (error === null) resolve(bytes);
        else reject(storageError(this.#path, error));
      });
    });
  }

  #writeSome(bytes: Uint8Array, at: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.write(this.#descriptor, bytes, at, bytes.length - at, position, (error, written) => {
        if (error === null) resolve(written);
        else reject(storageError(this.#path, error));
      });
    });
  }
}

async function told<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw storageError(path, error);
  }
}

function storageError(path: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (fullDisk.has(code)) return new StorageError("disk-full", `no room on the disk of ${path}: ${message}`, { cause });
  return new StorageError("io", `${path} failed: ${message}`, { cause });
}
