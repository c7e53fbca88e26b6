/**
 * What this node has to do in a partition for seats to come to those who shall hold them. It follows from the record of
 * the partition and the ring alone, so that a process that was stopped anywhere goes on where it was.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import { wantedOwners } from "../core/seats/bucket-seats.ts";
import { isBeingRebuilt, knownSeat } from "../core/seats/known.ts";
import { isForNobody } from "../core/seats/vacate.ts";
import { seatToTake } from "../core/seats/wanted.ts";
import type { TransferView } from "./api.ts";
import type { Coordination } from "./coordination.ts";
import type { Fillings } from "./fillings.ts";
import type { Delay, HandOvers } from "./hand-over.ts";
import type { PartitionCopies } from "./partition-copies.ts";
import type { PendingSeats } from "./pending-seats.ts";
import type { Rebuilds } from "./rebuild.ts";
import type { SeatUpkeep } from "./seat-upkeep.ts";
import type { Surplus } from "./surplus.ts";
import type { Vacating } from "./vacating.ts";

/** Something to do in one partition. */
export interface Task {
  readonly what: TransferView["kind"];
  /** Undefined where it is about a copy that is no seat's. */
  readonly seat: number | undefined;
  /** Who has it now, and who is to have it; undefined where that is all others, or nobody. */
  readonly from: NodeId | undefined;
  readonly to: NodeId | undefined;
  /** A seat is silent until it is done. */
  readonly isUrgent?: true;
  readonly act: () => Promise<Delay | undefined>;
}

/** Whether it brings a seat here. */
export function isTaking(what: Task["what"]): boolean {
  return what === "hand-over" || what === "rebuild";
}

export interface TransferParts {
  readonly copies: PartitionCopies;
  readonly handOvers: HandOvers;
  readonly rebuilds: Rebuilds;
  readonly fillings: Fillings;
  readonly vacating: Vacating;
  readonly upkeep: SeatUpkeep;
  readonly surplus: Surplus;
  readonly pending: PendingSeats;
}

export class TransferTasks {
  readonly #node: Coordination;
  readonly #parts: TransferParts;

  constructor(node: Coordination, parts: TransferParts) {
    this.#node = node;
    this.#parts = parts;
  }

  /** What this node has to do in the partition. */
  next(partition: PartitionId): Task | undefined {
    const { handOvers, fillings, upkeep, vacating, surplus } = this.#parts;
    const { seats, self, ring } = this.#node;
    const { hold, known } = seats.record(partition);
    if (!ring().members.has(self)) return this.#ofOneRemoved(partition);
    const awaited = handOvers.awaited(partition);
    if (awaited !== undefined) {
      const act = (): Promise<Delay | undefined> => handOvers.finish(partition);
      return { what: "hand-over", ...awaited, to: self, isUrgent: true, act };
    }
    if (fillings.mayGoOn(partition)) return this.#fill(partition);
    const vacate = vacating.next(partition);
    if (vacate !== undefined) return { what: "vacate", ...vacate, to: undefined };
    if (hold.kind === "sealed") {
      const act = (): Promise<Delay | undefined> => upkeep.remind(partition);
      return { what: "reminder", seat: hold.seat, from: self, to: hold.to.node, act };
    }
    const lost = this.seatToRebuild(partition);
    if (lost !== undefined) {
      const act = (): Promise<Delay | undefined> => this.#rebuild(partition, lost);
      return { what: "rebuild", seat: lost, from: undefined, to: self, act };
    }
    const seat = seatToTake(self, hold, wantedOwners(ring(), partition), known);
    const holder = seat === undefined ? undefined : knownSeat(known, seat).holder;
    if (seat !== undefined && holder !== undefined) {
      const isFenced = isBeingRebuilt(known, seat);
      const act = (): Promise<Delay | undefined> => {
        return isFenced ? handOvers.awaitRebuild(partition, holder) : handOvers.take(partition, seat, holder);
      };
      return { what: "hand-over", seat, from: holder, to: self, act };
    }
    const own = { seat: undefined, from: self, to: undefined };
    if (hold.kind === "former") {
      const act = (): Promise<Delay | undefined> => upkeep.handBack(partition);
      return { what: "hand-back", ...own, act };
    }
    if (fillings.isLeft(partition)) return this.#fill(partition);
    const n = surplus.find(partition);
    if (n !== undefined) return { what: "hand-back", ...own, act: () => surplus.shed(partition, n) };
    const isLeft = hold.kind === "none" && known.length > 0 && upkeep.mayHold(partition);
    return isLeft ? { what: "drop", ...own, act: () => upkeep.drop(partition) } : undefined;
  }

  /** A seat that it speaks for is to be filled anew, since a bucket's n has changed. */
  #fill(partition: PartitionId): Task {
    const { self, seats } = this.#node;
    const act = (): Promise<Delay | undefined> => this.#parts.fillings.fill(partition);
    return { what: "fill", seat: seats.voiceIn(partition)?.seat, from: undefined, to: self, act };
  }

  /** It gives away what it holds, and takes nothing: not even what was sealed for it before its holder knew. */
  #ofOneRemoved(partition: PartitionId): Task | undefined {
    const { handOvers, upkeep, rebuilds } = this.#parts;
    const { self, seats } = this.#node;
    const awaited = handOvers.awaited(partition);
    if (awaited !== undefined) {
      const act = (): Promise<Delay | undefined> => handOvers.giveBack(partition);
      return { what: "hand-over", ...awaited, to: self, isUrgent: true, act };
    }
    const hold = seats.hold(partition);
    if (hold.kind === "sealed" && !isForNobody(hold, self)) {
      const act = (): Promise<Delay | undefined> => upkeep.remind(partition);
      return { what: "reminder", seat: hold.seat, from: self, to: hold.to.node, act };
    }
    if (hold.kind !== "rebuilding") return undefined;
    const act = (): Promise<Delay | undefined> => rebuilds.giveUp(partition);
    return { what: "rebuild", seat: hold.seat, from: undefined, to: self, act };
  }

  /** The seat that this node has to rebuild, or rebuilds; undefined where it is to take none, or from its holder. */
  seatToRebuild(partition: PartitionId): number | undefined {
    const { seats, self, ring } = this.#node;
    const { hold, known } = seats.record(partition);
    if (hold.kind === "rebuilding") return hold.seat;
    // Of a partition of which it has not heard at all it knows nothing to do.
    if (known.length === 0) return undefined;
    const seat = seatToTake(self, hold, wantedOwners(ring(), partition), known);
    if (seat === undefined) return undefined;
    const { holder } = knownSeat(known, seat);
    if (holder === undefined || hold.kind === "active" || this.#node.isGone(holder)) return seat;
    // One that speaks, and that a rebuild has fenced which is over, rebuilds its own seat: in its place nobody may, or
    // reads of it alone would miss what the others count without it. One that was removed says nothing any more; one of
    // whose joining this node has not heard does.
    return isBeingRebuilt(known, seat) && ring().removed.has(holder) ? seat : undefined;
  }

  async #rebuild(partition: PartitionId, seat: number): Promise<Delay | undefined> {
    const { seats } = this.#node;
    if (seats.hold(partition).kind === "none") {
      // In the place of the one that is lost, or was never there, it takes writes already: somebody with a voice will
      // merge them.
      await seats.change(partition, (record) => ({ ...record, hold: { kind: "former" } }));
    }
    return this.#parts.rebuilds.rebuild(partition, seat);
  }
}
