/**
 * How a seat that has lost its holder is rebuilt, or one that never had any is filled (not in the paper; see
 * `docs/how-it-works/rebuild.md`): copies every other seat's holder, each after it has fenced the seat on its disk.
 * `core/seats/rebuild.ts` says why.
 *
 * Most is copied before the first fence. Whoever gets on no more gives up, and waits a while of chance before it tries
 * again: another rebuild may need the same holders' promises.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import type { Voice } from "../core/quorum/voice.ts";
import { seatsWanted } from "../core/seats/bucket-seats.ts";
import { neverHeld } from "../core/seats/epoch.ts";
import { allChanges, leftToCopy } from "../core/seats/filled.ts";
import { type Filled, knownSeat } from "../core/seats/known.ts";
import {
  beginRebuild,
  finishRebuild,
  giveUpRebuild,
  knowsNoOther,
  lostBeside,
  nextToCopy,
  withCopied,
} from "../core/seats/rebuild.ts";
import type { Rebuilding } from "../core/seats/record.ts";
import { type Coordination, nameOf } from "./coordination.ts";
import type { Delay } from "./hand-over.ts";
import type { PartitionCopies } from "./partition-copies.ts";
import type { SeatNews } from "./seat-news.ts";

const callTimeoutMs = 5000;
/** One that has not got on for so long gives up, in ms. */
const patienceMs = 20_000;
/** How long it waits after that, in ms: up to this, doubled each time, at most so often. */
const pauseMs = 100;
const mostDoublings = 8;

/** The seat that is to be fenced, and from when on nothing older counts in its name. */
export type Fencing = Pick<Rebuilding, "seat" | "epoch">;

/** A try to rebuild one partition's seat. */
interface Attempt {
  /** When it last got on. */
  progressMs: number;
  /** How often it was given up in a row, and until when nothing is tried. */
  failures: number;
  notBeforeMs: number;
  /** Why it was. */
  delay: Delay | undefined;
  /** Which changes of n those knew that were copied, by seat. */
  readonly knew: Map<number, number>;
}

export class Rebuilds {
  readonly #node: Coordination;
  readonly #copies: PartitionCopies;
  readonly #news: SeatNews;
  readonly #attempts: Map<PartitionId, Attempt> = new Map();
  /** Of whom a rebuild by force had no copy. */
  readonly #without: Set<string> = new Set();

  constructor(node: Coordination, copies: PartitionCopies, news: SeatNews) {
    this.#node = node;
    this.#copies = copies;
    this.#news = news;
  }

