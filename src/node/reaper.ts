/**
 * Deletes that stay deleted, and contexts that stay small (§4.4): finds keys whose states remember more than anybody
 * needs, and has their owners forget it once nothing in the cluster can bring it back.
 *
 * A key's first owner leads. It asks the owners to watch the key; after the grace time it asks all members, and only
 * if each of them answers, and none has anything against it, it tells the owners to forget:
 *
 * 1. each owner holds its voice and the same state, on its disk and for its readers, unchanged for the grace time;
 * 2. each member is reachable, and for `forgettingQuietMs` held no hint for the key and no copy that it does not own:
 *    by then whatever it sent before was dropped for its age;
 * 3. each owner forgets only what it was asked about: a write that came meanwhile ends it.
 *
 * Any weaker rule brings deleted values back (`test/models/reaping`). The price is that one member that is down stops
 * it everywhere until it is back or removed; the metrics say so.
 *
 * Keys come in as they are stored, and by a scan at the start, after a change of membership, and where more came than
 * there was room for. All of it is memory: a restart begins anew and loses nothing but time.
 */

import { isWorthForgetting } from "../core/causality/compaction.ts";
import type { SiblingSet } from "../core/causality/sibling-set.ts";
import type { NodeId, PartitionId } from "../core/ids.ts";
import { keyDigest } from "../core/merkle/key-digest.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { Requester } from "../rpc/server.ts";
import { Ticker } from "../runtime/ticker.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { ForgettingView, ListedKey } from "../wire/message.ts";
import type { Coordination } from "./coordination.ts";
import { nameOf } from "./coordination.ts";
import { Forgetting, type ForgettingRequest } from "./forgetting.ts";
import { ForgettingScan } from "./forgetting-scan.ts";
import { ForgettingWatch } from "./forgetting-watch.ts";
import type { KeyPlace } from "./key-place.ts";
import type { StoredStates } from "./trees.ts";

/** Keys remembered by the one that leads, some 300 bytes each. With the grace time it bounds how many are forgotten. */
const mostCandidates = 20_000;
/** Keys of one message. */
const keysAtOnce = 256;
/** A round begins so often, at most, in ms. */
const longestRoundMs = 1000;
/** A state just stored is on its way to the other owners: nobody is asked before this, in ms. */
const settleMs = 1000;
const callTimeoutMs = 5000;

interface Candidate {
  readonly place: KeyPlace;
  /** Whether all owners watch it: the next time all members are asked. */
  isWatched: boolean;
  nextMs: number;
}

/** What the reaper waits for and has done, for the metrics. */
export interface ReaperView {
  readonly candidates: number;
  readonly watched: number;
  /** Keys that only wait for a member to answer, by the member's name. */
  readonly waitingFor: ReadonlyMap<string, number>;
}

type Views = readonly ForgettingView[];

export class Reaper implements StoredStates {
  readonly #node: Coordination;
  readonly #watch: ForgettingWatch;
  readonly #forgetting: Forgetting;
  readonly #scan: ForgettingScan;
  readonly #ticker: Ticker;
  readonly #candidates: Map<string, Candidate> = new Map();
  readonly #waitingFor: Map<NodeId, number> = new Map();
  #ring: Ring | undefined;
  #isStopped = false;

  constructor(node: Coordination, buffer: WriteBuffer) {
    const { clock, random, log, checksum } = node.runtime;
    this.#node = node;
    this.#watch = new ForgettingWatch(clock, buffer, node.limits);
    this.#forgetting = new Forgetting(node, this.#watch);
    this.#scan = new ForgettingScan(buffer, checksum, clock);
    const everyMs = Math.min(longestRoundMs, node.limits.reapGraceMs / 10);
    this.#ticker = new Ticker({ name: "reaping", clock, random, log, everyMs, round: () => this.#round() });
  }

  start(): void {
    this.#ticker.start();
  }

  /** Resolves when the round under way has ended, at its next answer. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#scan.stop();
    return this.#ticker.stop();
  }

  get view(): ReaperView {
    const waitingFor = [...this.#waitingFor].map(
      ([member, keys]) => [nameOf(this.#node.ring(), member), keys] as const,
    );
    return { candidates: this.#candidates.size, watched: this.#watch.size, waitingFor: new Map(waitingFor) };
  }

  serve(request: ForgettingRequest, from: Requester): void {
    this.#forgetting.serve(request, from);
  }

  stored(place: KeyPlace, _before: SiblingSet | undefined, after: SiblingSet): void {
    this.#watch.changed(place);
    this.#candidates.delete(place.storeKey.id);
    if (isWorthForgetting(after)) this.#consider(place);
  }

  /** A commit failed. */
  mayHaveReverted(): void {
    this.#watch.mayHaveReverted();
    this.#scan.begin();
  }

