/**
 * A key's place on the ring (§4.2): 64 bits of hash over bucket and key, the first of which number its partition.
 *
 * The bucket goes in behind its length, so that no two pairs of bucket and key are hashed alike. What this answers is
 * for ever: another answer would be another home for every key.
 *
 * Hot path.
 */

import { ByteWriter } from "../bytes/byte-writer.ts";
import { type Hash64, hash64 } from "../hash/murmur3.ts";
import type { PartitionId } from "../ids.ts";

/** Room that every hash reuses; nothing of one call is left for the next. */
const scratch: ByteWriter = new ByteWriter(2048);

/** The key's hash. */
export function keyHash(bucket: string, key: string): Hash64 {
  scratch.reset();
  scratch.text(bucket);
  scratch.text(key);
  return hash64(scratch.view());
}

/** The partition of a key in a ring of `partitions`, a power of two of at most 2^16. */
export function partitionOf(bucket: string, key: string, partitions: number): PartitionId {
  return partitionOfHash(keyHash(bucket, key), partitions);
}

/** The partition of a hash: its first log2(partitions) bits. */
export function partitionOfHash(hash: Hash64, partitions: number): PartitionId {
  return Math.floor((hash.hi / 0x1_0000_0000) * partitions) as PartitionId;
}
