/**
 * Where a key lives: computed once when a request arrives, and handed down from there.
 */

import type { PartitionId } from "../core/ids.ts";
import { partitionOf } from "../core/ring/key-hash.ts";
import { dataKey, type StoreKey } from "../storage/store-key.ts";

export interface KeyPlace {
  readonly bucket: string;
  readonly key: string;
  readonly partition: PartitionId;
  /** The key under which a replica stores its state. */
  readonly storeKey: StoreKey;
}

export function placeOf(bucket: string, key: string, partitions: number): KeyPlace {
  const partition = partitionOf(bucket, key, partitions);
  return { bucket, key, partition, storeKey: dataKey(partition, bucket, key) };
}
