/**
 * The voices of this node: for which seats its answers count.
 *
 * The ring says who shall hold a seat; only who holds all that was acknowledged in it may speak for it. There are two
 * ways to come by a voice: the seat was given while every member vouched that there was nothing to hold (see
 * `placement-change.ts`), and this directory has been the member's ever since; or the directory was lost, and what
 * took its place has copied every other owner (`rebuild.ts`). Until then such a node keeps its seats in the ring and
 * has no voice in any of them: its "nothing" would be counted against what the others know.
 *
 * Invariant: a voice is on disk before it is used.
 */

import type { PartitionId } from "../core/ids.ts";
import { mostCopies } from "../core/limits.ts";
import type { Voice } from "../core/quorum/voice.ts";
import { copiesInUse, ownersOf, seatOf } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { Log } from "../runtime/log.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { TurnTaking } from "../runtime/turn-taking.ts";
import { isDiskFull } from "../storage/engine.ts";
import type { MetaStore } from "../storage/meta-store.ts";
import type { Membership } from "./membership.ts";
import { asJson, readJson } from "./membership-store.ts";

/** One seat that this node holds. */
interface HeldSeat {
  readonly partition: number;
  readonly seat: number;
  /** The ring version with which the seat, or the voice in it, came to this node. */
  readonly epoch: number;
  /** It speaks for the keys of buckets of up to so many copies; 0 where it has no voice. */
  readonly copies: number;
}

interface StoredSeats {
  readonly incarnation: string;
  /** The ring version they follow. */
  readonly ringVersion: number;
  /** Those of the ring's table, and behind them those among the fallbacks that were rebuilt. */
  readonly seats: readonly HeldSeat[];
}

/** What a rebuild brought back: by partition, the number of copies up to which all is there. */
export type Rebuilt = ReadonlyMap<PartitionId, number>;

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
      if (history) this.#tasks.run("storing the seats", () => this.follow());
    });
  }

  /** Reads what is stored and follows the ring; for members only. Rejects with `StorageError`. */
  async open(): Promise<void> {
    const stored = readJson(this.#meta, "seats") as StoredSeats | undefined;
    if (stored?.incarnation === this.#membership.incarnation) this.#use(stored);
    await this.follow();
  }

  /**
   * Takes what the ring gives now. On a full disk what is stored stays in force, and nothing new is vouched for until
   * this is called again. Rejects with `StorageError`.
   */
  async follow(): Promise<void> {
    try {
      await this.#follow();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#log.debug("the seats cannot be stored yet", { error: error.message });
    }
  }

  /** Calls the listener each time the seats, their voices, or the ring version they follow, are others. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves when nothing is being stored any more. */
  stop(): Promise<void> {
    return this.#tasks.close();
  }

  /** How many seats of the ring's table this node speaks for, and how many it holds. */
  get count(): { readonly voices: number; readonly seats: number } {
    if (!this.#membership.isMember) return { voices: 0, seats: 0 };
    const { ring } = this.#membership;
    const table = this.#stored.seats.filter(({ partition, seat }) => seat < (ring.seats[partition]?.length ?? 0));
    return { voices: table.filter(({ copies }) => copies > 0).length, seats: table.length };
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
    if (member?.incarnation !== incarnation) return undefined;
    const seat = seatOf(ring, partition, n, self);
    if (seat === undefined) return undefined;
    const held = this.#held.get(partition);
    if (held !== undefined) return held.seat === seat && n <= held.copies ? { seat, epoch: held.epoch } : undefined;
    const isInTable = seat < (ring.seats[partition]?.length ?? 0);
    if (!member.founding || isInTable || this.#stored.ringVersion !== ring.version) return undefined;
    // A bucket of more copies than the ring has seats: the place among the fallbacks is as old as the ring's version.
    return { seat, epoch: ring.version };
  }

  /** The partitions in which this node lacks its voice for some bucket, since its directory was lost. */
  lacking(): readonly PartitionId[] {
    const { ring, self, incarnation } = this.#membership;
    const member = ring.members.get(self);
    if (member?.incarnation !== incarnation || member.founding) return [];
    const most = Math.max(...copiesInUse(ring));
    const partitions = ring.seats.map((_, partition) => partition as PartitionId);
    return partitions.filter((partition) => {
      return ownersOf(ring, partition, most).includes(self) && this.voice(partition, most) === undefined;
    });
  }

  /**
   * Takes the voices that a rebuild under this ring earned; they are on disk, and in use, when it resolves. Nothing
   * happens where the ring or this node's incarnation is another meanwhile. Rejects with `StorageError`.
   */
  take(rebuilt: Rebuilt, ring: Ring): Promise<void> {
    return this.#turns.run(async () => {
      const { self, incarnation, ring: now } = this.#membership;
      if (now.version !== ring.version || this.#stored.ringVersion !== ring.version) return;
      if (ring.members.get(self)?.incarnation !== incarnation || this.#stored.incarnation !== incarnation) return;
      const seats = new Map(this.#held);
      for (const [partition, copies] of rebuilt) {
        const seat = seatOf(ring, partition, copies, self);
        if (seat !== undefined) seats.set(partition, { partition, seat, epoch: ring.version, copies });
      }
      await this.#store({ ...this.#stored, seats: [...seats.values()] });
    });
  }

  /** Stores what the ring gives now. A seat that stays keeps its epoch and its voice. */
  #follow(): Promise<void> {
    return this.#turns.run(async () => {
      const { ring, self, incarnation } = this.#membership;
      if (this.#stored.ringVersion === ring.version && this.#stored.incarnation === incarnation) return;
      const member = ring.members.get(self);
      const copies = member?.incarnation === incarnation && member.founding ? mostCopies : 0;
      const seats: HeldSeat[] = [];
      for (const [partition, holders] of ring.seats.entries()) {
        const seat = holders.indexOf(self);
        const held = this.#held.get(partition);
        if (seat >= 0) seats.push(held?.seat === seat ? held : { partition, seat, epoch: ring.version, copies });
        else if (held !== undefined && isStillAmongFallbacks(ring, held, self)) seats.push(held);
      }
      await this.#store({ incarnation, ringVersion: ring.version, seats });
      this.#log.debug("took seats", { ...this.count, ringVersion: ring.version });
    });
  }

  async #store(stored: StoredSeats): Promise<void> {
    await this.#meta.put([asJson("seats", stored)]);
    this.#use(stored);
    for (const listener of this.#listeners) listener();
  }

  #use(stored: StoredSeats): void {
    this.#stored = stored;
    this.#held = new Map(stored.seats.map((seat) => [seat.partition, seat]));
    this.#voicesOf = undefined;
  }
}

/** Whether a place behind the ring's seats is this node's still: a voice in another one would not be. */
function isStillAmongFallbacks(ring: Ring, { partition, seat, copies }: HeldSeat, self: Membership["self"]): boolean {
  return copies > 0 && seatOf(ring, partition as PartitionId, copies, self) === seat;
}
