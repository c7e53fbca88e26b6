/**
 * The successor's side of a hand-over (§4.9): copies while the holder still speaks, has it sealed, copies what came
 * since, and speaks once that is on its disk (`core/seats/record.ts` says why each step is needed).
 *
 * Most of the copying is done before the seal, pass by pass, until a pass finds little: then the silence is short.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import { hadIncarnation } from "../core/ring/superseded.ts";
import { decline, type HandOver, takeOver } from "../core/seats/record.ts";
import type { SeatSealed, TakeSeat } from "../wire/message.ts";
import { type Coordination, goneAfterMs, nameOf } from "./coordination.ts";
import type { PartitionCopies } from "./partition-copies.ts";
import type { SeatNews } from "./seat-news.ts";

/** Why a seat cannot pass on yet, and who it waits for. */
export interface Delay {
  readonly peer: NodeId | undefined;
  readonly why: string;
  /** It was asked, and will not. */
  readonly isRefusal?: true;
}

/** The holder is asked for its silence once a pass of copying has changed fewer keys than this. */
const fewKeys = 100;
const callTimeoutMs = 5000;
/** A successor that cannot finish gives the seat back after so long, in ms. */
const patienceMs = 20_000;

interface Sealed {
  readonly handOver: HandOver;
  readonly from: NodeId;
  readonly sinceMs: number;
}

export class HandOvers {
  readonly #node: Coordination;
  readonly #copies: PartitionCopies;
  readonly #news: SeatNews;
  readonly #incarnation: () => string;
  /** Seats that are sealed for this node. */
  readonly #sealed: Map<PartitionId, Sealed> = new Map();

  constructor(node: Coordination, copies: PartitionCopies, news: SeatNews, incarnation: () => string) {
    this.#node = node;
    this.#copies = copies;
    this.#news = news;
    this.#incarnation = incarnation;
  }

  /** Whether somebody has fallen silent for this node's sake. */
  get areAwaited(): boolean {
    return this.#sealed.size > 0;
  }

  /** The seat whose holder has fallen silent for this node's sake, if there is one. */
  awaited(partition: PartitionId): { readonly seat: number; readonly from: NodeId } | undefined {
    const sealed = this.#sealed.get(partition);
    return sealed === undefined ? undefined : { seat: sealed.handOver.seat, from: sealed.from };
  }

