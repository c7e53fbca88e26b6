/** Placement moves no more than it must, and nothing could be more even: against answers found by other methods. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { claim, type Placed, type Seats } from "../../src/core/ring/claim.ts";
import { nodeId } from "../core/membership-arbitraries.ts";
import { plainRecord } from "../plain-record.ts";
import { type Bounds, fewestMoves, movesBetween } from "./fewest-moves.ts";
import { measure, seatsHeld } from "./measured-change.ts";
import { RandomCluster, type Shape } from "./random-cluster.ts";

const seed = fc.integer({ min: 0, max: 2 ** 31 });

function shapes(partitions: readonly number[], size: number): fc.Arbitrary<Shape> {
  return plainRecord({
    partitions: fc.constantFrom(...partitions),
    n: fc.integer({ min: 1, max: 4 }),
    zones: fc.integer({ min: 1, max: 5 }),
    capacity: fc.constantFrom(1, 3, 8),
    size: fc.integer({ min: 1, max: size }),
  });
}

const exactly = (seats: readonly Seats[], members: readonly Placed[]): readonly Bounds[] =>
  members.map(({ node }) => ({ least: seatsHeld(seats, node), most: seatsHeld(seats, node) }));

/** Every way to choose that many of the members. */
function choices(members: readonly Placed[], copies: number): readonly (readonly Placed[])[] {
  if (copies === 0) return [[]];
  return members.flatMap((first, i) => choices(members.slice(i + 1), copies - 1).map((rest) => [first, ...rest]));
}

/** The fewest moves, by trying all placements. */
function fewestByTrying(
  before: readonly Seats[],
  members: readonly Placed[],
  copies: number,
  bounds: readonly Bounds[],
) {
  const zones = Math.min(copies, new Set(members.map(({ zone }) => zone)).size);
  const allowed = choices(members, copies).filter((chosen) => new Set(chosen.map(({ zone }) => zone)).size === zones);
  let fewest = Number.POSITIVE_INFINITY;
  const held = new Map(members.map(({ node }) => [node, 0]));
  const visit = (partition: number, moved: number): void => {
    if (moved >= fewest) return;
    if (partition === before.length) {
      const isWithin = bounds.every(({ least, most }, i) => {
        const seats = held.get((members[i] as Placed).node) as number;
        return seats >= least && seats <= most;
      });
      if (isWithin) fewest = moved;
      return;
    }
    for (const chosen of allowed) {
      for (const { node } of chosen) held.set(node, (held.get(node) as number) + 1);
      visit(partition + 1, moved + chosen.filter(({ node }) => !before[partition]?.includes(node)).length);
      for (const { node } of chosen) held.set(node, (held.get(node) as number) - 1);
    }
  };
  visit(0, 0);
  return fewest;
}

