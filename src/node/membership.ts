/**
 * What a node knows of its cluster, and who it is itself (§4.8.1): the history, the ring folded from it, and every
 * node's own record.
 *
 * Invariants: nothing is known here, told to a peer or acted upon before it is on disk, so a node that restarts knows
 * at least what anybody heard from it. The history only grows. One change is made at a time. `ring` is always
 * the fold of `history`.
 */

import type { Hash64 } from "../core/hash/murmur3.ts";
import { type NodeId, parseNodeId } from "../core/ids.ts";
import { checkEvents, flawOf, newestClaim } from "../core/membership/check-events.ts";
import type { EventDraft, FoundEvent, HistoryEvent } from "../core/membership/event.ts";
import {
  compareEventNames,
  eventName,
  type History,
  nextLamport,
  roomForForgottenEvents,
  uniteHistories,
} from "../core/membership/history.ts";
import type { Knowledge } from "../core/membership/news.ts";
import { type NodeRecord, welcomeVersion } from "../core/membership/node-record.ts";
import { provesOlderCopy } from "../core/membership/older-copy.ts";
import { RecordTable } from "../core/membership/record-table.ts";
import { noHash, type Summary, withEvents } from "../core/membership/summary.ts";
import { foldHistory, type Ring } from "../core/ring/ring.ts";
import { departureIn, isSupersededIn } from "../core/ring/superseded.ts";
import { parseClusterSettings } from "../core/settings.ts";
import type { Address } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { TurnTaking } from "../runtime/turn-taking.ts";
import type { MetaChange, MetaStore } from "../storage/meta-store.ts";
import type { JoinAnswer } from "../wire/message.ts";
import { type MemberOptions, mismatch } from "./member-options.ts";
import {
  type Derived,
  eventChanges,
  type Identity,
  identityChange,
  loadMembership,
  recordChanges,
  recordDeletions,
  toHex,
} from "./membership-store.ts";
import { NodeError } from "./node-error.ts";

/** What opening the directory found: a member's, one that belongs to no cluster yet, or one that must not be used. */
export type Opened =
  | { readonly kind: "member" }
  | { readonly kind: "stranger" }
  | { readonly kind: "refused"; readonly why: string };

export type Absorbed =
  | { readonly kind: "absorbed"; readonly changed: boolean }
  | { readonly kind: "invalid"; readonly why: string };

/** What a node says of itself, apart from who it is. */
export type OwnRecord = Pick<NodeRecord, "peer" | "http" | "voices">;

/** What is new: another ring or other properties of buckets, or only what nodes say of themselves. */
export interface MembershipChange {
  readonly history: boolean;
  readonly records: boolean;
}

export class Membership {
  readonly #runtime: Runtime;
  readonly #meta: MetaStore;
  readonly #options: MemberOptions;
  readonly #fold: typeof foldHistory;
  readonly #load: typeof loadMembership;
  readonly #turns: TurnTaking = new TurnTaking();
  readonly #listeners: ((change: MembershipChange) => void)[] = [];
  /** Of members only. */
  readonly #table: RecordTable<NodeRecord> = new RecordTable();
  /** Where nodes were that are members no more: one that was removed and is alive may hand over what it holds. */
  readonly #lastAddresses: Map<NodeId, Address> = new Map();
  #identity: Identity | undefined;
  #history: History = [];
  /** Over the history, for gossip. */
  #historyHash: Hash64 = noHash;
  #ring: Ring | undefined;
  /** Events on disk: the number of the next one's record. */
  #stored = 0;
  #isOutdated = false;

  /** Many nodes in one process may share what they read from equal directories, and fold from equal histories. */
  constructor(runtime: Runtime, meta: MetaStore, options: MemberOptions, shared: Partial<Derived> = {}) {
    this.#fold = shared.fold ?? foldHistory;
    this.#load = shared.load ?? loadMembership;
    this.#runtime = runtime;
    this.#meta = meta;
    this.#options = options;
  }

