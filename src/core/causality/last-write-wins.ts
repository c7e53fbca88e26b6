/**
 * States of a bucket that keeps one version of each key, the newest by the clock.
 *
 * Here a state's context holds exactly one dot, the winner's, and there is one sibling, or none where the winner was
 * a delete. The merge is the maximum by (time, dot), which is commutative, associative and idempotent like the
 * causal one, and simpler; and it loses writes that the causal one keeps: of two concurrent writes the one with the
 * lesser time is gone, and a blind write through a node whose clock is slow is gone at once. That is the bargain, and
 * why siblings are the default.
 *
 * The rule that a client's own writes at least follow each other, whatever the clocks: `nextModified`.
 *
 * A bucket may have kept siblings before: `keepNewest` brings such a state into this form.
 */

import { compareDots, type Dot } from "./dot.ts";
import { type DotSet, type Interval, newestTime } from "./dot-set.ts";
import type { Sibling, SiblingSet } from "./sibling-set.ts";

/** The state after a put: this version alone. It is the newest if its time came from `nextModified`. */
export function soleVersion(sibling: Sibling): SiblingSet {
  const { dot, modified } = sibling;
  return {
    context: [{ actor: dot.actor, from: dot.counter, to: dot.counter, time: modified }],
    siblings: [sibling],
  };
}

/** The state after a delete. */
export function soleTombstone(dot: Dot, time: number): SiblingSet {
  return { context: [{ actor: dot.actor, from: dot.counter, to: dot.counter, time }], siblings: [] };
}

/**
 * The state reduced to its newest version; without versions, to a tombstone at its newest dot. A live version goes
 * before dots of greater time that are no longer live: with clocks that differ they may be what it replaced.
 */
export function keepNewest(state: SiblingSet): SiblingSet {
  const { context, siblings } = state;
  if (isSole(state) || context.length === 0) return state;
  if (siblings.length > 0) return soleVersion(siblings.reduce((a, b) => (isNewer(b, a) ? b : a)));
  const last = context.reduce((a, b) => (compareEnds(a, b) < 0 ? b : a));
  return soleTombstone({ actor: last.actor, counter: last.to }, last.time);
}

function isSole({ context, siblings }: SiblingSet): boolean {
  return context.length === 1 && siblings.length <= 1 && context[0]?.from === context[0]?.to;
}

function isNewer(a: Sibling, b: Sibling): boolean {
  return a.modified === b.modified ? compareDots(a.dot, b.dot) > 0 : a.modified > b.modified;
}

function compareEnds(a: Interval, b: Interval): number {
  if (a.time !== b.time) return a.time - b.time;
  if (a.actor !== b.actor) return a.actor < b.actor ? -1 : 1;
  return a.to - b.to;
}

/** The newer of both. Returns `a` itself where `b` adds nothing and `a` has the form already. */
export function mergeNewest(a: SiblingSet, b: SiblingSet): SiblingSet {
  const left = keepNewest(a);
  const right = keepNewest(b);
  const leftEnd = left.context[0];
  const rightEnd = right.context[0];
  if (rightEnd === undefined) return left;
  if (leftEnd === undefined) return right;
  const order = compareEnds(leftEnd, rightEnd);
  if (order !== 0) return order > 0 ? left : right;
  // One dot, here live and there not: whoever has seen a version and lacks it knows of its removal.
  return left.siblings.length <= right.siblings.length ? left : right;
}

/**
 * The time of the write that follows: the clock's, or one more than the newest this state holds and the client has
 * seen. So a write always goes before what its client or its coordinator knew.
 */
export function nextModified(nowMs: number, state: SiblingSet, seen: DotSet): number {
  let newest = Math.max(newestTime(state.context), newestTime(seen));
  for (const sibling of state.siblings) newest = Math.max(newest, sibling.modified);
  return Math.max(nowMs, newest + 1);
}
