/**
 * Asks every seat of a key one thing, for one request, and counts who answers (§4.5, §4.6).
 *
 * A seat is asked of its owner: its holder, as far as is known, or whoever rebuilds it. Where that is not up, fails or
 * refuses, the next fallback stands in, and the next one where that fails, too (`stand-ins.ts`). An owner that waits for
 * a membership change is asked again. An owner that takes longer than half the request's time is waited for still, but
 * somebody stands in for it meanwhile.
 *
 * Calls may outlive the request: an owner's late answer still repairs or spares a hint, and an owner without one still
 * gets its hint. All of it ends by itself: every call has its time, and nobody is asked twice but after a refusal that
 * may pass.
 *
 * Who holds what may change meanwhile, and answers tell: a seat is then asked of its new owner, and what its old one
 * said counts only as long as nobody knows better (`core/seats/known.ts`). That alone keeps two nodes from speaking for
 * one seat; who is asked decides nothing.
 *
 * Each call ends in exactly one of `heard` and `failed`. Whoever listens hears of every change once it is counted and
 * whatever follows from it is under way, so that it need only look at the tally.
 */

import type { NodeId } from "../core/ids.ts";
import { Tally } from "../core/quorum/tally.ts";
import { ZoneTally } from "../core/quorum/zone-tally.ts";
import type { BucketEras } from "../core/ring/eras.ts";
import type { SeatOwner } from "../core/seats/bucket-seats.ts";
import { isBeingFilled, isOutdated, type KnownSeats, knownSeat } from "../core/seats/known.ts";
import type { AnswerHandler, CallFailure } from "../rpc/call.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Answer, RefusalCode } from "../wire/message.ts";
import type { Coordination } from "./coordination.ts";
import { callTroubles, isPassing, leastCallMs, nameOf, retryPauseMs, zoneOf } from "./coordination.ts";
import { askedSeats, type EraQuorum } from "./era-quorums.ts";
import type { KeyPlace } from "./key-place.ts";
import { reachable } from "./reachable.ts";
import { type Heard, mayAnswer, newSeat, type Seat, type SeatAsk, type SeatListener, type Wanted } from "./seat.ts";
import { StandIns } from "./stand-ins.ts";

/** A stand-in that refuses in passing is asked again so many times before the next one is. */
const mostStandInRefusals = 3;
/** The pause before asking again doubles up to this, in ms. */
const longestPauseMs = 200;
/** A seat that passes on more often than this within one request is not run after any more. */
const mostMoves = 8;

export class SeatCalls implements AnswerHandler {
  readonly tally: Tally;
  /** Where answers of one zone are not enough. */
  readonly zones: ZoneTally | undefined;
  /** The seat that this node answers for itself: its own, or, where it is no owner, one in which it stands in. */
  readonly here: Seat;
  /** Whether this node is no owner, and stands in for one. */
  readonly standsInHere: boolean;
  /** An owner's answer for one of them is told with twice its place here for a tag. */
  readonly seats: Seat[];
  readonly #node: Coordination;
  readonly #neededOf: SeatAsk["needed"];
  /** What the tally has followed: what is known of seats, and of changes of the bucket's n. */
  #known: KnownSeats;
  #eras: BucketEras | undefined;
  /** What each era of the bucket needs that is open, the newest first. */
  #quorums: readonly EraQuorum[] = [];
  /** Nodes without a voice that hold a copy, each with the seat that it counts for. */
  #copies: Map<NodeId, number> | undefined;
  #isStarted = false;
  readonly #place: KeyPlace;
  readonly #listener: SeatListener;
  readonly #standIns: StandIns;
  readonly #budgetMs: number;
  readonly #endsMs: number;
  #needsStandIns = true;
  #timer: Timer | undefined;
  #lastTrouble = "";

