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
  /** Version of the claim function that later ring changes use. */
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
  /** Whether every member vouched that the cluster held no data: then the node speaks for its seats from the start. */
  readonly founding: boolean;
}

/** Properties of a bucket; what it does not name stays as it was. */
export interface BucketEvent extends EventBase {
  readonly kind: "bucket";
  readonly bucket: string;
  readonly change: BucketChange;
}

export type HistoryEvent = FoundEvent | JoinEvent | BucketEvent;
