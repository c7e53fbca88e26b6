/** CRC-32 by the platform's own zlib, some times faster than JavaScript; by JavaScript where zlib has none (before 20.15). */

import * as zlib from "node:zlib";
import { crc32 } from "../core/hash/crc32.ts";
import type { Checksum } from "../runtime/runtime.ts";

export const machineChecksum: Checksum =
  typeof zlib.crc32 === "function" ? (bytes, seed = 0) => zlib.crc32(bytes, seed) : crc32;
