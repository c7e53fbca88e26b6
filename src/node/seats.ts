/**
 * The voices of this node: for which seats its answers count.
 *
 * The ring says who shall hold a seat; only who holds all that was acknowledged in it may speak for it. As long as no
 * data moves between nodes, there is one way to come by a voice: the seat was given while every member vouched that
 * there was nothing to hold (see `placement-change.ts`), and this directory has been the member's ever since. A node
 * that took the place of a lost directory keeps its seats in the ring and has no voice in any of them: its "nothing"
 * would be counted against what the others know.
 *
 * Invariant: a voice is on disk before it is used.
 */

import type { PartitionId } from "../core/ids.ts";
import { mostCopies } from "../core/limits.ts";
import type { Voice } from "../core/quorum/voice.ts";
import { seatOf } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { Log } from "../runtime/log.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { TurnTaking } from "../runtime/turn-taking.ts";
import type { MetaStore } from "../storage/meta-store.ts";
import type { Membership } from "./membership.ts";
import { asJson, readJson } from "./membership-store.ts";

/** One seat of the ring's table that this node holds. */
interface HeldSeat {
  readonly partition: number;
  readonly seat: number;
  /** The ring version with which the seat came to this node. */
  readonly epoch: number;
  readonly hasVoice: boolean;
}

interface StoredSeats {
  readonly incarnation: string;
  /** The ring version they follow. */
  readonly ringVersion: number;
  readonly seats: readonly HeldSeat[];
}

export class Seats {
  readonly #membership: Membership;
  readonly #meta: MetaStore;
  readonly #log: Log;
  readonly #turns: TurnTaking = new TurnTaking();
  readonly #tasks: TaskGroup;
  readonly #listeners: (() => void)[] = [];
  /** What is on disk, by partition. */
  #held: ReadonlyMap<number, HeldSeat> = new Map();
  #stored: StoredSeats = { incarnation: "", ringVersion: 0, seats: [] };
  /** Answers of `voice` under one ring; emptied when that or the seats change. */
  #voices: Map<number, Voice | undefined> = new Map();
  #voicesOf: Ring | undefined;

  constructor(membership: Membership, meta: MetaStore, log: Log) {
    this.#membership = membership;
    this.#meta = meta;
    this.#log = log;
    this.#tasks = new TaskGroup(log);
    membership.onChange(({ history }) => {
      if (history) this.#tasks.run("storing the seats", () => this.#follow());
    });
  }

  /** Reads what is stored and takes what the ring gives; for members only. Rejects with `StorageError`. */
  async open(): Promise<void> {
    const stored = readJson(this.#meta, "seats") as StoredSeats | undefined;
    if (stored?.incarnation === this.#membership.incarnation) this.#use(stored);
    await this.#follow();
  }

  /** Calls the listener each time the seats, or the ring version they follow, are others. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves when nothing is being stored any more. */
  stop(): Promise<void> {
    return this.#tasks.close();
  }

  /** How many seats this node speaks for. */
  get count(): number {
    return this.#stored.seats.reduce((sum, seat) => sum + (seat.hasVoice ? 1 : 0), 0);
  }

  /**
   * This node's voice for a partition's keys in a bucket of n copies; undefined if it owns none there, or has nothing
   * to vouch for. Cheap: asked for with every request.
   */
  voice(partition: PartitionId, n: number): Voice | undefined {
    const { ring } = this.#membership;
    if (ring !== this.#voicesOf) {
      this.#voices = new Map();
      this.#voicesOf = ring;
    }
    const place = partition * (mostCopies + 1) + n;
    const known = this.#voices.get(place);
    if (known !== undefined || this.#voices.has(place)) return known;
    const voice = this.#voiceIn(ring, partition, n);
    this.#voices.set(place, voice);
    return voice;
  }

  #voiceIn(ring: Ring, partition: PartitionId, n: number): Voice | undefined {
    const { self, incarnation } = this.#membership;
    const member = ring.members.get(self);
    if (member?.incarnation !== incarnation || !member.founding) return undefined;
    const seat = seatOf(ring, partition, n, self);
    if (seat === undefined) return undefined;
    const held = this.#held.get(partition);
    if (held !== undefined) return held.seat === seat && held.hasVoice ? { seat, epoch: held.epoch } : undefined;
    const isInTable = seat < (ring.seats[partition]?.length ?? 0);
    if (isInTable || this.#stored.ringVersion !== ring.version) return undefined;
    // A bucket of more copies than the ring has seats: the place among the fallbacks is as old as the ring's version.
    return { seat, epoch: ring.version };
  }

  /** Stores what the ring gives now. A seat that stays keeps its epoch and its voice. */
  #follow(): Promise<void> {
    return this.#turns.run(async () => {
      const { ring, self, incarnation } = this.#membership;
      if (this.#stored.ringVersion === ring.version && this.#stored.incarnation === incarnation) return;
      const hasVoice = ring.members.get(self)?.incarnation === incarnation && ring.members.get(self)?.founding === true;
      const seats: HeldSeat[] = [];
      for (const [partition, holders] of ring.seats.entries()) {
        const seat = holders.indexOf(self);
        if (seat < 0) continue;
        const held = this.#held.get(partition);
        seats.push(held?.seat === seat ? held : { partition, seat, epoch: ring.version, hasVoice });
      }
      const stored: StoredSeats = { incarnation, ringVersion: ring.version, seats };
      await this.#meta.put([asJson("seats", stored)]);
      this.#use(stored);
      for (const listener of this.#listeners) listener();
      this.#log.debug("took seats", { seats: seats.length, ringVersion: ring.version, hasVoice });
    });
  }

  #use(stored: StoredSeats): void {
    this.#stored = stored;
    this.#held = new Map(stored.seats.map((seat) => [seat.partition, seat]));
    this.#voicesOf = undefined;
  }
}
