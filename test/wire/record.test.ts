import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { MalformedBytes } from "../../src/core/bytes/byte-reader.ts";
import { emptySiblingSet, type SiblingSet } from "../../src/core/causality/sibling-set.ts";
import { crc32 } from "../../src/core/hash/crc32.ts";
import type { ActorId } from "../../src/core/ids.ts";
import { decodeRecord, encodeRecord, holdsState, type KeyRecord } from "../../src/wire/record.ts";
import { anyState, siblingOf } from "../core/causality-arbitraries.ts";

const anyMint = fc.integer({ min: 1, max: 2 ** 40 }).map((counter) => ({ actor: "AAAAAAAAAAA.7" as ActorId, counter }));
const anyRecord: fc.Arbitrary<KeyRecord> = fc
  .tuple(fc.option(anyMint, { nil: undefined }), anyState)
  .map(([mint, state]) => ({ mint, state }));

const key: Uint8Array = Uint8Array.of(2, 0, 7, 1, 98, 107);

const small: SiblingSet = {
  context: [{ actor: "AAAAAAAAAAA.0" as ActorId, from: 1, to: 3, time: 1_700_000_000_000 }],
  siblings: [siblingOf({ actor: "AAAAAAAAAAA.0" as ActorId, counter: 3 })],
};

describe("a key's record", () => {
  test("comes back as it was", () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const { mint, state } = decodeRecord(encodeRecord(record, key, crc32), key, crc32);
        assert.deepEqual(mint, record.mint);
        assert.deepEqual(
          { ...state, siblings: state.siblings.map((s) => ({ ...s, value: Uint8Array.from(s.value) })) },
          record.state,
        );
      }),
    );
  });
  test("is these bytes, in format 1, for as long as there is data in it", () => {
    const bytes = encodeRecord({ mint: { actor: "AAAAAAAAAAA.0" as ActorId, counter: 3 }, state: small }, key, crc32);
    assert.equal(
      Buffer.from(bytes).toString("hex"),
      "0100000044dec06d000d41414141414141414141412e300301000d41414141414141414141412e30010280d095ffbc31010002a0d195ffbc3144cc2dcd0a746578742f706c61696e010277310f41414141414141414141412e303a33",
    );
  });
  test("with any single bit flipped is malformed", () => {
    for (const mint of [undefined, { actor: "AAAAAAAAAAA.0" as ActorId, counter: 3 }]) {
      const bytes = encodeRecord({ mint, state: small }, key, crc32);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const damaged = bytes.slice();
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.throws(() => decodeRecord(damaged, key, crc32), MalformedBytes, `bit ${bit}`);
      }
    }
  });
  test("under another key than its own is malformed", () => {
    const bytes = encodeRecord({ mint: undefined, state: small }, key, crc32);
    for (let bit = 0; bit < key.length * 8; bit++) {
      const other = key.slice();
      other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.throws(() => decodeRecord(bytes, other, crc32), MalformedBytes, `bit ${bit}`);
    }
  });
  test("cut short or with something behind it is malformed", () => {
    const bytes = encodeRecord({ mint: undefined, state: small }, key, crc32);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeRecord(bytes.subarray(0, length), key, crc32), MalformedBytes);
    }
    assert.throws(() => decodeRecord(Uint8Array.from([...bytes, 0]), key, crc32), MalformedBytes);
    assert.throws(() => decodeRecord(new Uint8Array(100), key, crc32), MalformedBytes);
  });
  test("of random bytes is malformed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, known) => {
        if (known) bytes[0] = 1;
        assert.throws(() => decodeRecord(bytes, key, crc32), MalformedBytes);
      }),
      { numRuns: 2000 },
    );
  });
  test("holds the state with the head that it has, and no other", () => {
    fc.assert(
      fc.property(anyRecord, anyRecord, fc.nat(), (one, other, bit) => {
        const bytes = encodeRecord(one, key, crc32);
        const { stateHead } = decodeRecord(bytes, key, crc32);
        assert.ok(holdsState(bytes, key, stateHead, crc32));
        const { stateHead: another } = decodeRecord(encodeRecord(other, key, crc32), key, crc32);
        assert.equal(holdsState(bytes, key, another, crc32), Buffer.compare(stateHead, another) === 0);
        const changed = stateHead.slice();
        const at = (bit >> 3) % changed.length;
        changed[at] = (changed[at] ?? 0) ^ (1 << (bit & 7));
        assert.ok(!holdsState(bytes, key, changed, crc32));
        assert.ok(!holdsState(bytes, key, stateHead.subarray(1), crc32));
      }),
    );
  });
  test("holds nothing with any single bit flipped, whatever it is compared with", () => {
    for (const mint of [undefined, { actor: "AAAAAAAAAAA.0" as ActorId, counter: 3 }]) {
      const bytes = encodeRecord({ mint, state: small }, key, crc32);
      const { stateHead } = decodeRecord(bytes, key, crc32);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const damaged = bytes.slice();
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.ok(!holds(damaged, stateHead), `bit ${bit}`);
      }
      for (let length = 0; length < bytes.length; length++) assert.ok(!holds(bytes.subarray(0, length), stateHead));
      assert.ok(!holds(Uint8Array.from([...bytes, 0]), stateHead));
    }
  });
  test("of nothing seen is short", () =>
    assert.ok(encodeRecord({ mint: undefined, state: emptySiblingSet }, key, crc32).length <= 12));
});

/** As a replica asks: whatever is malformed holds nothing. */
function holds(bytes: Uint8Array, stateHead: Uint8Array): boolean {
  try {
    return holdsState(bytes, key, stateHead, crc32);
  } catch (error) {
    assert.ok(error instanceof MalformedBytes);
    return false;
  }
}
