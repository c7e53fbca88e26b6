/** The messages of an exchange of gossip (§4.8.1): each names only what the one before it showed to differ. */

import type { Hash64 } from "../core/hash/murmur3.ts";
import type { News } from "../core/membership/news.ts";
import type { Stamp } from "../core/membership/stamp.ts";
import type { Summary } from "../core/membership/summary.ts";

/** The beginning: what the asker knows, in brief. Answered with `done` by who knows the same. */
export interface Gossip {
  readonly kind: "gossip";
  readonly id: number;
  readonly asker: Stamp;
  readonly summary: Summary;
  /** Of what it knows of all seats. */
  readonly seats: Hash64;
}

/** What the answerer knows where the two differ. */
export interface GossipDigest {
  readonly kind: "gossip-digest";
  readonly id: number;
  /** A description, and nothing else. */
  readonly news: News;
  /** The asker has shown this stamp already, which is greater than the one it shows: it forgot. */
  readonly shown?: number;
  /** Of what the answerer knows of all seats. */
  readonly seats: Hash64;
}

/** The asker's side of it. Answered with `gossip-answer`. */
export interface GossipDelta {
  readonly kind: "gossip-delta";
  readonly id: number;
  readonly news: News;
}

/** The answerer's. */
export interface GossipAnswer {
  readonly kind: "gossip-answer";
  readonly id: number;
  readonly news: News;
}