  #consider(place: KeyPlace): void {
    const { id } = place.storeKey;
    if (this.#candidates.has(id) || !this.#leads(place)) return;
    if (this.#candidates.size >= mostCandidates) {
      this.#scan.begin();
      return;
    }
    const settled = Math.min(settleMs, this.#node.limits.reapGraceMs / 10);
    this.#candidates.set(id, { place, isWatched: false, nextMs: this.#nowMs() + settled });
  }

  #leads(place: KeyPlace): boolean {
    return this.#node.seats.owners(place)[0]?.node === this.#node.self;
  }

  async #round(): Promise<void> {
    if (!this.#node.isServing()) return;
    this.#follow();
    const mayLead = (partition: PartitionId): boolean => this.#node.seats.hold(partition).kind === "active";
    await this.#scan.advance(this.#node.ring(), mayLead, (place) => {
      this.#consider(place);
      return this.#candidates.size < mostCandidates;
    });
    const nowMs = this.#nowMs();
    const due = [...this.#candidates.values()].filter(({ nextMs }) => nextMs <= nowMs);
    const [fresh, watched] = [due.filter((one) => !one.isWatched), due.filter((one) => one.isWatched)];
    for (let at = 0; at < fresh.length; at += keysAtOnce) await this.#haveWatched(fresh.slice(at, at + keysAtOnce));
    if (!this.#mayConclude(watched.length)) return;
    for (let at = 0; at < watched.length; at += keysAtOnce) await this.#conclude(watched.slice(at, at + keysAtOnce));
  }

  /** Another ring may have other owners: then everything is looked at anew. */
  #follow(): void {
    const ring = this.#node.ring();
    if (this.#ring === ring) return;
    if (this.#ring?.version !== ring.version || this.#ring.buckets !== ring.buckets) {
      this.#candidates.clear();
      this.#scan.begin();
    }
    this.#ring = ring;
  }

  /** Has all owners watch these keys. */
  async #haveWatched(batch: readonly Candidate[]): Promise<void> {
    const keys = this.#listed(batch);
    const ring = this.#node.ring();
    const owners = new Set([...keys.keys()].flatMap((one) => this.#owners(one)));
    const views = await this.#askAll(owners, ring, (owner) =>
      [...keys].filter(([one]) => this.#owners(one).includes(owner)),
    );
    for (const one of keys.keys()) {
      const all = this.#owners(one).map((owner) => views.get(owner)?.get(one));
      one.isWatched = all.every((view) => view === "watched" || view === "ready" || view === "kept");
      one.nextMs = this.#nowMs() + (one.isWatched ? this.#node.limits.reapGraceMs : this.#retryMs());
    }
  }

  /** Asks all members about these keys, and has the owners forget those against which nobody has anything. */
  async #conclude(batch: readonly Candidate[]): Promise<void> {
    const { limits } = this.#node;
    const keys = this.#listed(batch);
    const ring = this.#node.ring();
    const members = [...ring.members.keys()];
    const beganMs = this.#nowMs();
    const views = await this.#askAll(members, ring, () => [...keys]);
    // Whoever was asked first must not have heard anything old since.
    const isInTime = this.#nowMs() - beganMs <= limits.messageLifeMs;
    const agreed: Candidate[] = [];
    for (const one of keys.keys()) {
      const all = members.map((member) => views.get(member)?.get(one));
      if (isInTime && all.every((view) => view === "ready")) agreed.push(one);
      one.isWatched = !all.includes("other-state") && !all.includes("no-voice");
      one.nextMs = this.#nowMs() + this.#retryMs();
      for (const [i, view] of all.entries()) if (view === undefined) this.#waitFor(members[i] as NodeId, 1);
    }
    if (ring.version !== this.#node.ring().version) return;
    await this.#tellOwners(ring, new Map([...keys].filter(([one]) => agreed.includes(one))));
  }

  async #tellOwners(ring: Ring, keys: ReadonlyMap<Candidate, ListedKey>): Promise<void> {
    const owners = new Set([...keys.keys()].flatMap((one) => this.#owners(one)));
    const told = [...owners].map(async (owner) => {
      const its = [...keys].filter(([one]) => this.#owners(one).includes(owner)).map(([, key]) => key);
      if (owner === this.#node.self) return this.#forgetting.forget(its);
      // One that does not hear of it keeps what it has, and gives it back to the others: the next time, then.
      await this.#node.peers.ask(
        owner,
        { kind: "forget", id: 0, ringVersion: ring.version, keys: its },
        this.#callMs(),
      );
    });
    await Promise.all(told);
  }

  /** What the keys' states are here, without the keys that are no candidates any more. */
  #listed(batch: readonly Candidate[]): Map<Candidate, ListedKey> {
    const listed = new Map<Candidate, ListedKey>();
    for (const one of batch) {
      const { bucket, key, storeKey } = one.place;
      // It was stored anew while earlier batches were asked about.
      if (this.#candidates.get(storeKey.id) !== one) continue;
      const held = this.#node.replica.read(one.place);
      if (held.kind === "refused") one.nextMs = this.#nowMs() + this.#node.limits.reapGraceMs;
      else if (held.state === undefined || !isWorthForgetting(held.state)) this.#candidates.delete(storeKey.id);
      else listed.set(one, { bucket, key, digest: keyDigest(bucket, key, held.state) });
    }
    return listed;
  }

  /** Everybody's views of the keys it is asked about; nothing from those that do not answer. */
  async #askAll(
    members: Iterable<NodeId>,
    ring: Ring,
    keysFor: (member: NodeId) => readonly (readonly [Candidate, ListedKey])[],
  ): Promise<ReadonlyMap<NodeId, ReadonlyMap<Candidate, ForgettingView>>> {
    const asked = [...members].map(async (member) => {
      const keys = keysFor(member);
      const views = await this.#ask(
        member,
        ring,
        keys.map(([, key]) => key),
      );
      const named = keys.flatMap(([one], i): [Candidate, ForgettingView][] => {
        const view = views[i];
        return view === undefined ? [] : [[one, view]];
      });
      return [member, new Map(named)] as const;
    });
    return new Map(await Promise.all(asked));
  }

  async #ask(member: NodeId, ring: Ring, keys: readonly ListedKey[]): Promise<Views> {
    if (this.#isStopped || keys.length === 0) return [];
    if (member === this.#node.self) return this.#forgetting.views(keys);
    const request = { kind: "ask-forgetting", id: 0, ringVersion: ring.version, keys } as const;
    const answer = await this.#node.peers.ask(member, request, this.#callMs());
    if (answer.kind === "refusal" && answer.code === "stale-ring") this.#node.ringDiffers(member);
    return answer.kind === "forgetting-views" && answer.views.length === keys.length ? answer.views : [];
  }

  /** Whether everybody seems to be there, so that asking is worth its messages. */
  #mayConclude(keys: number): boolean {
    const before = new Set(this.#waitingFor.keys());
    this.#waitingFor.clear();
    if (keys === 0) return false;
    const ring = this.#node.ring();
    const down = [...ring.members.keys()].filter((member) => !this.#node.isUp(member));
    for (const member of down) {
      this.#waitFor(member, keys);
      if (before.has(member)) continue;
      this.#node.runtime.log.info("nothing is forgotten until a member is back or removed", {
        member: nameOf(ring, member),
        keys,
      });
    }
    return down.length === 0;
  }

  #waitFor(member: NodeId, keys: number): void {
    this.#waitingFor.set(member, (this.#waitingFor.get(member) ?? 0) + keys);
  }

  #owners({ place }: Candidate): readonly NodeId[] {
    return this.#node.seats.owners(place).map(({ node }) => node);
  }

  /** Owners that differ are made equal by repairs and exchanges, hints are delivered: it takes a while. */
  #retryMs(): number {
    return Math.min(this.#node.limits.reapGraceMs / 4, 30_000);
  }

  /** Well within the time in which all must have answered. */
  #callMs(): number {
    return Math.min(callTimeoutMs, this.#node.limits.messageLifeMs / 2);
  }

  #nowMs(): number {
    return this.#node.runtime.clock.monotonicMs();
  }
}
