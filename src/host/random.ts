/** Unpredictable numbers, behind the port of `runtime/random.ts`, drawn from the system a few kilobytes at a time. */

import { randomBytes, randomFillSync } from "node:crypto";
import type { Random } from "../runtime/random.ts";

const poolNumbers = 1024;

/** A source of its own pool; one a process is enough. */
export function machineRandom(): Random {
  const pool = new Uint32Array(poolNumbers);
  let used = poolNumbers;
  const u32 = (): number => {
    if (used === poolNumbers) {
      randomFillSync(pool);
      used = 0;
    }
    return pool[used++] as number;
  };
  return {
    u32,
    below(limit: number): number {
      if (!Number.isInteger(limit) || limit < 1 || limit > 2 ** 32) {
        throw new RangeError(`cannot draw a number below ${limit}: the limit is a whole number from 1 to 2^32`);
      }
      // Draws from the last, partial run of `limit` numbers are thrown away: they would favour small results.
      const fair = 2 ** 32 - (2 ** 32 % limit);
      let drawn = u32();
      while (drawn >= fair) drawn = u32();
      return drawn % limit;
    },
    bytes: (length: number) => new Uint8Array(randomBytes(length)),
  };
}
