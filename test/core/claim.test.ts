/** Placement's promises (§6.2): distinct nodes and zones, shares by capacity, few moves, the same everywhere. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { claim, type Placed, type Seats } from "../../src/core/ring/claim.ts";
import { type Share, targetShares } from "../../src/core/ring/shares.ts";
import { plainRecord } from "../plain-record.ts";
import { nodeId, type Place, places } from "./membership-arbitraries.ts";

const placed = (where: readonly Place[]): readonly Placed[] => where.map((place, i) => ({ node: nodeId(i), ...place }));

function heldBy(seats: readonly Seats[], node: string): number {
  return seats.reduce((sum, holders) => sum + holders.filter((holder) => holder === node).length, 0);
}

const seatsOf = (shares: readonly Share[]): readonly number[] => shares.map(({ seats }) => seats);

/** Fails unless every promise holds that does not depend on what was before. */
function check(seats: readonly Seats[], members: readonly Placed[], partitions: number, copies: number): void {
  const size = Math.min(copies, members.length);
  const zoneOf = new Map(members.map(({ node, zone }) => [node, zone]));
  const zones = new Set(zoneOf.values()).size;
  assert.equal(seats.length, partitions);
  for (const [partition, holders] of seats.entries()) {
    assert.equal(holders.length, size, `partition ${partition} has ${holders.length} seats`);
    assert.equal(new Set(holders).size, size, `partition ${partition} has one node twice`);
    const spread = new Set(holders.map((node) => zoneOf.get(node))).size;
    assert.equal(spread, Math.min(size, zones), `partition ${partition} is in ${spread} zones`);
  }
  const held = members.map(({ node }) => heldBy(seats, node));
  for (const [i, { least, most }] of targetShares(members, partitions, size).entries()) {
    const seats = held[i] as number;
    assert.ok(seats >= least && seats <= most, `member ${i} holds ${seats}, its share is ${least} to ${most}`);
  }
}

/** Seats that have a holder now that did not hold any of that partition before. */
function moves(before: readonly Seats[], after: readonly Seats[]): number {
  return after.reduce((sum, holders, p) => sum + holders.filter((node) => !before[p]?.includes(node)).length, 0);
}

