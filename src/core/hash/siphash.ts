/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a short keyed checksum that nobody without the key can forge. Context
 * tokens carry one, so that a token the cluster did not make, or made for another key, is refused.
 *
 * JavaScript has no fast 64-bit integers, so each of the four words v0-v3 is two local numbers, its low half and its
 * high one. It is one function on purpose: with the words in an array it takes three times as long.
 *
 * Hot path: every read and write makes or checks a token.
 */

import type { Hash64 } from "./murmur3.ts";

/** The 0 to 4 bytes at `at` as a little-endian number, missing ones as zero. */
function word(bytes: Uint8Array, at: number): number {
  if (at + 4 <= bytes.length) {
    const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    return low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
  }
  let value = 0;
  for (let i = bytes.length - 1; i >= at; i--) value = (value << 8) | (bytes[i] as number);
  return value;
}

/** The SipHash-2-4 of the bytes under a key of 16 bytes. */
export function sipHash(key: Uint8Array, bytes: Uint8Array): Hash64 {
  if (key.length !== 16) throw new RangeError(`a SipHash key is 16 bytes, not ${key.length}`);
  const [k0, k1, k2, k3] = [word(key, 0), word(key, 4), word(key, 8), word(key, 12)];
  let l0 = k0 ^ 0x70736575;
  let h0 = k1 ^ 0x736f6d65;
  let l1 = k2 ^ 0x6e646f6d;
  let h1 = k3 ^ 0x646f7261;
  let l2 = k0 ^ 0x6e657261;
  let h2 = k1 ^ 0x6c796765;
  let l3 = k2 ^ 0x79746573;
  let h3 = k3 ^ 0x74656462;
  const whole = bytes.length & ~7;
  // Each eight bytes take two rounds, the rest of them with the length in the last byte; then come four without input.
  for (let at = 0; at <= whole + 8; at += 8) {
    const isInput = at <= whole;
    let low = 0;
    let high = 0;
    if (isInput) {
      low = word(bytes, at);
      high = word(bytes, at + 4) | (at === whole ? bytes.length << 24 : 0);
      l3 ^= low;
      h3 ^= high;
    } else {
      l2 ^= 0xff;
    }
    for (let round = isInput ? 2 : 4; round > 0; round--) {
      let sum = (l0 >>> 0) + (l1 >>> 0);
      h0 = (h0 + h1 + (sum > 0xffff_ffff ? 1 : 0)) | 0;
      l0 = sum | 0;
      let turned = ((l1 << 13) | (h1 >>> 19)) ^ l0;
      h1 = ((h1 << 13) | (l1 >>> 19)) ^ h0;
      l1 = turned;
      turned = l0;
      l0 = h0;
      h0 = turned;

      sum = (l2 >>> 0) + (l3 >>> 0);
      h2 = (h2 + h3 + (sum > 0xffff_ffff ? 1 : 0)) | 0;
      l2 = sum | 0;
      turned = ((l3 << 16) | (h3 >>> 16)) ^ l2;
      h3 = ((h3 << 16) | (l3 >>> 16)) ^ h2;
      l3 = turned;

      sum = (l0 >>> 0) + (l3 >>> 0);
      h0 = (h0 + h3 + (sum > 0xffff_ffff ? 1 : 0)) | 0;
      l0 = sum | 0;
      turned = ((l3 << 21) | (h3 >>> 11)) ^ l0;
      h3 = ((h3 << 21) | (l3 >>> 11)) ^ h0;
      l3 = turned;

      sum = (l2 >>> 0) + (l1 >>> 0);
      h2 = (h2 + h1 + (sum > 0xffff_ffff ? 1 : 0)) | 0;
      l2 = sum | 0;
      turned = ((l1 << 17) | (h1 >>> 15)) ^ l2;
      h1 = ((h1 << 17) | (l1 >>> 15)) ^ h2;
      l1 = turned;
      turned = l2;
      l2 = h2;
      h2 = turned;
    }
    l0 ^= low;
    h0 ^= high;
  }
  return { hi: (h0 ^ h1 ^ h2 ^ h3) >>> 0, lo: (l0 ^ l1 ^ l2 ^ l3) >>> 0 };
}
