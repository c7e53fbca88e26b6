/**
 * When checkpoints are written, and which are kept: one, of a place not too far back in the log.
 *
 * A start reads the log from the checkpoint on, so the more was written since, the longer it takes. Each checkpoint
 * writes all keys again. So there is a new one when four times its size has been written, and at least 32 MiB: it then
 * adds at most a quarter to what goes to the disk.
 */

import type { Checksum } from "../../core/hash/crc32.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { Pause } from "../../runtime/pause.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { fileHeadBytes, parseFileName } from "./file-head.ts";
import type { KeyDirectory } from "./key-directory.ts";
import type { LogDisk } from "./log-disk.ts";
import type { Segments } from "./segments.ts";

const timesItsSize = 4;
const pauseMs = 1;

export interface CheckpointsOptions {
  readonly disk: LogDisk;
  readonly segments: Segments;
  readonly directory: KeyDirectory;
  readonly clock: Clock;
  readonly checksum: Checksum;
  readonly log: Log;
  /** The least that is written between two checkpoints. */
  readonly leastBytes: number;
}

export class Checkpoints {
  readonly #options: CheckpointsOptions;
  readonly #pause: Pause;
  #sinceBytes: number;
  #sizeBytes = 0;
  #running: Promise<void> | undefined;
  #isStopped = false;

  /** `sinceBytes` is how much of the log the last one does not know. */
  constructor(options: CheckpointsOptions, sinceBytes: number) {
    this.#options = options;
    this.#pause = new Pause(options.clock);
    this.#sinceBytes = sinceBytes;
  }

  /** So many bytes were written to the log. */
  wrote(bytes: number): void {
    this.#sinceBytes += bytes;
    const { leastBytes } = this.#options;
    if (this.#sinceBytes >= Math.max(leastBytes, timesItsSize * this.#sizeBytes)) this.begin();
  }

  /** Writes one, unless that is under way. */
  begin(): void {
    if (this.#isStopped || this.#running !== undefined) return;
    this.#running = this.#write().finally(() => {
      this.#running = undefined;
    });
  }

  /** Gives up the one that is being written. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause.end();
    await this.#running;
  }

  async #write(): Promise<void> {
    const { disk, segments, directory, checksum, log } = this.#options;
    const newest = segments.newest;
    if (newest === undefined) return;
    this.#sinceBytes = 0;
    const end = newest.isFull
      ? { segment: newest.number + 1, offset: fileHeadBytes }
      : { segment: newest.number, offset: newest.endBytes };
    const place = { ...end, firstSegment: segments.first };
    const pace = async (): Promise<void> => {
      await this.#pause.wait(pauseMs);
      if (this.#isStopped) throw new Error("the store is closing");
    };
    try {
      this.#sizeBytes = await writeCheckpoint({ disk, directory, place, salt: segments.salt, checksum, pace });
      for (const name of await disk.list()) {
        const file = parseFileName(name);
        if (file?.kind === "checkpoint" && file.number !== place.segment) await disk.remove(name);
      }
    } catch (error) {
      if (!this.#isStopped) log.warn("no checkpoint of the log can be written now", { why: String(error) });
    }
  }
}
