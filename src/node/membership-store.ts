/**
 * Where a node keeps who it is and what it knows of its cluster, among its small records: `identity`, one
 * `event/<number>` for each event in the order they came, `record/<node id>` for each member: what it last said of
 * itself, and `stamp/<node id>`: what it last showed.
 *
 * JSON, since it is little, seldom written, and the first thing a person looks for when a node will not start. What
 * was read is checked like what comes from a peer; the store's own checksum says whether the bytes are what was
 * written.
 */

import { type NodeId, parseNodeId } from "../core/ids.ts";
import { checkEvents, flawOf } from "../core/membership/check-events.ts";
import type { HistoryEvent } from "../core/membership/event.ts";
import { compareEvents, type History } from "../core/membership/history.ts";
import type { NodeRecord } from "../core/membership/node-record.ts";
import type { foldHistory } from "../core/ring/ring.ts";
import type { MetaChange, MetaStore } from "../storage/meta-store.ts";

/** Who this node is. A process that is no member yet has a node id and a name, and nothing else. */
export interface Identity {
  readonly node: NodeId;
  /** The id that this directory drew when it was made: `node`, unless it took a lost directory's place. */
  readonly directory: NodeId;
  readonly name: string;
  readonly member?: {
    readonly cluster: string;
    /** The name of the event by which the node became a member. */
    readonly incarnation: string;
    /** The cluster's secret, 32 bytes: keys the checksum of context tokens. */
    readonly secret: Uint8Array;
  };
}

export interface Stored {
  readonly identity: Identity;
  readonly history: History;
  readonly records: readonly NodeRecord[];
  /** How many events are stored: the number of the next. */
  readonly events: number;
}

export type Loaded =
  | { readonly kind: "nothing" }
  | ({ readonly kind: "stored" } & Stored)
  | { readonly kind: "unreadable"; readonly why: string };

/** How what a node holds in memory comes about: nothing of it is ever changed. */
export interface Derived {
  readonly fold: typeof foldHistory;
  readonly load: typeof loadMembership;
}

/** What the store holds; `unreadable` if it is not what a node of this version writes. Throws `StorageError`. */
export function loadMembership(meta: MetaStore): Loaded {
  const raw = readJson(meta, "identity");
  if (raw === undefined) return { kind: "nothing" };
  const identity = readIdentity(raw);
  if (identity === undefined) return { kind: "unreadable", why: "its identity is not one this version understands" };
  const values: unknown[] = [];
  for (let i = 0; ; i++) {
    const value = readJson(meta, `event/${i}`);
    if (value === undefined) break;
    values.push(value);
  }
  const checked = checkEvents(values);
  if (checked.kind === "invalid") return { kind: "unreadable", why: `its history: ${checked.why}` };
  const history = checked.events.toSorted(compareEvents);
  if (identity.member !== undefined) {
    const flaw = flawOf(history);
    if (flaw !== undefined) return { kind: "unreadable", why: `its history: ${flaw}` };
  }
  const records = [...idsIn(history)].flatMap((node) => {
    const record = readJson(meta, recordName(node)) as NodeRecord | undefined;
    return record === undefined ? [] : [record];
  });
  return { kind: "stored", identity, history, records, events: values.length };
}

export function identityChange({ node, directory, name, member }: Identity): MetaChange {
  return asJson("identity", { node, directory, name, member: member && { ...member, secret: toHex(member.secret) } });
}

/**
 * The changes that store the events behind the `stored` that are there. What a refused batch may have left behind them
 * goes: read back without those that these replace, it would be a history with a gap.
 */
export function eventChanges(stored: number, events: readonly HistoryEvent[]): readonly MetaChange[] {
  if (events.length === 0) return [];
  const changes = events.map((event, i) => asJson(`event/${stored + i}`, event));
  return [...changes, { name: `event/${stored + events.length}`, value: undefined }];
}

/** The changes that store what these nodes said of themselves last, and nothing else: members may be many. */
export function recordChanges(records: readonly NodeRecord[]): readonly MetaChange[] {
  return records.map((record) => asJson(recordName(record.node), record));
}

/** The changes that forget what these nodes said and showed. */
export function recordDeletions(nodes: readonly NodeId[]): readonly MetaChange[] {
  return nodes.flatMap((node) => [recordName(node), stampName(node)].map((name) => ({ name, value: undefined })));
}

/** Where the stamp is kept that the node has shown, or this node shows itself (`stamps.ts`). */
export function stampName(node: NodeId): string {
  return `stamp/${node}`;
}

function recordName(node: NodeId): string {
  return `record/${node}`;
}

/** Every id that was ever a member's. */
function idsIn(history: History): ReadonlySet<NodeId> {
  const ids = new Set<NodeId>();
  for (const event of history) {
    if (event.kind === "found") ids.add(event.author);
    else if (event.kind === "join") ids.add(event.node);
  }
  return ids;
}

/** A small record as JSON. */
export function asJson(name: string, value: unknown): MetaChange {
  return { name, value: new TextEncoder().encode(JSON.stringify(value)) };
}

/** A small record that `asJson` wrote; undefined if there is none. Throws if it is no JSON. */
export function readJson(meta: MetaStore, name: string): unknown {
  const bytes = meta.get(name);
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as unknown);
}

function readIdentity(value: unknown): Identity | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { node, directory: drawn, name, member } = value as Readonly<Record<string, unknown>>;
  const id = parseNodeId(String(node));
  const directory = parseNodeId(String(drawn));
  if (id === undefined || directory === undefined || typeof name !== "string") return undefined;
  if (member === undefined) return { node: id, directory, name };
  if (typeof member !== "object" || member === null) return undefined;
  const { cluster, incarnation, secret } = member as Readonly<Record<string, unknown>>;
  if (typeof cluster !== "string" || typeof incarnation !== "string" || typeof secret !== "string") return undefined;
  return { node: id, directory, name, member: { cluster, incarnation, secret: fromHex(secret) } };
}

/** Two lower-case hexadecimal digits a byte. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
