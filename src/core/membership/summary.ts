/**
 * What a node knows of the cluster in a few bytes, however large that is: two nodes whose summaries are equal have
 * nothing to tell each other, and most rounds of gossip find just that (§4.8.1).
 *
 * The naive digest names every author and every record, and so costs each node more with each node there is. A summary
 * is a hash over the history, and over the node records sixteen, one for each group of them, so that what differs is
 * looked for in a sixteenth. Hashes of parts are joined by XOR: it does not matter in which order one came to know
 * them, and what is known or replaced is added or taken away without looking at the rest.
 *
 * Two different sets have the same hash once in 2^64; such a pair learns from others, or with the next change.
 */

import { type Hash64, hash64 } from "../hash/murmur3.ts";
import type { NodeId } from "../ids.ts";
import type { HistoryEvent } from "./event.ts";
import { eventName } from "./history.ts";
import type { RecordVersion } from "./node-record.ts";

/** Groups of records; a node's is the first digit of its id. */
export const recordGroups: number = 16;

export interface Summary {
  readonly history: Hash64;
  /** By group; `recordGroups` of them. */
  readonly records: readonly Hash64[];
}

const nothing: Hash64 = { hi: 0, lo: 0 };

/** Of who knows nothing. */
export const emptySummary: Summary = {
  history: nothing,
  records: Array.from({ length: recordGroups }, () => nothing),
};

/** With these events known, which were not before. */
export function withEvents(summary: Summary, events: readonly HistoryEvent[]): Summary {
  return {
    ...summary,
    history: events.reduce((hash, event) => joined(hash, hashOf(eventName(event))), summary.history),
  };
}

/** With one record known in place of another; undefined stands for none. */
export function withRecord(
  summary: Summary,
  record: RecordVersion | undefined,
  replaced: RecordVersion | undefined,
): Summary {
  const records = [...summary.records];
  for (const version of [record, replaced]) {
    if (version === undefined) continue;
    const { node, incarnation } = version;
    const group = groupOf(node);
    records[group] = joined(records[group] as Hash64, hashOf(`${node} ${incarnation} ${version.version}`));
  }
  return { ...summary, records };
}

/** The number of the group that the node's record is in. */
export function groupOf(node: NodeId): number {
  return Number.parseInt(node.slice(0, 1), 16);
}

/** Whether the two know the same events. */
export function sameHistory(a: Hash64, b: Hash64): boolean {
  return a.hi === b.hi && a.lo === b.lo;
}

/** The groups in which the two know different records. */
export function differingGroups(a: readonly Hash64[], b: readonly Hash64[]): ReadonlySet<number> {
  const groups = new Set<number>();
  for (let group = 0; group < recordGroups; group++) {
    if (!sameHistory(a[group] ?? nothing, b[group] ?? nothing)) groups.add(group);
  }
  return groups;
}

function joined(a: Hash64, b: Hash64): Hash64 {
  return { hi: (a.hi ^ b.hi) >>> 0, lo: (a.lo ^ b.lo) >>> 0 };
}

function hashOf(name: string): Hash64 {
  return hash64(new TextEncoder().encode(name));
}
