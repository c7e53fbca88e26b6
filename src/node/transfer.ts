/**
 * Brings seats to those who shall hold them (§4.9, §6.2): looks at every partition now and then, and at once when
 * something is new, for what this node has to do there, and does it, a few partitions at a time and one thing in each.
 *
 * What to do follows from the record of the partition and the ring alone, so that a process that was stopped anywhere
 * goes on where it was. How it is done is in `hand-over.ts`, `rebuild.ts` and `seat-upkeep.ts`.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import { wantedOwners } from "../core/seats/bucket-seats.ts";
import { isBeingRebuilt, knownSeat } from "../core/seats/known.ts";
import { isStanding } from "../core/seats/rebuild.ts";
import { isForNobody } from "../core/seats/vacate.ts";
import { seatToTake, surplusSeats } from "../core/seats/wanted.ts";
import { Pause } from "../runtime/pause.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { Ticker } from "../runtime/ticker.ts";
import { StorageError } from "../storage/engine.ts";
import type { SeatSealed } from "../wire/message.ts";
import type { ForcedVoices, RebuildView, TransfersView, TransferView } from "./api.ts";
import { type Coordination, nameOf } from "./coordination.ts";
import type { ExchangeTotals } from "./exchange.ts";
import type { Delay, HandOvers } from "./hand-over.ts";
import type { PartitionCopies } from "./partition-copies.ts";
import type { Rebuilds } from "./rebuild.ts";
import type { SeatUpkeep } from "./seat-upkeep.ts";
import type { Surplus } from "./surplus.ts";
import type { Vacating } from "./vacating.ts";

/** Mean time between two looks at everything, in ms. */
const everyMs = 500;
/** News of one turn is looked at together, so long after it, in ms. */
const togetherMs = 5;
/** Partitions in which something is done at a time. */
const mostAtOnce = 64;
/** What could not be done is tried again after so long, in ms, doubled up to the longest. */
const firstRetryMs = 100;
const longestRetryMs = 2000;
const inquiryEveryMs = 1000;

const nothingCopied = { keysCompared: 0, keysCopied: 0, bytesReceived: 0, sinceMs: undefined } as const;

/** Something to do in one partition. */
interface Task {
  readonly what: TransferView["kind"];
  readonly act: () => Promise<Delay | undefined>;
}

/** Why something could not be done. */
interface Waiting extends Delay {
  readonly what: Task["what"];
  readonly retryMs: number;
  readonly notBeforeMs: number;
}

export interface TransferParts {
  readonly copies: PartitionCopies;
  readonly handOvers: HandOvers;
  readonly rebuilds: Rebuilds;
  readonly vacating: Vacating;
  readonly upkeep: SeatUpkeep;
  readonly surplus: Surplus;
}

export class Transfer {
  readonly #node: Coordination;
  readonly #parts: TransferParts;
  readonly #ticker: Ticker;
  readonly #tasks: TaskGroup;
  readonly #busy: Set<PartitionId> = new Set();
  readonly #waiting: Map<PartitionId, Waiting> = new Map();
  #inquiredMs = 0;
  #forced: ForcedVoices | undefined;
  #told = "";
  #isStarted = false;
  #isStopped = false;

  constructor(node: Coordination, parts: TransferParts) {
    const { clock, random, log } = node.runtime;
    this.#node = node;
    this.#parts = parts;
    this.#tasks = new TaskGroup(log);
    this.#ticker = new Ticker({ name: "transfer", clock, random, log, everyMs, round: () => this.#round() });
  }

