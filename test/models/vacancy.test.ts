/**
 * The model of few members: four seats of one partition that are vacated, filled, rebuilt and handed over while members
 * join, leave and are removed, and a bucket's n goes up and down. See `vacancy/world.ts`;
 * `npm run model -- --vacancy --histories 100000` runs more of it.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainVacancy, firstBrokenVacancy, runVacancy } from "./vacancy/history.ts";
import { vacancyRule, weakerVacancyRules } from "./vacancy/rules.ts";

test("while members are few, no read misses an acknowledged write, and in the end nobody waits for anybody", (context) => {
  const tally = runVacancy(vacancyRule, 200);
  const { firstSeed } = tally;
  assert.equal(firstSeed, undefined, firstSeed === undefined ? "" : explainVacancy(vacancyRule, firstSeed));
  assert.ok(tally.vacated > 100 && tally.rebuilds > 200 && tally.handOvers > 100 && tally.reads > 50_000);
  context.diagnostic(
    `${tally.vacated} seats vacated, ${tally.rebuilds} rebuilt, ${tally.handOvers} handed over, ${tally.reads} reads`,
  );
});

describe("without one of its parts the rule breaks:", () => {
  for (const { rule, breaks, from } of weakerVacancyRules) {
    test(rule.name, (context) => {
      const seed = firstBrokenVacancy(rule, breaks, from, 10);
      assert.ok(seed !== undefined);
      context.diagnostic(explainVacancy(rule, seed));
    });
  }
});
