/**
 * MurmurHash3, Austin Appleby's public-domain hash: what places keys on the ring (§4.2, where the paper uses MD5) and
 * breaks ties of placement.
 *
 * A ring needs a hash that spreads evenly and is the same on every node for ever; it needs no secret, since who can
 * choose keys can also overload one key. MD5 costs 1-2 us of CPU for a key on Node, this well under 0.2. Both
 * variants are the x86 ones: whole numbers of 32 bits are what JavaScript multiplies exactly and fast.
 *
 * Changing a bit of the result moves every key of every cluster: the published vectors are in the tests.
 *
 * Hot path.
 */

/** A number of 64 bits as two of 32, both from 0 to 2^32-1. */
export interface Hash64 {
  readonly hi: number;
  readonly lo: number;
}

function mix32(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** The 0 to 4 bytes at `at` as a little-endian number, missing ones as zero. */
function partialWord(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let i = Math.min(end, at + 4) - 1; i >= at; i--) value = (value << 8) | (bytes[i] as number);
  return value;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

const c1 = 0x239b961b;
const c2 = 0xab0e9789;
const c3 = 0x38b34ae5;
const c4 = 0xa1e38b93;

/** MurmurHash3_x86_128: its four words, in order. */
export function hash128(bytes: Uint8Array, seed = 0): readonly [number, number, number, number] {
  const length = bytes.length;
  const whole = length & ~15;
  let h1 = seed | 0;
  let h2 = h1;
  let h3 = h1;
  let h4 = h1;
  for (let at = 0; at < whole; at += 16) {
    h1 ^= Math.imul(rotate(Math.imul(word(bytes, at), c1), 15), c2);
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotate(Math.imul(word(bytes, at + 4), c2), 16), c3);
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotate(Math.imul(word(bytes, at + 8), c3), 17), c4);
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotate(Math.imul(word(bytes, at + 12), c4), 18), c1);
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  // A word of the rest that has no byte is zero, and mixing in zero changes nothing.
  h4 ^= Math.imul(rotate(Math.imul(partialWord(bytes, whole + 12, length), c4), 18), c1);
  h3 ^= Math.imul(rotate(Math.imul(partialWord(bytes, whole + 8, length), c3), 17), c4);
  h2 ^= Math.imul(rotate(Math.imul(partialWord(bytes, whole + 4, length), c2), 16), c3);
  h1 ^= Math.imul(rotate(Math.imul(partialWord(bytes, whole, length), c1), 15), c2);

  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = mix32(h1);
  h2 = mix32(h2);
  h3 = mix32(h3);
  h4 = mix32(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  return [h1 >>> 0, (h2 + h1) >>> 0, (h3 + h1) >>> 0, (h4 + h1) >>> 0];
}

/** The first 64 bits of MurmurHash3_x86_128 with seed 0. */
export function hash64(bytes: Uint8Array): Hash64 {
  const words = hash128(bytes, 0);
  return { hi: words[0], lo: words[1] };
}