  /** A holder says that it has sealed a seat for this node. */
  hear({ partition, handOver }: SeatSealed, from: NodeId): void {
    const { to } = handOver;
    if (to.node !== this.#node.self || !this.#isMine(to.incarnation)) return;
    // A partition that the ring has not is never looked at, and this node would wait for it before it ends.
    if (partition >= this.#node.seats.partitions.length) return;
    const known = this.#sealed.get(partition);
    if (known?.handOver.epoch === handOver.epoch && known.handOver.seat === handOver.seat) return;
    this.#sealed.set(partition, { handOver, from, sinceMs: this.#node.runtime.clock.monotonicMs() });
  }

  /** Whether it is this directory that is meant: by an earlier name of its own it takes nothing, and only says so. */
  #isMine(incarnation: string): boolean {
    const own = this.#incarnation();
    if (incarnation === own) return true;
    const { self } = this.#node;
    const ring = this.#node.ring();
    return ring.members.get(self)?.incarnation === own && hadIncarnation(ring, self, incarnation);
  }

  /** Takes the seat from its holder. Undefined once it is this node's. Rejects with `StorageError`. */
  async take(partition: PartitionId, seat: number, holder: NodeId): Promise<Delay | undefined> {
    if (!this.#node.isUp(holder)) return this.#unreachable(holder);
    for (;;) {
      const copied = await this.#copies.copy(partition, holder);
      if (copied.kind !== "whole") return { peer: holder, why: copied.why };
      if (copied.keys < fewKeys) break;
    }
    const delay = await this.#ask(partition, seat, holder);
    return delay ?? this.finish(partition);
  }

  /** Tells a holder that others have fenced its seat: it is to rebuild that before it can give it to anybody. */
  async awaitRebuild(partition: PartitionId, holder: NodeId): Promise<Delay> {
    if (!this.#node.isUp(holder)) return this.#unreachable(holder);
    this.#news.tell(partition, [holder]);
    return { peer: holder, why: "rebuilds its seat first, which others have begun to" };
  }

  #unreachable(holder: NodeId): Delay {
    const { peers, ring } = this.#node;
    if (ring().members.has(holder)) return { peer: holder, why: "cannot be reached" };
    peers.knock(holder);
    const why = `was removed; unless it answers within ${goneAfterMs / 1000} s, others rebuild what it held`;
    return { peer: holder, why };
  }

  /** Takes what is sealed for this node, or gives it back. Rejects with `StorageError`. */
  async finish(partition: PartitionId): Promise<Delay | undefined> {
    const sealed = this.#sealed.get(partition);
    if (sealed === undefined) return undefined;
    const { handOver, from, sinceMs } = sealed;
    const { seats, runtime } = this.#node;
    seats.learn(partition, handOver.known);
    const isForNow = handOver.to.incarnation === this.#incarnation();
    if (!isForNow || takeOver(seats.record(partition), handOver) === undefined)
      return this.#giveBack(partition, sealed);
    const copied = await this.#copies.copyTail(partition, from);
    if (copied.kind !== "whole") {
      const isLate = copied.kind === "partial" && runtime.clock.monotonicMs() - sinceMs > patienceMs;
      const isHopeless = isLate || this.#node.isGone(from);
      return isHopeless ? this.#giveBack(partition, sealed) : { peer: from, why: copied.why };
    }
    // It must have been silent all the while.
    const delay = await this.#ask(partition, handOver.seat, from);
    if (delay !== undefined) {
      // One whose disk was lost holds nothing for this node any more, and would never say so. One that does says it again.
      if (delay.isRefusal === true && this.#sealed.get(partition) === sealed) this.#sealed.delete(partition);
      return delay;
    }
    if (this.#sealed.get(partition)?.handOver.epoch !== handOver.epoch) return { peer: from, why: "began anew" };
    const taken = await seats.commit(partition, (record) => takeOver(record, handOver));
    if (taken === undefined) return { peer: undefined, why: "this node cannot store it" };
    this.#sealed.delete(partition);
    this.#news.tell(partition, [from]);
    return undefined;
  }

  /** Gives back what is sealed for this node, which may take nothing any more. */
  async giveBack(partition: PartitionId): Promise<Delay | undefined> {
    const sealed = this.#sealed.get(partition);
    if (sealed === undefined) return undefined;
    this.#node.seats.learn(partition, sealed.handOver.known);
    return this.#giveBack(partition, sealed);
  }

  async #giveBack(partition: PartitionId, { handOver, from }: Sealed): Promise<Delay | undefined> {
    const { seats } = this.#node;
    const mayDecline = decline(seats.record(partition), handOver) !== undefined;
    if (mayDecline && (await seats.commit(partition, (record) => decline(record, handOver))) === undefined) {
      return { peer: undefined, why: "this node cannot store that it gives the seat back" };
    }
    this.#sealed.delete(partition);
    this.#news.tell(partition, [from]);
    return undefined;
  }

  async #ask(partition: PartitionId, seat: number, holder: NodeId): Promise<Delay | undefined> {
    const { peers, seats, ring } = this.#node;
    const request: TakeSeat = { kind: "take-seat", id: 0, partition, seat, incarnation: this.#incarnation() };
    const answer = await peers.ask(holder, request, callTimeoutMs);
    if (answer.kind === "seat-sealed" && answer.partition === partition) {
      this.hear(answer, holder);
      return undefined;
    }
    if (answer.kind !== "refusal") return { peer: holder, why: "does not answer" };
    if (answer.known !== undefined) seats.learn(partition, answer.known);
    return { peer: holder, why: `keeps it: ${answer.detail || nameOf(ring(), holder)}`, isRefusal: true };
  }
}
