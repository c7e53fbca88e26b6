import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { compareDots } from "../../src/core/causality/dot.ts";
import { emptyDotSet, newestTime } from "../../src/core/causality/dot-set.ts";
import {
  keepNewest,
  mergeNewest,
  nextModified,
  soleTombstone,
  soleVersion,
} from "../../src/core/causality/last-write-wins.ts";
import { emptySiblingSet, mergeStates, type SiblingSet } from "../../src/core/causality/sibling-set.ts";
import { anyDot, anyDotSet, anyState, siblingOf, timeOf } from "./causality-arbitraries.ts";

/** A version or a tombstone, as a bucket of this kind keeps it. */
const anySole: fc.Arbitrary<SiblingSet> = fc
  .tuple(anyDot, fc.boolean())
  .map(([dot, live]) => (live ? soleVersion(siblingOf(dot)) : soleTombstone(dot, timeOf(dot))));
/** The same, nothing, or what a bucket of siblings left behind. */
const anyBefore: fc.Arbitrary<SiblingSet> = fc.oneof(anySole, anyState, fc.constant(emptySiblingSet));

describe("last write wins", () => {
  test("keeps one dot and at most one version, the newest live one where there is any", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const kept = keepNewest(state);
        assert.equal(kept.context.length, Math.min(1, state.context.length));
        assert.equal(kept.siblings.length, Math.min(1, state.siblings.length));
        for (const sibling of state.siblings) assert.ok((kept.siblings[0]?.modified ?? 0) >= sibling.modified);
        for (const { dot, modified } of kept.siblings) {
          assert.deepEqual(kept.context, [{ actor: dot.actor, from: dot.counter, to: dot.counter, time: modified }]);
        }
        assert.equal(keepNewest(kept), kept);
      }),
    );
  });
  test("merges to the maximum: commutative, associative, idempotent, whatever the states were before", () => {
    fc.assert(
      fc.property(anyBefore, anyBefore, anyBefore, (a, b, c) => {
        assert.deepEqual(mergeNewest(a, b), mergeNewest(b, a));
        assert.deepEqual(mergeNewest(mergeNewest(a, b), c), mergeNewest(a, mergeNewest(b, c)));
        assert.deepEqual(mergeNewest(a, { ...a }), keepNewest(a));
        const merged = mergeNewest(a, b);
        assert.equal(mergeNewest(merged, b), merged);
      }),
    );
  });
  test("of two keeps the greater time, then the greater dot", () => {
    fc.assert(
      fc.property(anyDot, anyDot, (x, y) => {
        fc.pre(compareDots(x, y) !== 0);
        const [winner] = mergeNewest(soleVersion(siblingOf(x)), soleVersion(siblingOf(y))).siblings;
        const xWins = timeOf(x) === timeOf(y) ? compareDots(x, y) > 0 : timeOf(x) > timeOf(y);
        assert.deepEqual(winner?.dot, xWins ? x : y);
      }),
    );
  });
  test("of a dot that is live here and not there, the copy that no longer holds it knows more", () => {
    fc.assert(
      fc.property(anyDot, (dot) => {
        const [live, gone] = [soleVersion(siblingOf(dot)), soleTombstone(dot, timeOf(dot))];
        assert.equal(mergeNewest(live, gone), gone);
        assert.equal(mergeNewest(gone, live), gone);
      }),
    );
  });
  test("a state that gains nothing is returned as it is", () => {
    fc.assert(
      fc.property(anySole, anySole, (a, b) => {
        const merged = mergeNewest(a, b);
        assert.equal(mergeNewest(merged, b), merged);
        assert.equal(mergeNewest(merged, a), merged);
      }),
    );
  });
  test("a version from a bucket of siblings is not beaten by dead dots of its own state", () => {
    fc.assert(
      fc.property(anyState, anyState, (a, b) => {
        const merged = mergeStates(a, b);
        assert.equal(keepNewest(merged).siblings.length, Math.min(1, merged.siblings.length));
      }),
    );
  });
  test("the next write is newer than all its coordinator holds and its client has seen, and never before the clock", () => {
    fc.assert(
      fc.property(anyState, anyDotSet, fc.integer({ min: 0, max: 2_000_000_000_000 }), (state, seen, now) => {
        const next = nextModified(now, state, seen);
        assert.ok(next >= now && next > newestTime(state.context) && next > newestTime(seen));
        for (const sibling of state.siblings) assert.ok(next > sibling.modified);
      }),
    );
    assert.equal(nextModified(5, emptySiblingSet, emptyDotSet), 5);
  });
});
