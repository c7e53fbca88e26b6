/** Pages of a scan have about so many bytes, whatever the sizes of values: nothing reads megabytes in one turn. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32 } from "../../src/core/hash/crc32.ts";
import type { PartitionId } from "../../src/core/ids.ts";
import type { Ring } from "../../src/core/ring/ring.ts";
import { ForgettingScan } from "../../src/node/forgetting-scan.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import type { KeyRange, StoredEntry } from "../../src/storage/engine.ts";
import { MemoryEngine } from "../../src/storage/memory-engine.ts";
import { PageSize } from "../../src/storage/page-size.ts";
import { dataKey } from "../../src/storage/store-key.ts";
import { WriteBuffer } from "../../src/storage/write-buffer.ts";

const kib = 1024;

test("the next page has as many records as would have had room in the last", () => {
  const sizes = fc.array(fc.nat(300 * kib), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 8 }), (lengths, leastRecords) => {
      const size = new PageSize({ bytes: 128 * kib, mostRecords: 64, leastRecords });
      size.learn(lengths.map((length) => ({ key: Uint8Array.of(1), value: new Uint8Array(length) })));
      const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
      assert.ok(size.records >= leastRecords && size.records <= 64);
      if (size.records > leastRecords) assert.ok(size.records * mean <= 128 * kib);
      if (size.records < 64) assert.ok((size.records + 1) * mean > 128 * kib);
    }),
  );
});

test("the scan for what is to be forgotten reads large values a few at a time, and all of them", async () => {
  const read: StoredEntry[][] = [];
  class Told extends MemoryEngine {
    override scan(range: KeyRange, limit: number): readonly StoredEntry[] {
      const page = super.scan(range, limit);
      read.push([...page]);
      return page;
    }
  }
  const engine = new Told();
  const partition = 0 as PartitionId;
  const operations = Array.from({ length: 50 }, (_, i) => ({
    key: dataKey(partition, "b", `k${i}`).bytes,
    value: new Uint8Array(64 * kib),
  }));
  await engine.write(operations);
  const clock: Clock = {
    ...{ wallMs: () => 0, monotonicMs: () => 0, endOfTurn: setImmediate },
    setTimer: (_, act) => {
      const timer = setImmediate(act);
      return { cancel: () => clearImmediate(timer) };
    },
  };
  const scan = new ForgettingScan(new WriteBuffer({ engine, clock, limitBytes: 1e9 }), crc32, clock);
  const ring = { settings: { partitions: 1 } } as Ring;
  for (let rounds = 0; rounds < 4; rounds++)
    await scan.advance(
      ring,
      () => true,
      () => true,
    );
  const bytes = read.map((page) => page.reduce((sum, { value }) => sum + value.length, 0));
  // Nothing is known of the first.
  assert.ok(Math.max(...bytes.slice(1)) <= 128 * kib, `a page had ${Math.max(...bytes.slice(1))} bytes`);
  assert.equal(read.flat().length, operations.length);
});
