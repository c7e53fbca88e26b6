/** The messages of a round of gossip (§4.8.1): each names only what the one before it showed to differ. */

import type { Hash64 } from "../core/hash/murmur3.ts";
import type { NodeId } from "../core/ids.ts";
import type { HistoryEvent } from "../core/membership/event.ts";
import type { HistoryDigest } from "../core/membership/history.ts";
import type { NodeRecord, RecordDigest } from "../core/membership/node-record.ts";
import type { Summary } from "../core/membership/summary.ts";

/** One round of gossip: what the asker knows, in brief. Answered with `done` by who knows the same. */
export interface Gossip {
  readonly kind: "gossip";
  readonly id: number;
  readonly summary: Summary;
  /** Of what it knows of all seats. */
  readonly seats: Hash64;
}

/** What the answerer knows where the two differ. */
export interface GossipDigest {
  readonly kind: "gossip-digest";
  readonly id: number;
  /** Absent where the histories are the same. */
  readonly history?: HistoryDigest;
  /** The groups of node records that differ, in order. */
  readonly groups: readonly number[];
  /** All records of those groups that the answerer knows. */
  readonly records: RecordDigest;
  /** Of what the answerer knows of all seats. */
  readonly seats: Hash64;
}

/** What the other side lacked, and a question for what this one lacks. Answered with `gossip-answer`. */
export interface GossipDelta {
  readonly kind: "gossip-delta";
  readonly id: number;
  readonly events: readonly HistoryEvent[];
  readonly records: readonly NodeRecord[];
  /** What the asker knew before; absent where it lacks nothing of the history. */
  readonly history?: HistoryDigest;
  /** The nodes whose records the other side has in a newer version. */
  readonly wanted: readonly NodeId[];
}

/** What the asker lacked. */
export interface GossipAnswer {
  readonly kind: "gossip-answer";
  readonly id: number;
  readonly events: readonly HistoryEvent[];
  readonly records: readonly NodeRecord[];
}