  /** Reads the directory, or draws a node id for an empty one. Rejects with `StorageError`. */
  async open(): Promise<Opened> {
    const loaded = this.#load(this.#meta);
    if (loaded.kind === "unreadable") return { kind: "refused", why: `this data directory is damaged: ${loaded.why}` };
    if (loaded.kind === "nothing") {
      const node = parseNodeId(toHex(this.#runtime.random.bytes(8)));
      if (node === undefined) throw new Error("drew no node id");
      const identity: Identity = { node, directory: node, name: this.#options.name };
      await this.#meta.put([identityChange(identity)]);
      this.#identity = identity;
      return { kind: "stranger" };
    }
    const { identity, history, records, events } = loaded;
    this.#identity = identity;
    if (identity.member === undefined) {
      this.#identity = { ...identity, name: this.#options.name };
      return { kind: "stranger" };
    }
    this.#stored = events;
    this.#history = history;
    this.#ring = this.#fold(history);
    this.#historyHash = withEvents(noHash, history);
    for (const record of records) this.#table.put(record);
    const why = mismatch(this.#options, identity, this.#ring, this.#runtime.log);
    return why === undefined ? { kind: "member" } : { kind: "refused", why };
  }

  get isMember(): boolean {
    return this.#ring !== undefined;
  }

  /** This node's id. A node that takes a lost one's place changes it, once, in becoming a member. */
  get self(): NodeId {
    return this.#known().node;
  }

  get name(): string {
    return this.#known().name;
  }

  get options(): MemberOptions {
    return this.#options;
  }

  /** The event by which this process's directory became a member's; empty for a stranger. */
  get incarnation(): string {
    return this.#known().member?.incarnation ?? "";
  }

  /** The cluster's id, empty for a stranger. */
  get cluster(): string {
    return this.#known().member?.cluster ?? "";
  }

  /** The cluster's secret. */
  get secret(): Uint8Array {
    const { member } = this.#known();
    if (member === undefined) throw new Error("a node that is no member knows no secret");
    return member.secret;
  }

  /** The ring; only a member has one. */
  get ring(): Ring {
    if (this.#ring === undefined) throw new Error("a node that is no member has no ring");
    return this.#ring;
  }

  /** 0 for a stranger. */
  get ringVersion(): number {
    return this.#ring?.version ?? 0;
  }

  get history(): History {
    return this.#history;
  }

  get records(): ReadonlyMap<NodeId, NodeRecord> {
    return this.#table.records;
  }

  /** Where the node was last known to be reached by peers. */
  addressOf(node: NodeId): Address | undefined {
    return this.records.get(node)?.peer ?? this.#lastAddresses.get(node);
  }

  get summary(): Summary {
    return { history: this.#historyHash, records: this.#table.hash };
  }

  /** All that gossip carries of it. */
  get knowledge(): Knowledge {
    return { history: this.#history, summary: this.summary, table: this.#table };
  }

  /** Whether a process with this id and incarnation has been replaced or removed. */
  isSuperseded(node: NodeId, incarnation: string): boolean {
    return this.#ring !== undefined && isSupersededIn(this.#ring, node, incarnation);
  }

  /** Whether this very process has been replaced. */
  get isReplaced(): boolean {
    return this.isMember && this.isSuperseded(this.self, this.incarnation);
  }

  /** How this node ceased to be a member; undefined for one, and for one that never was. */
  get departed(): "left" | "removed" | undefined {
    return this.#ring === undefined ? undefined : departureIn(this.#ring, this.self);
  }

  /** Whether this very directory knows less of its own node than others do: it must not vouch for anything. */
  get isOutdated(): boolean {
    return this.#isOutdated;
  }

  /** Others have seen more of this node than it knows. */
  foundOutdated(): void {
    if (this.#isOutdated) return;
    this.#isOutdated = true;
    this.#announce({ history: false, records: false });
  }

  /** Calls the listener after every change, once it is on disk and visible here. */
  onChange(listener: (change: MembershipChange) => void): void {
    this.#listeners.push(listener);
  }

  /** Founds a cluster of this one node. Rejects settings that no member could read back later. */
  found(): Promise<void> {
    return this.#turns.run(async () => {
      const parsed = parseClusterSettings(this.#options.settings);
      if (parsed.kind === "invalid") throw new NodeError("bad-settings", `cannot found a cluster: ${parsed.why}`);
      const { node, directory, name } = this.#known();
      const { clock, random } = this.#runtime;
      const found: FoundEvent = {
        kind: "found",
        lamport: 1,
        author: node,
        at: clock.wallMs(),
        cluster: toHex(random.bytes(16)),
        settings: parsed.settings,
        name,
        zone: this.#options.zone ?? "",
        capacity: this.#options.capacity ?? 1,
        claim: newestClaim,
      };
      const member = { cluster: found.cluster, incarnation: eventName(found), secret: random.bytes(32) };
      await this.#become({ node, directory, name, member }, [found], []);
    });
  }

  /** Becomes the member that a sponsor made of this node. */
  adopt(answer: JoinAnswer): Promise<Absorbed> {
    return this.#turns.run(async () => {
      const checked = checkEvents(answer.events);
      if (checked.kind === "invalid") return checked;
      const history = uniteHistories([], checked.events);
      const why = flawOf(history);
      if (why !== undefined) return { kind: "invalid", why };
      const { cluster, members } = this.#fold(history);
      const { node, incarnation, secret } = answer;
      const own = this.#options.cluster ?? cluster;
      if (own !== cluster) return { kind: "invalid", why: `it is of cluster ${cluster}, this directory of ${own}` };
      if (members.get(node)?.incarnation !== incarnation) {
        return { kind: "invalid", why: `the history that came with the answer does not know ${incarnation}` };
      }
      const { directory, name } = this.#known();
      const member = { cluster, incarnation, secret };
      await this.#become({ node, directory, name, member }, history, answer.records);
      return { kind: "absorbed", changed: true };
    });
  }

  async #become(identity: Identity, history: History, records: readonly NodeRecord[]): Promise<void> {
    const ring = this.#fold(history);
    await this.#meta.put([identityChange(identity), ...eventChanges(0, history), ...recordChanges(records)]);
    this.#identity = identity;
    this.#stored = history.length;
    this.#history = history;
    this.#ring = ring;
    this.#historyHash = withEvents(noHash, history);
    for (const record of records) this.#table.put(record);
    this.#announce({ history: true, records: records.length > 0 });
  }

  #forget(node: NodeId): void {
    const record = this.records.get(node);
    if (record !== undefined) this.#lastAddresses.set(node, record.peer);
    this.#table.delete(node);
  }

  /** Takes in what a peer knows. `invalid` says why the peer cannot be believed. Rejects with `StorageError`. */
  absorb(events: readonly unknown[], records: readonly NodeRecord[]): Promise<Absorbed> {
    const news = records.some((record) => this.#table.isNews(record));
    if (events.length === 0 && !news) return Promise.resolve({ kind: "absorbed", changed: false });
    return this.#turns.run(async () => {
      const checked = checkEvents(events);
      if (checked.kind === "invalid") return checked;
      const history = uniteHistories(this.#history, checked.events);
      const why = history === this.#history ? undefined : flawOf(history);
      if (why !== undefined) return { kind: "invalid", why };
      const isProof = (record: NodeRecord): boolean => this.#isOutdatedBy(record, history);
      if (records.some(isProof)) this.foundOutdated();
      const fresh = records.filter((record) => this.#table.isNews(record) && !isProof(record));
      const changed = history !== this.#history || fresh.length > 0;
      if (changed) await this.#commit(history, fresh, []);
      return { kind: "absorbed", changed };
    });
  }

  /**
   * Adds an event of this node's own, durably, together with `also`. `isStill` is asked just before, when no other
   * change is under way; if it says no, nothing happens and the answer is undefined. Rejects with `StorageError`, and
   * then the event may be on disk or not, but is not known here.
   */
  append(
    draft: EventDraft,
    isStill: () => boolean = () => true,
    also: readonly MetaChange[] = [],
  ): Promise<HistoryEvent | undefined> {
    return this.#turns.run(async () => {
      if (!isStill()) return undefined;
      const returns = draft.kind === "join" && this.ring.members.has(draft.node);
      const lamport = nextLamport(this.#history) + (returns ? roomForForgottenEvents : 0);
      const event: HistoryEvent = { ...draft, lamport, author: this.self, at: this.#runtime.clock.wallMs() };
      await this.#commit([...this.#history, event], [], also);
      return event;
    });
  }

  /** Says something new of this node: the next version of its own record. */
  describe(own: OwnRecord): Promise<void> {
    return this.#turns.run(async () => {
      await this.#commit(this.#history, [this.#ownRecord(own)], []);
    });
  }

  /** Versions follow the wall clock for people; what counts is that each is greater than the one before it. */
  #ownRecord(own: OwnRecord): NodeRecord {
    const { peer, http, voices } = own;
    const last = this.records.get(this.self)?.version ?? welcomeVersion;
    const version = Math.max(last + 1, this.#runtime.clock.wallMs());
    const { self: node, incarnation, options } = this;
    return { node, incarnation, version, peer, http, voices, software: options.software };
  }

  /** Stores and shows a new state. */
  async #commit(history: History, records: readonly NodeRecord[], also: readonly MetaChange[]): Promise<void> {
    const known = new Set(history === this.#history ? [] : this.#history);
    const events = history === this.#history ? [] : history.filter((event) => !known.has(event));
    const ring = events.length > 0 ? this.#fold(history, this.#ring) : this.ring;
    // One that was removed says where it is for as long as it runs: those who take from it what it holds may have come since.
    const isKept = (node: NodeId): boolean => ring.members.has(node) || node === this.self;
    const fresh = records.filter(({ node }) => isKept(node));
    const gone = events.length === 0 ? [] : [...this.records.keys()].filter((node) => !isKept(node));
    const changes = [...eventChanges(this.#stored, events), ...also, ...recordChanges(fresh), ...recordDeletions(gone)];
    const identity = this.#identityIn(ring);
    if (identity !== this.#identity) changes.push(identityChange(identity));
    await this.#meta.put(changes);
    this.#stored += events.length;
    this.#identity = identity;
    this.#ring = ring;
    this.#history = history;
    this.#historyHash = withEvents(this.#historyHash, events);
    for (const record of fresh) this.#table.put(record);
    for (const node of gone) this.#forget(node);
    for (const { node, peer } of records) if (ring.removed.has(node)) this.#lastAddresses.set(node, peer);
    this.#announce({ history: events.length > 0, records: records.length > 0 });
  }

  /** Who this node is under a ring: two sponsors may have written its join down, and the later name is the one in force. */
  #identityIn(ring: Ring): Identity {
    const identity = this.#known();
    const { node, directory, member } = identity;
    const now = ring.members.get(node);
    if (member === undefined || now === undefined || now.directory !== directory) return identity;
    if (compareEventNames(now.incarnation, member.incarnation) <= 0) return identity;
    return { ...identity, member: { ...member, incarnation: now.incarnation } };
  }

  #isOutdatedBy(record: NodeRecord, history: History): boolean {
    const { self: node, incarnation } = this;
    const version = this.records.get(node)?.version ?? 0;
    return provesOlderCopy(record, { node, incarnation, version, directory: this.#known().directory }, history);
  }

  #announce(change: MembershipChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #known(): Identity {
    if (this.#identity === undefined) throw new Error("the membership is not open");
    return this.#identity;
  }
}
