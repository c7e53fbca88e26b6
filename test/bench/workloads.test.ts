import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedLoad } from "../../src/bench/fixed-load.ts";
import type { Operation } from "../../src/bench/operation.ts";
import { addToCart, cartLoad } from "../../src/bench/shop-loads.ts";
import { type YcsbName, ycsbLoad } from "../../src/bench/ycsb.ts";

const records = 500;
const draws = 20_000;

/** The shares that YCSB's files `workloada` to `workloadf` give. */
const mixes: Readonly<Record<YcsbName, Readonly<Partial<Record<Operation["kind"], number>>>>> = {
  a: { read: 0.5, update: 0.5 },
  b: { read: 0.95, update: 0.05 },
  c: { read: 1 },
  d: { read: 0.95, insert: 0.05 },
  e: { scan: 0.95, insert: 0.05 },
  f: { read: 0.5, modify: 0.5 },
};

test("every YCSB workload has its mix, and touches only keys that are there", () => {
  for (const workload of Object.keys(mixes) as YcsbName[]) {
    const load = ycsbLoad({ workload, records, valueBytes: 10, seed: 7 });
    const present = new Set(Array.from({ length: load.keys }, (_, i) => load.first(i).key));
    assert.equal(present.size, records);
    const seen = new Map<string, number>();
    const underway: Operation[] = [];
    for (let i = 0; i < draws; i++) {
      const operation = load.next();
      seen.set(operation.kind, (seen.get(operation.kind) ?? 0) + 1);
      const asked = operation.kind === "scan" ? operation.keys : operation.kind === "insert" ? [] : [operation.key];
      for (const key of asked) assert.ok(present.has(key), `${workload} asks for ${key}, which nobody stored`);
      if (operation.kind === "insert") {
        assert.ok(!present.has(operation.key), "an insert is of a new key");
        underway.push(operation);
      }
      // Inserts end in another order than they began in.
      const ended = underway.length > 5 ? underway.splice(i % underway.length, 1)[0] : undefined;
      if (ended?.kind !== "insert") continue;
      present.add(ended.key);
      load.ended?.(ended);
    }
    const mix = mixes[workload];
    assert.deepEqual([...seen.keys()].sort(), Object.keys(mix).sort());
    for (const [kind, share] of Object.entries(mix)) {
      assert.ok(Math.abs((seen.get(kind) ?? 0) / draws - share) < 0.02, `${workload}: ${kind}`);
    }
  }
});

test("scans have 1 to 100 records, each length as likely", () => {
  const load = ycsbLoad({ workload: "e", records: 100_000, valueBytes: 10, seed: 7 });
  const lengths: number[] = [];
  for (let i = 0; i < 5000; i++) {
    const operation = load.next();
    if (operation.kind === "scan") lengths.push(operation.keys.length);
  }
  assert.deepEqual([Math.min(...lengths), Math.max(...lengths)], [1, 100]);
  const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  assert.ok(Math.abs(mean - 50.5) < 2, `mean ${mean}`);
});

test("the same seed is the same load, another one another", () => {
  const keys = (seed: number): string[] => {
    const load = ycsbLoad({ workload: "a", records, valueBytes: 10, seed });
    return Array.from({ length: 50 }, () => load.next()).map((one) => `${one.kind} ${"key" in one ? one.key : ""}`);
  };
  assert.deepEqual(keys(1), keys(1));
  assert.notDeepEqual(keys(1), keys(2));
});

test("a fixed load takes every key once before it takes one again", () => {
  for (const count of [1, 2, 1000, 7919, 2 * 7919]) {
    const load = fixedLoad({ kind: "update", keys: count, valueBytes: 10 });
    const round = (): Set<string> => new Set(Array.from({ length: count }, () => (load.next() as { key: string }).key));
    assert.equal(round().size, count);
    assert.equal(round().size, count);
  }
});

test("a cart keeps what every sibling has, each item once, and is paid for when full", () => {
  const item = (of: number): Uint8Array => new Uint8Array(64).fill(of);
  const cart = (...of: number[]): Uint8Array => Buffer.concat(of.map(item));
  assert.deepEqual(addToCart(item(9))([]), Buffer.concat([item(9)]));
  assert.deepEqual(addToCart(item(9))([cart(1, 2), cart(2, 3)]), Buffer.concat([cart(1, 2, 3, 9)]));
  const full = cart(...Array.from({ length: 16 }, (_, i) => i));
  assert.deepEqual(Buffer.from(addToCart(item(99))([full])), Buffer.from(item(99)));
  const load = cartLoad({ keys: 10, seed: 1 });
  assert.deepEqual(new Set(Array.from({ length: 100 }, () => load.next().kind)), new Set(["read", "modify"]));
});
