/**
 * How a node whose directory was lost gets its voices back (not in the paper; see `docs/how-it-works/rebuild.md`).
 *
 * Its seats promised to hold what they had acknowledged. Of a write that two voices acknowledged, the lost one and
 * another, that other one holds it, and nobody here knows which of the owners it was: so a seat may speak again once
 * *every* other owner of its partition that has a voice was copied, and all have one. The copy must be taken after the
 * owner learned that the directory was lost, or the old directory's last acknowledgements could still be counted
 * together with writes that come to the owner after its copy was taken. Requests pass only between nodes of the same
 * ring version, and a version names the joins in it: an owner that answers has learned it. That is the fence.
 *
 * An exchange that ran to its end is the copy, whoever asked for it. What was copied stays copied: while a seat has no
 * voice nothing new is acknowledged in its name, so the copy of an owner whose disk goes afterwards still counts.
 *
 * Invariant: a voice is taken only for a partition of which each other owner was copied, or by the operator's force.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import { copiesInUse, ownersOf } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { Ticker } from "../runtime/ticker.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { ForcedVoices, RebuildView } from "./api.ts";
import { type Coordination, nameOf } from "./coordination.ts";
import { type ExchangeOutcome, sharedTrees } from "./exchange.ts";
import type { Seats } from "./seats.ts";

/** Mean time between two rounds of trying, in ms. */
const everyMs = 1000;

/** An exchange that begins: what must still hold when it has ended, or it is no copy. */
export interface CopyBegun {
  readonly ring: Ring;
  /** Commits that had failed by then. One more may have taken back what the exchange compared. */
  readonly failedCommits: number;
}

export class Rebuild {
  readonly #node: Coordination;
  readonly #seats: Seats;
  readonly #buffer: WriteBuffer;
  readonly #ticker: Ticker;
  readonly #tasks: TaskGroup;
  /** The owners that were copied, by partition. */
  readonly #copied: Map<PartitionId, Set<NodeId>> = new Map();
  /** The trees to which `#copied` refers. */
  #treesOf: Ring | undefined;
  /** Why the last try to copy an owner was in vain. */
  readonly #why: Map<NodeId, string> = new Map();
  #exchange: (peer: NodeId) => Promise<ExchangeOutcome> = () => Promise.reject(new Error("not started"));
  #beganMs: number | undefined;
  #told = "";
  #forced: ForcedVoices | undefined;
  #isStopped = false;

  constructor(node: Coordination, seats: Seats, buffer: WriteBuffer) {
    const { clock, random, log } = node.runtime;
    this.#node = node;
    this.#seats = seats;
    this.#buffer = buffer;
    this.#tasks = new TaskGroup(log);
    const round = (): Promise<void> => this.#round();
    this.#ticker = new Ticker({ name: "rebuild", clock, random, log, everyMs, round });
  }

