/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a short keyed checksum that nobody without the key can forge. Context
 * tokens carry one, so that a token the cluster did not make, or made for another key, is refused.
 *
 * JavaScript has no fast 64-bit integers, so each of the four words is a pair of 32-bit halves.
 */

import type { Hash64 } from "./murmur3.ts";

/** The four words v0-v3 as low and high halves: l0, h0, l1, h1, ... */
type State = Int32Array;

/** v[to] += v[from], over 64 bits. */
function add(v: State, to: number, from: number): void {
  const low = ((v[to] as number) >>> 0) + ((v[from] as number) >>> 0);
  v[to] = low;
  v[to + 1] = (v[to + 1] as number) + (v[from + 1] as number) + (low > 0xffff_ffff ? 1 : 0);
}

/** v[at] is rotated left by `by` (under 32), then v[at] ^= v[from]. */
function rotateXor(v: State, at: number, by: number, from: number): void {
  const low = v[at] as number;
  const high = v[at + 1] as number;
  v[at] = ((low << by) | (high >>> (32 - by))) ^ (v[from] as number);
  v[at + 1] = ((high << by) | (low >>> (32 - by))) ^ (v[from + 1] as number);
}

/** Rotates v[at] left by 32. */
function swapHalves(v: State, at: number): void {
  const low = v[at] as number;
  v[at] = v[at + 1] as number;
  v[at + 1] = low;
}

function round(v: State): void {
  add(v, 0, 2);
  rotateXor(v, 2, 13, 0);
  swapHalves(v, 0);
  add(v, 4, 6);
  rotateXor(v, 6, 16, 4);
  add(v, 0, 6);
  rotateXor(v, 6, 21, 0);
  add(v, 4, 2);
  rotateXor(v, 2, 17, 4);
  swapHalves(v, 4);
}

function absorb(v: State, low: number, high: number): void {
  v[6] = (v[6] as number) ^ low;
  v[7] = (v[7] as number) ^ high;
  round(v);
  round(v);
  v[0] = (v[0] as number) ^ low;
  v[1] = (v[1] as number) ^ high;
}

function word(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = Math.min(bytes.length, at + 4) - 1; i >= at; i--) value = (value << 8) | (bytes[i] as number);
  return value;
}

/** The SipHash-2-4 of the bytes under a key of 16 bytes. */
export function sipHash(key: Uint8Array, bytes: Uint8Array): Hash64 {
  if (key.length !== 16) throw new RangeError(`a SipHash key is 16 bytes, not ${key.length}`);
  const [k0, k1, k2, k3] = [word(key, 0), word(key, 4), word(key, 8), word(key, 12)];
  const v = new Int32Array(8);
  v[0] = k0 ^ 0x70736575;
  v[1] = k1 ^ 0x736f6d65;
  v[2] = k2 ^ 0x6e646f6d;
  v[3] = k3 ^ 0x646f7261;
  v[4] = k0 ^ 0x6e657261;
  v[5] = k1 ^ 0x6c796765;
  v[6] = k2 ^ 0x79746573;
  v[7] = k3 ^ 0x74656462;
  const whole = bytes.length & ~7;
  for (let at = 0; at < whole; at += 8) absorb(v, word(bytes, at), word(bytes, at + 4));
  absorb(v, word(bytes, whole), word(bytes, whole + 4) | (bytes.length << 24));
  v[4] = (v[4] as number) ^ 0xff;
  for (let i = 0; i < 4; i++) round(v);
  return {
    hi: ((v[1] as number) ^ (v[3] as number) ^ (v[5] as number) ^ (v[7] as number)) >>> 0,
    lo: ((v[0] as number) ^ (v[2] as number) ^ (v[4] as number) ^ (v[6] as number)) >>> 0,
  };
}
