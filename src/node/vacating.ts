/**
 * Vacates seats that nobody is to have, since members have become fewer than seats (`core/seats/vacate.ts` says what must
 * hold): a member that leaves its own, and the first holder of another seat one that is lost.
 *
 * As for a hand-over, nearly all is given before the seat falls silent. Only partitions whose seats serve every bucket are
 * vacated: where a bucket keeps fewer copies than there are seats, another seat would have to serve it from then on,
 * which has nothing of it.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import type { Voice } from "../core/quorum/voice.ts";
import { wantedOwners } from "../core/seats/bucket-seats.ts";
import { allChanges } from "../core/seats/filled.ts";
import { isVacant, knownSeat } from "../core/seats/known.ts";
import { voiceOf } from "../core/seats/record.ts";
import {
  beginVacating,
  finishVacating,
  type Given,
  giveUpVacating,
  goOn,
  isForNobody,
  mayVacate,
  type Sight,
  sealForNobody,
  seatsToGive,
  seatToVacate,
  vacate,
} from "../core/seats/vacate.ts";
import { surplusSeats } from "../core/seats/wanted.ts";
import { type Coordination, nameOf } from "./coordination.ts";
import type { Delay } from "./hand-over.ts";
import { isSameVoice, voiceOfHolder } from "./holder-voice.ts";
import type { PartitionCopies } from "./partition-copies.ts";
import type { Fencing, Rebuilds } from "./rebuild.ts";
import type { SeatNews } from "./seat-news.ts";

/** A seat that was sealed for nobody speaks again if it cannot be vacated within this, in ms. */
const patienceMs = 20_000;
/** After one that was given up the next try waits, in ms: up to this, drawn by chance. */
const pauseMs = 2000;

/** A seat to vacate, and whose it was. */
export interface ToVacate {
  readonly seat: number;
  readonly from: NodeId | undefined;
  /** It is silent until that is done. */
  readonly isUrgent?: true;
  readonly act: () => Promise<Delay | undefined>;
}

/** Another seat, and who has it, if anybody. */
interface Beside {
  readonly seat: number;
  readonly holder: NodeId | undefined;
}

/** One whose holder can be had. */
interface Other extends Beside {
  readonly holder: NodeId;
}

export class Vacating {
  readonly #node: Coordination;
  readonly #copies: PartitionCopies;
  readonly #rebuilds: Rebuilds;
  readonly #news: SeatNews;
  readonly #sight: Sight;
  /** Lost seats that this node has had fenced, to vacate them. */
  readonly #underWay: Map<PartitionId, Fencing> = new Map();
  readonly #sealedMs: Map<PartitionId, number> = new Map();
  readonly #notBeforeMs: Map<PartitionId, number> = new Map();

