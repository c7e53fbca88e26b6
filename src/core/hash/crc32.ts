/**
 * CRC-32 (IEEE 802.3, the one of zip and Ethernet): what finds damaged values, records and frames.
 *
 * A real machine binds the native one, five times as fast; this one serves wherever there is none, the simulation
 * above all.
 */

/** CRC-32 of the bytes, going on from `seed` (the checksum of what came before; 0 at the start). */
export type Checksum = (bytes: Uint8Array, seed?: number) => number;

function makeTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
    table[byte] = rest;
  }
  return table;
}

const table: Uint32Array = makeTable();

/** A `Checksum` in plain JavaScript. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  let rest = ~seed;
  for (let i = 0; i < bytes.length; i++) rest = (table[(rest ^ (bytes[i] as number)) & 0xff] as number) ^ (rest >>> 8);
  return ~rest >>> 0;
}
