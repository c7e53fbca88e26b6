/** The ports of `runtime/` on this machine, in one piece. */

import type { Log } from "../runtime/log.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { machineChecksum } from "./checksum.ts";
import { machineClock } from "./clock.ts";
import { machineRandom } from "./random.ts";
import { tcpNetwork } from "./tcp-network.ts";

/** This machine's time, chance and network, with the log that is to be used. */
export function hostRuntime(log: Log): Runtime {
  return {
    clock: machineClock,
    random: machineRandom(),
    network: tcpNetwork,
    log,
    checksum: machineChecksum,
  };
}
