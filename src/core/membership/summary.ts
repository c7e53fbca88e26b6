/**
 * What a node knows of the cluster in a few bytes, however large that is: two nodes whose summaries are equal have
 * nothing to tell each other, and most rounds of gossip find just that (§4.8.1).
 *
 * The naive digest names every author and every record, and so costs each node more with each node there is. A summary
 * is a hash over the history and one over the node records. Hashes of parts are joined by XOR: it does not matter in
 * which order one came to know them, and what is known or replaced is added or taken away without looking at the rest.
 *
 * Two different sets have the same hash once in 2^64; such a pair learns from others, or with the next change.
 */

import { type Hash64, hash64 } from "../hash/murmur3.ts";
import type { HistoryEvent } from "./event.ts";
import { eventName } from "./history.ts";

export interface Summary {
  /** Over the names of all events. */
  readonly history: Hash64;
  /** Over the versions of all node records (`record-table.ts`). */
  readonly records: Hash64;
}

const encoder: TextEncoder = new TextEncoder();

/** Of who knows nothing. */
export const noHash: Hash64 = { hi: 0, lo: 0 };

/** With these events known that were not before; or the other way about. */
export function withEvents(history: Hash64, events: readonly HistoryEvent[]): Hash64 {
  return events.reduce((hash, event) => joinedHash(hash, hashOfName(eventName(event))), history);
}

/** The hash of both sets together, where they have nothing in common; of the rest, where one is part of the other. */
export function joinedHash(a: Hash64, b: Hash64): Hash64 {
  return { hi: (a.hi ^ b.hi) >>> 0, lo: (a.lo ^ b.lo) >>> 0 };
}

export function hashOfName(name: string): Hash64 {
  return hash64(encoder.encode(name));
}
