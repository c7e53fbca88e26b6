/**
 * Everything of the world that the product's code may touch. `host/` binds it to a machine, `sim/` to a simulated
 * one; the code between cannot tell which, and that is what lets one seed replay a whole cluster.
 */

import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";

/** CRC-32 (IEEE 802.3) of the bytes, going on from `seed` (the checksum of what came before; 0 at the start). */
export type Checksum = (bytes: Uint8Array, seed?: number) => number;

export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly log: Log;
  readonly checksum: Checksum;
}
