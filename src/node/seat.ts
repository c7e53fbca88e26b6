/**
 * One seat of a key as a request sees it: who is asked for it, what an answer says, and who wants to hear (§4.5). Asking
 * and counting is `seat-calls.ts`.
 */

import type { NodeId } from "../core/ids.ts";
import type { Needed } from "../core/quorum/tally.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { SeatOwner } from "../core/seats/bucket-seats.ts";
import type { BucketSettings } from "../core/settings.ts";
import type { Answer, ReplicaGet, ReplicaPut } from "../wire/message.ts";
import type { Coordination } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";

/** One seat of the key, and who is asked for it. */
export interface Seat {
  owner: NodeId;
  /** Its number in the partition. */
  readonly number: number;
  /** Nobody holds it yet: its owner is to fill it, and has no voice until then. */
  isVacant: boolean;
  /** Whether the owner may still answer. */
  isOwnerAwaited: boolean;
  /** Who stands in for the owner, or is asked to. */
  standIn: NodeId | undefined;
  /** How often whoever is asked now has refused in passing. */
  refusals: number;
  /** How often it has turned out to have another owner. */
  moves: number;
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

/** Seats of a key: those that have a holder, or had one, and all that are asked, vacant ones among them. */
export interface SeatCount {
  readonly filled: number;
  readonly asked: number;
}

/** What a request needs of so many seats, where its bucket is set so. */
export type NeededOf = (settings: BucketSettings, seats: SeatCount) => Wanted;

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

/** What the seats of a key are asked with, for one request. */
export interface SeatAsk {
  readonly node: Coordination;
  readonly place: KeyPlace;
  readonly needed: NeededOf;
  readonly budgetMs: number;
  /** When that time began, on the monotonic clock; absent for now. */
  readonly beganMs?: number;
  readonly listener: SeatListener;
}

/** Nobody has been asked for it yet. */
export function newSeat({ node: owner, seat: number, isVacant }: SeatOwner): Seat {
  return { owner, number, isVacant, isOwnerAwaited: true, standIn: undefined, refusals: 0, moves: 0 };
}

/** Whether a call to the owner may well be answered: it is up, or this node is about to find out for the first time. */
export function mayAnswer(node: Coordination, owner: NodeId): boolean {
  return node.isUp(owner) || !node.peers.isDoubtful(owner);
}
