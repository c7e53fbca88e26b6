/** What this node holds, as far as a change of placement needs to know: see `pledge.ts`. */

import type { PartitionId } from "../core/ids.ts";
import { bucketRange, dataRange } from "../storage/store-key.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { Hints } from "./hints.ts";
import type { Holdings } from "./pledge.ts";

/** `partitions` says how many there are. */
export function holdingsOf(buffer: WriteBuffer, hints: Pick<Hints, "isEmpty">, partitions: () => number): Holdings {
  return {
    isEmpty(bucket) {
      if (!hints.isEmpty(bucket)) return false;
      if (bucket === undefined) return buffer.scan(dataRange(), 1).length === 0;
      for (let partition = 0; partition < partitions(); partition++) {
        if (buffer.scan(bucketRange(partition as PartitionId, bucket), 1).length > 0) return false;
      }
      return true;
    },
  };
}
