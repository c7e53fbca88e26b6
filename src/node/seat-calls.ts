/**
 * Asks every seat of a key one thing, for one request, and counts who answers (§4.5, §4.6).
 *
 * A seat is asked of its owner. Where that is not up, fails or refuses, the next fallback stands in, and the next one
 * where that fails, too (`stand-ins.ts`). An owner that waits for a membership change is asked again. An owner that
 * takes longer than half the request's time is waited for still, but somebody stands in for it meanwhile.
 *
 * Calls may outlive the request: an owner's late answer still repairs or spares a hint, and an owner without one still
 * gets its hint. All of it ends by itself: every call has its time, and nobody is asked twice but after a refusal that
 * may pass.
 *
 * Each call ends in exactly one of `heard` and `failed`. Whoever listens hears of every change once it is counted and
 * whatever follows from it is under way, so that it need only look at the tally.
 */

import type { NodeId } from "../core/ids.ts";
import { type Needed, Tally } from "../core/quorum/tally.ts";
import type { Voice } from "../core/quorum/voice.ts";
import { ZoneTally } from "../core/quorum/zone-tally.ts";
import { bucketSettings, ownersOf, seatOf } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { AnswerHandler, CallFailure } from "../rpc/call.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Answer, RefusalCode, ReplicaGet, ReplicaPut } from "../wire/message.ts";
import type { Coordination } from "./coordination.ts";
import { isPassing, nameOf, retryPauseMs } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";
import { StandIns } from "./stand-ins.ts";

/** One seat of the key, and who is asked for it. */
export interface Seat {
  readonly owner: NodeId;
  /** The number with which its voice votes. */
  readonly number: number;
  /** Whether the owner may still answer. */
  isOwnerAwaited: boolean;
  /** Who stands in for the owner, or is asked to. */
  standIn: NodeId | undefined;
  /** How often whoever is asked now has refused in passing. */
  refusals: number;
}

/** What an answer says of one node. */
export interface Heard {
  readonly voice: Voice | undefined;
  /** Whether the node holds anything of the key. */
  readonly holdsCopy: boolean;
}

/** What a request needs before it has its answer. */
export interface Wanted extends Needed {
  /** In how many zones those who answer must be. */
  readonly zones: number;
}

/** The request whose seats are asked. */
export interface SeatListener {
  /**
   * What to send, made anew for each time of asking, since the ring may have moved on; undefined where it is too old to
   * be sent.
   */
  request(seat: Seat, isStandIn: boolean): ReplicaGet | ReplicaPut | undefined;
  /** To be followed by `heard` or `failed`. */
  onAnswer(seat: Seat, from: NodeId, answer: Answer): void;
  /** The owner will not answer, and nobody is left to stand in for it. */
  onNobody(seat: Seat): void;
  /** The tally has changed. */
  settle(): void;
  /** The request's time is up, and it has no answer yet. */
  onDeadline(): void;
}

/** A call is given at least this long, in ms, however little time the request has: its answer serves later, too. */
const leastCallMs = 2000;
/** A stand-in that refuses in passing is asked again so many times before the next one is. */
const mostStandInRefusals = 3;
/** The pause before asking again doubles up to this, in ms. */
const longestPauseMs = 200;

/** What became of a call, as those are told it who run the cluster. */
export const callTroubles: Readonly<Record<CallFailure, string>> = {
  "not-sent": "cannot be reached",
  lost: "was connected and is not any more",
  "timed-out": "did not answer in time",
  overloaded: "takes no more requests",
};

export class SeatCalls implements AnswerHandler {
  readonly tally: Tally;
  /** Where answers of one zone are not enough. */
  readonly zones: ZoneTally | undefined;
  /** The seat that this node answers for itself: its own, or, where it is no owner, one in which it stands in. */
  readonly here: Seat;
  readonly #seats: readonly Seat[];
  readonly #node: Coordination;
  /** As it was when the request began. */
  readonly #ring: Ring;
  readonly #place: KeyPlace;
  readonly #listener: SeatListener;
  readonly #standIns: StandIns;
  readonly #budgetMs: number;
  readonly #endsMs: number;
  #needsStandIns = true;
  #timer: Timer | undefined;
  #lastTrouble = "";

