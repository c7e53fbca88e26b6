/**
 * CRC-32 by the platform's own zlib for what is long; by JavaScript for what is short, where the call alone would cost
 * more than the sum, and where zlib has none (before 20.15). Hot path: heads and keys are short, values mostly long.
 */

import * as zlib from "node:zlib";
import { crc32 } from "../core/hash/crc32.ts";
import type { Checksum } from "../runtime/runtime.ts";

/** The native one is faster from here on, in bytes. */
const longBytes = 128;

export const machineChecksum: Checksum =
  typeof zlib.crc32 === "function"
    ? (bytes, seed = 0) => (bytes.length < longBytes ? crc32(bytes, seed) : zlib.crc32(bytes, seed))
    : crc32;