  constructor(node: Coordination, copies: PartitionCopies, rebuilds: Rebuilds, news: SeatNews) {
    this.#node = node;
    this.#copies = copies;
    this.#rebuilds = rebuilds;
    this.#news = news;
    this.#sight = {
      isUp: (holder) => node.isUp(holder),
      isLost: (holder) => holder === undefined || node.isGone(holder),
    };
  }

  /** Whether this node has had that seat fenced, to vacate it. */
  isUnderWay(partition: PartitionId, seat: number, epoch: number): boolean {
    const fencing = this.#underWay.get(partition);
    return fencing?.seat === seat && fencing.epoch === epoch;
  }

  /** What this node has to do about seats that nobody is to have; undefined where that is nothing. */
  next(partition: PartitionId): ToVacate | undefined {
    const { seats, ring, self } = this.#node;
    const { hold, known } = seats.record(partition);
    if (hold.kind === "sealed" && isForNobody(hold, self)) {
      return { seat: hold.seat, from: self, isUrgent: true, act: () => this.#finishOwn(partition) };
    }
    const seat = seatToVacate(seats.record(partition), self, wantedOwners(ring(), partition), this.#sight);
    if (seat === undefined) return undefined;
    if ("seat" in hold && hold.seat === seat) return { seat, from: self, act: () => this.#vacateOwn(partition, seat) };
    return { seat, from: knownSeat(known, seat).holder, act: () => this.#vacateLost(partition, seat) };
  }

  /**
   * Whether there is a lost seat that this node could vacate by force: not where another seat would have to serve keys
   * from then on that it never kept, and that its holder has no copy of.
   */
  isToForce(partition: PartitionId): boolean {
    if (voiceOf(this.#node.seats.record(partition)) === undefined) return false;
    const lost = this.#lostSeat(partition);
    return lost !== undefined && this.#reasonToWait(partition, lost) === undefined;
  }

  /**
   * Does without the copies of those who are down, or have no voice; who that is is told to `without`. Rejects with
   * `StorageError`.
   */
  async force(partition: PartitionId, without: (name: string) => void): Promise<Delay | undefined> {
    const lost = this.#lostSeat(partition);
    return lost === undefined ? undefined : this.#vacateLost(partition, lost, without);
  }

  #lostSeat(partition: PartitionId): number | undefined {
    const { seats, ring } = this.#node;
    const known = seats.known(partition);
    const surplus = surplusSeats(wantedOwners(ring(), partition), known);
    return surplus.find((seat) => this.#sight.isLost(knownSeat(known, seat).holder));
  }

  async #vacateOwn(partition: PartitionId, seat: number): Promise<Delay | undefined> {
    const { seats, self, runtime } = this.#node;
    const wait = this.#reasonToWait(partition, seat) ?? this.#pause(partition);
    if (wait !== undefined) return wait;
    const given = await this.#give(partition, this.#others(partition, seat));
    if ("why" in given) return given;
    const sealed = await seats.change(partition, (record) => sealForNobody(record, self));
    if (sealed === undefined) return { peer: undefined, why: "this node helps to rebuild another seat first" };
    this.#sealedMs.set(partition, runtime.clock.monotonicMs());
    return this.#finishOwn(partition);
  }

  /** Gives away what came before the seal; or the seat speaks again. */
  async #finishOwn(partition: PartitionId): Promise<Delay | undefined> {
    const { seats, self, ring } = this.#node;
    const { hold } = seats.record(partition);
    if (hold.kind !== "sealed") return undefined;
    const given = await this.#give(partition, this.#others(partition, hold.seat));
    let delay: Delay | undefined = { peer: undefined, why: "another seat has passed on meanwhile" };
    if ("why" in given) delay = given;
    else if (await seats.commit(partition, (record) => vacate(record, self, given, ring().copies))) delay = undefined;
    if (delay !== undefined) {
      if (this.#isPatient(partition)) return delay;
      if (!(await seats.commit(partition, (record) => goOn(record, self)))) {
        return { peer: undefined, why: "this node cannot store it" };
      }
      this.#rest(partition);
    }
    this.#sealedMs.delete(partition);
    this.#news.tell(partition, []);
    return delay;
  }

  /** After a restart the seal is as old as the process. */
  #isPatient(partition: PartitionId): boolean {
    const nowMs = this.#node.runtime.clock.monotonicMs();
    const sealedMs = this.#sealedMs.get(partition) ?? nowMs;
    this.#sealedMs.set(partition, sealedMs);
    return nowMs - sealedMs < patienceMs;
  }

  async #vacateLost(
    partition: PartitionId,
    seat: number,
    without?: (name: string) => void,
  ): Promise<Delay | undefined> {
    const { seats, self } = this.#node;
    const wait = this.#reasonToWait(partition, seat);
    if (wait !== undefined) return wait;
    if (without === undefined) {
      const delay = this.#pause(partition) ?? (await this.#take(partition, this.#others(partition, seat)));
      if (delay !== undefined) return delay;
    }
    const begun = await seats.change(partition, (record) => beginVacating(record, seat, self, this.#sight));
    if (begun?.grant === undefined) return { peer: undefined, why: "this node helps to rebuild another seat first" };
    const fencing: Fencing = { seat, epoch: begun.grant.epoch };
    this.#underWay.set(partition, fencing);
    try {
      const delay = await this.#shareAndFinish(partition, fencing, without);
      if (delay === undefined) {
        this.#news.tell(partition, []);
        return undefined;
      }
      await seats.change(partition, (record) => giveUpVacating(record, self));
      this.#rest(partition);
      return delay;
    } finally {
      this.#underWay.delete(partition);
    }
  }

  /** All others have fenced it, and been copied since; then each of them has what all have. */
  async #shareAndFinish(
    partition: PartitionId,
    fencing: Fencing,
    without: ((name: string) => void) | undefined,
  ): Promise<Delay | undefined> {
    const { seats, ring, self } = this.#node;
    const voice = voiceOf(seats.record(partition));
    if (voice === undefined) return { peer: undefined, why: "this node does not speak any more" };
    const reached: Other[] = [];
    const missing: Beside[] = [];
    for (const other of this.#seatsBeside(partition, fencing.seat)) {
      const { holder } = other;
      if (without !== undefined && (holder === undefined || !this.#node.isUp(holder))) {
        missing.push(other);
        continue;
      }
      const delay = await this.#fenceAndTake(partition, fencing, voice.seat, other);
      if (delay !== undefined) return delay;
      if (holder !== undefined) reached.push({ ...other, holder });
    }
    const given = await this.#give(partition, reached);
    if ("why" in given) return given;
    const left = missing.map(({ seat }) => seat);
    const done = await seats.commit(partition, (record) => finishVacating(record, self, given, ring().copies, left));
    if (done === undefined) {
      return { peer: undefined, why: "another seat has passed on meanwhile, or this node cannot store it" };
    }
    for (const { holder } of missing) if (holder !== undefined) without?.(nameOf(ring(), holder));
    return undefined;
  }

  async #fenceAndTake(
    partition: PartitionId,
    fencing: Fencing,
    ownSeat: number,
    { seat, holder }: Beside,
  ): Promise<Delay | undefined> {
    if (holder === undefined) return { peer: undefined, why: "another seat has no voice, either" };
    if (!this.#node.isUp(holder)) return { peer: holder, why: "cannot be reached" };
    const fenced = await this.#rebuilds.fence(partition, fencing, holder);
    if ("why" in fenced) return fenced;
    if (fenced.seat !== seat) return { peer: holder, why: "has another seat by now" };
    const copied = await this.#copies.copyTail(partition, holder, ownSeat);
    if (copied.kind !== "whole") return { peer: holder, why: copied.why };
    const still = await this.#rebuilds.fence(partition, fencing, holder);
    if ("why" in still) return still;
    return isSameVoice(still, fenced) ? undefined : { peer: holder, why: "has another seat by now" };
  }

  #reasonToWait(partition: PartitionId, seat: number): Delay | undefined {
    const { seats, ring } = this.#node;
    const known = seats.known(partition);
    if (mayVacate(known, seat, ring().copies)) return undefined;
    const there = known.filter((_, other) => !isVacant(known, other)).length;
    return { peer: undefined, why: `members are too few for ${there} copies, and a bucket keeps fewer` };
  }

  /** Others may need the same holders meanwhile. */
  #rest(partition: PartitionId): void {
    const { clock, random } = this.#node.runtime;
    this.#notBeforeMs.set(partition, clock.monotonicMs() + random.below(pauseMs));
  }

  #pause(partition: PartitionId): Delay | undefined {
    const isOver = this.#node.runtime.clock.monotonicMs() >= (this.#notBeforeMs.get(partition) ?? 0);
    return isOver ? undefined : { peer: undefined, why: "tries again soon" };
  }

  /** Every seat there is but this one and the node's own, with its holder, if it has one. */
  #seatsBeside(partition: PartitionId, vacated: number): readonly Beside[] {
    const record = this.#node.seats.record(partition);
    return seatsToGive(record, vacated).map((seat) => ({ seat, holder: knownSeat(record.known, seat).holder }));
  }

  /** The same, or the reason why one of them cannot be had. */
  #others(partition: PartitionId, vacated: number): readonly Other[] | Delay {
    const others: Other[] = [];
    for (const { seat, holder } of this.#seatsBeside(partition, vacated)) {
      if (holder === undefined) return { peer: undefined, why: "another seat has no voice, either" };
      if (!this.#node.isUp(holder)) return { peer: holder, why: "cannot be reached" };
      others.push({ seat, holder });
    }
    return others;
  }

  /** Copies all of the others' holders. */
  async #take(partition: PartitionId, others: readonly Other[] | Delay): Promise<Delay | undefined> {
    if ("why" in others) return others;
    const own = voiceOf(this.#node.seats.record(partition));
    for (const { holder } of own === undefined ? [] : others) {
      const copied = await this.#copies.copy(partition, holder, (own as { readonly seat: number }).seat);
      if (copied.kind !== "whole") return { peer: holder, why: copied.why };
    }
    return undefined;
  }

  /** Has all of the others' holders merge what this node has; the voices that they had all the while. */
  async #give(partition: PartitionId, others: readonly Other[] | Delay): Promise<Given | Delay> {
    if ("why" in others) return others;
    const given = new Map<number, Voice>();
    for (const { seat, holder } of others) {
      const voice = await this.#giveOne(partition, holder);
      if ("why" in voice) return voice;
      if (voice.seat !== seat) return { peer: holder, why: "has another seat by now" };
      given.set(seat, voice);
    }
    return given;
  }

  async #giveOne(partition: PartitionId, holder: NodeId): Promise<Voice | Delay> {
    const { hash: changes } = allChanges(this.#node.ring().eras);
    const before = await voiceOfHolder(this.#node, partition, holder, changes);
    if ("why" in before) return before;
    if (!(await this.#copies.push(partition, holder))) return { peer: holder, why: "has not merged all of it" };
    const after = await voiceOfHolder(this.#node, partition, holder, changes);
    if ("why" in after) return after;
    return isSameVoice(before, after) ? after : { peer: holder, why: "has another seat by now" };
  }
}
