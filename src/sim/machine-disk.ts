/**
 * A machine's disk with a storage engine on it, as the rest of the simulation sees it: processes open it, the nemesis
 * treats it badly, and the checkers look at what is on it.
 *
 * There are two. `storage.ts` keeps the letter of the engine port's law itself; it is small, and as nasty as that law
 * permits. `log-engine-disk.ts` runs the product's own log engine on files that lose what was not synced.
 */

import type { Runtime } from "../runtime/runtime.ts";
import type { StorageEngine, StoredEntry } from "../storage/engine.ts";
import type { DiskContents } from "./entries.ts";
import type { SimProcess } from "./process.ts";

export interface DiskTraits {
  /** The time a commit takes, from the least to the most; most are short. */
  readonly leastCommitMs: number;
  readonly mostCommitMs: number;
}

/** An engine that may need a while until it can be used. */
export interface OpeningEngine extends StorageEngine {
  /** Resolves when it can be. Rejects with `StorageError`. */
  readonly opened: Promise<void>;
}

export interface MachineDisk {
  /** Refuses every write while true. */
  isFull: boolean;
  /** Writes refused so far. */
  readonly refusedWrites: number;
  /** Unacknowledged writes that a crash lost so far. */
  readonly lostWrites: number;
  /** How often what earlier processes had left was held against what had to be there. */
  readonly openedAgain: number;
  /** Whether a bit of it has changed by itself. */
  readonly isDamaged: boolean;
  /** Changes a bit, while no process has it open; answers which, or undefined where there is none to change. */
  damage(): string | undefined;
  /** Hears of everything that comes to be on the disk, or goes: of single keys, and, without one, of all there is. */
  onChange: ((key: Uint8Array | undefined, value: Uint8Array | undefined) => void) | undefined;
  /** Hears of each value that its writer is told was not stored, and that is there all the same. */
  onRefused: ((value: Uint8Array) => void) | undefined;
  /** Opens the disk for one process, whose death closes it. */
  open(process: SimProcess, runtime: Runtime): OpeningEngine;
  /** The machine has no power any more; its process is dead. */
  losePower(): void;
  /** No write is done before so much time has passed. */
  stall(durationMs: number): void;
  /** Calls the listener once, when the next write begins, with the time that it will take. */
  whenNextWrite(listener: (commitMs: number) => void): void;
  /** Puts a backup, or nothing, in the place of what is there. No process may have the disk open. */
  replace(contents: DiskContents): void;
  /** What is on the disk now, in no particular order. */
  contents(): DiskContents;
  get(key: Uint8Array): Uint8Array | undefined;
  /** The same as `contents`, in key order. */
  sorted(): readonly StoredEntry[];
}
