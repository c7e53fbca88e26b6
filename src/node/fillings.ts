/**
 * Fills the seats that this node speaks for when a bucket's n has changed, so that the new n may count alone: copies
 * every other seat's holder, each while both know the same changes, and marks the seat then (`core/seats/filled.ts`).
 *
 * Until all seats that the new n uses are marked, requests meet the quorums of the old one, too: nothing waits for this,
 * and it may be broken off anywhere. What was copied is remembered in memory only, since to copy again costs a comparison
 * where nothing differs.
 */

import type { PartitionId } from "../core/ids.ts";
import type { Voice } from "../core/quorum/voice.ts";
import { allChanges, isFilledForAll, leftToCopy } from "../core/seats/filled.ts";
import { isBeingRebuilt, knownSeat, withFilled } from "../core/seats/known.ts";
import { type SeatRecord, voiceOf } from "../core/seats/record.ts";
import type { Coordination } from "./coordination.ts";
import type { Delay } from "./hand-over.ts";
import { isSameVoice, voiceOfHolder } from "./holder-voice.ts";
import type { PartitionCopies } from "./partition-copies.ts";
import type { SeatNews } from "./seat-news.ts";

/** What was copied of a partition for one set of changes. */
interface Attempt {
  readonly changes: number;
  readonly own: Voice;
  /** The voices that the other seats' holders had, by seat. */
  readonly copied: Map<number, Voice>;
}

export class Fillings {
  readonly #node: Coordination;
  readonly #copies: PartitionCopies;
  readonly #news: SeatNews;
  readonly #attempts: Map<PartitionId, Attempt> = new Map();

  constructor(node: Coordination, copies: PartitionCopies, news: SeatNews) {
    this.#node = node;
    this.#copies = copies;
    this.#news = news;
  }

  /** Whether this node speaks for a seat of the partition that is not filled for all changes that it knows. */
  isLeft(partition: PartitionId): boolean {
    const { seats, ring } = this.#node;
    const { hold, known } = seats.record(partition);
    return hold.kind === "active" && !isFilledForAll(ring().eras, known, hold.seat);
  }

  /** Whether nothing stands in its way, as far as this node knows: no seat that must be copied is without a holder. */
  mayGoOn(partition: PartitionId): boolean {
    const { seats, isUp } = this.#node;
    const own = seats.voiceIn(partition);
    if (own === undefined || !this.isLeft(partition)) return false;
    const known = seats.known(partition);
    return leftToCopy(known, own.seat, this.#attemptAt(partition, own).copied).every((seat) => {
      const { holder } = knownSeat(known, seat);
      return holder !== undefined && !isBeingRebuilt(known, seat) && isUp(holder);
    });
  }

  /** Gets on with it. Undefined once the seat is marked. Rejects with `StorageError`. */
  async fill(partition: PartitionId): Promise<Delay | undefined> {
    for (;;) {
      const own = this.#node.seats.voiceIn(partition);
      if (own === undefined || !this.isLeft(partition)) return undefined;
      const { copied } = this.#attemptAt(partition, own);
      const [next] = leftToCopy(this.#node.seats.known(partition), own.seat, copied);
      if (next === undefined) return this.#mark(partition, copied);
      const delay = await this.#copy(partition, own, next);
      if (delay !== undefined) return delay;
    }
  }

  async #copy(partition: PartitionId, own: Voice, next: number): Promise<Delay | undefined> {
    const { seats, isUp } = this.#node;
    const known = seats.known(partition);
    const { holder } = knownSeat(known, next);
    if (holder === undefined || isBeingRebuilt(known, next)) {
      return { peer: knownSeat(known, next).fencedBy ?? holder, why: "has yet to take its seat there" };
    }
    if (!isUp(holder)) return { peer: holder, why: "cannot be reached" };
    const attempt = this.#attemptAt(partition, own);
    const before = await voiceOfHolder(this.#node, partition, holder, attempt.changes);
    if ("why" in before) return before;
    const copied = await this.#copies.copy(partition, holder, own.seat);
    if (copied.kind !== "whole") return { peer: holder, why: copied.why };
    // It must have had that voice all the while, and known no more.
    const after = await voiceOfHolder(this.#node, partition, holder, attempt.changes);
    if ("why" in after) return after;
    if (!isSameVoice(before, after) || after.seat !== next) {
      return { peer: holder, why: "has another seat by now" };
    }
    attempt.copied.set(next, after);
    return undefined;
  }

  async #mark(partition: PartitionId, copied: ReadonlyMap<number, Voice>): Promise<Delay | undefined> {
    const { seats, ring } = this.#node;
    const { eras } = ring();
    const own = seats.voiceIn(partition);
    const attempt = this.#attempts.get(partition);
    const marked = (record: SeatRecord): SeatRecord | undefined => {
      const voice = voiceOf(record);
      const isSame = voice !== undefined && voice.seat === own?.seat && voice.epoch === own.epoch;
      const isCopied = attempt?.copied === copied && attempt.changes === allChanges(eras).hash;
      if (!isSame || !isCopied || leftToCopy(record.known, voice.seat, copied).length > 0) return undefined;
      return { ...record, known: withFilled(record.known, voice.seat, allChanges(eras)) };
    };
    // True since its copies are on disk, whatever becomes of the mark itself.
    const done = await seats.change(partition, marked);
    if (done === undefined) return { peer: undefined, why: "this node cannot store it, or knows more by now" };
    this.#attempts.delete(partition);
    this.#news.tell(partition, []);
    return undefined;
  }

  /** What was copied so far for the changes that are known now, while this node has had that voice. */
  #attemptAt(partition: PartitionId, own: Voice): Attempt {
    const changes = allChanges(this.#node.ring().eras).hash;
    let attempt = this.#attempts.get(partition);
    if (attempt?.changes !== changes || attempt.own.seat !== own.seat || attempt.own.epoch !== own.epoch) {
      attempt = { changes, own, copied: new Map() };
      this.#attempts.set(partition, attempt);
    }
    return attempt;
  }
}
