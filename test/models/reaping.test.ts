/**
 * The model of reaping and compaction: random histories of one key with hints, a former owner, frames and reads that
 * are late, crashes, stopped and removed members, and backups. See `reaping/world.ts`;
 * `npm run model -- --reaping --histories 1000000` runs more of it.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainReaping, firstBroken, runReaping } from "./reaping/history.ts";
import { reapingRule, weakerReapingRules } from "./reaping/rules.ts";

test("what all owners agree to forget never comes back, and no write is swallowed", (context) => {
  const tally = runReaping(reapingRule, 100_000);
  assert.equal(
    tally.firstSeed,
    undefined,
    tally.firstSeed === undefined ? "" : explainReaping(reapingRule, tally.firstSeed),
  );
  assert.ok(tally.reaped > 5000 && tally.compacted > 5000 && tally.writes > 200_000);
  context.diagnostic(`${tally.histories} histories, ${tally.reaped} reaped, ${tally.compacted} compacted`);
});

describe("without one of the conditions something comes back or is lost:", () => {
  for (const rule of weakerReapingRules) {
    test(rule.name, (context) => {
      const seed = firstBroken(rule, 200_000);
      assert.ok(seed !== undefined);
      context.diagnostic(explainReaping(rule, seed));
    });
  }
});
