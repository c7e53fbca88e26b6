/** The ports of `runtime/` on this machine, in one piece. */

import type { Network } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { machineChecksum } from "./checksum.ts";
import { machineClock } from "./clock.ts";
import { type LogOptions, stderrLog } from "./log.ts";
import { machineRandom } from "./random.ts";

export interface HostRuntimeOptions {
  readonly log: LogOptions;
  readonly network: Network;
}

/** This machine's time, chance, network and log. */
export function hostRuntime(options: HostRuntimeOptions): Runtime {
  return {
    clock: machineClock,
    random: machineRandom(),
    network: options.network,
    log: stderrLog(options.log),
    checksum: machineChecksum,
  };
}
