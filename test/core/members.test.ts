/** What events of membership mean together, in whatever order and from whichever side of a split they come (§4.8.1). */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NodeId } from "../../src/core/ids.ts";
import type { HistoryEvent } from "../../src/core/membership/event.ts";
import { eventName, type History, nextLamport, uniteHistories } from "../../src/core/membership/history.ts";
import { preferenceOrder } from "../../src/core/ring/preference-list.ts";
import { foldHistory, type Ring } from "../../src/core/ring/ring.ts";
import { hadIncarnation, isSupersededIn } from "../../src/core/ring/superseded.ts";
import { checkRules } from "../claim/measured-change.ts";
import { plainRecord } from "../plain-record.ts";
import { found, histories, join, joins, nodeId } from "./membership-arbitraries.ts";

const plain = ({ orders: _, owners: __, ...ring }: Ring): object => ring;
const place = { zone: "", capacity: 1 };
const settings = { partitions: 16, n: 3, r: 2, w: 2 } as const;

type Change = "leave" | "remove";
const change = (kind: Change, node: number, lamport: number, author = 0): HistoryEvent => {
  return { kind, lamport, author: nodeId(author), at: 0, node: nodeId(node), claim: 1 };
};
const names = (ring: Ring): readonly string[] => [...ring.members.values()].map(({ name }) => name);

test("whatever happened: somebody stays, seats are theirs and keep the rules, and who was removed stays removed", () => {
  fc.assert(
    fc.property(histories, (events) => {
      const history = uniteHistories([], events);
      let ring = foldHistory(history.slice(0, 1));
      for (let i = 1; i < history.length; i++) {
        const next = foldHistory(history.slice(0, i + 1), ring);
        const what = eventName(history[i] as HistoryEvent);
        const staying = [...next.members.values()].filter(({ isLeaving }) => !isLeaving);
        assert.ok(staying.length > 0, `after ${what} nobody is left`);
        assert.equal(next.size, staying.length);
        const { partitions, n } = next.settings;
        checkRules(next.seats, staying, partitions, Math.min(n, staying.length));
        for (const node of ring.removed) assert.ok(next.removed.has(node), `${what} took back a removal`);
        for (const node of next.removed) assert.ok(!next.members.has(node), `${what} brought back who was removed`);
        for (const [node, { isLeaving }] of ring.members) {
          if (isLeaving && history[i]?.kind !== "stay")
            assert.notEqual(next.members.get(node)?.isLeaving, false, `${what} took back a leave`);
        }
        const order = preferenceOrder(next, 0 as never);
        assert.deepEqual(order.toSorted(), staying.map(({ node }) => node).sort(), "the preference list");
        ring = next;
      }
    }),
    { numRuns: 400 },
  );
});

interface Step {
  readonly side: boolean;
  readonly kind: "join" | "leave" | "remove" | "capacity" | "zone" | "bucket";
  readonly author: number;
  readonly node: number;
  readonly to: number;
}

/** What the side's author writes down, as any node with its history could. */
function written(history: History, { kind, author, node, to }: Step): HistoryEvent {
  const lamport = nextLamport(history);
  const base = { lamport, author: nodeId(author), at: 0 };
  const about = { ...base, node: nodeId(node), claim: 1 };
  switch (kind) {
    case "join":
      return { ...join(node + 20, lamport, { zone: `z${to}`, capacity: 1 + to }), author: nodeId(author) };
    case "capacity":
      return { kind, ...about, capacity: 1 + to };
    case "zone":
      return { kind, ...about, zone: `z${to}` };
    case "bucket":
      return { kind, ...base, bucket: "carts", change: { n: 1 + to } };
    default:
      return { kind, ...about };
  }
}

test("both sides of a split change what they like; however the news comes together, all end with one ring", () => {
  const steps = fc.array(
    plainRecord({
      side: fc.boolean(),
      kind: fc.constantFrom("join", "leave", "remove", "capacity", "zone", "bucket"),
      author: fc.nat(2),
      node: fc.nat(6),
      to: fc.nat(3),
    }),
    { maxLength: 16 },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      steps,
      fc.array(fc.nat(40), { maxLength: 30 }),
      (size, taken, order) => {
        const base: History = joins(settings, Array(size).fill(place));
        const sides = [base, base];
        for (const step of taken) {
          const side = step.side ? 1 : 0;
          // Each side's authors are its own: nobody writes on both.
          const history = sides[side] as History;
          sides[side] = uniteHistories(history, [written(history, { ...step, author: step.author + 3 * side })]);
        }
        const [a, b] = sides as [History, History];
        const union = uniteHistories(a, b);
        const expected = plain(foldHistory(union));
        // One learns the other's events all at once, one event by event in any order, keeping its ring as it goes.
        assert.deepEqual(plain(foldHistory(uniteHistories(b, a), foldHistory(b))), expected);
        let history = a;
        let ring = foldHistory(a);
        const news = [...b];
        for (const at of [...order, ...news.keys()]) {
          const event = news[at % news.length] as HistoryEvent;
          history = uniteHistories(history, [event]);
          ring = foldHistory(history, ring);
        }
        assert.deepEqual(plain(foldHistory(uniteHistories(history, b), ring)), expected);
      },
    ),
    { numRuns: 300 },
  );
});

test("each of two members removes the other: one removal counts, the same for both", () => {
  const base = joins(settings, [place, place]);
  const ofB = change("remove", 1, 3, 0);
  const ofA = change("remove", 0, 3, 1);
  const both = foldHistory(uniteHistories(base, [ofB, ofA]));
  assert.equal(both.members.size, 1);
  assert.equal(both.removed.size, 1);
  assert.deepEqual(plain(foldHistory(uniteHistories(base, [ofA, ofB]))), plain(both));
});

