/**
 * Answers what other nodes ask about seats: a successor for this node's silence, a rebuilder for its fence, a holder
 * whether a rebuild goes on, and anybody for what this node knows.
 *
 * Invariant: what an answer says that this node has decided is on its disk.
 */

import type { PartitionId } from "../core/ids.ts";
import { wantedOwners } from "../core/seats/bucket-seats.ts";
import { allChanges } from "../core/seats/filled.ts";
import { knownSeat } from "../core/seats/known.ts";
import { grantRebuild, isAnothers, isStanding } from "../core/seats/rebuild.ts";
import { handOverOf, type SeatRecord, seal } from "../core/seats/record.ts";
import type { Requester } from "../rpc/server.ts";
import type { TaskGroup } from "../runtime/task-group.ts";
import type {
  Answer,
  CompareSeats,
  FenceSeat,
  FillSeat,
  RebuildInquiry,
  SeatSealed,
  SeatsTold,
  TakeSeat,
} from "../wire/message.ts";
import { type Coordination, refusal } from "./coordination.ts";
import { promisedElsewhere, promisedToAnother } from "./rebuild.ts";
import type { SeatNews } from "./seat-news.ts";
import type { Transfer } from "./transfer.ts";

export type SeatRequest = TakeSeat | SeatSealed | FenceSeat | FillSeat | RebuildInquiry | CompareSeats | SeatsTold;

export class SeatService {
  readonly #node: Coordination;
  readonly #news: SeatNews;
  readonly #transfer: Transfer;
  readonly #tasks: TaskGroup;

  constructor(node: Coordination, news: SeatNews, transfer: Transfer, tasks: TaskGroup) {
    this.#node = node;
    this.#news = news;
    this.#transfer = transfer;
    this.#tasks = tasks;
  }

  serve(request: SeatRequest, from: Requester): void {
    switch (request.kind) {
      case "take-seat":
        return this.#tasks.run("sealing a seat", async () => from.reply(await this.#seal(request, from), request.id));
      case "fence-seat":
        return this.#tasks.run("fencing a seat", async () => from.reply(await this.#fence(request, from), request.id));
      case "fill-seat":
        return from.reply(this.#fill(request, from), request.id);
      case "seat-sealed":
        this.#transfer.hearSealed(request, from.hello.node);
        return from.reply({ kind: "done", id: request.id }, request.id);
      case "rebuild-inquiry": {
        const { id, partition, seat, epoch } = request;
        const isUnderWay = this.#transfer.isRebuilding(partition, seat, epoch);
        const known = this.#node.seats.known(partition);
        return from.reply({ kind: "rebuild-state", id, isUnderWay, known }, id);
      }
      case "compare-seats":
        return from.reply(this.#news.answer(request), request.id);
      case "seats-told":
        this.#news.take(request);
        return from.reply({ kind: "done", id: request.id }, request.id);
    }
  }

  async #seal({ id, partition, seat, incarnation }: TakeSeat, from: Requester): Promise<Answer> {
    const node = this.#node;
    const to = { node: from.hello.node, incarnation };
    if (node.seats.hold(partition).kind !== "sealed") {
      // As this node knows the ring, it is to keep what it has.
      if (wantedOwners(node.ring(), partition).includes(node.self)) {
        return this.#refuse(id, partition, "the ring that it knows wants it to hold the seat");
      }
      if (node.damaged.isIn(partition)) return this.#refuse(id, partition, "it has a damaged record there");
    }
    const sealed = await node.seats.change(partition, (record) => {
      const hold = record.hold.kind;
      return hold === "sealed" || hold === "active" ? seal(record, seat, to) : undefined;
    });
    const handOver = sealed && handOverOf(sealed);
    if (handOver === undefined)
      return this.#refuse(id, partition, "it does not hold the seat, or must keep it for now");
    return { kind: "seat-sealed", id, partition, handOver };
  }

  async #fence({ id, partition, seat, epoch }: FenceSeat, from: Requester): Promise<Answer> {
    const by = from.hello.node;
    const { seats } = this.#node;
    const before = seats.record(partition);
    if (isAnothers(before, seat, by, (node) => this.#node.isGone(node))) {
      return this.#refuse(id, partition, promisedToAnother);
    }
    const isElsewhere = isStanding(before) && before.grant?.seat !== seat;
    const granted = await seats.change(partition, (record) => {
      const after = grantRebuild(record, seat, epoch, by);
      return after !== undefined && isSamePromise(record, after, seat) ? record : after;
    });
    // Not the one of before: while its promise went to the disk it may have sealed the seat.
    const voice = seats.voiceIn(partition);
    if (granted === undefined || voice === undefined) {
      return this.#refuse(id, partition, isElsewhere ? promisedElsewhere : "it has no voice there, or knows better");
    }
    return { kind: "seat-fenced", id, voice, known: granted.known };
  }

  /** Changes of n are on this node's disk before it knows them. */
  #fill({ id, partition, changes }: FillSeat, from: Requester): Answer {
    const { seats, ring } = this.#node;
    const { eras, version } = ring();
    const known = seats.known(partition);
    if (allChanges(eras).hash !== changes) {
      this.#node.ringDiffers(from.hello.node);
      return { ...refusal(version, "stale-ring", "it knows other changes of n", { known }), id };
    }
    const voice = seats.voiceIn(partition);
    if (voice === undefined) return this.#refuse(id, partition, "it has no voice there");
    return { kind: "seat-fenced", id, voice, known };
  }

  #refuse(id: number, partition: PartitionId, why: string): Answer {
    const { ring, seats } = this.#node;
    return { ...refusal(ring().version, "not-ready", why, { known: seats.known(partition) }), id };
  }
}

/** Whether the same was granted before: there is nothing to store. */
function isSamePromise(before: SeatRecord, after: SeatRecord, seat: number): boolean {
  const isSameFence = knownSeat(before.known, seat).fence === knownSeat(after.known, seat).fence;
  return isSameFence && before.grant?.epoch === after.grant?.epoch && before.grant?.seat === after.grant?.seat;
}
