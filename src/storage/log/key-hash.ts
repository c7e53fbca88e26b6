/**
 * MurmurHash3's 32 bits of a key, which the log engine's tables find it by. A seed is enough of a secret here: nobody
 * sees the hashes.
 *
 * Hot path.
 */

/** The hash of the bytes from `from` to before `to`; 0 to 2^32-1. */
export function keyHash(bytes: Uint8Array, from: number, to: number, seed: number): number {
  let h = seed ^ (to - from);
  let at = from;
  for (const whole = to - 3; at < whole; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    const k = Math.imul(word, 0xcc9e2d51);
    h ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let shift = 0; at < to; at++, shift += 8) rest |= (bytes[at] as number) << shift;
  rest = Math.imul(rest, 0xcc9e2d51);
  h ^= Math.imul((rest << 15) | (rest >>> 17), 0x1b873593);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
