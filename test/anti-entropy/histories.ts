/** Histories of one node, for tests that need a ring and no cluster. */

import type { NodeId } from "../../src/core/ids.ts";
import type { HistoryEvent } from "../../src/core/membership/event.ts";
import type { BucketChange, ClusterSettings } from "../../src/core/settings.ts";

/** A cluster founded by one node with these settings, and these buckets. */
export function foundEvent(
  settings: Partial<ClusterSettings>,
  buckets: Readonly<Record<string, BucketChange>>,
): readonly HistoryEvent[] {
  const author = "00112233445566ff" as NodeId;
  const at = 1_700_000_000_000;
  const found: HistoryEvent = {
    kind: "found",
    lamport: 1,
    author,
    at,
    cluster: "0123456789abcdef0123456789abcdef",
    settings: { partitions: 4, n: 3, r: 2, w: 2, ...settings },
    name: "n1",
    zone: "",
    capacity: 1,
    claim: 1,
  };
  const changes = Object.entries(buckets).map(([bucket, change], i): HistoryEvent => {
    return { kind: "bucket", lamport: 2 + i, author, at, bucket, change };
  });
  return [found, ...changes];
}
