/** The ports of `runtime/` on this machine, in one piece. */

import type { Runtime } from "../runtime/runtime.ts";
import { machineChecksum } from "./checksum.ts";
import { machineClock } from "./clock.ts";
import { type LogOptions, stderrLog } from "./log.ts";
import { machineRandom } from "./random.ts";
import { tcpNetwork } from "./tcp-network.ts";

/** This machine's time, chance, network and log. */
export function hostRuntime(options: { readonly log: LogOptions }): Runtime {
  return {
    clock: machineClock,
    random: machineRandom(),
    network: tcpNetwork,
    log: stderrLog(options.log),
    checksum: machineChecksum,
  };
}
