/**
 * The partitions of which this node is known to have nothing: they were looked through, and what was there was dropped
 * (`seat-upkeep.ts`).
 *
 * Whoever holds no seat of a partition may get something of it all the same: of an exchange that began before, or of a
 * hand-over that came to nothing. A copy that nobody looks for keeps its keys from ever being forgotten
 * (`forgetting.ts`).
 *
 * Law: a partition is one of these only as long as nothing has been stored in it since. What was dropped is gone for
 * good: nobody waits for that write, so a full disk only delays it (`write-buffer.ts`).
 */

import type { PartitionId } from "../core/ids.ts";
import type { KeyPlace } from "./key-place.ts";
import type { StoredStates } from "./trees.ts";

export class EmptyPartitions implements StoredStates {
  readonly #empty: Set<PartitionId> = new Set();

  has(partition: PartitionId): boolean {
    return this.#empty.has(partition);
  }

  /** Nothing is left of the partition in this turn. */
  add(partition: PartitionId): void {
    this.#empty.add(partition);
  }

  stored({ partition }: KeyPlace): void {
    this.#empty.delete(partition);
  }
}
