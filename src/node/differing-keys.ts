/** What an exchange does about the keys in which the two copies differ (§4.7). */

import type { ListedKey, TreeName } from "../wire/message.ts";

export interface DifferingKeys {
  /** Begins to bring the key to where it must be, as soon as there is room. May end the exchange (`BrokenOff`). */
  found(tree: TreeName, key: ListedKey, isAtPeer: boolean): Promise<void>;
  /** Resolves when all that was found is done, and stored on disk. */
  idle(): Promise<void>;
}

/** What this one exchange could not do. */
export interface Shortfall {
  /** Keys that one side refused. */
  refused: number;
  /** Partitions in which this node may still lack something of the other's, or for which the other does not vouch. */
  readonly incomplete: Set<TreeName["partition"]>;
}
