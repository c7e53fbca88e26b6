/** Random clusters for the tests of history and ring: what members could have written, in the order they wrote it. */

import fc from "fast-check";
import { type NodeId, parseNodeId } from "../../src/core/ids.ts";
import type { FoundEvent, HistoryEvent, JoinEvent } from "../../src/core/membership/event.ts";
import type { BucketChange, ClusterSettings } from "../../src/core/settings.ts";
import { plainRecord } from "../plain-record.ts";

/** The id of the i-th node of a test: they differ in all their digits, and are not in order. */
export function nodeId(i: number): NodeId {
  const mixed = BigInt.asUintN(64, (BigInt(i) + 1n) * 0x9e3779b97f4a7c15n);
  const id = parseNodeId(mixed.toString(16).padStart(16, "0"));
  if (id === undefined) throw new Error("no id");
  return id;
}

export interface Place {
  readonly zone: string;
  readonly capacity: number;
}

export function found(settings: ClusterSettings, place: Place): FoundEvent {
  const author = nodeId(0);
  return {
    kind: "found",
    lamport: 1,
    author,
    at: 0,
    cluster: "c".repeat(32),
    settings,
    name: "n0",
    claim: 1,
    ...place,
  };
}

export function join(i: number, lamport: number, place: Place): JoinEvent {
  const author = nodeId(0);
  return {
    kind: "join",
    lamport,
    author,
    at: 0,
    node: nodeId(i),
    directory: nodeId(i),
    name: `n${i}`,
    claim: 1,
    ...place,
  };
}

/** The history in which these places join one after the other, node 0 founding. */
export function joins(settings: ClusterSettings, places: readonly Place[]): readonly HistoryEvent[] {
  return places.map((place, i) => (i === 0 ? found(settings, place) : join(i, i + 1, place)));
}

export const places = (most: number, zones: number, capacity: number): fc.Arbitrary<readonly Place[]> =>
  fc.array(
    plainRecord({
      zone: fc.integer({ min: 1, max: zones }).map((z) => `z${z}`),
      capacity: fc.integer({ min: 1, max: capacity }),
    }),
    { minLength: 1, maxLength: most },
  );

const bucketChange: fc.Arbitrary<BucketChange> = fc.record(
  {
    n: fc.integer({ min: 1, max: 5 }),
    r: fc.constantFrom("one" as const, "quorum" as const, 1),
    reconcile: fc.constantFrom("siblings" as const, "last-write-wins" as const),
  },
  { requiredKeys: [], noNullPrototype: true },
);

/**
 * Histories with several authors: nodes join, join again, take a name that is taken, leave, are removed, change zone
 * and capacity, and set buckets; some events are concurrent, as after a split.
 */
export const histories: fc.Arbitrary<readonly HistoryEvent[]> = fc
  .tuple(
    fc.constantFrom(1, 8, 32),
    fc.integer({ min: 1, max: 4 }),
    fc.array(
      plainRecord({
        kind: fc.constantFrom("join", "join", "again", "bucket", "leave", "stay", "remove", "capacity", "zone"),
        author: fc.nat(5),
        node: fc.nat(7),
        name: fc.nat(12),
        zone: fc.constantFrom("a", "b", "c"),
        capacity: fc.integer({ min: 1, max: 4 }),
        stays: fc.boolean(),
        change: bucketChange,
        bucket: fc.constantFrom("carts", "orders"),
      }),
      { maxLength: 18 },
    ),
  )
  .map(([partitions, n, steps]) => {
    const events: HistoryEvent[] = [found({ partitions, n, r: 1, w: 1 }, { zone: "a", capacity: 1 })];
    const written = new Map<NodeId, number>([[nodeId(0), 1]]);
    let lamport = 1;
    for (const step of steps) {
      const author = nodeId(step.author);
      // `stays`: concurrent with the event before, unless its author wrote that one too.
      const time = step.stays ? Math.max(lamport, (written.get(author) ?? 1) + 1) : lamport + 1;
      lamport = Math.max(lamport, time);
      written.set(author, time);
      const base = { lamport: time, author, at: 0 };
      const { zone, capacity, bucket, change } = step;
      const node = nodeId(step.node);
      if (step.kind === "bucket") events.push({ kind: "bucket", ...base, bucket, change });
      else if (step.kind === "leave" || step.kind === "stay" || step.kind === "remove") {
        events.push({ kind: step.kind, ...base, node, claim: 1 });
      } else if (step.kind === "capacity") events.push({ kind: "capacity", ...base, node, capacity, claim: 1 });
      else if (step.kind === "zone") events.push({ kind: "zone", ...base, node, zone, claim: 1 });
      else {
        events.push({
          kind: "join",
          ...base,
          node,
          directory: node,
          name: `n${step.name}`,
          zone,
          capacity,
          claim: 1,
        });
      }
    }
    return events;
  });