  /** Begins; for members only. */
  start(): void {
    this.#isStarted = true;
    this.#node.seats.onChange((partition) => {
      this.#waiting.delete(partition);
      this.hurry();
    });
    this.#node.onUp((node) => {
      for (const [partition, { peer }] of this.#waiting) if (peer === node) this.#waiting.delete(partition);
      this.hurry();
    });
    this.#ticker.start();
    this.hurry();
  }

  /** Resolves when what is under way has ended, at its next answer. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#parts.copies.stop();
    this.#parts.upkeep.stop();
    this.#parts.surplus.stop();
    await Promise.all([this.#ticker.stop(), this.#tasks.close()]);
  }

  /** Something is new: looks soon. */
  hurry(): void {
    if (this.#isStarted) this.#ticker.hurry();
  }

  /** A holder says that it has sealed a seat for this node. */
  hearSealed(request: SeatSealed, from: NodeId): void {
    this.#parts.handOvers.hear(request, from);
    this.hurry();
  }

  isRebuilding(partition: PartitionId, seat: number, epoch: number): boolean {
    const { rebuilds, vacating } = this.#parts;
    return rebuilds.isUnderWay(partition, seat, epoch) || vacating.isUnderWay(partition, seat, epoch);
  }

  /** Whether this node holds no seat, nor anything of one that another could miss, and is about to take none. */
  get holdsNothing(): boolean {
    const { seats } = this.#node;
    return seats.partitions.every((partition) => {
      const isAtRest = !this.#busy.has(partition) && !this.#parts.handOvers.isAwaited(partition);
      return isAtRest && seats.hold(partition).kind === "none";
    });
  }

  /** Whether this node holds a seat that somebody else may still take from it. */
  get holdsSeats(): boolean {
    const { seats } = this.#node;
    return seats.partitions.some((partition) =>
      ["active", "sealed", "rebuilding"].includes(seats.hold(partition).kind),
    );
  }

  /** How many seats are not with those who shall hold them yet, as far as this node knows. */
  get pending(): number {
    const { seats, ring } = this.#node;
    let pending = 0;
    for (const partition of seats.partitions) {
      const holders = seats.known(partition).map(({ holder }) => holder);
      const owners = wantedOwners(ring(), partition);
      for (const owner of owners) if (!holders.includes(owner)) pending += 1;
      pending += surplusSeats(owners, seats.known(partition)).length;
    }
    return pending;
  }

  /** Tries all that waits at once, and resolves when it has ended or waits again. */
  async tryAll(): Promise<void> {
    for (let before = Number.POSITIVE_INFINITY; this.#rebuilding < before && !this.#isStopped; ) {
      before = this.#rebuilding;
      this.#waiting.clear();
      await this.#round();
      while (this.#busy.size > 0 && !this.#isStopped) await this.#together();
    }
  }

  /** What copies of partitions did since the start. */
  get totals(): Readonly<ExchangeTotals> {
    return this.#parts.copies.totals;
  }

  /** Seats that this node has to rebuild. */
  get #rebuilding(): number {
    return this.#node.seats.partitions.filter((partition) => this.#seatToRebuild(partition) !== undefined).length;
  }

  /** Rebuilds what this node is to rebuild without the copies that cannot be had. Rejects with `StorageError`. */
  async force(): Promise<void> {
    const { ring, self, seats, runtime } = this.#node;
    const { rebuilds, vacating } = this.#parts;
    const vacated = new Set<string>();
    let partitions = 0;
    for (const partition of seats.partitions) {
      if (this.#busy.has(partition)) continue;
      const seat = this.#seatToRebuild(partition);
      this.#busy.add(partition);
      try {
        if (seat !== undefined) await rebuilds.rebuild(partition, seat, true);
        if (seat !== undefined || (await vacating.force(partition, (name) => vacated.add(name)))) partitions += 1;
      } finally {
        this.#busy.delete(partition);
        this.#waiting.delete(partition);
      }
    }
    if (partitions === 0) return;
    const without = [...new Set([...rebuilds.without, ...vacated])];
    const lost = vacated.size > 0 ? "those who were removed" : `${nameOf(ring(), self)}'s lost disk`;
    const mayBeLost = `writes that were acknowledged by ${lost} and ${without.join(" and ")} alone`;
    runtime.log.warn("voices are taken by force", { partitions, without, mayBeLost });
    this.#forced = { partitions, without, mayBeLost };
  }

  view(): RebuildView {
    const { seats, ring } = this.#node;
    const waits = new Map<string, { name: string; partitions: number; why: string }>();
    let missing = 0;
    for (const partition of seats.partitions) {
      if (this.#seatToRebuild(partition) === undefined) continue;
      missing += 1;
      const { peer, why } = this.#waiting.get(partition) ?? { peer: undefined, why: "" };
      if (peer === undefined) continue;
      const name = nameOf(ring(), peer);
      const wait = waits.get(name) ?? { name, partitions: 0, why };
      waits.set(name, { ...wait, partitions: wait.partitions + 1 });
    }
    return { ...seats.count, running: missing > 0, waitingFor: [...waits.values()], forced: this.#forced };
  }

  /** What is done and what waits here, by partition. */
  transfers(): TransfersView {
    const { clock } = this.#node.runtime;
    const transfers = this.#node.seats.partitions.flatMap((partition): TransferView[] => {
      const task = this.#next(partition);
      if (task === undefined) return [];
      const waiting = this.#waiting.get(partition);
      const { sinceMs, ...copied } = this.#parts.copies.progress(partition) ?? nothingCopied;
      const peer = waiting?.peer;
      return [
        {
          partition,
          kind: task.what,
          running: this.#busy.has(partition),
          why: waiting?.why ?? "",
          waitsFor: peer === undefined ? "" : nameOf(this.#node.ring(), peer),
          ...copied,
          ageMs: sinceMs === undefined ? 0 : Math.round(clock.monotonicMs() - sinceMs),
        },
      ];
    });
    return { pending: this.pending, transfers };
  }

  async #round(): Promise<void> {
    await this.#together();
    if (this.#isStopped || !this.#node.mayBeCopied()) return;
    const nowMs = this.#node.runtime.clock.monotonicMs();
    const mayInquire = nowMs - this.#inquiredMs >= inquiryEveryMs;
    if (mayInquire) this.#inquiredMs = nowMs;
    for (const partition of this.#node.seats.partitions) {
      if (mayInquire && isStanding(this.#node.seats.record(partition)) && !this.#busy.has(partition)) {
        this.#tasks.run("asking for a rebuild", () => this.#parts.upkeep.inquire(partition));
      }
      if (this.#busy.has(partition) || this.#busy.size >= mostAtOnce) continue;
      if ((this.#waiting.get(partition)?.notBeforeMs ?? 0) > nowMs) continue;
      const task = this.#next(partition);
      if (task !== undefined) this.#begin(partition, task);
      else if (this.#waiting.delete(partition) || this.#parts.copies.progress(partition) !== undefined) {
        this.#parts.copies.rests(partition);
      }
    }
    this.#tellWhyItWaits();
  }

  #together(): Promise<void> {
    return new Pause(this.#node.runtime.clock).wait(togetherMs);
  }

  /** What this node has to do in the partition. */
  #next(partition: PartitionId): Task | undefined {
    const { handOvers, upkeep, rebuilds, vacating, surplus } = this.#parts;
    const { seats, self, ring } = this.#node;
    const { hold, known } = seats.record(partition);
    if (!ring().members.has(self)) {
      // One that was removed gives away what it holds, and takes nothing.
      if (hold.kind === "sealed" && !isForNobody(hold, self)) {
        return { what: "reminder", act: () => upkeep.remind(partition) };
      }
      return hold.kind === "rebuilding" ? { what: "rebuild", act: () => rebuilds.giveUp(partition) } : undefined;
    }
    if (handOvers.isAwaited(partition)) return { what: "hand-over", act: () => handOvers.finish(partition) };
    const vacate = vacating.next(partition);
    if (vacate !== undefined) return { what: "vacate", act: vacate };
    if (hold.kind === "sealed") return { what: "reminder", act: () => upkeep.remind(partition) };
    const lost = this.#seatToRebuild(partition);
    if (lost !== undefined) return { what: "rebuild", act: () => this.#rebuild(partition, lost) };
    const seat = seatToTake(self, hold, wantedOwners(ring(), partition), known);
    const holder = seat === undefined ? undefined : knownSeat(known, seat).holder;
    if (seat !== undefined && holder !== undefined) {
      upkeep.fills(partition);
      return { what: "hand-over", act: () => handOvers.take(partition, seat, holder) };
    }
    if (hold.kind === "former") {
      upkeep.fills(partition);
      return { what: "hand-back", act: () => upkeep.handBack(partition) };
    }
    const copies = surplus.find(partition);
    if (copies !== undefined) return { what: "hand-back", act: () => surplus.shed(partition, copies) };
    const isLeft = hold.kind === "none" && known.length > 0 && upkeep.mayHold(partition);
    return isLeft ? { what: "drop", act: () => upkeep.drop(partition) } : undefined;
  }

  /** The seat that this node has to rebuild, or rebuilds; undefined where it is to take none, or from its holder. */
  #seatToRebuild(partition: PartitionId): number | undefined {
    const { seats, self, ring } = this.#node;
    const { hold, known } = seats.record(partition);
    if (hold.kind === "rebuilding") return hold.seat;
    // Of a partition of which it has not heard at all it knows nothing to do.
    if (known.length === 0) return undefined;
    const seat = seatToTake(self, hold, wantedOwners(ring(), partition), known);
    if (seat === undefined) return undefined;
    const { holder } = knownSeat(known, seat);
    const isLost = holder === undefined || this.#node.isGone(holder);
    return isLost || isBeingRebuilt(known, seat) || hold.kind === "active" ? seat : undefined;
  }

  async #rebuild(partition: PartitionId, seat: number): Promise<Delay | undefined> {
    const { seats } = this.#node;
    this.#parts.upkeep.fills(partition);
    if (seats.hold(partition).kind === "none") {
      // In the place of the one that is lost, or was never there, it takes writes already: somebody with a voice will
      // merge them.
      await seats.change(partition, (record) => ({ ...record, hold: { kind: "former" } }));
    }
    return this.#parts.rebuilds.rebuild(partition, seat);
  }

  #begin(partition: PartitionId, { what, act }: Task): void {
    const { clock, log } = this.#node.runtime;
    const before = this.#waiting.get(partition);
    this.#busy.add(partition);
    this.#tasks.run(what, async () => {
      let delay: Delay | undefined = { peer: undefined, why: "was broken off" };
      try {
        delay = await act();
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        log.warn(`a ${what} was broken off`, { partition, error: error.message });
      } finally {
        this.#busy.delete(partition);
      }
      if (delay === undefined) {
        this.#waiting.delete(partition);
        this.hurry();
        return;
      }
      const retryMs = before?.what === what ? Math.min(longestRetryMs, before.retryMs * 2) : firstRetryMs;
      this.#waiting.set(partition, { ...delay, what, retryMs, notBeforeMs: clock.monotonicMs() + retryMs });
      if (this.#busy.size === mostAtOnce - 1) this.hurry();
    });
  }

  #tellWhyItWaits(): void {
    const { waitingFor, running } = this.view();
    const told = running ? waitingFor.map(({ name, why }) => `${name} ${why}`).join("; ") : "";
    if (told === this.#told) return;
    this.#told = told;
    if (told !== "") this.#node.runtime.log.info("seats wait for other holders", { waitingFor });
  }
}
