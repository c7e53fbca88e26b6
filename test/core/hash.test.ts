import assert from "node:assert/strict";
import { describe, test } from "node:test";
import zlib from "node:zlib";
import fc from "fast-check";
import { fromBase64Url, toBase64Url } from "../../src/core/bytes/base64url.ts";
import { crc32 } from "../../src/core/hash/crc32.ts";
import { hash64, hash128 } from "../../src/core/hash/murmur3.ts";
import { sipHash } from "../../src/core/hash/siphash.ts";

const upTo = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const littleEndian = (words: readonly number[]): number[] =>
  words.flatMap((w) => [w & 255, (w >>> 8) & 255, (w >>> 16) & 255, w >>> 24]);

/** The verification value of Appleby's SMHasher: a hash over the hashes of 256 inputs under 256 seeds. */
function verification(hash: (bytes: Uint8Array, seed: number) => readonly number[]): number {
  const all = Array.from({ length: 256 }, (_, i) => hash(upTo(i), 256 - i)).flat();
  const [a = 0, b = 0, c = 0, d = 0] = hash(Uint8Array.from(all), 0);
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}

describe("MurmurHash3", () => {
  test("gives SMHasher's published verification value", () => {
    assert.equal(
      verification((bytes, seed) => littleEndian(hash128(bytes, seed))),
      0xb3ece62a,
    );
  });
  test("hash64 is the first half of hash128", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        const [hi, lo] = hash128(bytes);
        assert.deepEqual(hash64(bytes), { hi, lo });
      }),
    );
  });
});

describe("SipHash-2-4", () => {
  // From the authors' reference: the key is 0..15, the input 0..length-1, the result as a 64-bit number.
  const vectors: readonly (readonly [number, string])[] = [
    [0, "726fdb47dd0e0e31"],
    [1, "74f839c593dc67fd"],
    [2, "0d6c8009d9a94f5a"],
    [3, "85676696d7fb7e2d"],
    [4, "cf2794e0277187b7"],
    [5, "18765564cd99a68d"],
    [6, "cbc9466e58fee3ce"],
    [7, "ab0200f58b01d137"],
    [8, "93f5f5799a932462"],
    [9, "9e0082df0ba9e4b0"],
    [14, "f723ca908e7af2ee"],
    [15, "a129ca6149be45e5"],
    [16, "3f2acc7f57c29bdb"],
    [17, "699ae9f52cbe4794"],
    [31, "32d892fad841c342"],
    [32, "7127512f72f27cce"],
    [33, "a7f32346f95978e3"],
    [62, "e51b38608ef25f57"],
    [63, "958a324ceb064572"],
  ];
  test("gives the reference's values", () => {
    for (const [length, expected] of vectors) {
      const { hi, lo } = sipHash(upTo(16), upTo(length));
      assert.equal(hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0"), expected, `length ${length}`);
    }
  });
  test("depends on every bit of key and input", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), fc.nat(127), (bytes, at, keyBit) => {
        const original = sipHash(upTo(16), bytes);
        const flipped = bytes.slice();
        const bit = at % (bytes.length * 8);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.notDeepEqual(sipHash(upTo(16), flipped), original);
        const key = upTo(16);
        key[keyBit >> 3] = (key[keyBit >> 3] ?? 0) ^ (1 << (keyBit & 7));
        assert.notDeepEqual(sipHash(key, bytes), original);
      }),
    );
    assert.throws(() => sipHash(upTo(15), upTo(3)), RangeError);
  });
});

describe("CRC-32", () => {
  test("agrees with zlib, in one piece and in two", { skip: zlib.crc32 === undefined }, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
        assert.equal(crc32(bytes), zlib.crc32(bytes));
        assert.equal(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), crc32(bytes));
      }),
    );
  });
  test("gives the standard's check value", () => assert.equal(crc32(ascii("123456789")), 0xcbf43926));
});

describe("base64url", () => {
  test("agrees with the platform's, and comes back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        assert.equal(toBase64Url(bytes), Buffer.from(bytes).toString("base64url"));
        assert.deepEqual(fromBase64Url(toBase64Url(bytes)), bytes);
      }),
    );
  });
  test("refuses whatever it would not have written", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."AZaz09-_+/= é") })), (text) => {
        const bytes = fromBase64Url(text);
        if (bytes !== undefined) assert.equal(toBase64Url(bytes), text);
      }),
    );
    for (const text of ["A", "AAAAA", "AB", "AA=", "AA==", "A+", "A/", "é"])
      assert.equal(fromBase64Url(text), undefined, text);
  });
});
