import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Histogram } from "../../src/bench/histogram.ts";

const latency = fc.oneof(fc.nat(2500), fc.nat(1_000_000), fc.nat(2 ** 31 - 1));
const shares = [0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1];

/** The least value that so many of them do not exceed, by sorting. */
function exact(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(share * sorted.length - 1e-6)) - 1] ?? 0;
}

test("a percentile is never below the exact one, and above it by less than a thousandth", () => {
  fc.assert(
    fc.property(fc.array(latency, { minLength: 1, maxLength: 300 }), (values) => {
      const histogram = new Histogram();
      for (const value of values) histogram.record(value);
      for (const share of shares) {
        const [told, sorted] = [histogram.percentile(share), exact(values, share)];
        assert.ok(told >= sorted && told <= sorted * (1 + 1 / 1024), `p${share}: ${told} for ${sorted}`);
      }
      assert.equal(histogram.percentile(1), histogram.max);
      assert.equal(histogram.max, Math.max(...values));
      assert.equal(histogram.count, values.length);
    }),
  );
});

test("histograms add up to that of all", () => {
  fc.assert(
    fc.property(fc.array(latency), fc.array(latency), (some, others) => {
      const [one, other, all] = [new Histogram(), new Histogram(), new Histogram()];
      for (const value of some) one.record(value);
      for (const value of others) other.record(value);
      for (const value of [...some, ...others]) all.record(value);
      one.add(other);
      for (const share of shares) assert.equal(one.percentile(share), all.percentile(share));
      assert.deepEqual([one.count, one.max], [all.count, all.max]);
    }),
  );
});

test("values beyond the last bucket, below zero and between two us are counted", () => {
  const histogram = new Histogram();
  for (const value of [1e12, -3, 0.4]) histogram.record(value);
  assert.equal(histogram.percentile(1), 2 ** 31 - 1);
  assert.equal(histogram.percentile(0.5), 1);
  histogram.clear();
  assert.deepEqual([histogram.count, histogram.percentile(0.99), histogram.mean, histogram.max], [0, 0, 0, 0]);
});
