/** What every request of a client needs of it, gathered once. */

import type { Checksum } from "../core/hash/crc32.ts";
import type { NodeId } from "../core/ids.ts";
import type { Peers } from "../rpc/peers.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { Hedging } from "./hedging.ts";
import type { InFlight } from "./in-flight.ts";
import type { Router } from "./router.ts";
import type { Signals } from "./signals.ts";
import type { Wheel } from "./wheel.ts";

export interface OperationParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly checksum: Checksum;
  readonly peers: Peers;
  readonly router: Router;
  readonly inFlight: InFlight;
  readonly wheel: Wheel;
  readonly hedging: Hedging;
  readonly signals: Signals;
  readonly isClosed: () => boolean;
  /** The node's name, for people. */
  readonly nameOf: (node: NodeId) => string;
  /** What is known of the ring led somewhere it should not have. */
  readonly onTrouble: () => void;
}