test("all leave: the last one stays, and so does who would be the last by a removal", () => {
  const leaves = [0, 1, 2].map((node, i) => change("leave", node, 4 + i));
  const left = foldHistory(uniteHistories(joins(settings, [place, place, place]), leaves));
  assert.deepEqual(
    [...left.members.values()].map(({ isLeaving }) => isLeaving),
    [true, true, false],
  );
  assert.deepEqual(left.seats[0], [nodeId(2)]);
  const after = foldHistory(uniteHistories(left.history, [change("remove", 2, 9)]));
  assert.deepEqual(after.seats, left.seats, "those that leave cannot take over");
  assert.ok(!after.removed.has(nodeId(2)));
});

test("a removal is final for its id, before and after: a late join, a rejoin, a second directory come to nothing", () => {
  const base = joins(settings, [place, place, place]);
  const removal = change("remove", 2, 5);
  const again = { ...join(2, 9, place), directory: nodeId(50) } as const;
  const under = { ...join(2, 9, place), name: "another" } as const;
  for (const late of [again, under, { ...again, lamport: 4, author: nodeId(1) }]) {
    const ring = foldHistory(uniteHistories(base, [removal, late]));
    assert.deepEqual(names(ring), ["n0", "n1"]);
  }
  // Its name is free for another id.
  const heir = { ...join(7, 9, place), name: "n2" };
  assert.deepEqual(names(foldHistory(uniteHistories(base, [removal, heir]))), ["n0", "n1", "n2"]);
});

test("who leaves has no seats, stands in for nobody, and is a member until it is removed", () => {
  const ring = foldHistory(uniteHistories(joins(settings, Array(5).fill(place)), [change("leave", 1, 6)]));
  assert.equal(ring.members.get(nodeId(1))?.isLeaving, true);
  assert.equal(ring.size, 4);
  for (const [partition, holders] of ring.seats.entries()) {
    assert.ok(!holders.includes(nodeId(1)));
    assert.ok(!preferenceOrder(ring, partition as never).includes(nodeId(1)));
  }
  const gone = foldHistory(uniteHistories(ring.history, [change("remove", 1, 7)]), ring);
  assert.deepEqual(gone.seats, ring.seats, "nothing moves twice");
  assert.ok(!gone.members.has(nodeId(1)));
});

test("a change of zone or capacity moves seats as a claim of the changed members would, and a void one nothing", () => {
  const ring = foldHistory(joins(settings, [{ zone: "a", capacity: 1 }, ...Array(3).fill({ zone: "b", capacity: 1 })]));
  const about = { lamport: 5, author: nodeId(0), at: 0, claim: 1 } as const;
  const heavier = foldHistory([...ring.history, { kind: "capacity", ...about, node: nodeId(1), capacity: 4 }], ring);
  const held = (of: Ring, node: NodeId): number => of.seats.filter((holders) => holders.includes(node)).length;
  assert.ok(held(heavier, nodeId(1)) > held(ring, nodeId(1)));
  const moved = foldHistory([...ring.history, { kind: "zone", ...about, node: nodeId(1), zone: "a" }], ring);
  assert.equal(moved.members.get(nodeId(1))?.zone, "a");
  for (const holders of moved.seats) assert.ok(holders.includes(nodeId(0)) || holders.includes(nodeId(1)));
  const stranger = { ...about, node: nodeId(30) };
  for (const event of [
    { kind: "capacity", ...stranger, capacity: 4 },
    { kind: "zone", ...stranger, zone: "c" },
    { kind: "leave", ...stranger },
  ] as const) {
    const after = foldHistory([...ring.history, event], ring);
    assert.equal(after.seats, ring.seats);
    assert.deepEqual(after.members, ring.members);
  }
});

test("a late event that sorts before others unmakes what could not be after it", () => {
  const base: History = [found(settings, place), join(1, 2, place)];
  // One side removes n1 at time 4; the other had let n0 leave at time 3, which it hears of later.
  const early = foldHistory(uniteHistories(base, [change("remove", 1, 4)]));
  assert.deepEqual(names(early), ["n0"]);
  const late = foldHistory(uniteHistories(early.history, [change("leave", 0, 3, 1)]), early);
  assert.deepEqual(names(late), ["n0", "n1"], "the removal of the last that stays is void");
  assert.deepEqual(late.seats[0], [nodeId(1)]);
});

test("a directory that joined twice is the same member under both names; another one in its place is not", () => {
  const byAnother = { ...join(1, 3, place), author: nodeId(2) };
  const twice = foldHistory([...joins(settings, [place, place]), byAnother]);
  const [, first] = joins(settings, [place, place]) as [HistoryEvent, HistoryEvent];
  const member = nodeId(1);
  for (const event of [first, byAnother]) {
    assert.ok(hadIncarnation(twice, member, eventName(event)));
    assert.equal(isSupersededIn(twice, member, eventName(event)), false);
  }
  assert.equal(hadIncarnation(twice, member, "9-unheard"), false);
  const lost = foldHistory([...joins(settings, [place, place]), { ...byAnother, directory: nodeId(7) }]);
  assert.equal(hadIncarnation(lost, member, eventName(first)), false);
  assert.ok(isSupersededIn(lost, member, eventName(first)));
  assert.ok(hadIncarnation(lost, member, eventName(byAnother)));
});