  /** Whose copies rebuilds by force went without. */
  get without(): readonly string[] {
    return [...this.#without];
  }

  /** Gets on with it. Undefined once the seat is this node's, or is no more to be. Rejects with `StorageError`. */
  async rebuild(partition: PartitionId, seat: number, isForced = false): Promise<Delay | undefined> {
    const attempt = this.#attemptAt(partition);
    const { seats, self } = this.#node;
    if (seats.hold(partition).kind !== "rebuilding") {
      if (!isForced) {
        const delay = this.#reasonToWait(partition, seat, attempt) ?? (await this.#copyAhead(partition, seat));
        if (delay !== undefined) return delay;
      }
      const known = seats.known(partition);
      if (knowsNoOther(known, seat, this.#seatCount(partition))) this.#goesWithout(knownSeat(known, seat).holder);
      const begun = await seats.change(partition, (record) => beginRebuild(record, seat, self));
      if (begun === undefined) return { peer: undefined, why: "this node holds another seat, or cannot store it" };
      attempt.progressMs = this.#nowMs();
      attempt.knew.clear();
    }
    for (;;) {
      const { hold } = seats.record(partition);
      if (hold.kind !== "rebuilding") return undefined;
      const next = nextToCopy(seats.record(partition), this.#seatCount(partition));
      if (next === undefined) return this.#finish(partition, attempt);
      if (isForced && !this.#canBeHad(partition, next)) {
        await this.#goWithout(partition, next);
        continue;
      }
      const delay = await this.#copy(partition, hold, next);
      if (delay === undefined) {
        attempt.progressMs = this.#nowMs();
        continue;
      }
      return this.#delayed(partition, hold, attempt, delay);
    }
  }

  /** Whether somebody else's rebuild of this partition may go on, for all this node does. */
  isUnderWay(partition: PartitionId, seat: number, epoch: number): boolean {
    const { seats } = this.#node;
    // One that is given up, and not yet on disk, would go on after a crash, or be at its end already.
    const holds = [seats.hold(partition), seats.storedHold(partition)];
    return holds.some((hold) => {
      const isIt = hold?.kind === "rebuilding" || hold?.kind === "active";
      return isIt && hold.seat === seat && hold.epoch === epoch;
    });
  }

  /** Gives it up for good. */
  async giveUp(partition: PartitionId): Promise<Delay | undefined> {
    const given = await this.#node.seats.change(partition, giveUpRebuild);
    return given === undefined ? { peer: undefined, why: "this node cannot store it" } : undefined;
  }

  #reasonToWait(partition: PartitionId, seat: number, attempt: Attempt): Delay | undefined {
    const { seats } = this.#node;
    const count = this.#seatCount(partition);
    if (knowsNoOther(seats.known(partition), seat, count) && seats.hold(partition).kind !== "active") {
      return { peer: this.#lastHolder(partition, seat), why: "had the only copy that is known of" };
    }
    const lost = lostBeside(seats.known(partition), seat, count);
    if (lost !== undefined) return { peer: this.#lastHolder(partition, lost), why: "has no voice there itself" };
    return this.#nowMs() < attempt.notBeforeMs ? attempt.delay : undefined;
  }

  /** All that can be copied before anybody is asked for a promise. */
  async #copyAhead(partition: PartitionId, seat: number): Promise<Delay | undefined> {
    const { seats, self, isUp } = this.#node;
    let delay: Delay | undefined;
    for (const [other, { held, holder }] of seats.known(partition).entries()) {
      if (other === seat || held === neverHeld || holder === undefined || holder === self) continue;
      if (!isUp(holder)) {
        delay ??= { peer: holder, why: "cannot be reached" };
        continue;
      }
      const copied = await this.#copies.copy(partition, holder, seat);
      if (copied.kind !== "whole") delay ??= { peer: holder, why: copied.why };
    }
    return delay;
  }

  async #copy(partition: PartitionId, hold: Rebuilding, next: number): Promise<Delay | undefined> {
    const { seats, isUp } = this.#node;
    const { holder } = knownSeat(seats.known(partition), next);
    if (holder === undefined) return { peer: this.#lastHolder(partition, next), why: "has no voice there itself" };
    if (!isUp(holder)) return { peer: holder, why: "cannot be reached" };
    const fenced = await this.fence(partition, hold, holder);
    if ("why" in fenced) return this.#explained(partition, hold.seat, fenced);
    if (fenced.seat !== next) return { peer: holder, why: "has another seat by now" };
    const changes = allChanges(this.#node.ring().eras).hash;
    const before = seats.hold(partition);
    const copied = await this.#copies.copyTail(partition, holder, hold.seat);
    if (copied.kind !== "whole") return { peer: holder, why: copied.why };
    // It must have had that voice all the while.
    const still = await this.fence(partition, hold, holder);
    if ("why" in still) return still;
    if (still.seat !== fenced.seat || still.epoch !== fenced.epoch)
      return { peer: holder, why: "has another seat by now" };
    if (allChanges(this.#node.ring().eras).hash === changes) this.#attemptAt(partition).knew.set(fenced.seat, changes);
    // If a seat was vacated meanwhile, or this was given up, the copy counts for nothing.
    const stored = await seats.change(partition, (record) =>
      record.hold === before ? withCopied(record, fenced) : record,
    );
    return stored === undefined ? { peer: undefined, why: "this node cannot store it" } : undefined;
  }

  /** Has the holder of another seat fence this one; answers with its voice, once that is on its disk. */
  async fence(partition: PartitionId, { seat, epoch }: Fencing, holder: NodeId): Promise<Voice | Delay> {
    const { peers, seats, self } = this.#node;
    const answer = await peers.ask(holder, { kind: "fence-seat", id: 0, partition, seat, epoch }, callTimeoutMs);
    if (answer.kind === "seat-fenced") {
      seats.learn(partition, answer.known);
      return answer.voice;
    }
    if (answer.kind !== "refusal") return { peer: holder, why: "does not answer" };
    if (answer.known !== undefined) seats.learn(partition, answer.known);
    const { fence, fencedBy } = knownSeat(answer.known ?? [], seat);
    // Somebody else began at the very same epoch, and was first there.
    const isOvertaken = fence === epoch && fencedBy !== self;
    return { peer: holder, why: isOvertaken ? overtaken : answer.detail };
  }

  /** One that is up may refuse now, and not the next time. */
  #canBeHad(partition: PartitionId, seat: number): boolean {
    const { seats, isUp } = this.#node;
    const { holder } = knownSeat(seats.known(partition), seat);
    return holder !== undefined && isUp(holder);
  }

  /** A holder may wait for one that is gone: it can be told to wait no more (`forced-voices.ts`). */
  #explained(partition: PartitionId, seat: number, delay: Delay): Delay {
    if (delay.why !== promisedElsewhere) return delay;
    const { seats, isGone, ring } = this.#node;
    const others = seats.known(partition).filter((_, other) => other !== seat);
    const gone = others.find(({ fencedBy }) => fencedBy !== undefined && isGone(fencedBy))?.fencedBy;
    return gone === undefined ? delay : { ...delay, why: `${promisedToGone} ${nameOf(ring(), gone)}` };
  }

  /** The operator said so: what that seat's holder alone may have besides the lost one is given up. */
  async #goWithout(partition: PartitionId, seat: number): Promise<void> {
    const { seats } = this.#node;
    const { held, holder } = knownSeat(seats.known(partition), seat);
    this.#goesWithout(holder ?? this.#lastHolder(partition, seat));
    await seats.change(partition, (record) => withCopied(record, { seat, epoch: held }));
  }

  #goesWithout(node: NodeId | undefined): void {
    if (node !== undefined) this.#without.add(nameOf(this.#node.ring(), node));
  }

  async #finish(partition: PartitionId, attempt: Attempt): Promise<Delay | undefined> {
    const { seats, self } = this.#node;
    const filled = this.#filledFor(partition, attempt);
    const count = this.#seatCount(partition);
    const done = await seats.commit(partition, (record) => finishRebuild(record, count, self, filled));
    if (done === undefined) return { peer: undefined, why: "this node cannot store it" };
    attempt.failures = 0;
    this.#attempts.delete(partition);
    this.#news.tell(partition, []);
    return undefined;
  }

  /** The changes of n for which its copies fill the seat: those that all who were copied knew, if that is all there is. */
  #filledFor(partition: PartitionId, { knew }: Attempt): Filled | undefined {
    const { seats, ring } = this.#node;
    const { hold, known } = seats.record(partition);
    if (hold.kind !== "rebuilding") return undefined;
    const all = allChanges(ring().eras);
    const copied = hold.copied.filter(({ seat }) => knew.get(seat) === all.hash);
    const left = leftToCopy(known, hold.seat, new Map(copied.map((voice) => [voice.seat, voice])));
    return left.length === 0 && all.count > 0 ? all : undefined;
  }

  async #delayed(partition: PartitionId, hold: Rebuilding, attempt: Attempt, delay: Delay): Promise<Delay> {
    const { seats, runtime } = this.#node;
    const isLost = lostBeside(seats.known(partition), hold.seat, this.#seatCount(partition)) !== undefined;
    const isInVain = isLost || isPromised(delay) || delay.why === overtaken;
    if (!isInVain && this.#nowMs() - attempt.progressMs < patienceMs) return delay;
    await seats.change(partition, giveUpRebuild);
    attempt.delay = delay;
    attempt.failures = Math.min(attempt.failures + 1, mostDoublings);
    attempt.notBeforeMs = this.#nowMs() + runtime.random.below(pauseMs * 2 ** attempt.failures);
    return delay;
  }

  #attemptAt(partition: PartitionId): Attempt {
    let attempt = this.#attempts.get(partition);
    if (attempt === undefined) {
      attempt = { progressMs: this.#nowMs(), failures: 0, notBeforeMs: 0, delay: undefined, knew: new Map() };
      this.#attempts.set(partition, attempt);
    }
    return attempt;
  }

  /** Who is meant to hold a seat that has no holder. */
  #lastHolder(partition: PartitionId, seat: number): NodeId | undefined {
    const { known } = this.#node.seats.record(partition);
    return knownSeat(known, seat).fencedBy ?? this.#node.ring().seats[partition]?.[seat];
  }

  #seatCount(partition: PartitionId): number {
    return Math.max(seatsWanted(this.#node.ring()), this.#node.seats.known(partition).length);
  }

  #nowMs(): number {
    return this.#node.runtime.clock.monotonicMs();
  }
}

const overtaken = "another node began to rebuild it at the same time";

const promisedToGone =
  "waits for one that is gone, and may have spoken for another seat there; repair --force of it ends that:";

function isPromised({ why }: Delay): boolean {
  return why === promisedElsewhere || why === promisedToAnother || why.startsWith(promisedToGone);
}

/** What a holder says that helps to rebuild another seat of the partition. */
export const promisedElsewhere = "helps to rebuild another seat of the partition first";

/** The same, where that one is to have this very seat. */
export const promisedToAnother = "helps another node to rebuild it first";