  constructor(options: SeatAsk) {
    const { node, place, needed, budgetMs, beganMs = node.runtime.clock.monotonicMs(), listener } = options;
    this.#node = node;
    this.#neededOf = needed;
    this.#known = node.seats.known(place.partition);
    this.#eras = node.ring().eras.buckets.get(place.bucket);
    this.#place = place;
    this.seats = this.#asked().map(newSeat);
    this.#listener = listener;
    this.#budgetMs = budgetMs;
    this.#endsMs = beganMs + budgetMs;
    this.#standIns = new StandIns(node, place, this.seats);
    const newest = this.#quorums[0] as EraQuorum;
    this.tally = new Tally(this.#quorums);
    this.zones = newest.zones > 1 ? this.#countZones(newest.zones) : undefined;
    this.here = this.#seatHere();
    this.standsInHere = this.here.owner !== node.self;
  }

  get isMet(): boolean {
    return this.tally.isMet && this.zones?.isMet !== false;
  }

  /** What is to come cannot make up for what is missing. */
  get isLost(): boolean {
    return this.tally.isLost || this.zones?.isLost === true;
  }

  /** Of what there is too little, where the request must end without its answer. */
  get shortage(): { readonly of: "nodes" | "zones"; readonly needed: number; readonly received: number } {
    const { needed, received } = this.tally;
    if (this.zones === undefined || received < needed) return { of: "nodes", needed, received };
    return { of: "zones", needed: this.zones.needed, received: this.zones.received };
  }

  /** How many seats have acknowledged anything of the key, at most: what `voices` are to be held against. */
  get filled(): number {
    return this.#quorums[0]?.filled ?? 0;
  }

  get lastTrouble(): string {
    return this.#lastTrouble || "none";
  }

  /** What each era's quorum needs, and what can come at best, as far as this node knows. */
  prospects(): readonly { readonly needed: Wanted; readonly most: Wanted }[] {
    const standsIn = this.standsInHere ? this.here : undefined;
    const free = (): readonly NodeId[] => this.#standIns.free();
    const of = { node: this.#node, standsIn, free, countsZones: this.zones !== undefined };
    return this.#quorums.map((quorum, _, { length }) => {
      const seats = length === 1 ? this.seats : this.seats.filter(({ number }) => quorum.seats.includes(number));
      return { needed: quorum, most: reachable({ ...of, seats }) };
    });
  }

  /** Asks for every seat, save what this node answers itself; it is to say so by `heard` or `failed`. */
  start(): void {
    this.goOn([], false);
  }

  /** The same for a request that has asked these owners already, whose answers are to be told by `onAnswer` and `onFailure`. */
  goOn(asked: readonly SeatOwner[], isAnswered: boolean): void {
    this.#isStarted = true;
    for (const seat of this.seats) {
      if (!asked.some((one) => one.seat === seat.number && one.node === seat.owner)) this.#ask(seat);
    }
    if (!isAnswered) this.#plan(this.#budgetMs / 2, () => this.#hurry());
  }

