/**
 * A set of dots: a key's context, and what a client has seen (§4.4, where it is a vector clock).
 *
 * A vector clock says "everything of this actor up to n". That is not enough here: a client that wrote twice in a
 * blind way has seen its second write's dot and not what lay between. So a set holds intervals; nearly always there is
 * one for each actor, 1 to n, and then it is a vector clock.
 *
 * Each interval carries the wall time of its newest dot, since pruning has to know which is the oldest. Time says
 * nothing about which dots are in the set: `covers` and `sameDots` do not look at it.
 *
 * Invariant, kept by every function here: intervals are ordered by actor, then `from`; those of one actor are
 * disjoint and do not touch. A set of dots therefore has exactly one form.
 *
 * Hot path: sets are short, so all of this is loops over small arrays, and a set that gains nothing is returned as it
 * is. The naive twin, a `Set` of texts, is in the tests.
 */

import type { ActorId } from "../ids.ts";
import type { Dot } from "./dot.ts";

/** The dots `from` to `to` of one actor, both included. */
export interface Interval {
  readonly actor: ActorId;
  readonly from: number;
  readonly to: number;
  /** Wall time, in ms since 1970, at which the dot `to` was minted. */
  readonly time: number;
}

/** Ordered by actor, then `from`; intervals of one actor are disjoint and do not touch. */
export type DotSet = readonly Interval[];

export const emptyDotSet: DotSet = [];

/** Whether the dot is in the set. */
export function holds(set: DotSet, dot: Dot): boolean {
  for (let i = 0; i < set.length; i++) {
    const interval = set[i] as Interval;
    if (interval.actor === dot.actor && interval.from <= dot.counter && dot.counter <= interval.to) return true;
  }
  return false;
}

/** Whether every dot of `b` is in `a`. */
export function covers(a: DotSet, b: DotSet): boolean {
  if (a === b) return true;
  let at = 0;
  for (let i = 0; i < b.length; i++) {
    const wanted = b[i] as Interval;
    while (at < a.length && endsBefore(a[at] as Interval, wanted)) at++;
    const candidate = a[at];
    if (candidate === undefined || candidate.actor !== wanted.actor) return false;
    if (wanted.from < candidate.from || candidate.to < wanted.to) return false;
  }
  return true;
}

/** Whether all of `interval` comes before the end of `other`: it cannot contain it. */
function endsBefore(interval: Interval, other: Interval): boolean {
  return interval.actor < other.actor || (interval.actor === other.actor && interval.to < other.to);
}

/** Whether both hold the same dots. */
export function sameDots(a: DotSet, b: DotSet): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const left = a[i] as Interval;
    const right = b[i] as Interval;
    if (left.from !== right.from || left.to !== right.to || left.actor !== right.actor) return false;
  }
  return true;
}

/**
 * The dots of both. Returns `a` itself where `b` adds nothing, else `b` itself where `a` adds nothing. A joined
 * interval has the time of the part with the greatest `to`, and the greater time where two parts end alike: with that
 * the union is commutative and associative in its times, too.
 */
export function unite(a: DotSet, b: DotSet): DotSet {
  if (a === b || b.length === 0) return a;
  if (a.length === 0) return b;
  const united: Interval[] = [];
  let fromA = 0;
  let fromB = 0;
  let sameAsA = true;
  let sameAsB = true;
  while (fromA < a.length || fromB < b.length) {
    const first = isFirst(a[fromA], b[fromB]) ? (a[fromA++] as Interval) : (b[fromB++] as Interval);
    let { to, time } = first;
    let whole: Interval | undefined = first;
    // Take in everything that overlaps or touches, from either side, until there is a gap.
    for (;;) {
      const nextA = a[fromA];
      const nextB = b[fromB];
      let next: Interval;
      if (nextA !== undefined && nextA.actor === first.actor && nextA.from <= to + 1) {
        next = nextA;
        fromA++;
      } else if (nextB !== undefined && nextB.actor === first.actor && nextB.from <= to + 1) {
        next = nextB;
        fromB++;
      } else {
        break;
      }
      if (next.to > to || (next.to === to && next.time > time)) {
        to = next.to;
        time = next.time;
        whole = next.from === first.from ? next : undefined;
      }
    }
    const joined = whole ?? { actor: first.actor, from: first.from, to, time };
    sameAsA &&= sameInterval(a[united.length], joined);
    sameAsB &&= sameInterval(b[united.length], joined);
    united.push(joined);
  }
  if (sameAsA && united.length === a.length) return a;
  if (sameAsB && united.length === b.length) return b;
  return united;
}

/** Whether `a` is there and does not begin after `b`. */
function isFirst(a: Interval | undefined, b: Interval | undefined): boolean {
  if (a === undefined) return false;
  if (b === undefined) return true;
  return a.actor === b.actor ? a.from <= b.from : a.actor < b.actor;
}

function sameInterval(a: Interval | undefined, b: Interval): boolean {
  return a === b || (a !== undefined && a.from === b.from && a.to === b.to && a.time === b.time && a.actor === b.actor);
}

/** The set with one dot more, minted at `time`. */
export function withDot(set: DotSet, dot: Dot, time: number): DotSet {
  return unite(set, [{ actor: dot.actor, from: dot.counter, to: dot.counter, time }]);
}

/** The time of the newest interval, 0 for an empty set. */
export function newestTime(set: DotSet): number {
  let newest = 0;
  for (let i = 0; i < set.length; i++) newest = Math.max(newest, (set[i] as Interval).time);
  return newest;
}

/** How many dots the set holds. */
export function dotCount(set: DotSet): number {
  let count = 0;
  for (let i = 0; i < set.length; i++) count += (set[i] as Interval).to - (set[i] as Interval).from + 1;
  return count;
}

export interface Pruned {
  readonly set: DotSet;
  /** How many intervals went. */
  readonly pruned: number;
}

/**
 * The set with at most `limit` intervals: those with the oldest time go, by actor and `from` where times are equal,
 * but never one that holds a live version's dot (§4.4's truncation, the bound of last resort). So the result may
 * still be longer than `limit` where more versions live.
 *
 * What it costs: a version whose dot was forgotten shows again, beside the one that replaced it, when a copy that
 * still has it is merged. It never costs a write, since no counter is ever read from a context (see `minting.ts`).
 */
export function prune(set: DotSet, limit: number, live: readonly Dot[]): Pruned {
  if (set.length <= limit) return { set, pruned: 0 };
  const dead = set.filter((interval) => !live.some((dot) => holds([interval], dot)));
  const oldestFirst = dead.toSorted(
    (a, b) => a.time - b.time || (a.actor === b.actor ? a.from - b.from : a.actor < b.actor ? -1 : 1),
  );
  const gone = new Set(oldestFirst.slice(0, set.length - limit));
  return { set: set.filter((interval) => !gone.has(interval)), pruned: gone.size };
}
