/**
 * The ring: who is a member, who holds which seat of which partition, and what each bucket asks for (§4.2, §6.2).
 *
 * It is a pure fold of the history, so members with the same history have the same ring, whatever order gossip brought
 * the events in. It is only the target: whether a member may *speak* for a seat is `node/seats.ts`'s to say.
 */

import { hash128 } from "../hash/murmur3.ts";
import type { NodeId, PartitionId } from "../ids.ts";
import { flawOf } from "../membership/check-events.ts";
import type { FoundEvent, HistoryEvent } from "../membership/event.ts";
import { compareEvents, eventName, type History, isPlacement } from "../membership/history.ts";
import { type BucketSettings, type ClusterSettings, defaultBucketSettings } from "../settings.ts";
import { claim, type Seats } from "./claim.ts";
import { type Eras, firstVersion, noEras, withChange, withSettings } from "./eras.ts";
import { apply, type Member, type People, staying } from "./members.ts";
import { zonesOf } from "./shares.ts";

export type { Member } from "./members.ts";

export interface Ring {
  /**
   * Names the set of placement events it was folded from: the Lamport time of the newest, and below it 20 bits of hash
   * over all. Requests are between nodes of equal versions, which therefore know the same placement and the same
   * incarnations; the time alone would be the same for two rings whose events came about on two sides of a split. Of
   * two rings whose times differ, the greater version is the newer.
   */
  readonly version: number;
  /** The cluster's id. */
  readonly cluster: string;
  readonly settings: ClusterSettings;
  /** In the order they joined; those that leave are among them until they are removed. */
  readonly members: ReadonlyMap<NodeId, Member>;
  /** How many of them stay: as many copies of a key there can be, at most. */
  readonly size: number;
  /** In how many zones those are. */
  readonly zones: number;
  /** Ids that were removed: none ever becomes a member again. */
  readonly removed: ReadonlySet<NodeId>;
  /** By partition: its holders by seat, min(N, size) of them. */
  readonly seats: readonly Seats[];
  /**
   * Those that were told anything; see `bucketSettings` for the others. The same map as in the ring before, where that
   * is given, as long as no bucket has changed: members come and go under exchanges that must end with such a change.
   */
  readonly buckets: ReadonlyMap<string, BucketSettings>;
  /** The numbers of copies that buckets ask for, the least first; those that were told nothing ask for the cluster's. */
  readonly copies: readonly number[];
  /** How often, and with what, each bucket's n was changed. */
  readonly eras: Eras;
  /** What it was folded from. */
  readonly history: History;
  /** Answers of `preferenceOrder` by partition: a memo, true as long as the ring, which never changes. */
  readonly orders: Map<PartitionId, readonly NodeId[]>;
  /** Answers of `ownersOf`, by partition and n. */
  readonly owners: Map<number, readonly NodeId[]>;
  /** Answers of `wantedOwners`, by partition. */
  readonly wanted: Map<PartitionId, readonly NodeId[]>;
}

/**
 * The ring of a history, which must be without flaw (`flawOf`). With `previous`, the ring of an earlier state of the
 * same history, only what is new is folded, where all of it is at the end.
 */
export function foldHistory(history: History, previous?: Ring): Ring {
  if (previous !== undefined && isContinued(previous.history, history)) {
    return foldOnto(previous, history.slice(previous.history.length), history);
  }
  const flaw = flawOf(history);
  const [found, ...rest] = history;
  if (flaw !== undefined || found?.kind !== "found") throw new Error(`cannot fold a history: ${flaw}`);
  const ring = foldOnto(foundRing(found), rest, history);
  return previous !== undefined && hasSameBuckets(previous, ring) ? { ...ring, buckets: previous.buckets } : ring;
}

/** With the same times between changes of n: by those, too, it is decided what is kept where. */
function hasSameBuckets(a: Ring, b: Ring): boolean {
  const told = ({ buckets, eras }: Ring): string =>
    JSON.stringify([sorted(buckets), sorted(eras.buckets), eras.hashes]);
  return told(a) === told(b);
}

function sorted<Value>(map: ReadonlyMap<string, Value>): readonly (readonly [string, Value])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

function isContinued(earlier: History, later: History): boolean {
  return earlier.length <= later.length && earlier.every((event, i) => isSameEvent(event, later[i]));
}

