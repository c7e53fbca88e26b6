/**
 * Copies of single partitions: what a seat's next holder needs of the one before it, or of the other seats' holders.
 *
 * A copy is an exchange of hash trees in one direction, so it can be broken off and begun again, and costs what differs.
 * It is whole if nothing of it was refused on either side, the other vouches for what it holds, and all of it is on this
 * node's disk: what was compared may have been in memory only, so no commit may have failed meanwhile.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { TreeName } from "../wire/message.ts";
import type { Coordination } from "./coordination.ts";
import { type Direction, Exchange, type ExchangeOutcome, type ExchangeTotals } from "./exchange.ts";
import type { LeafScan } from "./leaf-scan.ts";
import type { Trees } from "./trees.ts";

/** `keys` are those that the copy changed; `why` says what keeps it from being whole. */
export type Copied =
  | { readonly kind: "whole"; readonly keys: number }
  | { readonly kind: "partial" | "failed"; readonly why: string };

/** How far the copies of one partition are that were begun since it was last at rest. */
export interface CopyProgress {
  /** Keys that were seen to differ or to be missing, or that lie beside such ones; and those brought here. */
  readonly keysCompared: number;
  readonly keysCopied: number;
  readonly bytesReceived: number;
  readonly sinceMs: number;
}

export class PartitionCopies {
  readonly #node: Coordination;
  readonly #trees: Trees;
  readonly #scan: LeafScan;
  readonly #buffer: WriteBuffer;
  /** Of all copies since the start. */
  readonly totals: ExchangeTotals = newTotals();
  readonly #progress: Map<PartitionId, { readonly totals: ExchangeTotals; readonly sinceMs: number }> = new Map();
  #isStopped = false;

  constructor(node: Coordination, trees: Trees, scan: LeafScan, buffer: WriteBuffer) {
    this.#node = node;
    this.#trees = trees;
    this.#scan = scan;
    this.#buffer = buffer;
  }

  /** Copies under way end at their next answer. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Copies what the peer holds: of the keys that the seat keeps, if one is given, else all. Rejects with `StorageError`.
   */
  async copy(partition: PartitionId, peer: NodeId, seat?: number): Promise<Copied> {
    const { failedCommits } = this.#buffer.counts;
    const isKept = ({ n }: TreeName): boolean =>
      seat === undefined || this.#node.seats.seatsOf(partition, n).includes(seat);
    const known = this.#progress.get(partition);
    const { totals } = known ?? this.#begin(partition);
    const before = totals.keysRepaired;
    const outcome = await this.#exchange(peer, this.#treesOf(partition).filter(isKept), totals, "pull");
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
   * disk. Rejects with `StorageError`.
   */
  async push(partition: PartitionId, peer: NodeId, trees?: readonly TreeName[]): Promise<boolean> {
    const outcome = await this.#exchange(peer, trees ?? this.#treesOf(partition), newTotals(), "push");
    return outcome.kind === "compared" && outcome.keysRefused === 0 && outcome.incomplete.size === 0;
  }

  /** How far the copy of the partition is; undefined where none was begun. */
  progress(partition: PartitionId): CopyProgress | undefined {
    const known = this.#progress.get(partition);
    if (known === undefined) return undefined;
    const { keysCompared, keysRepaired: keysCopied, bytesReceived } = known.totals;
    return { keysCompared, keysCopied, bytesReceived, sinceMs: known.sinceMs };
  }

  /** Nothing of the partition is copied any more. */
  rests(partition: PartitionId): void {
    this.#progress.delete(partition);
  }

  #begin(partition: PartitionId): { readonly totals: ExchangeTotals } {
    const begun = { totals: newTotals(), sinceMs: this.#node.runtime.clock.monotonicMs() };
    this.#progress.set(partition, begun);
    return begun;
  }

  async #exchange(
    peer: NodeId,
    compared: readonly TreeName[],
    totals: ExchangeTotals,
    direction: Direction,
  ): Promise<ExchangeOutcome> {
    const before = { ...totals };
    const parts = { node: this.#node, trees: this.#trees, scan: this.#scan, peer, compared, totals, direction };
    try {
      return await new Exchange({ ...parts, isStopped: () => this.#isStopped }).run();
    } finally {
      for (const name of totalNames) this.totals[name] += totals[name] - before[name];
    }
  }

  #treesOf(partition: PartitionId): readonly TreeName[] {
    return this.#node.ring().copies.map((n) => ({ partition, n }));
  }

  /** Resolves once all that waits for the disk now is on it, or was given up. */
  #allDurable(): Promise<void> {
    return new Promise((resolve) => {
      this.#buffer.afterAll({ onDurable: resolve, onFailed: () => resolve() });
    });
  }
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
