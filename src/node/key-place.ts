/**
 * Where a key lives: computed once when a request arrives, and handed down from there.
 */

import type { Hash64 } from "../core/hash/murmur3.ts";
import type { PartitionId } from "../core/ids.ts";
import { keyHash, partitionOfHash } from "../core/ring/key-hash.ts";
import { dataKey, type StoreKey } from "../storage/store-key.ts";

export interface KeyPlace {
  readonly bucket: string;
  readonly key: string;
  /** Where on the ring (`keyHash`). */
  readonly hash: Hash64;
  readonly partition: PartitionId;
  /** The key under which a replica stores its state. */
  readonly storeKey: StoreKey;
}

export function placeOf(bucket: string, key: string, partitions: number): KeyPlace {
  const hash = keyHash(bucket, key);
  const partition = partitionOfHash(hash, partitions);
  return { bucket, key, hash, partition, storeKey: dataKey(partition, bucket, key) };
}
