/** CRC-32 by the platform's own zlib, some times faster than JavaScript can do it. */

import * as zlib from "node:zlib";
import type { Checksum } from "../runtime/runtime.ts";

export const machineChecksum: Checksum = (bytes, seed = 0) => zlib.crc32(bytes, seed);
