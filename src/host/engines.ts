/**
 * The storage engines of this version, by the names that `--storage` has for them.
 *
 * The log engine is the default: its durable writes cost a fraction of LMDB's, and all its keys are in memory. LMDB's
 * memory does not grow with the number of keys (`docs/decisions/158-the-log-is-the-default.md`).
 */

import type { Log } from "../runtime/log.ts";
import type { StorageEngine } from "../storage/engine.ts";
import { openLogEngine } from "../storage/log/log-engine.ts";
import { MemoryEngine } from "../storage/memory-engine.ts";
import { machineChecksum } from "./checksum.ts";
import { machineClock } from "./clock.ts";
import { folderDisk } from "./folder-disk.ts";
import { openLmdbEngine } from "./lmdb-engine.ts";
import { machineRandom } from "./random.ts";

export const storageNames = ["lmdb", "log", "memory"] as const;
export type StorageName = (typeof storageNames)[number];

/** What a new data directory gets where nobody says otherwise. One that is there keeps what it has. */
export const defaultStorage: StorageName = "log";

/** Opens, or makes, the store in this folder. Rejects with `StorageError`. */
export async function openEngine(storage: StorageName, folder: string, log: Log): Promise<StorageEngine> {
  switch (storage) {
    case "lmdb":
      return openLmdbEngine(folder);
    case "log": {
      const disk = await folderDisk(folder);
      return openLogEngine({ disk, clock: machineClock, random: machineRandom(), checksum: machineChecksum, log });
    }
    case "memory":
      return new MemoryEngine(machineRandom().u32());
  }
}
