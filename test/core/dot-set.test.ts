import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  covers,
  type DotSet,
  dotCount,
  emptyDotSet,
  holds,
  newestTime,
  prune,
  sameDots,
  unite,
  withDot,
} from "../../src/core/causality/dot-set.ts";
import type { ActorId } from "../../src/core/ids.ts";
import {
  actors,
  anyDot,
  anyDotSet,
  anyDots,
  dotSetOf,
  dotsOf,
  isNormal,
  textsOf,
  timeOf,
} from "./causality-arbitraries.ts";

const both = (a: Set<string>, b: Set<string>): Set<string> => new Set([...a, ...b]);

describe("a dot set and its naive twin, a set of texts", () => {
  test("hold the same dots, however they were added, in the one normal form", () => {
    fc.assert(
      fc.property(anyDots, (dots) => {
        const set = dotSetOf(dots);
        assert.deepEqual(textsOf(set), new Set(dots.map((dot) => `${dot.actor}:${dot.counter}`)));
        assert.ok(isNormal(set));
        assert.deepEqual(set, dotSetOf([...dots].reverse()));
        assert.equal(dotCount(set), textsOf(set).size);
      }),
    );
  });
  test("agree on what is held", () => {
    fc.assert(
      fc.property(anyDotSet, anyDot, (set, dot) =>
        assert.equal(holds(set, dot), textsOf(set).has(`${dot.actor}:${dot.counter}`)),
      ),
    );
  });
  test("agree on the union, which is normal, too", () => {
    fc.assert(
      fc.property(anyDotSet, anyDotSet, (a, b) => {
        assert.deepEqual(textsOf(unite(a, b)), both(textsOf(a), textsOf(b)));
        assert.ok(isNormal(unite(a, b)));
      }),
    );
  });
  test("agree on what covers what, and on what is the same", () => {
    fc.assert(
      fc.property(anyDotSet, anyDotSet, (a, b) => {
        const [left, right] = [textsOf(a), textsOf(b)];
        assert.equal(
          covers(a, b),
          [...right].every((text) => left.has(text)),
        );
        assert.equal(sameDots(a, b), left.size === right.size && [...right].every((text) => left.has(text)));
        assert.ok(covers(unite(a, b), a) && covers(unite(a, b), b));
      }),
    );
  });
});

describe("the union of dot sets", () => {
  test("is commutative, associative and idempotent, times included", () => {
    fc.assert(
      fc.property(anyDotSet, anyDotSet, anyDotSet, (a, b, c) => {
        assert.deepEqual(unite(a, b), unite(b, a));
        assert.deepEqual(unite(unite(a, b), c), unite(a, unite(b, c)));
        assert.equal(unite(a, a), a);
      }),
    );
  });
  test("is so even for times that are nonsense", () => {
    const wild = fc
      .tuple(anyDotSet, fc.infiniteStream(fc.nat(5)))
      .map(([set, times]) => set.map((interval) => ({ ...interval, time: times.next().value })));
    fc.assert(
      fc.property(wild, wild, wild, (a, b, c) => {
        assert.deepEqual(unite(a, b), unite(b, a));
        assert.deepEqual(unite(unite(a, b), c), unite(a, unite(b, c)));
      }),
    );
  });
  test("returns the very set that gains nothing", () => {
    fc.assert(
      fc.property(anyDotSet, anyDotSet, (a, b) => {
        const union = unite(a, b);
        assert.equal(unite(union, b), union);
        assert.equal(unite(a, emptyDotSet), a);
        if (covers(a, b)) assert.equal(union, a);
        else if (covers(b, a)) assert.equal(union, b);
      }),
    );
  });
  test("carries the time of each interval's newest dot", () => {
    fc.assert(
      fc.property(anyDotSet, anyDotSet, (a, b) => {
        for (const { actor, to, time } of unite(a, b)) assert.equal(time, timeOf({ actor, counter: to }));
      }),
    );
  });
  test("of two times for one dot, which only damage makes, keeps the greater", () => {
    const at = (time: number): DotSet => [{ actor: actors[0] as ActorId, from: 1, to: 3, time }];
    assert.deepEqual(unite(at(10), at(20)), at(20));
    assert.deepEqual(unite(at(20), at(10)), at(20));
  });
  test("joins intervals that touch, and no others", () => {
    const a = actors[0] as ActorId;
    const one: DotSet = [{ actor: a, from: 1, to: 3, time: 30 }];
    assert.deepEqual(unite(one, [{ actor: a, from: 4, to: 5, time: 20 }]), [{ actor: a, from: 1, to: 5, time: 20 }]);
    assert.equal(unite(one, [{ actor: a, from: 5, to: 5, time: 50 }]).length, 2);
    assert.deepEqual(withDot([...one, { actor: a, from: 5, to: 5, time: 50 }], { actor: a, counter: 4 }, 40), [
      { actor: a, from: 1, to: 5, time: 50 },
    ]);
  });
});

describe("pruning", () => {
  const pruning = fc
    .record({ set: anyDotSet, limit: fc.nat(6), picks: fc.array(fc.nat(), { maxLength: 4 }) })
    .map(({ set, limit, picks }) => {
      const dots = dotsOf(set);
      return {
        set,
        limit,
        live:
          dots.length === 0
            ? []
            : picks.map((pick) => dots[pick % dots.length] ?? { actor: "x" as ActorId, counter: 1 }),
      };
    });
  test("never drops a live version's dot, and keeps whole intervals", () => {
    fc.assert(
      fc.property(pruning, ({ set, limit, live }) => {
        const result = prune(set, limit, live);
        for (const dot of live) assert.ok(holds(result.set, dot));
        for (const interval of result.set) assert.ok(set.includes(interval));
        assert.equal(result.pruned, set.length - result.set.length);
      }),
    );
  });
  test("keeps the limit unless more intervals hold live dots, and takes no more than it must", () => {
    fc.assert(
      fc.property(pruning, ({ set, limit, live }) => {
        const alive = set.filter((interval) => live.some((dot) => holds([interval], dot))).length;
        assert.equal(prune(set, limit, live).set.length, Math.min(set.length, Math.max(limit, alive)));
      }),
    );
  });
  test("takes the oldest first, and the lesser actor of two as old", () => {
    fc.assert(
      fc.property(pruning, ({ set, limit, live }) => {
        const kept = prune(set, limit, live).set;
        const free = (interval: DotSet[number]): boolean => !live.some((dot) => holds([interval], dot));
        for (const gone of set.filter((interval) => !kept.includes(interval))) {
          for (const stays of kept.filter(free)) {
            assert.ok(gone.time < stays.time || (gone.time === stays.time && gone.actor <= stays.actor));
          }
        }
      }),
    );
  });
  test("finds the newest time", () => {
    fc.assert(
      fc.property(anyDotSet, (set) =>
        assert.equal(newestTime(set), Math.max(0, ...set.map((interval) => interval.time))),
      ),
    );
  });
});
