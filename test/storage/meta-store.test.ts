/** The node's own records: kept, changed together, and never served damaged. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32 } from "../../src/core/hash/crc32.ts";
import { MemoryEngine } from "../../src/storage/memory-engine.ts";
import { openMetaStore } from "../../src/storage/meta-store.ts";
import { metaKey } from "../../src/storage/store-key.ts";

test("records are read back, changed together and deleted", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.tuple(fc.constantFrom("a", "b", "ab"), fc.option(fc.uint8Array())), { maxLength: 4 })),
      async (puts) => {
        const engine = new MemoryEngine();
        const expected = new Map<string, Uint8Array | undefined>();
        for (const changes of puts) {
          await openMetaStore(engine, crc32).put(changes.map(([name, value]) => ({ name, value: value ?? undefined })));
          for (const [name, value] of changes) expected.set(name, value ?? undefined);
        }
        const store = openMetaStore(engine, crc32);
        for (const name of ["a", "b", "ab", "c"]) assert.deepEqual(store.get(name), expected.get(name));
      },
    ),
    { numRuns: 50 },
  );
});

test("a record with any byte damaged, cut off or lost is answered with `corrupt`", async () => {
  const engine = new MemoryEngine();
  const store = openMetaStore(engine, crc32);
  await store.put([{ name: "identity", value: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]) }]);
  const { bytes: key } = metaKey("identity");
  const whole = Uint8Array.from(engine.get(key) as Uint8Array);
  for (let at = 0; at < whole.length; at++) {
    for (const mask of [1, 0x80, 0xff]) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] as number) ^ mask;
      await engine.write([{ key, value: damaged }]);
      assert.throws(() => store.get("identity"), { name: "StorageError", code: "corrupt" });
    }
    await engine.write([{ key, value: whole.slice(0, at) }]);
    assert.throws(() => store.get("identity"), { code: "corrupt" });
  }
});

test("a record under another's name is answered with `corrupt`", async () => {
  const engine = new MemoryEngine();
  const store = openMetaStore(engine, crc32);
  await store.put([{ name: "seats", value: Uint8Array.of(1) }]);
  await engine.write([{ key: metaKey("history").bytes, value: engine.get(metaKey("seats").bytes) }]);
  assert.throws(() => store.get("history"), { code: "corrupt" });
});

test("what a record's reader does to its bytes stays with the reader", async () => {
  const store = openMetaStore(new MemoryEngine(), crc32);
  await store.put([{ name: "seats", value: Uint8Array.of(1, 2) }]);
  store.get("seats")?.fill(0);
  assert.deepEqual(store.get("seats"), Uint8Array.of(1, 2));
});
