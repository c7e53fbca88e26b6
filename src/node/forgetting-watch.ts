/**
 * Since when the states that others ask about have been what they are, here (§4.4): what an owner must know before it
 * can agree to forget.
 *
 * No record says when it last changed, and a wall clock could not be trusted with it. So a key is watched from the first
 * time that somebody asks about it: from the moment its state is on disk, for as long as nothing else is stored, on the
 * monotonic clock of this process. A restart watches anew.
 *
 * Invariant: a key is in here only while the state it was asked about is what this node reads and what its disk holds,
 * or is about to; whatever may have changed either takes it out.
 */

import type { Hash64 } from "../core/hash/murmur3.ts";
import type { Limits } from "../core/limits.ts";
import { sameHash } from "../core/merkle/hash-tree.ts";
import type { Clock } from "../runtime/clock.ts";
import type { DurableListener, WriteBuffer } from "../storage/write-buffer.ts";
import type { KeyPlace } from "./key-place.ts";

/** Keys watched at a time, some 200 bytes each: those that lead ask about 20,000 each at most (`reaper.ts`). */
const mostWatched = 100_000;

interface Watched {
  readonly digest: Hash64;
  /** Since when it is on disk; undefined while that is not known. */
  sinceMs: number | undefined;
  askedMs: number;
}

export class ForgettingWatch {
  readonly #clock: Clock;
  readonly #buffer: WriteBuffer;
  readonly #graceMs: number;
  /** By the stored key's id, those asked about longest ago first. */
  readonly #watched: Map<string, Watched> = new Map();

  constructor(clock: Clock, buffer: WriteBuffer, limits: Limits) {
    this.#clock = clock;
    this.#buffer = buffer;
    this.#graceMs = limits.reapGraceMs;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** How the key stands, whose state here has this digest now; watches it from now on. */
  look({ storeKey }: KeyPlace, digest: Hash64): "ready" | "watched" | "busy" {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#watched.get(storeKey.id);
    if (known !== undefined && sameHash(known.digest, digest)) {
      this.#watched.delete(storeKey.id);
      this.#watched.set(storeKey.id, known);
      known.askedMs = nowMs;
      return known.sinceMs !== undefined && nowMs - known.sinceMs >= this.#graceMs ? "ready" : "watched";
    }
    if (this.#watched.size >= mostWatched && !this.#dropUnasked(nowMs)) return "busy";
    const watched: Watched = { digest, sinceMs: undefined, askedMs: nowMs };
    this.#watched.set(storeKey.id, watched);
    const onDisk: DurableListener = {
      onDurable: () => {
        watched.sinceMs = this.#clock.monotonicMs();
      },
      onFailed: () => this.#drop(storeKey.id, watched),
    };
    if (!this.#buffer.follow(storeKey, onDisk)) watched.sinceMs = nowMs;
    return "watched";
  }

  /** Another state was stored. */
  changed({ storeKey }: KeyPlace): void {
    this.#watched.delete(storeKey.id);
  }

  /** A commit failed: states may have gone back to what they were, on disk and for readers. */
  mayHaveReverted(): void {
    this.#watched.clear();
  }

  #drop(id: string, watched: Watched): void {
    if (this.#watched.get(id) === watched) this.#watched.delete(id);
  }

  /** Makes room by a key that nobody asks about any more. */
  #dropUnasked(nowMs: number): boolean {
    const [oldest] = this.#watched;
    if (oldest === undefined || nowMs - oldest[1].askedMs < 3 * this.#graceMs) return false;
    return this.#watched.delete(oldest[0]);
  }
}
