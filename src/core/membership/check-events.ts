/**
 * Whether events that came from elsewhere (a peer, a disk) are ones this version understands and could have written.
 *
 * The fold of a history must give every member the same ring, so an event is either understood whole or refused whole:
 * one that is refused closes the peer that sent it, or keeps the node from starting, and never enters a history.
 */

import { type NodeId, parseNodeId } from "../ids.ts";
import { bucketNameBytes, mostCapacity, nameCharacters } from "../limits.ts";
import { parseBucketChange, parseClusterSettings, show } from "../settings.ts";
import type { EventBase, HistoryEvent, MemberEvent } from "./event.ts";
import type { History } from "./history.ts";

export type CheckedEvents =
  | { readonly kind: "events"; readonly events: readonly HistoryEvent[] }
  | { readonly kind: "invalid"; readonly why: string };

/** The claim functions this version can fold, by number; see `ring/claim.ts`. */
export const newestClaim: number = 1;
const clusterShape = /^[0-9a-f]{32}$/;
const nameShape: RegExp = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._-]{0,${nameCharacters - 1}}$`);
/** Zones may be left unnamed. */
const zoneShape: RegExp = new RegExp(`^[A-Za-z0-9._-]{0,${nameCharacters}}$`);

/** Whether this can be a node's name: letters, digits, `.`, `_` and `-`, the first a letter or digit, 64 at most. */
export function isNodeName(name: string): boolean {
  return nameShape.test(name);
}

/** Whether this can be a zone's name: as a node's, or empty. */
export function isZoneName(zone: string): boolean {
  return zoneShape.test(zone);
}

export function isCapacity(capacity: number): boolean {
  return isWhole(capacity, 1, mostCapacity);
}

/** Checks each value as one event. Fields that no event has are dropped. */
export function checkEvents(values: readonly unknown[]): CheckedEvents {
  const events: HistoryEvent[] = [];
  for (const value of values) {
    const event = readEvent(value);
    if (typeof event === "string") return { kind: "invalid", why: event };
    events.push(event);
  }
  return { kind: "events", events };
}

/** What is wrong with a whole history, or undefined: it begins with the one `found` event, and no name is twice. */
export function flawOf(history: History): string | undefined {
  if (history.length === 0) return "the history is empty";
  for (let i = 0; i < history.length; i++) {
    const event = history[i] as HistoryEvent;
    if ((event.kind === "found") !== (i === 0)) return `event ${i} is of kind ${event.kind}`;
    const before = history[i - 1];
    if (before !== undefined && before.lamport === event.lamport && before.author === event.author) {
      return `event ${i} has the name of the one before it`;
    }
  }
  return undefined;
}

function readEvent(value: unknown): HistoryEvent | string {
  if (typeof value !== "object" || value === null) return "an event is no object";
  const fields = value as Readonly<Record<string, unknown>>;
  const author = readNodeId(fields["author"]);
  if (author === undefined) return "an event has no author";
  const { lamport, at, kind } = fields;
  if (!isWhole(lamport, 1, Number.MAX_SAFE_INTEGER - 1)) return "an event's Lamport time is no whole number from 1";
  if (!isWhole(at, 0, Number.MAX_SAFE_INTEGER)) return "an event's wall time is no whole number from 0";
  const base: EventBase = { lamport, author, at };
  if (kind === "found") return readFound(base, fields);
  if (kind === "join") return readJoin(base, fields);
  if (kind === "bucket") return readBucket(base, fields);
  if (kind === "leave" || kind === "stay" || kind === "remove" || kind === "capacity" || kind === "zone") {
    return readMemberEvent(kind, base, fields);
  }
  return `an event is of kind ${show(kind)}, which this version does not know`;
}

function readFound(base: EventBase, fields: Readonly<Record<string, unknown>>): HistoryEvent | string {
  const place = readPlace(fields);
  if (typeof place === "string") return place;
  const { cluster } = fields;
  if (typeof cluster !== "string" || !clusterShape.test(cluster)) return "a cluster's id is not 32 hexadecimal digits";
  const settings = parseClusterSettings(fields["settings"]);
  if (settings.kind === "invalid") return `a cluster's settings: ${settings.why}`;
  return { kind: "found", ...base, cluster, settings: settings.settings, ...place };
}

function readJoin(base: EventBase, fields: Readonly<Record<string, unknown>>): HistoryEvent | string {
  const place = readPlace(fields);
  if (typeof place === "string") return place;
  const node = readNodeId(fields["node"]);
  if (node === undefined) return "a join names no node";
  const directory = readNodeId(fields["directory"]);
  if (directory === undefined) return "a join names no directory";
  return { kind: "join", ...base, node, directory, ...place };
}

function readMemberEvent(
  kind: MemberEvent["kind"],
  base: EventBase,
  fields: Readonly<Record<string, unknown>>,
): HistoryEvent | string {
  const node = readNodeId(fields["node"]);
  if (node === undefined) return `an event of kind ${kind} names no node`;
  const { capacity, zone, claim } = fields;
  if (!isClaim(claim)) return unknownClaim(claim);
  if (kind === "leave" || kind === "stay" || kind === "remove") return { kind, ...base, node, claim };
  if (kind === "capacity") return isCapacityValue(capacity) ? { kind, ...base, node, capacity, claim } : noCapacity;
  return isZoneValue(zone) ? { kind, ...base, node, zone, claim } : `${show(zone)} is no zone's name`;
}

function readBucket(base: EventBase, fields: Readonly<Record<string, unknown>>): HistoryEvent | string {
  const { bucket } = fields;
  if (typeof bucket !== "string" || bucket === "") return "a bucket event names no bucket";
  if (new TextEncoder().encode(bucket).length > bucketNameBytes) return "a bucket event's bucket has too long a name";
  const change = parseBucketChange(fields["change"]);
  if (change.kind === "invalid") return `a bucket event: ${change.why}`;
  return { kind: "bucket", ...base, bucket, change: change.change };
}

interface Place {
  readonly name: string;
  readonly zone: string;
  readonly capacity: number;
  readonly claim: number;
}

function readPlace(fields: Readonly<Record<string, unknown>>): Place | string {
  const { name, zone, capacity, claim } = fields;
  if (typeof name !== "string" || !isNodeName(name)) return `${show(name)} is no node's name`;
  if (!isZoneValue(zone)) return `${show(zone)} is no zone's name`;
  if (!isCapacityValue(capacity)) return noCapacity;
  if (!isClaim(claim)) return unknownClaim(claim);
  return { name, zone, capacity, claim };
}

const noCapacity: string = `a capacity is no whole number from 1 to ${mostCapacity}`;

function unknownClaim(claim: unknown): string {
  return `claim version ${show(claim)} is newer than this software`;
}

function isZoneValue(zone: unknown): zone is string {
  return typeof zone === "string" && isZoneName(zone);
}

function isCapacityValue(capacity: unknown): capacity is number {
  return isWhole(capacity, 1, mostCapacity);
}

function isClaim(claim: unknown): claim is number {
  return isWhole(claim, 1, newestClaim);
}

function readNodeId(value: unknown): NodeId | undefined {
  return typeof value === "string" ? parseNodeId(value) : undefined;
}

function isWhole(value: unknown, from: number, to: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= from && value <= to;
}
