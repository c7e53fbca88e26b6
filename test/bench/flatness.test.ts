import assert from "node:assert/strict";
import { test } from "node:test";
import { flatnessOf, type MemorySample } from "../../src/bench/flatness.ts";

const mib = 1024 * 1024;

/** A saw with teeth of 40 MiB, as garbage collection makes it, after a steep beginning. */
function saw(leakPerSecond: number, rest: (second: number) => number = () => 0): MemorySample[] {
  return Array.from({ length: 600 }, (_, i) => {
    const second = i * 2;
    const begun = Math.min(1, second / 120);
    return { second, bytes: begun * 100 * mib + (i % 17) * 2.5 * mib + second * leakPerSecond + rest(second) };
  });
}

test("memory that goes up and down is flat", () => {
  const { ratio, firstBytes } = flatnessOf(saw(0), 240);
  assert.equal(ratio, 1);
  assert.equal(firstBytes / mib, 140);
});

test("memory that was given back for minutes and is taken again is flat", () => {
  const { ratio } = flatnessOf(
    saw(0, (second) => (second > 200 && second < 700 ? -50 * mib : 0)),
    240,
  );
  assert.equal(ratio, 1);
});

test("a leak of less than a tooth in twenty minutes shows", () => {
  const { ratio } = flatnessOf(saw((30 * mib) / 1200), 240);
  assert.ok(ratio > 1.1, String(ratio));
});

test("what grows before the warm-up is over does not count, and what shrinks is flat", () => {
  assert.ok(flatnessOf(saw(-mib / 60), 240).ratio < 1);
});

test("of nothing, nothing can be said", () => {
  assert.ok(Number.isNaN(flatnessOf([], 0).ratio));
});
