/**
 * Forgetting: once all is healed and nobody writes, tombstones go from every disk within a few times the grace time.
 * That nothing comes back with them is for the checker of resurrection.
 */

import { MalformedBytes } from "../../core/bytes/byte-reader.ts";
import { decodeRecord } from "../../wire/record.ts";
import type { SimCluster } from "../cluster.ts";

const dataTag = 0x02;

/** How many tombstones are on the disks of all members. */
export function tombstonesOnDisks({ members, simulation }: SimCluster): number {
  let tombstones = 0;
  for (const { machine } of members) {
    for (const { key, value } of machine.disk.contents().values()) {
      if (key[0] !== dataTag) continue;
      try {
        if (decodeRecord(value, key, simulation.surroundings.checksum).state.siblings.length === 0) tombstones++;
      } catch (error) {
        // The checker of disks tells of damage.
        if (!(error instanceof MalformedBytes)) throw error;
      }
    }
  }
  return tombstones;
}
