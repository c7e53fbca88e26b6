/**
 * Copies of single partitions: what a seat's next holder needs of the one before it, or of the other seats' holders.
 *
 * A copy is an exchange of hash trees in one direction, so it can be broken off and begun again, and costs what differs.
 * It is whole if nothing of it was refused on either side, the other vouches for what it holds, and all of it is on this
 * node's disk: what was compared may have been in memory only, so no commit may have failed meanwhile.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import { emptyHash } from "../core/merkle/hash-tree.ts";
import { allChanges } from "../core/seats/filled.ts";
import { Slots } from "../runtime/slots.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { TreeName, TreeSize } from "../wire/message.ts";
import type { Coordination } from "./coordination.ts";
import { CopyPace } from "./copy-pace.ts";
import { type Direction, Exchange, type ExchangeOutcome, type ExchangeTotals } from "./exchange.ts";
import type { LeafScan } from "./leaf-scan.ts";
import type { Trees } from "./trees.ts";

/** `keys` are those that the copy changed; `why` says what keeps it from being whole. */
export type Copied =
  | { readonly kind: "whole"; readonly keys: number }
  | { readonly kind: "partial" | "failed"; readonly why: string };

/** How far the copies of one partition are that were begun since it was last at rest. */
export interface CopyProgress {
  /** What this node holds of what the seat keeps. */
  readonly here: TreeSize;
  /** What the others were last seen to hold of it; undefined while nobody has said. */
  readonly there: TreeSize | undefined;
  /** Keys brought here, and what came for it. */
  readonly keysCopied: number;
  readonly bytesReceived: number;
  /** Whether it is its turn now, and since when that has been so. */
  readonly isCopying: boolean;
  readonly sinceMs: number | undefined;
}

/** What is remembered of them. */
interface Progress {
  readonly totals: ExchangeTotals;
  readonly there: Map<NodeId, TreeSize>;
  /** The trees that are copied. */
  compared: readonly TreeName[];
  copying: number;
  sinceMs: number | undefined;
}

/** Partitions that are copied at a time: rather some soon than all late. Where a seat is silent, that goes first. */
export const copiesAtOnce: number = 2;
/** Trees asked about with one message. */
const treesAtOnce = 1024;
const surveyTimeoutMs = 5000;
/** How long the peer's disk may take, in ms. */
const storedTimeoutMs = 5000;

const noSize: TreeSize = { keys: 0, bytes: 0 };

export class PartitionCopies {
  readonly #node: Coordination;
  readonly #trees: Trees;
  readonly #scan: LeafScan;
  readonly #buffer: WriteBuffer;
  readonly #pace: CopyPace;
  readonly #slots: Slots = new Slots(copiesAtOnce);
  readonly #ended: ExchangeTotals = newTotals();
  /** What exchanges under way add to, and what was there when they began. */
  readonly #running: Set<{ readonly totals: ExchangeTotals; readonly before: ExchangeTotals }> = new Set();
  readonly #progress: Map<PartitionId, Progress> = new Map();
  #isStopped = false;

  constructor(node: Coordination, trees: Trees, scan: LeafScan, buffer: WriteBuffer) {
    this.#node = node;
    this.#trees = trees;
    this.#scan = scan;
    this.#buffer = buffer;
    this.#pace = new CopyPace(node.runtime.clock, node.admission, node.limits.transferBytesPerSecond);
  }

  /** Copies under way end at their next answer. */
  stop(): void {
    this.#isStopped = true;
    this.#pace.stop();
  }

