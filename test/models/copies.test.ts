/**
 * The model of changes of a bucket's n: one partition, changes back to back and on both sides of a split, stale clients,
 * late, lost and doubled messages, crashes, hand-overs, and seats that are lost and rebuilt. See `copies/world.ts`;
 * `npm run model -- --copies --histories 100000` runs more of it.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainCopies, firstBrokenCopies, runCopies } from "./copies/history.ts";
import { copiesRule, weakerCopiesRules } from "./copies/rules.ts";

test("while a bucket's n changes, no read misses an acknowledged write, and in the end all seats are filled", (context) => {
  const tally = runCopies(copiesRule, 200);
  assert.equal(
    tally.firstSeed,
    undefined,
    tally.firstSeed === undefined ? "" : explainCopies(copiesRule, tally.firstSeed),
  );
  assert.ok(tally.marks > 600 && tally.drops > 200 && tally.rebuilds > 100 && tally.reads > 50_000);
  context.diagnostic(
    `${tally.marks} seats filled, ${tally.drops} drops, ${tally.rebuilds} rebuilds, ${tally.reads} reads`,
  );
});

describe("without one of its parts the rule breaks:", () => {
  for (const { rule, from } of weakerCopiesRules) {
    test(rule.name, (context) => {
      const seed = firstBrokenCopies(rule, from, 10);
      assert.ok(seed !== undefined);
      context.diagnostic(explainCopies(rule, seed));
    });
  }
});
