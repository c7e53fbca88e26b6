/** What a node is made with: its ports, its name and addresses, and what its operator decides. */

import type { Limits } from "../core/limits.ts";
import type { ClusterSettings } from "../core/settings.ts";
import type { Address } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { StorageEngine } from "../storage/engine.ts";
import type { NodeError } from "./node-error.ts";

export interface NodeOptions {
  readonly runtime: Runtime;
  /** Opened for this node alone; whoever opened it closes it after `stop`. */
  readonly engine: StorageEngine;
  /** For people; unique in the cluster. */
  readonly name: string;
  readonly zone?: string | undefined;
  readonly capacity?: number | undefined;
  /** Where peers are listened to. */
  readonly listen: Address;
  /** Where others reach it, if that differs. */
  readonly advertise?: Address | undefined;
  /** Where its HTTP interface is, for others to know; empty if it has none. */
  readonly http: Address | "";
  /** Members to ask for admission at the first start; empty founds a cluster. Later they are seeds of gossip. */
  readonly join: readonly Address[];
  readonly settings: Partial<ClusterSettings>;
  readonly limits: Limits;
  readonly software: string;
  /** The cluster of which this engine is known to be a member's: one that knows of none has lost what it held. */
  readonly expectCluster?: string;
  /** That member's store was damaged and this empty one is in its place: the node is to take its place again. */
  readonly isEmptied?: boolean;
  /** Everything that is stored was read once. */
  readonly onStoreRead?: () => void;
  /** It has handed over all it held, and is about to leave: whoever lets clients in is to finish, while it still serves. */
  readonly onLeaving?: () => Promise<void>;
  /** It stays after all: clients may come again. */
  readonly onStaying?: () => Promise<void>;
  /** The node found out that it must not go on; it serves nothing any more and is to be stopped. */
  readonly onEnded?: (error: NodeError) => void;
}
