/**
 * The model of seats: one partition whose seats pass from node to node, by hand-over and by rebuild, with stale clients,
 * late, lost and doubled messages, splits, crashes, lost disks, and members removed dead or alive. See `seat/world.ts`;
 * `npm run model -- --seats --histories 100000` runs more of it.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainSeats, firstBrokenSeat, runSeats } from "./seat/history.ts";
import { seatRule, weakerSeatRules } from "./seat/rules.ts";

test("while seats pass on, no strict read misses an acknowledged write, and in the end each seat has its holder", (context) => {
  const tally = runSeats(seatRule, 1000);
  assert.equal(
    tally.firstSeed,
    undefined,
    tally.firstSeed === undefined ? "" : explainSeats(seatRule, tally.firstSeed),
  );
  assert.ok(tally.handOvers > 1000 && tally.rebuilds > 500 && tally.reads > 100_000);
  context.diagnostic(`${tally.handOvers} hand-overs, ${tally.rebuilds} rebuilds, ${tally.reads} reads`);
});

test("in a young cluster, whose seats are still to be filled, it is the same", (context) => {
  for (const filled of [1, 2]) {
    const tally = runSeats(seatRule, 500, 1, filled);
    const { firstSeed } = tally;
    assert.equal(firstSeed, undefined, firstSeed === undefined ? "" : explainSeats(seatRule, firstSeed, filled));
    assert.ok(tally.rebuilds > 500 && tally.reads > 20_000);
    context.diagnostic(
      `from ${filled}: ${tally.handOvers} hand-overs, ${tally.rebuilds} rebuilds, ${tally.reads} reads`,
    );
  }
});

describe("without one of its parts the rule breaks:", () => {
  for (const { rule, from, filled } of weakerSeatRules) {
    test(rule.name, (context) => {
      const seed = firstBrokenSeat(rule, from, 200, filled);
      assert.ok(seed !== undefined);
      context.diagnostic(explainSeats(rule, seed, filled));
    });
  }
});