  /** The request has its answer. */
  answered(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Nobody is asked to stand in any more. */
  needNoStandIns(): void {
    this.#needsStandIns = false;
  }

  /** A node, which may be this one, answered for the seat. */
  heard(seat: Seat, from: NodeId, { voice: said, holdsCopy: holds }: Heard): void {
    this.#follow();
    const isVoid = said !== undefined && isOutdated(said, this.#known);
    const voice = isVoid ? undefined : said;
    const holdsCopy = holds && !isVoid && this.#isOnlyCopy(from, voice?.seat ?? seat.number, voice !== undefined);
    const isAsked = from === seat.standIn || (from === seat.owner && seat.isOwnerAwaited);
    this.zones?.heard(from, voice, holdsCopy && isAsked);
    if (from === seat.owner && seat.isOwnerAwaited) {
      if (isVoid || (voice !== undefined && voice.seat !== seat.number)) {
        if (voice !== undefined) this.tally.voiceHeard(voice);
        return this.failed(seat, from, "does not speak for the seat any more");
      }
      if (voice === undefined && !holdsCopy && this.#speaksSoon(seat)) return;
      seat.isOwnerAwaited = false;
      this.tally.ownerHeard(seat.number, voice, holdsCopy);
    } else if (voice !== undefined) {
      // Its owner once, as far as this node knows; others may know nothing newer.
      this.tally.voiceHeard(voice);
    } else if (from === seat.standIn) {
      this.tally.standInHeard(seat.number, holdsCopy);
    }
    this.#listener.settle();
  }

  /** Whether the node does not count for another seat already by a copy, without a voice: by its voice it counts anew. */
  #isOnlyCopy(from: NodeId, seat: number, speaks: boolean): boolean {
    const before = this.#copies?.get(from);
    if (before === undefined && !speaks) {
      this.#copies ??= new Map();
      this.#copies.set(from, seat);
    }
    if (before === undefined || before === seat) return true;
    if (speaks) this.tally.withdrawCopy(before);
    return speaks;
  }

  /** A node, which may be this one, will not answer for the seat: the next one is asked. */
  failed(seat: Seat, from: NodeId, why: string): void {
    if (from === seat.owner && seat.isOwnerAwaited) {
      this.#ownerFailed(seat, why);
    } else {
      this.#note(from, why);
      if (from === seat.standIn) {
        seat.standIn = undefined;
        this.tally.standInFailed(seat.number);
      }
      this.zones?.failed(from);
    }
    if (seat.standIn === undefined && this.#needsStandIns && !this.#askStandIn(seat) && !seat.isOwnerAwaited) {
      this.#listener.onNobody(seat);
    }
    this.#listener.settle();
  }

  /**
   * Asks a node that has answered for the seat, and holds nothing, once more: `request` now says what to give it.
   * `heard` and `failed` follow as for one that stands in.
   */
  askAgain(seat: Seat, node: NodeId): void {
    seat.standIn = node;
    this.tally.standInAsked(seat.number);
    this.zones?.standInAsked(node);
    if (node !== this.#node.self) this.#call(seat, node, true);
  }

  onAnswer(from: NodeId, answer: Answer, tag: number): void {
    const seat = this.seats[tag >> 1] as Seat;
    if ("known" in answer && answer.known !== undefined) this.#node.seats.learn(this.#place.partition, answer.known);
    this.#follow();
    if (answer.kind !== "refusal") return this.#listener.onAnswer(seat, from, answer);
    if (answer.code === "stale-ring") this.#node.ringDiffers(from);
    const isStandIn = (tag & 1) === 1;
    // Another owner is asked already.
    if (!isStandIn && from !== seat.owner) return this.#note(from, `refused: ${answer.detail}`);
    if (!this.#tryLater(seat, from, isStandIn, answer.code)) this.failed(seat, from, `refused: ${answer.detail}`);
  }

  onFailure(from: NodeId, failure: CallFailure, tag: number): void {
    this.failed(this.seats[tag >> 1] as Seat, from, callTroubles[failure]);
  }

  #countZones(zones: number): ZoneTally {
    const owners = this.seats.map(({ owner }) => owner);
    return new ZoneTally(zones, owners, (member) => zoneOf(this.#node.ring(), member));
  }

  /** Its own seat; else the first whose owner is not up, where it stands in. */
  #seatHere(): Seat {
    const { self } = this.#node;
    const own = this.seats.find(({ owner }) => owner === self);
    if (own !== undefined) return own;
    const seat = this.seats.find(({ owner }) => !mayAnswer(this.#node, owner)) ?? (this.seats[0] as Seat);
    this.#standIns.takeSelf();
    seat.standIn = self;
    this.tally.standInAsked(seat.number);
    this.zones?.standInAsked(self);
    return seat;
  }

  /** Who is to be asked, and how many must answer, by what this node knows. */
  #asked(): readonly SeatOwner[] {
    const { quorums, owners } = askedSeats(this.#node, this.#place, this.#neededOf);
    this.#quorums = quorums;
    return owners;
  }

  /** Brings what is counted, and who is asked, up to what this node knows by now. */
  #follow(): void {
    const { seats, self } = this.#node;
    const known = seats.known(this.#place.partition);
    const eras = this.#node.ring().eras.buckets.get(this.#place.bucket);
    if (known === this.#known && eras === this.#eras) return;
    this.#known = known;
    this.#eras = eras;
    const asked = this.#asked();
    this.tally.follow(this.#quorums, (voice) => isOutdated(voice, known));
    this.zones?.follow((voice) => isOutdated(voice, known));
    for (const owner of asked) {
      const { seat: number, node, isVacant } = owner;
      const seat = this.seats.find((one) => one.number === number);
      // It has answered before it began to fill the seat: it is to speak of that, too.
      const hasBegun = seat?.isVacant === true && !isVacant && !seat.isOwnerAwaited;
      if (seat !== undefined) seat.isVacant = isVacant;
      if (seat?.owner === node && !hasBegun) continue;
      if (seat === undefined) {
        // This node answers in another seat's place, and no second time.
        const added = { ...newSeat(owner), isOwnerAwaited: node !== self };
        this.seats.push(added);
        if (node === self) continue;
        this.tally.ownerAsked(number);
        this.zones?.ownerAsked(node);
        if (this.#isStarted) this.#ask(added);
      } else if (!this.tally.hasVoice(number) && node !== self && seat.moves < mostMoves) {
        this.zones?.failed(seat.owner);
        this.zones?.ownerAsked(node);
        seat.moves += 1;
        seat.owner = node;
        seat.refusals = 0;
        seat.isOwnerAwaited = true;
        this.tally.ownerAsked(number);
        if (this.#isStarted) this.#ask(seat);
      }
    }
  }

  #ask(seat: Seat): void {
    if (seat.owner === this.#node.self) return;
    if (mayAnswer(this.#node, seat.owner)) this.#askOwner(seat);
    else if (seat.standIn !== undefined || this.#askStandIn(seat)) this.#ownerFailed(seat, "cannot be reached");
    else this.#askOwner(seat);
  }

  #askOwner(seat: Seat): void {
    this.#call(seat, seat.owner, false);
  }

  /** False where nobody is left to ask. */
  #askStandIn(seat: Seat): boolean {
    const isOver = this.#node.runtime.clock.monotonicMs() > this.#lastAskMs;
    const node = isOver ? undefined : this.#nextStandIn(seat);
    if (node === undefined) return false;
    seat.standIn = node;
    seat.refusals = 0;
    this.tally.standInAsked(seat.number);
    this.zones?.standInAsked(node);
    this.#call(seat, node, true);
    return true;
  }

  /** One from a zone that is missing, where zones are asked for. */
  #nextStandIn({ owner }: Seat): NodeId | undefined {
    const { zones } = this;
    return this.#standIns.take(zones === undefined ? undefined : (free) => zones.wanted(free, owner));
  }

  /** When nobody new is asked any more. */
  get #lastAskMs(): number {
    return this.#endsMs + 2 * leastCallMs;
  }

  #call(seat: Seat, node: NodeId, isStandIn: boolean): void {
    const leftMs = this.#endsMs - this.#node.runtime.clock.monotonicMs();
    const request = this.#node.isInDoubt() ? undefined : this.#listener.request(seat, isStandIn);
    if (request === undefined) return this.failed(seat, node, "was to be given what may be too old by now");
    const tag = 2 * this.seats.indexOf(seat) + (isStandIn ? 1 : 0);
    this.#node.peers.call(node, request, Math.max(leastCallMs, leftMs), this, tag);
  }

  /** Whether the owner, that had nothing to say, fills its seat for the first time, or has just done so: it is asked again. */
  #speaksSoon(seat: Seat): boolean {
    const { number, owner } = seat;
    if (owner === this.#node.self) return false;
    const isFilling = isBeingFilled(this.#known, number) || knownSeat(this.#known, number).holder === owner;
    return isFilling && this.#tryLater(seat, owner, false, "not-ready");
  }

  #tryLater(seat: Seat, from: NodeId, isStandIn: boolean, code: RefusalCode): boolean {
    if (!isPassing(code) || (isStandIn && seat.refusals >= mostStandInRefusals)) return false;
    const pauseMs = Math.min(longestPauseMs, retryPauseMs * 2 ** Math.min(seat.refusals, 8));
    const untilMs = isStandIn ? this.#lastAskMs : this.#endsMs;
    if (this.#node.runtime.clock.monotonicMs() + pauseMs >= untilMs) return false;
    seat.refusals += 1;
    this.#node.runtime.clock.setTimer(pauseMs, () => {
      // This process may have been stopped meanwhile.
      const isInTime = this.#node.runtime.clock.monotonicMs() < untilMs;
      if (!isStandIn && from !== seat.owner) return;
      if (isInTime) this.#call(seat, from, isStandIn);
      else this.failed(seat, from, "is asked no more: its time is up");
    });
    return true;
  }

  /** What is to be done so long before the request's end. */
  #plan(beforeMs: number, act: () => void): void {
    const { clock } = this.#node.runtime;
    this.#timer = clock.setTimer(Math.max(0, this.#endsMs - beforeMs - clock.monotonicMs()), act);
  }

  /** Half the time is over: what has not answered yet gets a stand-in, and stand-ins count. */
  #hurry(): void {
    this.#plan(0, () => this.#listener.onDeadline());
    this.tally.hurry();
    this.zones?.hurry();
    if (this.#needsStandIns) {
      for (const seat of this.seats) if (seat.isOwnerAwaited && seat.standIn === undefined) this.#askStandIn(seat);
    }
    this.#listener.settle();
  }

  #ownerFailed(seat: Seat, why: string): void {
    this.#note(seat.owner, why);
    seat.isOwnerAwaited = false;
    this.tally.ownerFailed(seat.number);
    this.zones?.failed(seat.owner);
  }

  #note(node: NodeId, what: string): void {
    this.#lastTrouble = `${nameOf(this.#node.ring(), node)} ${what}`;
  }
}
