/**
 * Which keys were taken out of the store not long ago, as far as it is remembered.
 *
 * Reaping (§4.4) must know that for a whole message's life nothing here could bring a deleted value back. Memory is
 * bounded: where something had to be forgotten, and at the start, when nothing is known, the answer is "perhaps",
 * which is yes.
 *
 * A deletion counts from the moment it is on disk: until then a crash may undo it.
 */

import type { Clock } from "../runtime/clock.ts";
import type { DurableListener } from "../storage/write-buffer.ts";
import type { KeyPlace } from "./key-place.ts";

/** Keys remembered; some 100 bytes each. */
const mostKeys = 50_000;

export class RecentKeys {
  readonly #clock: Clock;
  readonly #most: number;
  /**
   * Monotonic time of the last deletion, by the key's hash: equal hashes only make the answer more careful. Infinite
   * while one is on its way to the disk.
   */
  readonly #deleted: Map<number, number> = new Map();
  /** Whatever was deleted before this is not remembered. */
  #forgottenMs: number;

  constructor(clock: Clock, most: number = mostKeys) {
    this.#clock = clock;
    this.#most = most;
    this.#forgottenMs = clock.monotonicMs();
  }

  /** Whether the key was, or may have been, deleted within the last `withinMs`. */
  has(place: KeyPlace, withinMs: number): boolean {
    const sinceMs = this.#clock.monotonicMs() - withinMs;
    if (this.#forgottenMs >= sinceMs) return true;
    const deletedMs = this.#deleted.get(hashOf(place));
    return deletedMs !== undefined && deletedMs >= sinceMs;
  }

  /** What listens to the deletion of a key: it counts once it is on disk, or may be. */
  deletion(place: KeyPlace): DurableListener {
    const hash = hashOf(place);
    this.#note(hash, Number.POSITIVE_INFINITY);
    const note = (): void => this.#note(hash, this.#clock.monotonicMs());
    return { onDurable: note, onFailed: note };
  }

  #note(hash: number, atMs: number): void {
    this.#deleted.delete(hash);
    this.#deleted.set(hash, atMs);
    if (this.#deleted.size <= this.#most) return;
    const [oldest] = this.#deleted;
    if (oldest === undefined) return;
    this.#deleted.delete(oldest[0]);
    this.#forgottenMs = Math.max(this.#forgottenMs, Math.min(oldest[1], this.#clock.monotonicMs()));
  }
}

function hashOf({ hash: { hi, lo } }: KeyPlace): number {
  return hi * 0x20_0000 + (lo >>> 11);
}
