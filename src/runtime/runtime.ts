/**
 * Everything of the world that the product's code may touch. `host/` binds it to a machine, `sim/` to a simulated
 * one; the code between cannot tell which, and that is what lets one seed replay a whole cluster.
 */

import type { Checksum } from "../core/hash/crc32.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";

export type { Checksum };

export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly log: Log;
  readonly checksum: Checksum;
}
