/**
 * A cluster's history: every membership event its members know, in one order (§4.8.1).
 *
 * Two histories merge by union, so it does not matter who hears what first, or from whom: members that know the same
 * events have the same history, and everything else (the ring, the members, the buckets' properties) is folded from
 * it by `ring/ring.ts`.
 *
 * Invariants: ordered by Lamport time, then author; no event twice; begins with the one `found` event. An author's
 * events spread in their order, since a delta is cut only at its end, and that is why a count of an author's events
 * names them in a digest.
 */

import type { NodeId } from "../ids.ts";
import type { HistoryEvent } from "./event.ts";

export type History = readonly HistoryEvent[];

/** Which event: no other has the same time and author. */
export type EventId = Pick<HistoryEvent, "lamport" | "author">;

/** What a node knows of one author. */
export interface AuthorDigest {
  readonly author: NodeId;
  /** How many of the author's events it knows. */
  readonly events: number;
  /**
   * The Lamport time of the newest of them. An author that lost its disk may have forgotten an event that somebody
   * else knows and write another in its place; then the counts agree and the times do not.
   */
  readonly last: number;
}

/** One entry for each author, ordered by author. */
export type HistoryDigest = readonly AuthorDigest[];

/** Orders events of one cluster: an effect never sorts before its cause. */
export function compareEvents(a: EventId, b: EventId): number {
  if (a.lamport !== b.lamport) return a.lamport - b.lamport;
  if (a.author === b.author) return 0;
  return a.author < b.author ? -1 : 1;
}

/** An event's unique name, `<lamport>-<author>`; a join's name is the incarnation it begins. */
export function eventName(event: EventId): string {
  return `${event.lamport}-${event.author}`;
}

/** Orders names as `compareEvents` orders their events; a name that is none sorts first. */
export function compareEventNames(a: string, b: string): number {
  const timeA = Number.parseInt(a, 10) || 0;
  const timeB = Number.parseInt(b, 10) || 0;
  if (timeA !== timeB) return timeA - timeB;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The union. The very same `history` where `events` brings nothing new. */
export function uniteHistories(history: History, events: readonly HistoryEvent[]): History {
  const known = new Set<string>();
  const fresh: HistoryEvent[] = [];
  for (const event of events) {
    const name = eventName(event);
    if (known.has(name) || eventNamed(history, event) !== undefined) continue;
    known.add(name);
    fresh.push(event);
  }
  if (fresh.length === 0) return history;
  return [...history, ...fresh].sort(compareEvents);
}

/** Where the first event begins that is not before this one. */
export function placeOf(history: History, event: EventId): number {
  let from = 0;
  let to = history.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareEvents(history[middle] as HistoryEvent, event) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The event of that name, if it is known. */
export function eventNamed(history: History, name: EventId): HistoryEvent | undefined {
  const event = history[placeOf(history, name)];
  return event !== undefined && compareEvents(event, name) === 0 ? event : undefined;
}

/** What this history holds, in brief. */
export function digestOf(history: History): HistoryDigest {
  const authors = new Map<NodeId, AuthorDigest>();
  for (const { author, lamport } of history) {
    authors.set(author, { author, events: (authors.get(author)?.events ?? 0) + 1, last: lamport });
  }
  return [...authors.values()].sort((a, b) => (a.author < b.author ? -1 : 1));
}

/**
 * The events that whoever sent `digest` lacks, in history order, so that any beginning of them may be sent alone and
 * leaves no gap and no effect without its cause.
 *
 * Where both sides know as many events of an author but not the same (see `AuthorDigest.last`), all of that author's
 * events go; where they know more, none, and their own delta finds out whether the beginnings agree.
 */
export function missingFrom(history: History, digest: HistoryDigest): readonly HistoryEvent[] {
  const theirs = new Map(digest.map((entry) => [entry.author, entry]));
  const byAuthor = new Map<NodeId, HistoryEvent[]>();
  for (const event of history) {
    const events = byAuthor.get(event.author);
    if (events === undefined) byAuthor.set(event.author, [event]);
    else events.push(event);
  }
  const missing: HistoryEvent[] = [];
  for (const [author, events] of byAuthor) {
    const entry = theirs.get(author);
    if (entry === undefined) missing.push(...events);
    else if (entry.events > events.length) continue;
    else if (events[entry.events - 1]?.lamport === entry.last) missing.push(...events.slice(entry.events));
    else missing.push(...events);
  }
  return missing.sort(compareEvents);
}

/** Whether `digest` names events that are not in the history, as far as a digest can tell. */
export function isBehind(history: History, digest: HistoryDigest): boolean {
  const byAuthor = new Map<NodeId, number[]>();
  for (const { author, lamport } of history) {
    const times = byAuthor.get(author);
    if (times === undefined) byAuthor.set(author, [lamport]);
    else times.push(lamport);
  }
  return digest.some(({ author, events, last }) => byAuthor.get(author)?.[events - 1] !== last);
}

/** A Lamport time greater than every known event's. */
export function nextLamport(history: History): number {
  return (history.at(-1)?.lamport ?? 0) + 1;
}

/**
 * A node whose disk was lost may have named events that somebody knows and it no longer does: its sponsor leaves room
 * for them in the Lamport times, so that it does not give their names away again.
 */
export const roomForForgottenEvents: number = 1024;

/** Whether the event decides where copies live, and so makes a new version of the ring. */
export function isPlacement(event: HistoryEvent): boolean {
  return event.kind !== "bucket" || event.change.n !== undefined;
}