function isSameEvent(a: HistoryEvent, b: HistoryEvent | undefined): boolean {
  return a === b || (b !== undefined && compareEvents(a, b) === 0);
}

/** Room for the hash below the Lamport time in a ring's version. */
const versionsATime = 2 ** 20;

/** The version of a ring with one placement event more. The hashes are XORed: the order events came in is no matter. */
function versionWith(version: number, event: HistoryEvent): number {
  const [drawn] = hash128(new TextEncoder().encode(eventName(event)));
  const hash = ((version % versionsATime) ^ (drawn % versionsATime)) >>> 0;
  return Math.max(placementTime(version), event.lamport) * versionsATime + hash;
}

/** The Lamport time of the newest placement event of the rings of this version. */
export function placementTime(version: number): number {
  return Math.floor(version / versionsATime);
}

function foundRing(found: FoundEvent): Ring {
  const { author: node, name, zone, capacity, cluster, settings } = found;
  const version = versionWith(0, found);
  const incarnation = eventName(found);
  const member: Member = { node, name, zone, capacity, incarnation, directory: node, isLeaving: false };
  const seats = claim([], [member], { partitions: settings.partitions, copies: settings.n });
  const members = new Map([[node, member]]);
  return {
    version,
    cluster,
    settings,
    members,
    size: 1,
    zones: 1,
    removed: new Set(),
    seats,
    buckets: new Map(),
    copies: [settings.n],
    eras: noEras,
    history: [found],
    ...emptyMemos(),
  };
}

function foldOnto(ring: Ring, events: readonly HistoryEvent[], history: History): Ring {
  const people: People = { members: new Map(ring.members), removed: new Set(ring.removed) };
  const buckets = new Map(ring.buckets);
  const size = { partitions: ring.settings.partitions, copies: ring.settings.n };
  let { seats, version, eras } = ring;
  for (const event of events) {
    if (isPlacement(event)) version = versionWith(version, event);
    if (event.kind === "bucket") {
      const before = buckets.get(event.bucket) ?? defaultBucketSettings(ring.settings);
      const now = { ...before, ...event.change };
      buckets.set(event.bucket, now);
      eras =
        event.change.n === undefined
          ? withSettings(eras, event.bucket, now)
          : withChange(eras, { bucket: event.bucket, event: eventName(event), before, now });
    } else if (event.kind === "found") {
      throw new Error(`a second found event, ${eventName(event)}`);
    } else if (apply(people, event)) seats = claim(seats, staying(people.members), size);
  }
  const { members, removed } = people;
  // A member's zone or leaving alone changes the orders, too.
  const isSame = seats === ring.seats && !events.some(isPlacement);
  const { orders, owners } = isSame ? ring : emptyMemos();
  const wanted = new Map<PartitionId, readonly NodeId[]>();
  const copies = copiesOf(ring.settings, buckets);
  const those = staying(members);
  const population = { size: those.length, zones: zonesOf(those).length };
  return {
    ...ring,
    ...population,
    version,
    members,
    removed,
    seats,
    buckets: events.some(({ kind }) => kind === "bucket") ? buckets : ring.buckets,
    copies,
    eras,
    history,
    orders,
    owners,
    wanted,
  };
}

function emptyMemos(): Pick<Ring, "orders" | "owners" | "wanted"> {
  return { orders: new Map(), owners: new Map(), wanted: new Map() };
}

function copiesOf({ n }: ClusterSettings, buckets: Ring["buckets"]): readonly number[] {
  const copies = new Set([n]);
  for (const bucket of buckets.values()) copies.add(bucket.n);
  return [...copies].sort((a, b) => a - b);
}

/** What a bucket asks for: what it was told, over the cluster's defaults. Not capped by the number of members. */
export function bucketSettings(ring: Ring, bucket: string): BucketSettings {
  return ring.buckets.get(bucket) ?? defaultBucketSettings(ring.settings);
}

/** Names the changes of the bucket's n that the ring knows. */
export function bucketVersion(ring: Ring, bucket: string): number {
  return ring.eras.buckets.get(bucket)?.version ?? firstVersion;
}

/** The member of that name, if there is one. */
export function memberNamed(ring: Ring, name: string): Member | undefined {
  for (const member of ring.members.values()) if (member.name === name) return member;
  return undefined;
}
