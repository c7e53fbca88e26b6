/**
 * Random dot sets and states for the properties of `core/causality`, from a small world of actors and counters so that
 * they overlap, touch and repeat; and the naive twins that fast code is compared with.
 *
 * As in the product, whatever is true of a dot (its time, its value) is a function of the dot.
 */

import fc from "fast-check";
import { compareDots, type Dot } from "../../src/core/causality/dot.ts";
import { type DotSet, emptyDotSet, type Interval, withDot } from "../../src/core/causality/dot-set.ts";
import type { Sibling, SiblingSet } from "../../src/core/causality/sibling-set.ts";
import { crc32 } from "../../src/core/hash/crc32.ts";
import type { ActorId } from "../../src/core/ids.ts";
import { plainRecord } from "../plain-record.ts";

const encoder = new TextEncoder();

export const actors: readonly ActorId[] = ["AAAAAAAAAAA.0", "AAAAAAAAAAA.1", "AAAAAAAAAAA.10", "x"] as ActorId[];

export function timeOf(dot: Dot): number {
  // Not in the order of the counters: clocks jump.
  return 1_700_000_000_000 + ((dot.counter * 7919 + dot.actor.length * 31) % 1000);
}

export function siblingOf(dot: Dot): Sibling {
  const value = encoder.encode(`${dot.actor}:${dot.counter}`);
  const base = { dot, value, checksum: crc32(value), contentType: "text/plain", modified: timeOf(dot) };
  return dot.counter % 3 === 0 ? { ...base, writeId: `w${dot.counter % 2}` } : base;
}

export const anyDot: fc.Arbitrary<Dot> = plainRecord({
  actor: fc.constantFrom(...actors),
  counter: fc.integer({ min: 1, max: 9 }),
});
export const anyDots: fc.Arbitrary<readonly Dot[]> = fc.array(anyDot, { maxLength: 14 });

/** The naive way to a dot set: one dot after the other. */
export function dotSetOf(dots: readonly Dot[]): DotSet {
  return dots.reduce((set, dot) => withDot(set, dot, timeOf(dot)), emptyDotSet);
}

export const anyDotSet: fc.Arbitrary<DotSet> = anyDots.map(dotSetOf);

/** Every dot of the set, as text: the naive twin. */
export function textsOf(set: DotSet): Set<string> {
  const texts = new Set<string>();
  for (const { actor, from, to } of set) for (let n = from; n <= to; n++) texts.add(`${actor}:${n}`);
  return texts;
}

export function dotsOf(set: DotSet): readonly Dot[] {
  return set.flatMap(({ actor, from, to }) =>
    Array.from({ length: to - from + 1 }, (_, i) => ({ actor, counter: from + i })),
  );
}

/** Whether the set has the one form its invariant allows. */
export function isNormal(set: DotSet): boolean {
  return set.every((interval, i) => {
    const last: Interval | undefined = set[i - 1];
    if (interval.from < 1 || interval.to < interval.from) return false;
    if (last === undefined || last.actor < interval.actor) return true;
    return last.actor === interval.actor && last.to + 1 < interval.from;
  });
}

/** Any context, any of its dots live. */
export const anyState: fc.Arbitrary<SiblingSet> = fc
  .tuple(anyDotSet, fc.infiniteStream(fc.boolean()))
  .map(([context, flags]) => ({
    context,
    siblings: dotsOf(context)
      .filter(() => flags.next().value)
      .sort(compareDots)
      .map(siblingOf),
  }));

/** What the state says of each dot, the naive twin of a state: a merge is the greater of the two, dot by dot. */
export function standingOf(state: SiblingSet): Map<string, "live" | "removed"> {
  const standing = new Map<string, "live" | "removed">();
  for (const text of textsOf(state.context)) standing.set(text, "removed");
  for (const { dot } of state.siblings) standing.set(`${dot.actor}:${dot.counter}`, "live");
  return standing;
}
