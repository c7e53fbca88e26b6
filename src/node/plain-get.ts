/**
 * One coordinated get as nearly all of them go (§4.5): every owner is up and speaks for its seat, nobody knows anything
 * that the coordinator does not know, and what they hold is what is here. Then the answer is this node's own copy, and
 * all that is left to do is to count those who say that they have the same. As many are asked as are needed
 * (`read-plan.ts`), and the others if one of them is late, or has something else.
 *
 * Whatever else turns up before there is an answer ends it, and the request begins anew in the general way (`route.ts`,
 * `get.ts`), with the time that is left: an owner that is down, silent, refuses, or has no voice; news of seats or of the
 * ring; a copy that cannot be read. Nothing is lost by that: a read may be asked again. So everything that is rare is in
 * one place, and this one need not know of stand-ins, eras, zones, hints and seats that move.
 *
 * Laws kept here as there: only a voice counts, each seat's once, and none that is older than what is known by then;
 * every state that was heard is merged; owners that turn out to be stale are repaired once all that were asked have answered,
 * which are all owners where any two of them differ.
 *
 * Hot path: one object a request, no timer of its own.
 */

import { keepNewest, mergeNewest } from "../core/causality/last-write-wins.ts";
import { mergeStates, pruneState, type SiblingSet, sameState } from "../core/causality/sibling-set.ts";
import type { NodeId } from "../core/ids.ts";
import type { ReadRequirement } from "../core/quorum/requirement.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { SeatOwner } from "../core/seats/bucket-seats.ts";
import { isOutdated, type KnownSeats } from "../core/seats/known.ts";
import type { AnswerHandler } from "../rpc/call.ts";
import type { Swept } from "../runtime/sweep.ts";
import type { Answer, GetAnswer, ReplicaGet, ReplicaState } from "../wire/message.ts";
import { verifyValues } from "../wire/state-codec.ts";
import type { Coordination } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";
import type { ReadPlan } from "./read-plan.ts";
import { type Answered, repairStale } from "./read-repair.ts";
import type { BucketPart } from "./seat-places.ts";

/** The part of the request's time after which it is gone about in the general way, if there is no answer. */
const patience = 1 / 4;
/** A call is given at least this long, in ms: its answer serves later, too. */
const leastCallMs = 2000;

export interface PlainGetParts {
  readonly place: KeyPlace;
  readonly part: BucketPart;
  readonly needed: ReadRequirement;
  readonly budgetMs: number;
}

/** Who asked for it, and is told once what came of it. */
export interface PlainGetListener {
  onFound(answer: GetAnswer): void;
  /** It must be gone about in the general way, in what is left of its time. */
  onUnusual(leftMs: number): void;
}

/** Who looks after it. */
export interface PlainGets {
  readonly plan: ReadPlan;
  /** Called once, before its listener is. */
  onEnded(get: PlainGet): void;
}

export class PlainGet implements AnswerHandler, Swept {
  dueMs = 0;
  place = -1;
  readonly #node: Coordination;
  readonly #parts: PlainGetParts;
  readonly #listener: PlainGetListener;
  readonly #gets: PlainGets;
  readonly #ring: Ring;
  readonly #known: KnownSeats;
  readonly #asked: readonly SeatOwner[];
  #beganMs = 0;
  #head: Uint8Array | undefined;
  /** What is here, and the merge of all that was heard. */
  #local: SiblingSet | undefined;
  #merged: SiblingSet | undefined;
  #voices = 0;
  /** Owners that nothing was heard of. */
  #awaited = 0;
  /** Seats whose owners were not asked, as bits. */
  #spared = 0;
  /** Owners that have the same, as bits by their seats; and what those have who have something else. */
  #same = 0;
  #others: Answered[] | undefined;
  #isOver = false;

  constructor(node: Coordination, parts: PlainGetParts, listener: PlainGetListener, gets: PlainGets) {
    this.#node = node;
    this.#parts = parts;
    this.#listener = listener;
    this.#gets = gets;
    this.#ring = node.ring();
    this.#known = node.seats.known(parts.place.partition);
    this.#asked = parts.part.asked;
  }

  /** When it began, on the monotonic clock. */
  get beganMs(): number {
    return this.#beganMs;
  }

  /** Whether it may begin: reads the copy here. False where something is unusual already; then nothing has happened. */
  mayBegin(): boolean {
    return this.#isUsual() && this.#readsHere();
  }