  /** Begins to copy; for members only. `exchange` runs one with the owner and calls `copied` at its end. */
  start(exchange: (peer: NodeId) => Promise<ExchangeOutcome>): void {
    this.#exchange = exchange;
    this.#node.onUp(() => {
      if (this.isUnderWay) this.#ticker.hurry();
    });
    this.#tasks.run("rebuilding voices", () => this.#round());
    this.#ticker.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#ticker.stop(), this.#tasks.close()]);
  }

  /** Whether voices are to come back still. */
  get isUnderWay(): boolean {
    return this.#seats.lacking().length > 0;
  }

  begin(): CopyBegun {
    return { ring: this.#node.ring(), failedCommits: this.#buffer.counts.failedCommits };
  }

  /** An exchange with the owner has ended; `incomplete` as in its outcome. Rejects with `StorageError`. */
  async copied(peer: NodeId, begun: CopyBegun, incomplete: ReadonlySet<PartitionId>): Promise<void> {
    if (!this.isUnderWay) return;
    await this.#allDurable();
    const { ring } = begun;
    // What the exchange compared may not have been on disk when it began, and never be.
    if (this.#buffer.counts.failedCommits !== begun.failedCommits) return;
    this.#follow();
    if (!haveSameTrees(ring, this.#node.ring())) return;
    this.#why.delete(peer);
    for (const { partition } of sharedTrees(ring, this.#node.self, peer)) {
      if (!incomplete.has(partition)) this.#copiesOf(partition).add(peer);
    }
    if (incomplete.size > 0) this.#why.set(peer, "has no voice there itself, or a damaged record");
    await this.#takeVoices();
  }

  /** Tries every owner that is still to be copied, once. Rejects with `StorageError`. */
  async tryAll(): Promise<void> {
    await this.#takeVoices();
    for (const peer of this.#missing().keys()) {
      if (this.#isStopped) return;
      if (!this.#missing().has(peer)) continue;
      if (!this.#node.isUp(peer)) {
        this.#why.set(peer, "cannot be reached");
        continue;
      }
      const outcome = await this.#exchange(peer);
      if (outcome.kind !== "compared") this.#why.set(peer, outcome.why);
    }
  }

  /**
   * Takes the voices that are missing without the copies that could not be had. A write that nobody acknowledged but
   * the lost disk and those owners may then be gone. Rejects with `StorageError`.
   */
  async force(): Promise<void> {
    const ring = this.#node.ring();
    const lacking = this.#seats.lacking();
    if (lacking.length === 0) return;
    const without = [...this.#missing().keys()].map((peer) => nameOf(ring, peer));
    const names = without.join(" and ");
    const mayBeLost = `writes that were acknowledged by ${nameOf(ring, this.#node.self)}'s lost disk and ${names} alone`;
    const most = Math.max(...copiesInUse(ring));
    this.#node.runtime.log.warn("voices are taken by force", { partitions: lacking.length, without, mayBeLost });
    await this.#seats.take(new Map(lacking.map((partition) => [partition, most])), ring);
    this.#forced = { partitions: lacking.length, without, mayBeLost };
    this.#tellIfOver();
  }

  view(): RebuildView {
    const ring = this.#node.ring();
    const waitingFor = [...this.#missing()].map(([peer, partitions]) => {
      const why = this.#why.get(peer) ?? "is being copied";
      return { name: nameOf(ring, peer), partitions, why };
    });
    return { ...this.#seats.count, running: this.isUnderWay, waitingFor, forced: this.#forced };
  }

  async #round(): Promise<void> {
    if (!this.isUnderWay || this.#isStopped) return;
    if (this.#beganMs === undefined) {
      this.#beganMs = this.#node.runtime.clock.monotonicMs();
      const owners = [...this.#missing().keys()].map((peer) => nameOf(this.#node.ring(), peer));
      const detail = "this node's disk was lost: it has no voice until it has copied every other owner";
      this.#node.runtime.log.info(detail, { partitions: this.#seats.lacking().length, owners });
    }
    await this.tryAll();
    this.#tellWhyItWaits();
  }

  #tellWhyItWaits(): void {
    const { waitingFor } = this.view();
    const told = waitingFor.map(({ name, why }) => `${name} ${why}`).join("; ");
    if (told === "" || told === this.#told) return;
    this.#told = told;
    this.#node.runtime.log.warn("voices wait for other owners", { waitingFor });
  }

  /** The owners that are still to be copied, with the number of partitions that wait for each. */
  #missing(): ReadonlyMap<NodeId, number> {
    const ring = this.#node.ring();
    const most = Math.max(...copiesInUse(ring));
    const missing = new Map<NodeId, number>();
    for (const partition of this.#seats.lacking()) {
      for (const owner of this.#others(ring, partition, most)) {
        if (!this.#isCopied(partition, owner)) missing.set(owner, (missing.get(owner) ?? 0) + 1);
      }
    }
    return missing;
  }

  #others(ring: Ring, partition: PartitionId, n: number): readonly NodeId[] {
    return ownersOf(ring, partition, n).filter((owner) => owner !== this.#node.self);
  }

  #isCopied(partition: PartitionId, owner: NodeId): boolean {
    this.#follow();
    return this.#copied.get(partition)?.has(owner) ?? false;
  }

  async #takeVoices(): Promise<void> {
    const ring = this.#node.ring();
    const rebuilt = new Map<PartitionId, number>();
    let alone = 0;
    for (const partition of this.#seats.lacking()) {
      const copies = this.#copiesBack(ring, partition);
      if (copies === 0 || this.#seats.voice(partition, copies) !== undefined) continue;
      rebuilt.set(partition, copies);
      if (ownersOf(ring, partition, copies).length === 1) alone += 1;
    }
    if (rebuilt.size === 0) return;
    if (alone > 0) {
      const detail = "there was no other copy: what the lost disk held of these partitions is gone";
      this.#node.runtime.log.warn(detail, { partitions: alone });
    }
    await this.#seats.take(rebuilt, ring);
    this.#tellIfOver();
  }

  /** Up to which number of copies buckets have all their other owners copied in the partition. */
  #copiesBack(ring: Ring, partition: PartitionId): number {
    let back = 0;
    for (const n of copiesInUse(ring)) {
      if (!ownersOf(ring, partition, n).includes(this.#node.self)) continue;
      if (!this.#others(ring, partition, n).every((owner) => this.#isCopied(partition, owner))) break;
      back = n;
    }
    return back;
  }

  #tellIfOver(): void {
    if (this.isUnderWay) return;
    const { clock, log } = this.#node.runtime;
    const tookMs = Math.round(clock.monotonicMs() - (this.#beganMs ?? clock.monotonicMs()));
    this.#beganMs = undefined;
    this.#told = "";
    log.info("this node speaks for all its seats again", { ...this.#seats.count, tookMs });
  }

  #copiesOf(partition: PartitionId): Set<NodeId> {
    let owners = this.#copied.get(partition);
    if (owners === undefined) {
      owners = new Set();
      this.#copied.set(partition, owners);
    }
    return owners;
  }

  /** Where owners or a bucket's n have changed, what was copied is about other trees, and all begins anew. */
  #follow(): void {
    const ring = this.#node.ring();
    if (this.#treesOf !== undefined && !haveSameTrees(this.#treesOf, ring)) this.#copied.clear();
    this.#treesOf = ring;
  }

  /** Resolves once all that waits for the disk now is on it, or was given up. */
  #allDurable(): Promise<void> {
    return new Promise((resolve) => {
      this.#buffer.afterAll({ onDurable: resolve, onFailed: () => resolve() });
    });
  }
}

function haveSameTrees(a: Ring, b: Ring): boolean {
  if (a === b) return true;
  if (a.seats !== b.seats || a.members.size !== b.members.size) return false;
  const bucketsOf = (ring: Ring): string => JSON.stringify([...ring.buckets].map(([name, { n }]) => [name, n]).sort());
  return a.buckets === b.buckets || bucketsOf(a) === bucketsOf(b);
}
