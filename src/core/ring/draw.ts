/**
 * Pseudo-random numbers that every node draws alike, from a partition and a node's id: they break ties in placement
 * and rank the fallbacks of a partition.
 */

import type { NodeId } from "../ids.ts";

/** A node's id as two 32-bit numbers, so that a draw costs no text. */
export interface Salt {
  readonly high: number;
  readonly low: number;
}

export function saltOf(node: NodeId): Salt {
  return { high: Number.parseInt(node.slice(0, 8), 16), low: Number.parseInt(node.slice(8), 16) };
}

/** A whole number from 0 to 2^32-1; equal arguments draw equal numbers. The mixing is murmur3's. */
export function draw(salt: Salt, partition: number, unit: number): number {
  let hash = stir(0x9e3779b9, salt.high);
  hash = stir(hash, salt.low);
  hash = stir(hash, partition);
  hash = stir(hash, unit);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function stir(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51);
  mixed = (mixed << 15) | (mixed >>> 17);
  let next = hash ^ Math.imul(mixed, 0x1b873593);
  next = (next << 13) | (next >>> 19);
  return (Math.imul(next, 5) + 0xe6546b64) | 0;
}
