/**
 * How far this node is with all the seats that it takes, since it last had none to take: what is done, how fast that goes,
 * and since when. Only numbers; what is still to be done the transfers know (`transfer.ts`).
 */

import type { TreeSize } from "../wire/message.ts";
import type { TakenView } from "./api.ts";

/** The speed is that of the last so many ms, told from a sample every so often. */
const recentMs = 10_000;
const sampleMs = 500;

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

export class Taking {
  #sinceMs: number | undefined;
  #endedMs: number | undefined;
  #taken = { seats: 0, keys: 0, bytes: 0 };
  #samples: Sample[] = [];

  /** There are seats to take: the first call after a rest begins to count anew. */
  goesOn(nowMs: number): void {
    if (this.#sinceMs !== undefined && this.#endedMs === undefined) return;
    this.#sinceMs = nowMs;
    this.#endedMs = undefined;
    this.#taken = { seats: 0, keys: 0, bytes: 0 };
    this.#samples = [];
  }

  /** A seat is this node's, with so much in it. */
  took({ keys, bytes }: TreeSize): void {
    const { seats, keys: keysBefore, bytes: bytesBefore } = this.#taken;
    this.#taken = { seats: seats + 1, keys: keysBefore + keys, bytes: bytesBefore + bytes };
  }

  /** There is none to take any more. */
  rests(nowMs: number): void {
    this.#endedMs ??= nowMs;
  }

  /** So many bytes had come by now. To be called now and then. */
  sample(atMs: number, bytes: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && atMs - last.atMs < sampleMs) return;
    this.#samples.push({ atMs, bytes });
    while ((this.#samples[0]?.atMs ?? atMs) < atMs - recentMs) this.#samples.shift();
  }

  /** What came of late, in bytes a second. */
  bytesPerSecond(nowMs: number, bytes: number): number {
    const first = this.#samples[0];
    return first === undefined || nowMs <= first.atMs ? 0 : ((bytes - first.bytes) * 1000) / (nowMs - first.atMs);
  }

  /** Undefined where nothing was taken since the start. */
  view(nowMs: number): TakenView | undefined {
    if (this.#sinceMs === undefined) return undefined;
    return { ...this.#taken, tookMs: Math.round((this.#endedMs ?? nowMs) - this.#sinceMs) };
  }
}