  constructor(options: {
    readonly node: Coordination;
    readonly place: KeyPlace;
    readonly n: number;
    readonly needed: Wanted;
    readonly budgetMs: number;
    readonly listener: SeatListener;
  }) {
    const { node, place, n, needed, budgetMs, listener } = options;
    const ring = node.ring();
    const owners = ownersOf(ring, place.partition, n);
    this.#node = node;
    this.#ring = ring;
    this.#place = place;
    this.#listener = listener;
    this.#budgetMs = budgetMs;
    this.#endsMs = node.runtime.clock.monotonicMs() + budgetMs;
    this.#seats = owners.map((owner) => newSeat(owner, seatOf(ring, place.partition, n, owner) ?? 0));
    this.#standIns = new StandIns(node, place, owners);
    this.tally = new Tally(
      needed,
      this.#seats.map(({ number }) => number),
    );
    const zoneOf = (node: NodeId): string => ring.members.get(node)?.zone ?? "";
    this.zones = needed.zones > 1 ? new ZoneTally(needed.zones, owners, zoneOf) : undefined;
    this.here = this.#seatHere();
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

  /** Whether this node is no owner, and stands in for one. */
  get standsInHere(): boolean {
    return this.here.owner !== this.#node.self;
  }

  get lastTrouble(): string {
    return this.#lastTrouble || "none";
  }

  /** The answers, those of owners, and their zones that can come at best, as far as this node knows. */
  reachable(): Wanted {
    const { self } = this.#node;
    const up = this.#seats.map(({ owner }) => owner).filter((owner) => owner === self || mayAnswer(this.#node, owner));
    const owners = up.length;
    const missing = this.#seats.length - owners;
    const here = missing > 0 && this.standsInHere && !mayAnswer(this.#node, this.here.owner) ? [self] : [];
    const free = missing > 0 ? this.#standIns.free() : [];
    const answers = owners + here.length + Math.min(missing - here.length, free.length);
    if (this.zones === undefined) return { answers, owners, zones: 1 };
    return { answers, owners, zones: this.#reachableZones([...up, ...here], free, missing - here.length) };
  }

  #reachableZones(sure: readonly NodeId[], free: readonly NodeId[], mostStandIns: number): number {
    const zonesOf = (nodes: readonly NodeId[]): Set<string> =>
      new Set(nodes.map((node) => this.#ring.members.get(node)?.zone ?? ""));
    const zones = zonesOf(sure);
    return zones.size + Math.min(mostStandIns, [...zonesOf(free)].filter((zone) => !zones.has(zone)).length);
  }

  /** Asks for every seat, save what this node answers itself; it is to say so by `heard` or `failed`. */
  start(): void {
    const { self, runtime } = this.#node;
    for (const seat of this.#seats) {
      if (seat.owner === self) continue;
      if (mayAnswer(this.#node, seat.owner)) this.#askOwner(seat);
      else if (seat.standIn !== undefined || this.#askStandIn(seat)) this.#ownerFailed(seat, "cannot be reached");
      else this.#askOwner(seat);
    }
    this.#timer = runtime.clock.setTimer(this.#budgetMs / 2, () => this.#hurry());
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
  heard(seat: Seat, from: NodeId, { voice, holdsCopy }: Heard): void {
    this.zones?.heard(from, voice !== undefined || holdsCopy);
    if (from === seat.owner && seat.isOwnerAwaited) {
      seat.isOwnerAwaited = false;
      this.tally.ownerHeard(seat.number, voice, holdsCopy);
    } else {
      this.tally.standInHeard(seat.number, holdsCopy);
    }
    this.#listener.settle();
  }

  /** A node, which may be this one, will not answer for the seat: the next one is asked. */
  failed(seat: Seat, from: NodeId, why: string): void {
    if (from === seat.owner && seat.isOwnerAwaited) {
      this.#ownerFailed(seat, why);
    } else {
      this.#note(from, why);
      seat.standIn = undefined;
      this.tally.standInFailed(seat.number);
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
    const seat = this.#seats[tag >> 1] as Seat;
    if (answer.kind !== "refusal") return this.#listener.onAnswer(seat, from, answer);
    if (answer.code === "stale-ring") this.#node.ringDiffers(from);
    const isStandIn = (tag & 1) === 1;
    if (!this.#tryLater(seat, from, isStandIn, answer.code)) this.failed(seat, from, `refused: ${answer.detail}`);
  }

  onFailure(from: NodeId, failure: CallFailure, tag: number): void {
    this.failed(this.#seats[tag >> 1] as Seat, from, callTroubles[failure]);
  }

  /** Its own seat; else the first whose owner is not up, where it stands in. */
  #seatHere(): Seat {
    const { self } = this.#node;
    const own = this.#seats.find(({ owner }) => owner === self);
    if (own !== undefined) return own;
    const seat = this.#seats.find(({ owner }) => !mayAnswer(this.#node, owner)) ?? (this.#seats[0] as Seat);
    this.#standIns.takeSelf();
    seat.standIn = self;
    this.tally.standInAsked(seat.number);
    this.zones?.standInAsked(self);
    return seat;
  }

  #askOwner(seat: Seat): void {
    this.#call(seat, seat.owner, false);
  }

  /** False where nobody is left to ask. */
  #askStandIn(seat: Seat): boolean {
    const isOver = this.#node.runtime.clock.monotonicMs() > this.#lastAskMs;
    const node = isOver || !this.#areOwnersStill() ? undefined : this.#nextStandIn(seat);
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
    const request = this.#listener.request(seat, isStandIn);
    if (request === undefined) return this.failed(seat, node, "was to be given what is too old by now");
    const tag = 2 * this.#seats.indexOf(seat) + (isStandIn ? 1 : 0);
    this.#node.peers.call(node, request, Math.max(leastCallMs, leftMs), this, tag);
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
      if (isInTime && this.#areOwnersStill()) this.#call(seat, from, isStandIn);
      else this.failed(seat, from, "is asked no more: its time is up, or the key's owners have changed meanwhile");
    });
    return true;
  }

  /** Half the time is over: what has not answered yet gets a stand-in, and stand-ins count. */
  #hurry(): void {
    this.#timer = this.#node.runtime.clock.setTimer(this.#budgetMs / 2, () => this.#listener.onDeadline());
    this.tally.hurry();
    this.zones?.hurry();
    if (this.#needsStandIns) {
      for (const seat of this.#seats) if (seat.isOwnerAwaited && seat.standIn === undefined) this.#askStandIn(seat);
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

  #areOwnersStill(): boolean {
    return areStillOwners(this.#node.ring(), this.#ring, this.#place);
  }
}

function newSeat(owner: NodeId, number: number): Seat {
  return { owner, number, isOwnerAwaited: true, standIn: undefined, refusals: 0 };
}

/** Whether a call to the owner may well be answered: it is up, or this node is about to find out for the first time. */
function mayAnswer(node: Coordination, owner: NodeId): boolean {
  return node.isUp(owner) || !node.peers.isDoubtful(owner);
}

/**
 * Whether the key's owners under the ring of now are those of the ring under which a request began, all of them, no
 * others, and each still in the same incarnation. If not, what the request counts is no quorum any more: nobody may be
 * asked again for it. An answer counted from a directory that was lost since, together with one from an owner whose
 * copy was taken for the directory in its place, would be a write that this one lacks (`docs/how-it-works/rebuild.md`).
 */
export function areStillOwners(now: Ring, then: Ring, place: KeyPlace): boolean {
  if (now === then) return true;
  const [owners, asked] = [now, then].map((ring) =>
    ownersOf(ring, place.partition, bucketSettings(ring, place.bucket).n),
  ) as [readonly NodeId[], readonly NodeId[]];
  const isSame = (owner: NodeId, i: number): boolean =>
    owner === asked[i] && now.members.get(owner)?.incarnation === then.members.get(owner)?.incarnation;
  return owners.length === asked.length && owners.every(isSame);
}
