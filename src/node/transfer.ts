/**
 * Brings seats to those who shall hold them (§4.9, §6.2): looks at every partition now and then, and at once when
 * something is new, for what this node has to do there, and does it, a few partitions at a time and one thing in each.
 *
 * What is to be done says `transfer-tasks.ts`; how it is done is in `hand-over.ts`, `rebuild.ts` and `seat-upkeep.ts`.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import { isStanding } from "../core/seats/rebuild.ts";
import { Pause } from "../runtime/pause.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { Ticker } from "../runtime/ticker.ts";
import { StorageError } from "../storage/engine.ts";
import type { SeatSealed } from "../wire/message.ts";
import type { LeftOut, RebuildView, TransfersView, TransferView } from "./api.ts";
import { type Coordination, nameOf } from "./coordination.ts";
import type { ExchangeTotals } from "./exchange.ts";
import { VoicesByForce } from "./forced-voices.ts";
import type { Delay } from "./hand-over.ts";
import { copiesAtOnce } from "./partition-copies.ts";
import { Taking } from "./taking.ts";
import { isTaking, type Task, type TransferParts, TransferTasks } from "./transfer-tasks.ts";

/** Mean time between two looks at everything, in ms. */
const everyMs = 500;
/** News of one turn is looked at together, so long after it, in ms. */
const togetherMs = 5;
/** Partitions in which something is done at a time; of those, seats that are being taken, and copies dropped. */
const mostAtOnce = 64;
const mostTaken = 48;
const mostDropped = 1;
/** A holder is asked again after so long, in ms, how much there is to copy, where it has not said so. */
const surveyEveryMs = 2000;
/** What could not be done is tried again after so long, in ms, doubled up to the longest. */
const firstRetryMs = 100;
const longestRetryMs = 2000;
const inquiryEveryMs = 1000;

const waitsItsTurn = `waits its turn: ${copiesAtOnce} are copied at a time`;

/** What a node that is no member yet has to show. */
export const noTransfersView: TransfersView = {
  pending: 0,
  taken: undefined,
  bytesPerSecond: 0,
  limitBytesPerSecond: 0,
  transfers: [],
};

/** A seat that is to come here. */
interface Wanted {
  readonly partition: PartitionId;
  readonly task: Task;
}

/** Why something could not be done. */
interface Waiting extends Delay {
  readonly what: Task["what"];
  readonly retryMs: number;
  readonly notBeforeMs: number;
}

export class Transfer {
  readonly #node: Coordination;
  readonly #parts: TransferParts;
  readonly #work: TransferTasks;
  readonly #ticker: Ticker;
  readonly #tasks: TaskGroup;
  readonly #busy: Map<PartitionId, Task["what"]> = new Map();
  readonly #taking: Taking = new Taking();
  readonly #forced: VoicesByForce;
  readonly #waiting: Map<PartitionId, Waiting> = new Map();
  /** In which nothing has come to its end since all was to be tried: somewhere else something may always be under way. */
  readonly #untried: Set<PartitionId> = new Set();
  /** Where something is new since the last round, unless it may be anywhere. */
  readonly #fresh: Set<PartitionId> = new Set();
  #isAllFresh = true;
  /** Where there was more to do in the last round than may be done at a time. */
  readonly #short: Set<PartitionId> = new Set();
  #inquiredMs = 0;
  #toldMs = Number.NEGATIVE_INFINITY;
  #surveyedMs = Number.NEGATIVE_INFINITY;
  #told = "";
  #isStarted = false;
  #isStopped = false;

  constructor(node: Coordination, parts: TransferParts) {
    const { clock, random, log } = node.runtime;
    this.#node = node;
    this.#parts = parts;
    this.#work = new TransferTasks(node, parts);
    this.#forced = new VoicesByForce(node, parts, (partition) => this.#work.seatToRebuild(partition));
    this.#tasks = new TaskGroup(log);
    this.#ticker = new Ticker({ name: "transfer", clock, random, log, everyMs, round: () => this.#round() });
  }

