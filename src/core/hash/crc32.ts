/**
 * CRC-32 (IEEE 802.3, the one of zip and Ethernet): what finds damaged values, records and frames.
 *
 * Four bytes at a time, by four tables. A real machine binds the native one for what is long, which reads 1 KiB three
 * times as fast but costs as much for the call alone as this one for 120 bytes; the simulation has only this one.
 *
 * Hot path.
 */

/** CRC-32 of the bytes, going on from `seed` (the checksum of what came before; 0 at the start). */
export type Checksum = (bytes: Uint8Array, seed?: number) => number;

/** The first says what a byte does to the checksum, each other what it does from one byte further away. */
function makeTables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  const tables = [new Int32Array(256), new Int32Array(256), new Int32Array(256), new Int32Array(256)] as const;
  const [near] = tables;
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
    near[byte] = rest;
  }
  for (let distance = 1; distance < 4; distance++) {
    const [nearer, table] = [tables[distance - 1] as Int32Array, tables[distance] as Int32Array];
    for (let byte = 0; byte < 256; byte++) {
      const rest = nearer[byte] as number;
      table[byte] = (rest >>> 8) ^ (near[rest & 0xff] as number);
    }
  }
  return tables;
}

const [table0, table1, table2, table3] = makeTables();

/** A `Checksum` in plain JavaScript. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  const { length } = bytes;
  let rest = ~seed;
  let i = 0;
  for (const whole = length - 3; i < whole; i += 4) {
    rest ^=
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    rest =
      (table3[rest & 0xff] as number) ^
      (table2[(rest >>> 8) & 0xff] as number) ^
      (table1[(rest >>> 16) & 0xff] as number) ^
      (table0[rest >>> 24] as number);
  }
  for (; i < length; i++) rest = (table0[(rest ^ (bytes[i] as number)) & 0xff] as number) ^ (rest >>> 8);
  return ~rest >>> 0;
}
