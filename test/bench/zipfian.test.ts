import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fnv64, latestChooser, scrambledChooser, Zipfian, zeta } from "../../src/bench/zipfian.ts";
import { Prng } from "../../src/sim/prng.ts";

const theta = 0.99;

function uniformOf(seed: number): () => number {
  const prng = new Prng(seed, "zipfian test");
  return () => prng.u32() / 2 ** 32;
}

function counts(draws: number, size: number, draw: () => number): number[] {
  const drawn = new Array<number>(size).fill(0);
  for (let i = 0; i < draws; i++) {
    const at = draw();
    assert.ok(Number.isInteger(at) && at >= 0 && at < size, `drew ${at} of ${size}`);
    drawn[at] = (drawn[at] ?? 0) + 1;
  }
  return drawn;
}

test("the hash is YCSB's: its first records have these names", () => {
  assert.equal(`user${fnv64(0)}`, "user6284781860667377211");
  assert.equal(`user${fnv64(1)}`, "user8517097267634966620");
});

test("the hash and its remainder are those of whole numbers without limit", () => {
  const slow = (value: number): bigint => {
    let hash = 0xcbf29ce484222325n;
    for (let i = 0n; i < 8n; i++)
      hash = BigInt.asUintN(64, (hash ^ ((BigInt(value) >> (8n * i)) & 255n)) * 1099511628211n);
    const signed = BigInt.asIntN(64, hash);
    return signed < 0n ? -signed : signed;
  };
  fc.assert(
    fc.property(fc.nat(Number.MAX_SAFE_INTEGER), fc.integer({ min: 1, max: 2 ** 36 - 1 }), (value, by) => {
      assert.equal(String(fnv64(value)), String(slow(value)));
      assert.equal(fnv64(value).modulo(by), Number(slow(value) % BigInt(by)));
    }),
  );
});

test("ranks have the shares of a zipfian distribution of 0.99", () => {
  const items = 1000;
  const draws = 400_000;
  const zipfian = new Zipfian(uniformOf(1), items);
  const drawn = counts(draws, items, () => zipfian.next());
  const sum = zeta(0, items);
  const share = (rank: number): number => 1 / (rank + 1) ** theta / sum;
  // The first two are drawn exactly; Gray's formula gives the next few some per cent too much, as YCSB's does.
  for (const rank of [0, 1]) assert.ok(Math.abs((drawn[rank] ?? 0) / draws / share(rank) - 1) < 0.02, `rank ${rank}`);
  for (const [from, to] of [
    [2, 10],
    [10, 100],
    [100, 1000],
  ] as const) {
    let [seen, expected] = [0, 0];
    for (let rank = from; rank < to; rank++) {
      seen += (drawn[rank] ?? 0) / draws;
      expected += share(rank);
    }
    assert.ok(Math.abs(seen / expected - 1) < 0.1, `ranks ${from} to ${to}: ${seen} for ${expected}`);
  }
});

test("a draw out of items that grew is the draw out of as many from the beginning", () => {
  const [grown, fresh] = [new Zipfian(uniformOf(2), 100), new Zipfian(uniformOf(2), 5000)];
  for (let i = 0; i < 2000; i++) assert.equal(grown.next(5000), fresh.next());
});

test("the constant of YCSB's scrambled draw is the sum of the shares of ten billion items", () => {
  // What a sum of a million terms leaves out is an integral, and the half of its last terms.
  const [from, to] = [1e6, 1e10];
  const integral = (to ** (1 - theta) - from ** (1 - theta)) / (1 - theta);
  const sum = zeta(0, from) + integral + (to ** -theta - from ** -theta) / 2;
  assert.ok(Math.abs(sum - 26.46902820178302) < 1e-6, String(sum));
});

test("scrambled, the most popular key is asked for as often, and is anywhere", () => {
  const keys = 1000;
  const draws = 200_000;
  const choose = scrambledChooser(uniformOf(3), keys);
  const drawn = counts(draws, keys, () => choose(keys));
  const first = fnv64(0).modulo(keys);
  assert.equal(drawn.indexOf(Math.max(...drawn)), first);
  // Its own share, and a thousandth of all the rest, which falls on every key alike.
  const share = 1 / 26.46902820178302;
  const expected = share + (1 - share) / keys;
  assert.ok(Math.abs((drawn[first] ?? 0) / draws / expected - 1) < 0.05);
  // Keys that are not there yet are never drawn.
  counts(10_000, 10, () => choose(10));
});

test("latest: the newest is the most popular, however many were added", () => {
  const choose = latestChooser(uniformOf(4), 100);
  for (const count of [100, 101, 1000]) {
    const drawn = counts(20_000, count, () => choose(count));
    const newest = drawn[count - 1] ?? 0;
    assert.equal(newest, Math.max(...drawn));
    assert.ok(Math.abs(newest / 20_000 / (1 / zeta(0, count)) - 1) < 0.1);
  }
});