test("any sequence of joins keeps every promise after each of them", () => {
  fc.assert(
    fc.property(
      places(16, 5, 5),
      fc.constantFrom(8, 32, 64),
      fc.integer({ min: 1, max: 5 }),
      (where, partitions, copies) => {
        const members = placed(where);
        let seats: readonly Seats[] = [];
        for (let i = 1; i <= members.length; i++) {
          seats = claim(seats, members.slice(0, i), { partitions, copies });
          check(seats, members.slice(0, i), partitions, copies);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("members that leave, or change capacity or zone, keep every promise too", () => {
  fc.assert(
    fc.property(
      places(12, 4, 4),
      fc.array(plainRecord({ at: fc.nat(11), how: fc.constantFrom("leave", "zone", "capacity"), to: fc.nat(3) })),
      (where, changes) => {
        let members = [...placed(where)];
        let seats = claim([], members, { partitions: 32, copies: 3 });
        for (const { at, how, to } of changes) {
          const index = at % members.length;
          const member = members[index] as Placed;
          if (how === "leave" && members.length > 1) members = members.filter((_, i) => i !== index);
          if (how === "zone") members[index] = { ...member, zone: `z${to}` };
          if (how === "capacity") members[index] = { ...member, capacity: to + 1 };
          seats = claim(seats, members, { partitions: 32, copies: 3 });
          check(seats, members, 32, 3);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("claiming again changes nothing, and equal arguments give equal seats", () => {
  fc.assert(
    fc.property(places(10, 4, 4), (where) => {
      const members = placed(where);
      const seats = claim([], members, { partitions: 32, copies: 3 });
      const again = claim(seats, members, { partitions: 32, copies: 3 });
      assert.deepEqual(again, seats);
      for (const [partition, holders] of again.entries()) assert.equal(holders, seats[partition], "a needless copy");
      assert.deepEqual(claim([], placed(where), { partitions: 32, copies: 3 }), seats);
    }),
  );
});

test("shares: one zone too few, one huge node, fewer zones than copies", () => {
  const claimants = (where: readonly (readonly [zone: string, capacity: number])[]) =>
    where.map(([zone, capacity]) => ({ zone, capacity }));
  const targetSeats = (...args: Parameters<typeof targetShares>): readonly number[] => seatsOf(targetShares(...args));
  assert.deepEqual(
    targetSeats(
      claimants([
        ["a", 100],
        ["b", 1],
        ["c", 1],
      ]),
      8,
      2,
    ),
    [8, 4, 4],
  );
  assert.deepEqual(
    targetSeats(
      claimants([
        ["a", 1],
        ["a", 1],
        ["b", 1],
      ]),
      8,
      2,
    ),
    [4, 4, 8],
  );
  assert.deepEqual(
    targetSeats(
      claimants([
        ["a", 1],
        ["a", 1],
        ["a", 1],
      ]),
      8,
      2,
    ),
    [6, 5, 5],
  );
  assert.deepEqual(
    targetSeats(
      claimants([
        ["a", 2],
        ["b", 1],
        ["c", 1],
      ]),
      12,
      1,
    ),
    [6, 3, 3],
  );
});

/** Every seat that moves on a join should move to the one that joined. */
test("a founding sequence is balanced, and each join moves hardly more than the newcomer's share", (t) => {
  const figures = (label: string, where: readonly Place[], partitions: number, copies: number): void => {
    const members = placed(where);
    let seats: readonly Seats[] = [];
    let moved = 0;
    let least = 0;
    let worstJoin = 0;
    let slowestMs = 0;
    for (let i = 1; i <= members.length; i++) {
      const before = seats;
      const startedMs = performance.now();
      seats = claim(before, members.slice(0, i), { partitions, copies });
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      const newcomers = heldBy(seats, (members[i - 1] as Placed).node);
      if (i === 1) continue;
      moved += moves(before, seats);
      least += newcomers;
      worstJoin = Math.max(worstJoin, moves(before, seats) / newcomers);
    }
    check(seats, members, partitions, copies);
    const loads = members.map(({ node, capacity }) => heldBy(seats, node) / capacity);
    const mean = (partitions * Math.min(copies, members.length)) / members.reduce((sum, m) => sum + m.capacity, 0);
    const efficiency = mean / Math.max(...loads);
    t.diagnostic(
      `${label}: balance ${efficiency.toFixed(3)}, moves ${(moved / least).toFixed(2)}x the least, ` +
        `worst join ${worstJoin.toFixed(2)}x, slowest ${slowestMs.toFixed(0)} ms`,
    );
    assert.ok(efficiency >= 0.9, `${label}: balance ${efficiency}`);
    assert.ok(moved / least <= 1.5, `${label}: ${moved} moves where ${least} would do`);
  };
  const even = (count: number, zones: number): readonly Place[] =>
    Array.from({ length: count }, (_, i) => ({ zone: `z${i % zones}`, capacity: 1 }));
  figures("6 nodes, 3 zones, Q 256", even(6, 3), 256, 3);
  figures("16 nodes, 4 zones, Q 256", even(16, 4), 256, 3);
  figures("15 nodes, 1 zone, Q 256", even(15, 1), 256, 3);
  figures("12 nodes, 2 zones, Q 128", even(12, 2), 128, 3);
  const mixed = Array.from({ length: 12 }, (_, i) => ({ zone: `z${i % 4}`, capacity: 1 + (Math.floor(i / 4) % 3) }));
  figures("12 nodes, 4 zones, capacities 1-3, Q 256", mixed, 256, 3);
  figures("64 nodes, 8 zones, Q 4096", even(64, 8), 4096, 3);
});