  /** What all copies did since the start. */
  get totals(): Readonly<ExchangeTotals> {
    const sum = { ...this.#ended };
    for (const { totals, before } of this.#running) addDifference(sum, totals, before);
    return sum;
  }

  /**
   * Copies what the peer holds, when it is its turn: of the keys that the seat keeps, if one is given, else all. Rejects
   * with `StorageError`.
   */
  copy(partition: PartitionId, peer: NodeId, seat?: number): Promise<Copied> {
    return this.#copy(partition, peer, seat, this.#pace);
  }

  /** The same, at once and as fast as that goes: somebody waits for it. */
  copyTail(partition: PartitionId, peer: NodeId, seat?: number): Promise<Copied> {
    return this.#copy(partition, peer, seat, undefined);
  }

  async #copy(
    partition: PartitionId,
    peer: NodeId,
    seat: number | undefined,
    pace: CopyPace | undefined,
  ): Promise<Copied> {
    const { failedCommits } = this.#buffer.counts;
    const progress = this.#progressOf(partition);
    const { totals } = progress;
    const before = totals.keysRepaired;
    const compared = this.#kept(partition, seat);
    progress.compared = compared;
    const copyNow = async (copy: () => Promise<void>): Promise<void> => {
      progress.sinceMs ??= this.#node.runtime.clock.monotonicMs();
      progress.copying += 1;
      try {
        await copy();
      } finally {
        progress.copying -= 1;
      }
    };
    const outcome = await this.#exchange(peer, compared, totals, {
      kind: "pull",
      pace,
      inTurn: (copy) => (pace === undefined ? copyNow(copy) : this.#slots.run(() => copyNow(copy))),
      onSizes(sizes) {
        progress.there.set(peer, sumOf(sizes));
      },
    });
    if (outcome.kind !== "compared") return { kind: "failed", why: outcome.why };
    if (outcome.keysRefused > 0 || outcome.incomplete.size > 0) {
      return { kind: "partial", why: "does not vouch for all it holds, or has a damaged record" };
    }
    await this.#allDurable();
    if (this.#buffer.counts.failedCommits !== failedCommits) return { kind: "partial", why: "this node's disk failed" };
    return { kind: "whole", keys: totals.keysRepaired - before };
  }

  /**
   * Has the peer merge what this node holds of the partition, in these trees, if they are given; whether it has, on its
   * disk. What was equal there may have been so in memory only: no commit of the peer's may have failed meanwhile.
   * Rejects with `StorageError`.
   */
  async push(partition: PartitionId, peer: NodeId, trees?: readonly TreeName[]): Promise<boolean> {
    const run = await this.#storedBy(peer);
    if (run === undefined) return false;
    const outcome = await this.#exchange(peer, trees ?? this.#treesOf(partition), newTotals(), { kind: "push" });
    const isMerged = outcome.kind === "compared" && outcome.keysRefused === 0 && outcome.incomplete.size === 0;
    return isMerged && (await this.#storedBy(peer)) === run;
  }

  /** The peer's run, once all that it holds is on its disk; undefined where that is not to be had. */
  async #storedBy(peer: NodeId): Promise<string | undefined> {
    const answer = await this.#node.peers.ask(peer, { kind: "when-stored", id: 0 }, storedTimeoutMs);
    return answer.kind === "all-stored" ? answer.run : undefined;
  }

  /** Asks the peer how much there is to copy, so that progress can be told before it is made. */
  async survey(
    peer: NodeId,
    asked: readonly { readonly partition: PartitionId; readonly seat: number | undefined }[],
  ): Promise<void> {
    const all = asked.flatMap(({ partition, seat }) => this.#kept(partition, seat));
    const changes = allChanges(this.#node.ring().eras).hash;
    for (let at = 0; at < all.length; at += treesAtOnce) {
      const part = all.slice(at, at + treesAtOnce);
      const trees = part.map((name) => ({ ...name, root: this.#trees.tree(name)?.hash(0, 0) ?? emptyHash }));
      const request = { kind: "compare-trees", id: 0, changes, trees, wantsSizes: true } as const;
      const answer = await this.#node.peers.ask(peer, request, surveyTimeoutMs);
      if (answer.kind !== "hashes-compared" || answer.sizes.length !== part.length) return;
      const sums = new Map<PartitionId, TreeSize[]>();
      for (const [i, { partition }] of part.entries()) {
        sums.set(partition, [...(sums.get(partition) ?? []), answer.sizes[i] as TreeSize]);
      }
      for (const [partition, sizes] of sums) {
        const progress = this.#progressOf(partition);
        progress.compared = part.filter((name) => name.partition === partition);
        progress.there.set(peer, sumOf(sizes));
      }
    }
  }

  /** How far the copy of the partition is; undefined where none was begun, nor asked about. */
  progress(partition: PartitionId): CopyProgress | undefined {
    const known = this.#progress.get(partition);
    if (known === undefined) return undefined;
    const { keysRepaired: keysCopied, bytesReceived } = known.totals;
    const { sinceMs, copying } = known;
    const sizes = [...known.there.values()];
    const most = (of: keyof TreeSize): number => Math.max(...sizes.map((size) => size[of]));
    return {
      here: this.#sizeOf(known.compared),
      there: sizes.length === 0 ? undefined : { keys: most("keys"), bytes: most("bytes") },
      keysCopied,
      bytesReceived,
      isCopying: copying > 0,
      sinceMs,
    };
  }

  /** What this node holds of what the seat keeps, or of all of the partition. */
  held(partition: PartitionId, seat: number | undefined): TreeSize {
    return this.#sizeOf(this.#kept(partition, seat));
  }

  #sizeOf(trees: readonly TreeName[]): TreeSize {
    return sumOf(trees.map((name) => this.#trees.size(name)));
  }

  /** Whether anything is remembered of copies of the partition. */
  isKnown(partition: PartitionId): boolean {
    return this.#progress.has(partition);
  }

  /** Nothing of the partition is copied any more. */
  rests(partition: PartitionId): void {
    this.#progress.delete(partition);
  }

  #progressOf(partition: PartitionId): Progress {
    let progress = this.#progress.get(partition);
    if (progress === undefined) {
      progress = { totals: newTotals(), there: new Map(), compared: [], copying: 0, sinceMs: undefined };
      this.#progress.set(partition, progress);
    }
    return progress;
  }

  async #exchange(
    peer: NodeId,
    compared: readonly TreeName[],
    totals: ExchangeTotals,
    direction: Direction,
  ): Promise<ExchangeOutcome> {
    const running = { totals, before: { ...totals } };
    const parts = { node: this.#node, trees: this.#trees, scan: this.#scan, peer, compared, totals, direction };
    this.#running.add(running);
    try {
      const isStopped = (): boolean => this.#isStopped;
      return await new Exchange({ ...parts, isStopped }).run();
    } finally {
      this.#running.delete(running);
      addDifference(this.#ended, totals, running.before);
    }
  }

  #treesOf(partition: PartitionId): readonly TreeName[] {
    return this.#node.ring().copies.map((n) => ({ partition, n }));
  }

  /** The trees of the keys that the seat keeps, or is to keep once it is filled; or all. */
  #kept(partition: PartitionId, seat: number | undefined): readonly TreeName[] {
    const { seats } = this.#node;
    return this.#treesOf(partition).filter(({ n }) => seat === undefined || seats.keeps(partition, n, seat));
  }

  /** Resolves once all that waits for the disk now is on it, or was given up. */
  #allDurable(): Promise<void> {
    return new Promise((resolve) => {
      this.#buffer.afterAll({ onDurable: resolve, onFailed: () => resolve() });
    });
  }
}

function sumOf(sizes: readonly TreeSize[]): TreeSize {
  return sizes.reduce((sum, { keys, bytes }) => ({ keys: sum.keys + keys, bytes: sum.bytes + bytes }), noSize);
}

function addDifference(to: ExchangeTotals, now: ExchangeTotals, before: ExchangeTotals): void {
  for (const name of totalNames) to[name] += now[name] - before[name];
}

/** What is counted of exchanges. */
export const totalNames: readonly (keyof ExchangeTotals)[] = [
  "partitionsCompared",
  "keysCompared",
  "keysRepaired",
  "bytesSent",
  "bytesReceived",
];

/** Nothing done yet. */
export function newTotals(): ExchangeTotals {
  return { partitionsCompared: 0, keysCompared: 0, keysRepaired: 0, bytesSent: 0, bytesReceived: 0 };
}