test("the method that judges: on tiny clusters it finds what trying all placements finds", () => {
  fc.assert(
    fc.property(
      shapes([1, 2, 4], 4),
      seed,
      fc.integer({ min: 1, max: 8 }),
      fc.boolean(),
      (shape, from, steps, isLoose) => {
        const cluster = new RandomCluster(shape, from);
        let before: readonly Seats[] = [];
        for (let i = 0; i < steps; i++) {
          cluster.change();
          const { members } = cluster;
          const size = { partitions: shape.partitions, copies: shape.n };
          // What is judged need not come from here: other clusters' seats and claims from nothing are as good.
          const some = claim(i % 2 === 0 ? [] : before, members, size);
          const slack = isLoose ? 1 : 0;
          const bounds = exactly(some, members).map(({ least, most }) => ({
            least: least - slack,
            most: most + slack,
          }));
          if (i > 0) {
            const copies = Math.min(shape.n, members.length);
            assert.equal(
              fewestMoves({ before, some, members, bounds }),
              fewestByTrying(before, members, copies, bounds),
            );
          }
          before = some;
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("no other placement with the same shares moves fewer seats, whatever changes", () => {
  fc.assert(
    fc.property(shapes([1, 4, 16, 32], 12), seed, (shape, from) => {
      const cluster = new RandomCluster(shape, from);
      let before: readonly Seats[] = [];
      for (let i = 0; i < shape.size + 6; i++) {
        const change = cluster.change();
        const { members } = cluster;
        const seats = claim(before, members, { partitions: shape.partitions, copies: shape.n });
        const bounds = exactly(seats, members);
        const fewest = i === 0 ? movesBetween(before, seats) : fewestMoves({ before, some: seats, members, bounds });
        assert.equal(movesBetween(before, seats), fewest, `${change} of ${members.length} members`);
        before = seats;
      }
    }),
    { numRuns: 120 },
  );
});

test("several changes at once, as after a split, move no more than they must either", () => {
  fc.assert(
    fc.property(shapes([16, 32], 10), seed, fc.integer({ min: 2, max: 9 }), (shape, from, changes) => {
      const cluster = new RandomCluster(shape, from);
      for (let i = 0; i < shape.size; i++) cluster.change();
      const size = { partitions: shape.partitions, copies: shape.n };
      const before = claim([], cluster.members, size);
      for (let i = 0; i < changes; i++) cluster.change();
      const { members } = cluster;
      const seats = claim(before, members, size);
      const fewest = fewestMoves({ before, some: seats, members, bounds: exactly(seats, members) });
      assert.equal(movesBetween(before, seats), fewest);
    }),
    { numRuns: 60 },
  );
});

test("a seat keeps its number as long as it keeps its holder", () => {
  fc.assert(
    fc.property(shapes([16], 10), seed, (shape, from) => {
      const cluster = new RandomCluster(shape, from);
      let before: readonly Seats[] = [];
      for (let i = 0; i < shape.size + 8; i++) {
        cluster.change();
        const seats = claim(before, cluster.members, { partitions: shape.partitions, copies: shape.n });
        for (const [partition, holders] of seats.entries()) {
          for (const [seat, node] of (before[partition] ?? []).entries()) {
            if (seat < holders.length && holders.includes(node)) assert.equal(holders[seat], node);
          }
        }
        before = seats;
      }
    }),
    { numRuns: 60 },
  );
});

/** A small part of `sweep.ts`, which measures the whole range. */
test("balance is the best there can be, and nothing as even moves fewer seats, wherever shares are rounded up or down", (t) => {
  let changes = 0;
  let worstEfficiency = 1;
  for (const [i, partitions] of [16, 64, 128, 256, 512].entries()) {
    for (const zones of [1, 2, 3, 5]) {
      const shape: Shape = { partitions, n: 3, zones, capacity: i % 2 === 0 ? 1 : 8, size: 4 + 3 * i };
      const cluster = new RandomCluster(shape, partitions + zones);
      let seats: readonly Seats[] = [];
      for (let step = 0; step < shape.size + 8; step++) {
        const change = cluster.change();
        const measured = measure(seats, cluster.members, partitions, shape.n);
        seats = measured.seats;
        changes++;
        assert.ok(measured.balance > 1 - 1e-9, `${change}: ${measured.balance} of the best balance`);
        if (step > 0) assert.equal(measured.moved, measured.fewest, `${change} of ${cluster.members.length} members`);
        if (measured.isFree && partitions >= 8 * cluster.members.length) {
          worstEfficiency = Math.min(worstEfficiency, measured.efficiency);
        }
      }
    }
  }
  t.diagnostic(`${changes} changes; worst efficiency where it is free ${worstEfficiency.toFixed(3)}`);
  assert.ok(worstEfficiency >= 0.9);
});

test("a founding cluster of 64 nodes with Q 4096 is placed, and a change of it moves the changed node's seats alone", () => {
  const members = Array.from({ length: 64 }, (_, i) => ({ node: nodeId(i), zone: `z${i % 3}`, capacity: 1 }));
  const size = { partitions: 4096, copies: 3 };
  const before = claim([], members, size);
  const lost = members[7] as Placed;
  const after = claim(
    before,
    members.filter((member) => member !== lost),
    size,
  );
  assert.equal(movesBetween(before, after), seatsHeld(before, lost.node));
});
