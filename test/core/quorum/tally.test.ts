import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Tally } from "../../../src/core/quorum/tally.ts";
import { plainRecord } from "../../plain-record.ts";

type Event = { readonly seat: number } | "no voice" | "failed";

const events = fc.array(
  fc.oneof(plainRecord({ seat: fc.nat(15) }), fc.constant<Event>("no voice"), fc.constant<Event>("failed")),
  { maxLength: 16 },
);

test("a tally is met exactly when as many different seats spoke as are needed, and lost when they cannot any more", () => {
  fc.assert(
    fc.property(events, fc.integer({ min: 1, max: 16 }), (history, needed) => {
      const tally = new Tally(needed, history.length);
      const seats = new Set<number>();
      history.forEach((event, i) => {
        if (event === "failed") tally.failed();
        else if (event === "no voice") tally.heard(undefined);
        else {
          seats.add(event.seat);
          tally.heard({ seat: event.seat, epoch: 1 });
        }
        const left = history.length - i - 1;
        assert.equal(tally.received, seats.size);
        assert.equal(tally.isMet, seats.size >= needed);
        assert.equal(tally.isLost, seats.size + left < needed);
        assert.equal(tally.isOver, left === 0);
      });
    }),
  );
});

test("an answer without a voice counts for nothing", () => {
  const tally = new Tally(1, 2);
  tally.heard(undefined);
  assert.equal(tally.isMet, false);
  tally.heard({ seat: 1, epoch: 7 });
  assert.equal(tally.isMet, true);
});

test("a seat that speaks twice is one voice", () => {
  const tally = new Tally(2, 3);
  tally.heard({ seat: 0, epoch: 7 });
  tally.heard({ seat: 0, epoch: 8 });
  assert.equal(tally.isMet, false);
});