  #isUsual(): boolean {
    const { place, needed, part } = this.#parts;
    const node = this.#node;
    if (needed.zones > 1 || needed.answers > this.#asked.length || node.isInDoubt()) return false;
    if (part.count.filled !== part.count.asked || part.eras !== 1) return false;
    const voice = node.voice(place);
    if (voice === undefined || isOutdated(voice, this.#known)) return false;
    let isHere = false;
    for (let i = 0; i < this.#asked.length; i++) {
      const { node: owner, seat, isVacant } = this.#asked[i] as SeatOwner;
      if (isVacant) return false;
      if (owner === node.self) isHere = seat === voice.seat;
      else if (!node.isUp(owner)) return false;
    }
    return isHere;
  }

  /** Whether there is a copy here that others can be told of. */
  #readsHere(): boolean {
    const local = this.#node.replica.read(this.#parts.place);
    if (local.kind === "refused" || local.state === undefined || local.head === undefined) return false;
    this.#head = local.head;
    this.#local = local.state;
    this.#merged = this.#isNewestOnly ? keepNewest(local.state) : local.state;
    // One that keeps more versions than its bucket is repaired like any other.
    if (this.#merged !== local.state) this.#others = [];
    return true;
  }

  /** Asks the others; after `mayBegin`. */
  begin(nowMs: number): void {
    const { needed, budgetMs } = this.#parts;
    const { plan } = this.#gets;
    this.#beganMs = nowMs;
    this.dueMs = this.#patientUntilMs;
    this.#spared = plan.spared(this.#asked, needed.answers);
    if (this.#spared !== 0) this.dueMs = Math.min(this.dueMs, nowMs + plan.lateMs);
    this.#ask(~this.#spared, budgetMs);
    this.#hear();
  }

  get #patientUntilMs(): number {
    return this.#beganMs + this.#parts.budgetMs * patience;
  }

  /** Asks the owners of these seats; for its own this node has been heard already. */
  #ask(wanted: number, leftMs: number): void {
    const { place, part } = this.#parts;
    const { self, peers, seats } = this.#node;
    const request: ReplicaGet = {
      kind: "replica-get",
      id: 0,
      knownHash: seats.hash(place.partition),
      changes: part.version,
      bucket: place.bucket,
      key: place.key,
      standInFor: undefined,
      unless: this.#head,
    };
    const callMs = Math.max(leastCallMs, leftMs);
    for (let i = 0; i < this.#asked.length; i++) {
      const { node: owner, seat } = this.#asked[i] as SeatOwner;
      if ((wanted & (1 << seat)) === 0) continue;
      if (owner === self) {
        this.#same |= 1 << seat;
        continue;
      }
      this.#awaited += 1;
      peers.call(owner, request, callMs, this, seat);
    }
  }

  /** Asks those who were not asked yet. */
  #askSpared(nowMs: number): void {
    const spared = this.#spared;
    this.#spared = 0;
    if (spared !== 0 && !this.#node.isInDoubt()) this.#ask(spared, this.#beganMs + this.#parts.budgetMs - nowMs);
  }

  /** One voice more. */
  #hear(): void {
    this.#voices += 1;
    if (!this.#isOver && this.#voices >= this.#parts.needed.answers) this.#succeed();
  }

  onAnswer(from: NodeId, answer: Answer, seat: number): void {
    this.#awaited -= 1;
    const { seats } = this.#node;
    const { partition } = this.#parts.place;
    if ("known" in answer && answer.known !== undefined) seats.learn(partition, answer.known);
    if (answer.kind === "refusal" && answer.code === "stale-ring") this.#node.ringDiffers(from);
    if (answer.kind === "replica-state" && this.#counts(answer.voice, seat) && this.#takes(from, seat, answer)) {
      this.#hear();
    } else this.#giveUp();
    this.#repairAtEnd();
  }

  onFailure(): void {
    this.#awaited -= 1;
    this.#giveUp();
    this.#repairAtEnd();
  }

  onDue(nowMs: number): void {
    const untilMs = this.#patientUntilMs;
    if (this.#spared === 0 || nowMs >= untilMs) return this.#giveUp();
    this.dueMs = untilMs;
    if (this.#gets.plan.mayAskMore()) this.#askSpared(nowMs);
  }

  get #isNewestOnly(): boolean {
    return this.#parts.part.settings.reconcile === "last-write-wins";
  }

  /** Whether an answer with this voice counts for the seat, as far as is known by now, and nothing new is known. */
  #counts(voice: Voice | undefined, seat: number): boolean {
    if (voice === undefined || voice.seat !== seat || isOutdated(voice, this.#known)) return false;
    const { partition } = this.#parts.place;
    return this.#node.seats.known(partition) === this.#known && this.#node.ring() === this.#ring;
  }

  /** Merges what the owner has; false where that is damaged. */
  #takes(from: NodeId, seat: number, { isSame, state }: ReplicaState): boolean {
    if (isSame === true) {
      this.#same |= 1 << seat;
      return true;
    }
    if (state !== undefined && !verifyValues(state, this.#node.runtime.checksum)) {
      this.#node.counters.corruptValues += 1;
      return false;
    }
    this.#others ??= [];
    this.#others.push({ node: from, state });
    // Who has something else may not be the only one.
    this.#askSpared(this.#node.runtime.clock.monotonicMs());
    const merged = this.#merged;
    if (state === undefined || merged === undefined) return true;
    this.#merged = this.#isNewestOnly ? mergeNewest(merged, state) : mergeStates(merged, state);
    return true;
  }

  #succeed(): void {
    this.#isOver = true;
    this.#gets.onEnded(this);
    this.#listener.onFound({
      kind: "get-answer",
      id: 0,
      state: this.#merged && this.#bounded(this.#merged),
      fastest: this.#node.self,
      voices: this.#voices,
      seats: this.#parts.part.count.filled,
    });
  }

  #giveUp(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // The general way hears them all, and repairs.
    this.#others = undefined;
    this.#spared = 0;
    const spentMs = this.#node.runtime.clock.monotonicMs() - this.#beganMs;
    this.#gets.onEnded(this);
    this.#listener.onUnusual(this.#parts.budgetMs - spentMs);
  }

  /** Nearly always everybody has the same. */
  #repairAtEnd(): void {
    const others = this.#others;
    if (others === undefined || this.#awaited > 0 || !this.#isOver || this.#merged === undefined) return;
    this.#others = undefined;
    const { place } = this.#parts;
    const merged = this.#bounded(this.#merged);
    const state = this.#local;
    const answered = [...others];
    for (const { node, seat } of this.#asked) if ((this.#same & (1 << seat)) !== 0) answered.push({ node, state });
    if (answered.every((one) => one.state !== undefined && sameState(one.state, merged))) return;
    repairStale(this.#node, { place, lastWriteWins: this.#isNewestOnly }, this.#beganMs, answered, merged);
  }

  /** A merge of pruned contexts can be over the limit again. */
  #bounded(state: SiblingSet): SiblingSet {
    return pruneState(state, this.#node.limits.contextEntries).state;
  }
}
