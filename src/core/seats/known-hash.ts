/**
 * What a node knows of seats as numbers, for cheap comparison: two nodes that know the same of a partition have the same
 * hash, and two that do not have different ones but once in four thousand million times; then the next change tells.
 */

import type { Hash64 } from "../hash/murmur3.ts";
import { hash128 } from "../hash/murmur3.ts";
import { type KnownSeats, knownSeat } from "./known.ts";

/** 32 bits over all that is known of one partition's seats. */
export function hashOfKnown(known: KnownSeats): number {
  let last = known.length;
  while (last > 0 && knownSeat(known, last - 1).fence < 0 && knownSeat(known, last - 1).held < 0) last--;
  const text = known
    .slice(0, last)
    .map(({ held, holder, fence, fencedBy, wasVacated, filled }) => {
      const mark = filled === undefined ? "" : ` ${filled.count} ${filled.hash}`;
      return `${held} ${holder ?? (wasVacated ? "=" : "-")} ${fence} ${fencedBy ?? "-"}${mark}`;
    })
    .join(",");
  return hash128(new TextEncoder().encode(text))[0] >>> 0;
}

/** 64 bits over the hashes of all partitions, in their order. */
export function hashOfTable(hashes: readonly number[]): Hash64 {
  const bytes = new DataView(new ArrayBuffer(4 * hashes.length));
  for (const [i, hash] of hashes.entries()) bytes.setUint32(4 * i, hash);
  const [hi, lo] = hash128(new Uint8Array(bytes.buffer));
  return { hi: hi >>> 0, lo: lo >>> 0 };
}
