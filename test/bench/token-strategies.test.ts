/** Figures 6 and 8: the paper's strategies held against a walk of the ring, and what it claims of them (§6.2). */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { loadAt } from "../../bench/paper/models/day.ts";
import { dayOf, outOfBalance } from "../../bench/paper/models/imbalance.ts";
import {
  claimed,
  cutByTokens,
  dealt,
  drawTokens,
  efficiencyOf,
  ownersAt,
  sharesOf,
  type Token,
  type TokenRing,
  tokensOverPartitions,
} from "../../bench/paper/models/token-strategies.ts";
import { Prng } from "../../src/sim/prng.ts";
import { plainRecord } from "../plain-record.ts";

const sizes = plainRecord({
  nodes: fc.integer({ min: 3, max: 12 }),
  tokens: fc.integer({ min: 1, max: 20 }),
  seed: fc.integer({ min: 0, max: 1e6 }),
});

/** The nodes met on the way from a place, all around: the slow way. */
function walk(tokens: readonly Token[], from: number, copies: number): readonly number[] {
  const distance = ({ position }: Token): number => (position >= from ? position - from : position - from + 1);
  const met = tokens.toSorted((a, b) => distance(a) - distance(b)).map(({ node }) => node);
  return [...new Set(met)].slice(0, copies);
}

function assertWhole(ring: TokenRing, copies: number): void {
  assert.equal(ring.ends.length, ring.owners.length);
  assert.equal(ring.ends.at(-1), 1);
  for (const owners of ring.owners) assert.equal(new Set(owners).size, copies);
  const sum = sharesOf(ring).reduce((total, share) => total + share, 0);
  assert.ok(Math.abs(sum - copies) < 1e-9);
}

test("a key belongs to the first nodes clockwise of it, or of the end of its part", () => {
  fc.assert(
    fc.property(sizes, ({ nodes, tokens, seed }) => {
      const prng = new Prng(seed, "tokens");
      const drawn = drawTokens(prng, nodes, tokens);
      assert.equal(drawn.length, nodes * tokens);
      const cut = cutByTokens(drawn, { nodes, copies: 3 });
      const partitions = 64;
      const equal = tokensOverPartitions(drawn, { nodes, copies: 3, partitions });
      assertWhole(cut, 3);
      assertWhole(equal, 3);
      for (let i = 0; i < 50; i++) {
        const place = prng.uniform(0, 1);
        assert.deepEqual(ownersAt(cut, place), walk(drawn, place, 3));
        const end = Math.floor(place * partitions + 1) / partitions;
        assert.deepEqual(ownersAt(equal, place), walk(drawn, end % 1, 3));
      }
    }),
    { numRuns: 100 },
  );
});

test("equal parts give every node as many, and the product's claim as many copies", () => {
  const size = { nodes: 30, copies: 3, partitions: 256 };
  const first = new Float64Array(30);
  const ring = dealt(new Prng(1, "dealt"), size);
  for (const [coordinator] of ring.owners) first[coordinator as number] = (first[coordinator as number] as number) + 1;
  assert.deepEqual(new Set(first), new Set([8, 9]));
  assertWhole(ring, 3);
  const ours = claimed(size);
  assertWhole(ours, 3);
  const seats = sharesOf(ours).map((share) => Math.round(share * 256));
  assert.ok(Math.max(...seats) <= Math.ceil((256 * 3) / 30));
});

test("efficiency is the mean over the greatest", () => {
  assert.equal(efficiencyOf(Float64Array.of(1, 1, 2)), 4 / 6);
  assert.equal(efficiencyOf(Float64Array.of(5, 5)), 1);
});

test("of the paper's strategies the third is the most even for its metadata, and the second the least", () => {
  const size = { nodes: 30, copies: 3 };
  const efficiency = (draw: (prng: Prng) => TokenRing): number => {
    const all = Array.from({ length: 20 }, (_, i) => efficiencyOf(sharesOf(draw(new Prng(i, "figure 8")))));
    return all.reduce((sum, one) => sum + one, 0) / all.length;
  };
  const tokens = 100;
  const first = efficiency((prng) => cutByTokens(drawTokens(prng, 30, tokens), size));
  const second = efficiency((prng) => {
    return tokensOverPartitions(drawTokens(prng, 30, tokens), { ...size, partitions: 256 });
  });
  // A tenth of the bytes that 3,000 tokens take.
  const third = efficiency((prng) => dealt(prng, { ...size, partitions: 1500 }));
  const ours = efficiencyOf(sharesOf(claimed({ ...size, partitions: 128 })));
  assert.ok(second < first && first < third && third < ours, `${second} ${first} ${third} ${ours}`);
});

test("a day's load goes from an eighth of its peak to the peak", () => {
  assert.equal(loadAt(5 / 24), 1 / 8);
  assert.ok(Math.abs(loadAt(17 / 24) - 1) < 1e-12);
  assert.ok(Math.abs(loadAt(0) - loadAt(1)) < 1e-12);
});

test("who is further than 15 % from the mean is out of balance, and fewer are under more load (Figure 6)", () => {
  assert.equal(outOfBalance(Float64Array.of(100, 100, 114, 86)), 0);
  assert.equal(outOfBalance(Float64Array.of(100, 100, 116, 84)), 0.5);
  const ring = claimed({ nodes: 30, copies: 3, partitions: 256 });
  const day = dayOf(new Prng(1, "a day"), [ring], { atPeak: 4000, shape: 1.4, most: 10_000 });
  const byLoad = day.toSorted((a, b) => a.requests - b.requests).map(({ imbalance }) => imbalance[0] ?? 0);
  const mean = (of: readonly number[]): number => of.reduce((sum, one) => sum + one, 0) / of.length;
  assert.ok(mean(byLoad.slice(0, 12)) > mean(byLoad.slice(-12)));
});
