/** The log engine's keys in memory, held against a plain map and a sorted list; and what a key costs. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { compareBytes } from "../../src/core/bytes/order.ts";
import type { PartitionId } from "../../src/core/ids.ts";
import { Prng } from "../../src/sim/prng.ts";
import { KeyDirectory } from "../../src/storage/log/key-directory.ts";
import { dataKey } from "../../src/storage/store-key.ts";

interface Known {
  readonly key: Uint8Array;
  readonly segment: number;
  readonly offset: number;
  readonly valueBytes: number;
}

const nameOf = (key: Uint8Array): string => Buffer.from(key).toString("latin1");

/** Few bytes and many lengths, so that keys are near each other, prefixes of each other, and equal. */
function randomKey(prng: Prng): Uint8Array {
  const length = prng.chance(0.01) ? prng.between(1000, 2048) : prng.between(1, 12);
  return Uint8Array.from({ length }, () => prng.pick([0, 1, 0x7f, 0x80, 0xff]));
}

function mustAgree(directory: KeyDirectory, known: ReadonlyMap<string, Known>, prng: Prng): void {
  const sorted = [...known.values()].sort((a, b) => compareBytes(a.key, b.key));
  const all = directory.page(new Uint8Array(0), undefined, Number.POSITIVE_INFINITY);
  assert.deepEqual(
    all.map((ref) => nameOf(directory.key(ref))),
    sorted.map(({ key }) => nameOf(key)),
  );
  const [from, to, limit] = [randomKey(prng), randomKey(prng), prng.below(50)];
  const within = sorted.filter(({ key }) => compareBytes(key, from) >= 0 && compareBytes(key, to) < 0).slice(0, limit);
  assert.deepEqual(
    directory.page(from, to, limit).map((ref) => nameOf(directory.key(ref))),
    within.map(({ key }) => nameOf(key)),
  );
  const wanted = new Map<number, number>();
  for (const { key, segment, valueBytes } of sorted) {
    wanted.set(segment, (wanted.get(segment) ?? 0) + 7 + key.length + valueBytes);
  }
  for (let segment = 1; segment <= 8; segment++) assert.equal(directory.wantedOf(segment), wanted.get(segment) ?? 0);
  const total = [...wanted.values()].reduce((sum, bytes) => sum + bytes, 0);
  assert.equal(directory.wantedBytes, total);
  assert.equal(directory.oldestSegment, wanted.size === 0 ? undefined : Math.min(...wanted.keys()));
  assert.equal(directory.keys, known.size);
}

for (const seed of [1, 2, 3, 4]) {
  test(`a directory is a map, in the order of bytes, through ${20_000} random changes (${seed})`, () => {
    const prng = new Prng(seed, "directory");
    const directory = new KeyDirectory(prng.u32());
    const known = new Map<string, Known>();
    for (let i = 0; i < 20_000; i++) {
      // Times of growing and of shrinking, so that leaves are split and merged, and tables filled and emptied.
      const isGrowing = i % 6000 < 4000;
      const key = randomKey(prng);
      if (prng.chance(isGrowing ? 0.8 : 0.2)) {
        const place = { key, segment: prng.between(1, 8), offset: prng.u32(), valueBytes: prng.below(1000) };
        directory.set(key, place.segment, place.offset, place.valueBytes);
        known.set(nameOf(key), place);
      } else {
        const victim = isGrowing ? key : ([...known.values()][prng.below(Math.max(1, known.size))]?.key ?? key);
        directory.remove(victim);
        known.delete(nameOf(victim));
      }
      const asked = randomKey(prng);
      const ref = directory.find(asked);
      const expected = known.get(nameOf(asked));
      assert.equal(ref !== 0, expected !== undefined);
      if (expected !== undefined) {
        const { segment, offset, valueBytes } = expected;
        const found = [directory.segment(ref), directory.offset(ref), directory.valueBytes(ref)];
        assert.deepEqual(found, [segment, offset, valueBytes]);
        assert.ok(directory.isAt(asked, segment, offset) && !directory.isAt(asked, segment + 1, offset));
      }
      if (i % 1000 === 0) mustAgree(directory, known, prng);
    }
    mustAgree(directory, known, prng);
    for (const { key } of known.values()) directory.remove(key);
    mustAgree(directory, new Map(), prng);
  });
}

test("a key of 40 bytes costs at most 80 bytes of memory, and what is deleted is used again", () => {
  const directory = new KeyDirectory(7);
  const count = 200_000;
  const keyAt = (i: number): Uint8Array =>
    dataKey(((i * 40_503) % 256) as PartitionId, "carts", `user-${String(i).padStart(26, "0")}`).bytes;
  assert.equal(keyAt(0).length, 40);
  for (let i = 0; i < count; i++) directory.set(keyAt(i), 1, i, 1024);
  const perKey = directory.memoryBytes / count;
  assert.ok(perKey <= 80, `${perKey.toFixed(1)} bytes a key`);
  const before = directory.memoryBytes;
  for (let i = 0; i < count; i++) {
    directory.remove(keyAt(i));
    directory.set(keyAt(i + count), 1, i, 1024);
  }
  assert.ok(directory.memoryBytes < before * 1.1, `${before} bytes before, ${directory.memoryBytes} after`);
});
