/** The layout of keys: what goes in comes out, equal ids mean equal bytes, and ranges hold what they name. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MalformedBytes } from "../../src/core/bytes/byte-reader.ts";
import { compareBytes } from "../../src/core/bytes/order.ts";
import type { PartitionId } from "../../src/core/ids.ts";
import {
  bucketRange,
  dataKey,
  dataRange,
  keyAfter,
  metaKey,
  parseDataKey,
  partitionRange,
} from "../../src/storage/store-key.ts";
import { plainRecord } from "../plain-record.ts";

const partition: fc.Arbitrary<PartitionId> = fc
  .oneof(fc.nat(65535), fc.constantFrom(0, 255, 256, 65534, 65535))
  .map((number) => number as PartitionId);
const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("", "a", "\0", "a\0", "é", "\u{10ffff}", "\x01b"),
);
const place = plainRecord({ partition, bucket: text, key: text });

test("a data key is read back as what it was made of", () => {
  fc.assert(
    fc.property(place, ({ partition, bucket, key }) => {
      assert.deepEqual(parseDataKey(dataKey(partition, bucket, key).bytes), { partition, bucket, key });
    }),
  );
});

test("two keys of a partition have equal ids exactly if they have equal bytes", () => {
  fc.assert(
    fc.property(place, place, (a, b) => {
      const first = dataKey(a.partition, a.bucket, a.key);
      const second = dataKey(a.partition, b.bucket, b.key);
      assert.equal(first.id === second.id, compareBytes(first.bytes, second.bytes) === 0);
    }),
    { numRuns: 500 },
  );
  const lone = dataKey(1 as PartitionId, "b", "\ud800");
  const replaced = dataKey(1 as PartitionId, "b", "\ufffd");
  assert.deepEqual(lone, replaced);
});

test("a range holds the keys of its partition or bucket, and no others", () => {
  const within = (key: Uint8Array, { from, to }: { from: Uint8Array; to: Uint8Array }): boolean =>
    compareBytes(key, from) >= 0 && compareBytes(key, to) < 0;
  const near = fc.oneof(
    place,
    place.map((a) => ({ ...a, bucket: "bucket" })),
  );
  fc.assert(
    fc.property(near, near, fc.boolean(), (a, b, isSamePartition) => {
      const number = isSamePartition ? a.partition : b.partition;
      const { bytes } = dataKey(number, b.bucket, b.key);
      assert.ok(within(bytes, dataRange()));
      assert.equal(within(bytes, partitionRange(a.partition)), number === a.partition);
      assert.equal(within(bytes, bucketRange(a.partition, a.bucket)), number === a.partition && a.bucket === b.bucket);
    }),
    { numRuns: 500 },
  );
});

test("the node's own records lie outside all data", () => {
  const { bytes } = metaKey("identity");
  assert.ok(compareBytes(bytes, dataRange().from) < 0);
  for (const name of ["", "two words", "é", "x".repeat(101)]) assert.throws(() => metaKey(name), RangeError);
});

test("nothing lies between a key and the key after it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4 }), fc.uint8Array({ maxLength: 5 }), (key, other) => {
      assert.ok(compareBytes(key, keyAfter(key)) < 0);
      assert.ok(compareBytes(other, key) <= 0 || compareBytes(other, keyAfter(key)) >= 0);
    }),
  );
});

test("bytes that are no data key are refused, or are one", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 30 }),
        fc.uint8Array({ maxLength: 30 }).map((rest) => Uint8Array.of(2, ...rest)),
      ),
      (bytes) => {
        let parsed: ReturnType<typeof parseDataKey>;
        try {
          parsed = parseDataKey(bytes);
        } catch (error) {
          assert.ok(error instanceof MalformedBytes);
          return;
        }
        if ((bytes[3] as number) > 128) return;
        assert.deepEqual(dataKey(parsed.partition, parsed.bucket, parsed.key).bytes, bytes);
      },
    ),
    { numRuns: 500 },
  );
});
