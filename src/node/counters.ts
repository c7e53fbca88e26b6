/**
 * What a node counts while it works: plain numbers, so that counting costs an addition; `metrics.ts` turns them into
 * samples when somebody asks. Every one only grows.
 */

export interface NodeCounters {
  gets: number;
  puts: number;
  deletes: number;
  /** Requests passed on to an owner. */
  forwarded: number;
  failedGets: number;
  failedWrites: number;
  /** Peers' requests to this node's own copies. */
  replicaGets: number;
  replicaPuts: number;
  /** Stale copies to which a merged state was sent after a read. */
  readRepairs: number;
  /** Writes kept for an owner, kept no more since it has them, and not kept. */
  hintsKept: number;
  hintsDelivered: number;
  hintsRefused: number;
  /** Context entries dropped by the bound of last resort; each may show a replaced value again (§4.4). */
  prunedContextEntries: number;
  /** Tombstones this node forgot, and contexts of live keys it made shorter, once all had agreed. */
  reapedKeys: number;
  compactedContexts: number;
  /** Stored records that did not match their checksum. */
  corruptRecords: number;
  /** Values that did not match their checksum when they were to be served. */
  corruptValues: number;
  /** Requests refused because the two sides knew different rings. */
  staleRings: number;
  /** Requests refused because too much was under way. */
  overloads: number;
}

export function newCounters(): NodeCounters {
  return {
    gets: 0,
    puts: 0,
    deletes: 0,
    forwarded: 0,
    failedGets: 0,
    failedWrites: 0,
    replicaGets: 0,
    replicaPuts: 0,
    readRepairs: 0,
    hintsKept: 0,
    hintsDelivered: 0,
    hintsRefused: 0,
    prunedContextEntries: 0,
    reapedKeys: 0,
    compactedContexts: 0,
    corruptRecords: 0,
    corruptValues: 0,
    staleRings: 0,
    overloads: 0,
  };
}
