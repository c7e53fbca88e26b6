/** A plan is what the change then does, and nothing but a plan. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HistoryEvent } from "../../src/core/membership/event.ts";
import { type History, nextLamport } from "../../src/core/membership/history.ts";
import { type Plan, type ProposedChange, planChange } from "../../src/core/ring/plan.ts";
import { foldHistory, memberNamed, type Ring } from "../../src/core/ring/ring.ts";
import { movesBetween } from "../claim/fewest-moves.ts";
import { seatsHeld } from "../claim/measured-change.ts";
import { plainRecord } from "../plain-record.ts";
import { join, joins, nodeId, places } from "./membership-arbitraries.ts";

const settings = { partitions: 32, n: 3, r: 2, w: 2 } as const;

function eventOf(ring: Ring, change: ProposedChange): HistoryEvent {
  const lamport = nextLamport(ring.history);
  if (change.kind === "join") return { ...join(50 + lamport, lamport, change), name: change.name };
  const node = memberNamed(ring, change.name)?.node ?? nodeId(99);
  const about = { lamport, author: nodeId(0), at: 0, node, claim: 1 } as const;
  switch (change.kind) {
    case "capacity":
      return { kind: "capacity", ...about, capacity: change.capacity };
    case "zone":
      return { kind: "zone", ...about, zone: change.zone };
    default:
      return { kind: change.kind, ...about };
  }
}

const changes: fc.Arbitrary<ProposedChange> = plainRecord({
  kind: fc.constantFrom("join", "leave", "remove", "capacity", "zone"),
  name: fc.nat(9).map((i) => `n${i}`),
  zone: fc.constantFrom("z1", "z2", "z3"),
  capacity: fc.integer({ min: 1, max: 5 }),
});

test("as many copies come and go as the plan said, for every member, whatever the change", () => {
  fc.assert(
    fc.property(places(9, 3, 4), changes, changes, (where, earlier, change) => {
      const before: History = joins(settings, where);
      const first = foldHistory(before);
      const ring = foldHistory([...before, eventOf(first, earlier)], first);
      const plan = planChange(ring, change);
      const after = foldHistory([...ring.history, eventOf(ring, change)], ring);
      if (plan.kind !== "plan") {
        assert.equal(after.seats, ring.seats, plan.why);
        return;
      }
      assert.equal(plan.moves, movesBetween(ring.seats, after.seats));
      assert.ok(plan.fewest <= plan.moves);
      for (const { name, before: had, after: has, gains, loses } of plan.members) {
        const member = memberNamed(ring, name) ?? memberNamed(after, name);
        const node = member?.node ?? "";
        assert.equal(had, seatsHeld(ring.seats, node), `${name} before`);
        if (change.kind !== "join") assert.equal(has, seatsHeld(after.seats, node), `${name} after`);
        assert.equal(has - had, gains - loses);
      }
      const loads = [...after.members.values()].filter(({ isLeaving }) => !isLeaving);
      const greatest = Math.max(...loads.map(({ node, capacity }) => seatsHeld(after.seats, node) / capacity));
      const mean = after.seats.flat().length / loads.reduce((sum, { capacity }) => sum + capacity, 0);
      assert.ok(Math.abs(plan.efficiency.after - mean / greatest) < 1e-9);
    }),
    { numRuns: 400 },
  );
});

test("a plan of a fourth node, and of a zone more", () => {
  const three = foldHistory(joins(settings, Array(3).fill({ zone: "a", capacity: 1 })));
  const fourth = planChange(three, { kind: "join", name: "n9", zone: "a", capacity: 1 }) as Plan;
  assert.equal(fourth.moves, 24);
  assert.deepEqual(fourth.members.at(-1), {
    name: "n9",
    zone: "a",
    capacity: 1,
    before: 0,
    after: 24,
    gains: 24,
    loses: 0,
  });
  assert.deepEqual(fourth.zones, { before: 1, after: 1 });
  const zone = planChange(three, { kind: "zone", name: "n2", zone: "b" }) as Plan;
  assert.deepEqual([zone.moves, zone.zones.after], [0, 2], "it holds a copy of everything already");
});

test("what cannot be is said, and why", () => {
  const one = foldHistory(joins(settings, [{ zone: "", capacity: 1 }]));
  const why = (change: ProposedChange): string => {
    const plan = planChange(one, change);
    return plan.kind === "plan" ? "possible" : `${plan.kind}: ${plan.why}`;
  };
  assert.match(why({ kind: "leave", name: "n0" }), /last member/);
  assert.match(why({ kind: "remove", name: "n0" }), /last member/);
  assert.match(why({ kind: "zone", name: "n5", zone: "a" }), /no-such-member: .*no member n5/);
  assert.match(why({ kind: "zone", name: "n0", zone: "" }), /void: n0 is in zone "" already/);
  assert.match(why({ kind: "capacity", name: "n0", capacity: 1 }), /void: n0 has capacity 1 already/);
  assert.equal(why({ kind: "capacity", name: "n0", capacity: 2 }), "possible");
  assert.match(why({ kind: "join", name: "n0", zone: "", capacity: 1 }), /taken/);
});