  /** Begins; for members only. */
  start(): void {
    this.#isStarted = true;
    this.#node.seats.onChange((partition) => {
      this.#waiting.delete(partition);
      this.#hurryFor(partition);
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

  /** Something is new, anywhere: looks soon. */
  hurry(): void {
    this.#isAllFresh = true;
    if (this.#isStarted) this.#ticker.hurry();
  }

  #hurryFor(partition: PartitionId): void {
    this.#fresh.add(partition);
    if (this.#isStarted) this.#ticker.hurry();
  }

  /** A holder says that it has sealed a seat for this node. */
  hearSealed(request: SeatSealed, from: NodeId): void {
    this.#parts.handOvers.hear(request, from);
    this.#hurryFor(request.partition);
  }

  isRebuilding(partition: PartitionId, seat: number, epoch: number): boolean {
    const { rebuilds, vacating } = this.#parts;
    return rebuilds.isUnderWay(partition, seat, epoch) || vacating.isUnderWay(partition, seat, epoch);
  }

  /** Whether this node holds no seat, nor anything of one that another could miss, and is about to take none. */
  get holdsNothing(): boolean {
    const { seats } = this.#node;
    return seats.partitions.every((partition) => {
      const isAtRest = !this.#busy.has(partition) && this.#parts.handOvers.awaited(partition) === undefined;
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

  /** Whether somebody has fallen silent for this node's sake, or may be about to: it has asked, and not been answered. */
  get isAwaited(): boolean {
    return this.#parts.handOvers.areAwaited || [...this.#busy.values()].includes("hand-over");
  }

  /** Tries at once all that this node has to rebuild, and resolves when each of it has ended or waits again. */
  async tryAll(): Promise<void> {
    for (let before = Number.POSITIVE_INFINITY; this.#rebuilding.length < before && !this.#isStopped; ) {
      before = this.#rebuilding.length;
      this.#waiting.clear();
      for (const partition of this.#rebuilding) this.#untried.add(partition);
      this.#isAllFresh = true;
      await this.#round();
      while (this.#untried.size > 0 && !this.#isStopped && this.#node.mayBeCopied()) await this.#together();
      this.#untried.clear();
    }
  }

  /** Where this node has a seat to rebuild. */
  get #rebuilding(): readonly PartitionId[] {
    return this.#node.seats.partitions.filter((partition) => this.#work.seatToRebuild(partition) !== undefined);
  }

  /** What copies of partitions did since the start. */
  get totals(): Readonly<ExchangeTotals> {
    return this.#parts.copies.totals;
  }

  /**
   * Takes what this node is to rebuild, or to vacate, without the copies that cannot be had; whose it could neither have
   * nor do without. Rejects with `StorageError`.
   */
  force(): Promise<readonly LeftOut[]> {
    return this.#forced.take({
      alone: (partition, act) => this.#alone(partition, act),
      isStopped: () => this.#isStopped,
    });
  }

  async #alone(partition: PartitionId, act: () => Promise<Delay | undefined>): Promise<Delay | undefined | "busy"> {
    if (this.#busy.has(partition)) return "busy";
    this.#busy.set(partition, "rebuild");
    try {
      return await act();
    } finally {
      this.#busy.delete(partition);
      this.#waiting.delete(partition);
    }
  }

  view(): RebuildView {
    const { seats, ring } = this.#node;
    const waits = new Map<string, { name: string; partitions: number; why: string }>();
    let missing = 0;
    for (const partition of seats.partitions) {
      if (this.#work.seatToRebuild(partition) === undefined) continue;
      missing += 1;
      const { peer, why } = this.#waiting.get(partition) ?? { peer: undefined, why: "" };
      if (peer === undefined) continue;
      const name = nameOf(ring(), peer);
      const wait = waits.get(name) ?? { name, partitions: 0, why };
      waits.set(name, { ...wait, partitions: wait.partitions + 1 });
    }
    return { ...seats.count, running: missing > 0, waitingFor: [...waits.values()], forced: this.#forced.taken };
  }

  /** What is done and what waits here, by partition. */
  transfers(): TransfersView {
    const { runtime, limits, seats } = this.#node;
    const nowMs = runtime.clock.monotonicMs();
    const { bytesReceived } = this.#parts.copies.totals;
    return {
      pending: this.#parts.pending.count,
      taken: this.#taking.view(nowMs),
      bytesPerSecond: Math.round(this.#taking.bytesPerSecond(nowMs, bytesReceived)),
      limitBytesPerSecond: limits.transferBytesPerSecond,
      transfers: seats.partitions.flatMap((partition) => {
        const task = this.#work.next(partition);
        if (task === undefined) return [];
        // It has the seat, and is about to say so once more to one who has not heard.
        if (task.what === "hand-over" && seats.hold(partition).kind === "active") return [];
        const view = this.#viewOf(partition, task, nowMs);
        // Where there is nothing to drop is found out soon.
        return view.kind === "drop" && view.keys === 0 ? [] : [view];
      }),
    };
  }

  #viewOf(partition: PartitionId, { what, seat, from, to }: Task, nowMs: number): TransferView {
    const { copies } = this.#parts;
    const name = (node: NodeId | undefined): string => (node === undefined ? "" : nameOf(this.#node.ring(), node));
    const progress = copies.progress(partition);
    const here = progress?.here ?? copies.held(partition, seat);
    const waiting = this.#waiting.get(partition);
    const isQueued = isTaking(what) && waiting === undefined && progress?.isCopying !== true;
    return {
      ...{ partition, seat, kind: what, from: name(from), to: name(to) },
      running: this.#busy.has(partition) && !isQueued,
      why: isQueued ? waitsItsTurn : (waiting?.why ?? ""),
      waitsFor: name(waiting?.peer),
      keys: here.keys,
      bytes: here.bytes,
      keysInAll: progress?.there?.keys,
      bytesInAll: progress?.there?.bytes,
      bytesReceived: progress?.bytesReceived ?? 0,
      ageMs: progress?.sinceMs === undefined ? 0 : Math.round(nowMs - progress.sinceMs),
    };
  }

  async #round(): Promise<void> {
    await this.#together();
    if (this.#isStopped || !this.#node.mayBeCopied()) return;
    const nowMs = this.#node.runtime.clock.monotonicMs();
    const mayInquire = nowMs - this.#inquiredMs >= inquiryEveryMs;
    if (mayInquire) this.#inquiredMs = nowMs;
    const mayTell = nowMs - this.#toldMs >= everyMs;
    if (mayTell) this.#toldMs = nowMs;
    const toTake: Wanted[] = [];
    for (const partition of this.#toLookAt(mayInquire || mayTell, nowMs)) {
      if (mayInquire && isStanding(this.#node.seats.record(partition)) && !this.#busy.has(partition)) {
        this.#tasks.run("asking for a rebuild", () => this.#parts.upkeep.inquire(partition));
      }
      const mayBegin = !this.#busy.has(partition) && (this.#waiting.get(partition)?.notBeforeMs ?? 0) <= nowMs;
      if (!mayBegin && !mayTell) continue;
      const task = this.#work.next(partition);
      if (task !== undefined && isTaking(task.what)) toTake.push({ partition, task });
      if (!mayBegin) continue;
      if (task === undefined) this.#rests(partition);
      else if (this.#hasRoomFor(task)) this.#begin(partition, task);
      else this.#short.add(partition);
    }
    if (!mayTell) return;
    if (toTake.length > 0) this.#taking.goesOn(nowMs);
    else this.#taking.rests(nowMs);
    this.#taking.sample(nowMs, this.#parts.copies.totals.bytesReceived);
    this.#survey(toTake, nowMs);
    this.#tellWhyItWaits();
  }

  /** A look at a partition takes some us, and one of hundreds is new as a rule. */
  #toLookAt(isAll: boolean, nowMs: number): Iterable<PartitionId> {
    const due = [...this.#waiting].flatMap(([partition, { notBeforeMs }]) => (notBeforeMs <= nowMs ? [partition] : []));
    const some = new Set([...this.#fresh, ...this.#short, ...due]);
    const isEverywhere = isAll || this.#isAllFresh;
    this.#isAllFresh = false;
    this.#fresh.clear();
    this.#short.clear();
    return isEverywhere ? this.#node.seats.partitions : some;
  }

  #rests(partition: PartitionId): void {
    this.#untried.delete(partition);
    this.#waiting.delete(partition);
    this.#parts.copies.rests(partition);
  }

  /** A silent seat waits for no other. */
  #hasRoomFor({ what, isUrgent }: Task): boolean {
    if (isUrgent) return true;
    const same = [...this.#busy.values()].filter((other) => (isTaking(what) ? isTaking(other) : other === what)).length;
    const most = isTaking(what) ? mostTaken : what === "drop" ? mostDropped : mostAtOnce;
    return this.#busy.size < mostAtOnce && same < most;
  }

  /** Asks those from whom seats are to come how much that is, once. */
  #survey(toTake: readonly Wanted[], nowMs: number): void {
    if (nowMs - this.#surveyedMs < surveyEveryMs) return;
    const { copies } = this.#parts;
    const byHolder = new Map<NodeId, { partition: PartitionId; seat: number | undefined }[]>();
    for (const { partition, task } of toTake) {
      if (copies.isKnown(partition)) continue;
      // A hand-over copies all that the holder has.
      const seat = task.what === "rebuild" ? task.seat : undefined;
      const holders = task.from === undefined ? this.#otherHolders(partition) : [task.from];
      const holder = holders.find((node) => this.#node.isUp(node));
      if (holder === undefined) continue;
      byHolder.set(holder, [...(byHolder.get(holder) ?? []), { partition, seat }]);
    }
    if (byHolder.size === 0) return;
    this.#surveyedMs = nowMs;
    for (const [holder, seats] of byHolder) {
      this.#tasks.run("asking how much there is to copy", () => copies.survey(holder, seats));
    }
  }

  #otherHolders(partition: PartitionId): readonly NodeId[] {
    const { seats, self } = this.#node;
    return seats.known(partition).flatMap(({ holder }) => (holder === undefined || holder === self ? [] : [holder]));
  }

  #together(): Promise<void> {
    return new Pause(this.#node.runtime.clock).wait(togetherMs);
  }

  #begin(partition: PartitionId, { what, seat, act }: Task): void {
    const { clock, log } = this.#node.runtime;
    const before = this.#waiting.get(partition);
    const heldBefore = this.#node.seats.hold(partition);
    this.#busy.set(partition, what);
    this.#tasks.run(what, async () => {
      let delay: Delay | undefined = { peer: undefined, why: "was broken off" };
      try {
        delay = await act();
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        log.warn(`a ${what} was broken off`, { partition, error: error.message });
      } finally {
        this.#busy.delete(partition);
        this.#untried.delete(partition);
      }
      if (delay === undefined) {
        this.#waiting.delete(partition);
        const hold = this.#node.seats.hold(partition);
        const isTaken = isTaking(what) && hold !== heldBefore && hold.kind === "active" && hold.seat === seat;
        if (isTaken) this.#taking.took(this.#parts.copies.held(partition, seat));
        this.#hurryFor(partition);
        return;
      }
      const retryMs = before?.what === what ? Math.min(longestRetryMs, before.retryMs * 2) : firstRetryMs;
      this.#waiting.set(partition, { ...delay, what, retryMs, notBeforeMs: clock.monotonicMs() + retryMs });
      if (this.#short.size > 0) this.#ticker.hurry();
      // Meanwhile nobody speaks for the seat.
      if (this.#parts.handOvers.awaited(partition) !== undefined)
        clock.setTimer(retryMs, () => this.#hurryFor(partition));
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
