import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { checkEvents, flawOf } from "../../src/core/membership/check-events.ts";
import {
  compareEventNames,
  compareEvents,
  digestOf,
  eventName,
  type History,
  missingFrom,
  nextLamport,
  uniteHistories,
} from "../../src/core/membership/history.ts";
import { histories, join, nodeId } from "./membership-arbitraries.ts";

const whole = (events: History): History => uniteHistories([], events);

test("a union does not depend on the order, the grouping or the repetition of what comes", () => {
  fc.assert(
    fc.property(histories, fc.array(fc.nat(), { maxLength: 40 }), (events, picks) => {
      const expected = whole(events);
      let history: History = [];
      for (const pick of picks) history = uniteHistories(history, [events[pick % events.length] as (typeof events)[0]]);
      history = uniteHistories(history, events.toReversed());
      assert.deepEqual(history, expected);
      assert.equal(uniteHistories(history, events), history, "nothing new, yet another history");
      for (let i = 1; i < history.length; i++)
        assert.ok(compareEvents(history[i - 1] as never, history[i] as never) < 0);
    }),
  );
});

test("two nodes that exchange what the other lacks, cut anywhere, end with the same history and never with a gap", () => {
  fc.assert(
    fc.property(histories, fc.array(fc.boolean()), fc.integer({ min: 1, max: 4 }), (events, sides, most) => {
      const all = whole(events);
      // Each side holds what causality allows: a beginning of each author's events, the found event always.
      const cutoff = (side: boolean): History => {
        const stopped = new Set<string>();
        return all.filter((event, i) => {
          if (i > 0 && (sides[i % Math.max(1, sides.length)] ?? true) === side) stopped.add(event.author);
          return i === 0 || !stopped.has(event.author);
        });
      };
      let a = cutoff(true);
      let b = cutoff(false);
      const union = uniteHistories(a, b);
      for (let round = 0; !isDeepStrictEqual(digestOf(a), digestOf(b)); round++) {
        assert.ok(round <= union.length, "no end");
        b = uniteHistories(b, missingFrom(a, digestOf(b)).slice(0, most));
        a = uniteHistories(a, missingFrom(b, digestOf(a)).slice(0, most));
        for (const side of [a, b]) {
          for (const author of new Set(side.map((event) => event.author))) {
            const has = side.filter((event) => event.author === author).map(eventName);
            const should = union.filter((event) => event.author === author).map(eventName);
            assert.deepEqual(has, should.slice(0, has.length), "a gap");
          }
        }
      }
      assert.deepEqual(a, union);
      assert.deepEqual(b, union);
    }),
  );
});

test("an author that forgot an event with its disk, and wrote another in its place, does not split the cluster", () => {
  const place = { zone: "", capacity: 1 };
  const base = whole([join(1, 2, place), join(2, 3, place)]);
  const author = nodeId(7);
  const forgotten = { ...join(3, 10, place), author };
  const later = { ...join(4, 11, place), author };
  let a = uniteHistories(base, [forgotten]);
  let b = uniteHistories(base, [later]);
  assert.equal(digestOf(a).length, digestOf(b).length);
  b = uniteHistories(b, missingFrom(a, digestOf(b)));
  a = uniteHistories(a, missingFrom(b, digestOf(a)));
  assert.deepEqual(a, b);
  assert.ok(a.includes(forgotten) && a.includes(later));
});

test("a new event's time is greater than all that is known, and names sort as their events", () => {
  fc.assert(
    fc.property(histories, (events) => {
      const history = whole(events);
      for (const event of history) assert.ok(event.lamport < nextLamport(history));
      for (const a of history) {
        for (const b of history) {
          assert.equal(Math.sign(compareEventNames(eventName(a), eventName(b))), Math.sign(compareEvents(a, b)));
        }
      }
    }),
    { numRuns: 30 },
  );
});

test("every event a member can write is understood again after JSON, and has no flaw", () => {
  fc.assert(
    fc.property(histories, (events) => {
      const read = JSON.parse(JSON.stringify(events)) as typeof events;
      assert.deepEqual(checkEvents(read), { kind: "events", events: read });
      assert.equal(flawOf(whole(events)), undefined);
    }),
  );
});

test("an event with any field missing or nonsense is refused, and never throws", () => {
  const nonsense = fc.oneof(
    fc.constantFrom<unknown>(undefined, null, -1, 0.5, Number.NaN, 2 ** 60, "", " x", "\u0000", [], {}, true),
    fc.anything(),
  );
  fc.assert(
    fc.property(histories, fc.nat(), fc.nat(), nonsense, (events, which, field, value) => {
      const event = events[which % events.length] as object;
      const name = Object.keys(event)[field % Object.keys(event).length] as string;
      const checked = checkEvents([{ ...event, [name]: value }]);
      if (checked.kind === "events") {
        const { kind, why } = { why: "", ...checkEvents(checked.events) };
        assert.equal(kind, "events", `what was understood once is not understood again: ${why}`);
      }
    }),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(fc.array(fc.anything()), (values) => void checkEvents(values)));
});

test("a flawed history is told from a sound one", () => {
  const place = { zone: "", capacity: 1 };
  const [first] = whole([join(1, 2, place)]);
  assert.match(flawOf([]) ?? "", /empty/);
  assert.match(flawOf([first as never]) ?? "", /kind join/);
  fc.assert(
    fc.property(histories, (events) => {
      const history = whole(events);
      const other = { ...(history[0] as (typeof history)[0]), author: nodeId(99) };
      assert.match(flawOf(uniteHistories(history, [other])) ?? "", /kind found/, "another cluster's beginning");
      assert.match(flawOf([...history, history.at(-1) as never]) ?? "", /name|kind found/);
    }),
  );
});
