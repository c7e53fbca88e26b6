/**
 * A history in a few bytes: its newest events by name, and one hash over all before them (§4.8.1).
 *
 * What two members know of the history differs nearly always at its end. A digest by author (`history.ts`) finds
 * anything, and grows with the number of authors; this is tried first, and finds out by its hash whether the end is all
 * that differs.
 */

import type { Hash64 } from "../hash/murmur3.ts";
import { sameHash } from "../merkle/hash-tree.ts";
import type { HistoryEvent } from "./event.ts";
import { compareEvents, type EventId, eventName, eventNamed, type History, placeOf } from "./history.ts";
import { withEvents } from "./summary.ts";

/** Events that are named. */
export const mostNamed = 32;

export interface RecentEvents {
  /** Over the names of all events before the first that is named. */
  readonly earlier: Hash64;
  /** In the history's order. */
  readonly newest: readonly EventId[];
}

export type RecentDifference =
  | {
      readonly kind: "found";
      /** What this side has and the other lacks, in the history's order. */
      readonly news: readonly HistoryEvent[];
      /** What the other has and this side lacks, in the history's order. */
      readonly missing: readonly EventId[];
    }
  /** Something differs before the events that are named. */
  | { readonly kind: "deeper" };

/** `hash`: over the whole history. */
export function recentOf(history: History, hash: Hash64): RecentEvents {
  const newest = history.slice(-mostNamed);
  return { earlier: withEvents(hash, newest), newest: newest.map(({ lamport, author }) => ({ lamport, author })) };
}

/** Where this history differs from the one that another's words describe. `hash`: over the whole of this one. */
export function compareRecent(history: History, hash: Hash64, theirs: RecentEvents): RecentDifference {
  const [first] = theirs.newest;
  if (first === undefined) return { kind: "deeper" };
  const from = placeOf(history, first);
  const ours = history.slice(from);
  if (!sameHash(withEvents(hash, ours), theirs.earlier)) return { kind: "deeper" };
  const named = new Set(theirs.newest.map(eventName));
  const known = new Set(ours.map(eventName));
  return {
    kind: "found",
    news: ours.filter((event) => !named.has(eventName(event))),
    missing: theirs.newest.filter((event) => !known.has(eventName(event))),
  };
}

/** The events of that name that are known, in the history's order. */
export function eventsNamed(history: History, names: readonly EventId[]): readonly HistoryEvent[] {
  const sought = [...names].sort(compareEvents);
  return sought.flatMap((name) => eventNamed(history, name) ?? []);
}
