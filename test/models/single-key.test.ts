/**
 * The single-key model: random histories of one key with every fault the product knows, against an oracle of what
 * truly happened. See `single-key/world.ts`; `npm run model -- --histories 1000000` runs more of it.
 */

import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { explain, runHistories, type Tally } from "./single-key/history.ts";
import { foreignTokenRules, newestRule, productRule, prunedRule, type Rule, weakerRules } from "./single-key/rules.ts";

function assertSound(rule: Rule, tally: Tally): void {
  assert.equal(tally.firstSeed, undefined, tally.firstSeed === undefined ? "" : explain(rule, tally.firstSeed));
}

/** "1 in 562", of all histories. */
function oneIn(count: number, tally: Tally): string {
  return count === 0 ? "never" : `1 in ${Math.round(tally.histories / count)}`;
}

function say(context: TestContext, tally: Tally): void {
  context.diagnostic(
    `of ${tally.histories} histories, lost a write: ${oneIn(tally.lost, tally)}, an acknowledged one: ` +
      `${oneIn(tally.lostAcknowledged, tally)}; showed a replaced one: ${oneIn(tally.brokeFalseSibling, tally)}`,
  );
}

describe("in random histories of one key", () => {
  test("no write is lost, no false sibling is shown, no dot is minted twice", (context) => {
    const tally = runHistories(productRule, 30_000);
    assertSound(productRule, tally);
    assert.ok(tally.writes > 125_000 && tally.looks > 250_000);
    context.diagnostic(`${tally.histories} histories, ${tally.steps} steps, ${tally.looks} states compared`);
  });
  test("pruning loses no write either; false siblings it does show", (context) => {
    const tally = runHistories(prunedRule, 30_000);
    assertSound(prunedRule, tally);
    assert.ok(tally.falseSiblings > 0);
    context.diagnostic(
      `false siblings at a bound of ${prunedRule.prunedTo}: 1 in ${Math.round(tally.looks / tally.falseSiblings)} looks`,
    );
  });
  test("the last write wins at every copy, and follows all that its client and coordinator knew", () => {
    assertSound(newestRule, runHistories(newestRule, 30_000));
  });
});

describe("the model breaks every weaker rule:", () => {
  for (const rule of weakerRules) {
    test(rule.name, (context) => {
      const tally = runHistories(rule, 5000);
      say(context, tally);
      assert.ok(tally.lost + tally.brokeFalseSibling > 0);
    });
  }
});

describe("a token of another key, were it accepted, would cost writes with", () => {
  for (const rule of foreignTokenRules) {
    test(rule.name, (context) => {
      const tally = runHistories(rule, 2000);
      say(context, tally);
      assert.ok(tally.lostAcknowledged > 0);
    });
  }
});

describe("a failing history", () => {
  test("is told in few steps, the same ones each time", () => {
    const rule = weakerRules.find(({ name }) => name.startsWith("the counter")) ?? productRule;
    const seed = runHistories(rule, 1000).firstSeed ?? 0;
    const told = explain(rule, seed);
    assert.equal(told, explain(rule, seed));
    assert.ok(told.includes(`seed ${seed}`) && told.split("\n").length < 12, told);
  });
});
