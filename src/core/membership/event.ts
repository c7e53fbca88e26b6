/**
 * The events of which a cluster's history consists (§4.8.1: membership changes are explicit).
 *
 * An event is a fact that one member accepted. It never changes, and its name, the pair of Lamport time and author,
 * is unique: an author's times only grow.
 */

import type { NodeId } from "../ids.ts";
import type { BucketChange, ClusterSettings } from "../settings.ts";

export interface EventBase {
  /** Greater than the time of every event its author knew, so that an effect never sorts before its cause. */
  readonly lamport: number;
  readonly author: NodeId;
  /** Wall time in ms since 1970, for people only. */
  readonly at: number;
}

/** The first event of every history; its author is the first member. */
export interface FoundEvent extends EventBase {
  readonly kind: "found";
  /** The cluster's id: 32 hexadecimal digits drawn at random. */
  readonly cluster: string;
  readonly settings: ClusterSettings;
  readonly name: string;
  readonly zone: string;
  readonly capacity: number;
  /**
   * Version of the claim function by which the seats are placed anew: that of the author's software, in every event
   * that may move seats, so that a history means the same to whoever folds it later.
   */
  readonly claim: number;
}

/**
 * A node becomes a member, or a member whose directory was lost takes its place again: then `node` is already a
 * member, and this event's name is its new incarnation.
 */
export interface JoinEvent extends EventBase {
  readonly kind: "join";
  readonly node: NodeId;
  /**
   * The id that the joiner's data directory drew: `node` itself, unless it takes a lost directory's place. Two
   * sponsors may each write down a join of the same directory; it is the same process, and has replaced nobody.
   */
  readonly directory: NodeId;
  readonly name: string;
  readonly zone: string;
  readonly capacity: number;
  readonly claim: number;
}

/** A member is to hand over all that it holds: from now on it has no seats, and it is a member until it is removed. */
export interface LeaveEvent extends EventBase {
  readonly kind: "leave";
  readonly node: NodeId;
  readonly claim: number;
}

/**
 * A node is a member no longer, and its id never becomes one again: it is lost, or, where it is the author itself, it was
 * leaving and holds nothing any more.
 */
export interface RemoveEvent extends EventBase {
  readonly kind: "remove";
  readonly node: NodeId;
  readonly claim: number;
}

/** A member is to carry another share. */
export interface CapacityEvent extends EventBase {
  readonly kind: "capacity";
  readonly node: NodeId;
  readonly capacity: number;
  readonly claim: number;
}

/** A member was moved, or was said to be where it is not. */
export interface ZoneEvent extends EventBase {
  readonly kind: "zone";
  readonly node: NodeId;
  readonly zone: string;
  readonly claim: number;
}

/** Properties of a bucket; what it does not name stays as it was. */
export interface BucketEvent extends EventBase {
  readonly kind: "bucket";
  readonly bucket: string;
  readonly change: BucketChange;
}

/** A member that was to leave is not to, after all. */
export interface StayEvent extends EventBase {
  readonly kind: "stay";
  readonly node: NodeId;
  readonly claim: number;
}

/** Events about a member there is. */
export type MemberEvent = LeaveEvent | StayEvent | RemoveEvent | CapacityEvent | ZoneEvent;

export type HistoryEvent = FoundEvent | JoinEvent | MemberEvent | BucketEvent;

/** An event before its author gave it a time. */
export type EventDraft = Draft<JoinEvent | BucketEvent | MemberEvent>;

type Draft<E extends HistoryEvent> = E extends HistoryEvent ? Omit<E, keyof EventBase> : never;
