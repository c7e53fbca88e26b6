/**
 * One exchange with one other owner (§4.7): compare the roots of all trees both hold, descend where they differ, list
 * the keys of the leaves that differ, and have each key that differs brought to the same state on both sides
 * (`key-repair.ts`), or, where this node is to take a seat, copied (`key-copy.ts`).
 *
 * Equal replicas cost one message and its answer, whatever they hold. A key that differs costs its way down the tree
 * and its state, once in each direction that needs it. All of it is the same merge as a write's or a read repair's, so
 * an exchange can end at any point, be repeated, or run against writes and other exchanges: what it did stays right,
 * and what it did not do the next one finds.
 *
 * Bounds: one part of the other's list in memory, a few keys under way, every call with a deadline.
 */

import { compareBytes } from "../core/bytes/order.ts";
import type { NodeId, PartitionId } from "../core/ids.ts";
import { areChildrenOf, childrenOf } from "../core/merkle/exchange.ts";
import { emptyHash, leafLevel, sameHash } from "../core/merkle/hash-tree.ts";
import { leafOf } from "../core/merkle/key-digest.ts";
import { partitionOf } from "../core/ring/key-hash.ts";
import { Pause } from "../runtime/pause.ts";
import type { HashesCompared, KeysListed, ListedKey, Request, TreeName, TreeSize } from "../wire/message.ts";
import type { Coordination } from "./coordination.ts";
import type { CopyPace } from "./copy-pace.ts";
import type { DifferingKeys } from "./differing-keys.ts";
import { BrokenOff, ExchangeCalls } from "./exchange-calls.ts";
import { KeyCopy } from "./key-copy.ts";
import { KeyRepair } from "./key-repair.ts";
import type { LeafScan } from "./leaf-scan.ts";
import type { Trees } from "./trees.ts";

/** What exchanges did; grows while they run. */
export interface ExchangeTotals {
  /** Partitions compared, once for each owner they were compared with. */
  partitionsCompared: number;
  keysCompared: number;
  keysRepaired: number;
  bytesSent: number;
  bytesReceived: number;
}

/**
 * - `both`: what either lacks.
 * - `pull`: this node copies the other, whose copy must be whole at the end, and gives it nothing.
 * - `push`: the other merges what this node holds, and this node takes nothing.
 */
export type Direction = { readonly kind: "both" | "push" } | Pull;

export interface Pull {
  readonly kind: "pull";
  /** How fast; absent where a seat is silent until the copy is made. */
  readonly pace: CopyPace | undefined;
  /** Runs what brings a tree's keys here, when it is its turn: what does not differ waits for nobody. */
  inTurn(copy: () => Promise<void>): Promise<void>;
  /** Hears what each of the trees stands for at the other, as soon as it says so. */
  onSizes(sizes: readonly TreeSize[]): void;
}

export interface ExchangeParts {
  readonly node: Coordination;
  readonly trees: Trees;
  readonly scan: LeafScan;
  readonly peer: NodeId;
  /** What to compare. */
  readonly compared: readonly TreeName[];
  readonly totals: ExchangeTotals;
  readonly direction: Direction;
  readonly isStopped: () => boolean;
}

/**
 * - `compared`: all of it was compared; keys that one side refused are left to the next exchange. `incomplete` are the
 *   partitions in which this node may still lack something of the other's, or for which the other does not vouch.
 * - `not-ready`: the other has to build its trees, or waits for a change of membership; it may be asked again soon.
 * - `failed`: broken off.
 */
export type ExchangeOutcome =
  | { readonly kind: "compared"; readonly keysRefused: number; readonly incomplete: ReadonlySet<PartitionId> }
  | { readonly kind: "not-ready" | "failed"; readonly why: string };

/** Trees compared with one message. */
const treesAtOnce = 1024;
/** A list is made page by page. */
const listTimeoutMs = 10_000;
const pauseMs = 1;

export class Exchange {
  readonly #parts: ExchangeParts;
  readonly #calls: ExchangeCalls;
  readonly #keys: DifferingKeys;
  readonly #pause: Pause;
  readonly #shortfall = { refused: 0, incomplete: new Set<PartitionId>() };

  constructor(parts: ExchangeParts) {
    const { node, totals, direction } = parts;
    this.#parts = parts;
    this.#calls = new ExchangeCalls(parts);
    const keys = { node, totals, calls: this.#calls, shortfall: this.#shortfall };
    this.#keys =
      direction.kind === "pull"
        ? new KeyCopy({ ...keys, pace: direction.pace })
        : new KeyRepair({ ...keys, isPush: direction.kind === "push" });
    this.#pause = new Pause(node.runtime.clock);
  }

  /** Does all of it. Rejects with `StorageError` alone. */
  async run(): Promise<ExchangeOutcome> {
    const { compared } = this.#parts;
    try {
      await this.#eachPart(compared, (part) => this.#compare(part));
      // What the other found damaged while it listed its keys it tells only now.
      if (this.#parts.direction.kind === "pull") await this.#eachPart(compared, (part) => this.#compareRoots(part));
      const { refused, incomplete } = this.#shortfall;
      return { kind: "compared", keysRefused: refused, incomplete };
    } catch (error) {
      await this.#keys.idle().catch(() => {});
      if (error instanceof BrokenOff) return { kind: error.kind, why: error.message };
      throw error;
    }
  }

  async #eachPart(trees: readonly TreeName[], act: (part: readonly TreeName[]) => Promise<unknown>): Promise<void> {
    for (let at = 0; at < trees.length; at += treesAtOnce) await act(trees.slice(at, at + treesAtOnce));
  }

  async #compareRoots(trees: readonly TreeName[]): Promise<readonly number[]> {
    const { trees: own } = this.#parts;
    if (!own.areBuilt) throw new BrokenOff("not-ready", "this node has to build its own trees");
    const told = trees.map((tree) => ({ ...tree, root: own.tree(tree)?.hash(0, 0) ?? emptyHash }));
    const isSensible = (places: readonly number[]): boolean =>
      places.every((place) => place < trees.length) && new Set(places).size === places.length;
    const { direction } = this.#parts;
    const wantsSizes = direction.kind === "pull";
    const { differing, unvouched, sizes } = await this.#hashesCompared(
      { kind: "compare-trees", id: 0, changes: this.#calls.changes, trees: told, wantsSizes },
      (answer) =>
        isSensible(answer.differing) &&
        isSensible(answer.unvouched) &&
        answer.sizes.length === (wantsSizes ? trees.length : 0),
    );
    for (const place of unvouched) this.#shortfall.incomplete.add((trees[place] as TreeName).partition);
    if (direction.kind === "pull") direction.onSizes(sizes);
    return differing;
  }

  async #compare(trees: readonly TreeName[]): Promise<void> {
    const differing = await this.#compareRoots(trees);
    this.#parts.totals.partitionsCompared += new Set(trees.map(({ partition }) => partition)).size;
    if (differing.length === 0) return;
    const repair = async (): Promise<void> => {
      for (const place of differing) await this.#descend(trees[place] as TreeName);
      await this.#keys.idle();
    };
    const { direction } = this.#parts;
    await (direction.kind === "pull" ? direction.inTurn(repair) : repair());
  }

  async #descend(tree: TreeName): Promise<void> {
    let nodes: readonly number[] = [0];
    for (let level = 0; level < leafLevel && nodes.length > 0; level++) {
      const asked = nodes;
      const told = childrenOf(this.#parts.trees.tree(tree), level, nodes);
      const request = { kind: "compare-nodes", id: 0, tree, level, nodes: told } as const;
      nodes = (await this.#hashesCompared(request, ({ differing }) => areChildrenOf(asked, differing))).differing;
    }
    if (nodes.length > 0) await this.#compareLeaves(tree, nodes);
  }

  async #hashesCompared(request: Request, isSensible: (answer: HashesCompared) => boolean): Promise<HashesCompared> {
    const answer = await this.#calls.ask(request);
    return answer.kind === "hashes-compared" && isSensible(answer) ? answer : this.#calls.nonsense(request, answer);
  }

  /** Goes through both sides' keys in the order of the store, one part of the other's list at a time. */
  async #compareLeaves(tree: TreeName, leaves: readonly number[]): Promise<void> {
    const wanted = new Set(leaves);
    let after: Uint8Array | undefined;
    do {
      const listed: KeysListed = await this.#listKeys(tree, wanted, after);
      await this.#comparePart(tree, wanted, after, listed);
      after = listed.until;
    } while (after !== undefined);
  }

  async #listKeys(tree: TreeName, leaves: ReadonlySet<number>, from?: Uint8Array): Promise<KeysListed> {
    const after: Uint8Array = from ?? new Uint8Array(0);
    const { settings } = this.#calls.ring;
    const request = { kind: "list-keys", id: 0, tree, leaves: [...leaves], after } as const;
    const answer = await this.#calls.ask(request, listTimeoutMs);
    if (answer.kind !== "keys-listed") return this.#calls.nonsense(request, answer);
    const goesOn = answer.until === undefined || compareBytes(answer.until, after) > 0;
    const isAsked = ({ bucket, key }: ListedKey): boolean =>
      partitionOf(bucket, key, settings.partitions) === tree.partition && leaves.has(leafOf(bucket, key));
    return goesOn && answer.keys.every(isAsked) ? answer : this.#calls.nonsense(request, answer);
  }

  async #comparePart(
    tree: TreeName,
    leaves: ReadonlySet<number>,
    from: Uint8Array | undefined,
    { keys, until: last }: KeysListed,
  ): Promise<void> {
    const { scan, totals } = this.#parts;
    const theirs = new Map(keys.map((listed) => [nameOf(listed), listed]));
    let after = from;
    do {
      this.#calls.mustBeCurrent();
      const page = scan.page(this.#calls.ring, tree, leaves, { after, last });
      for (const own of page.keys) {
        const name = nameOf(own);
        const other = theirs.get(name);
        theirs.delete(name);
        totals.keysCompared += 1;
        if (other === undefined || !sameHash(own.digest, other.digest))
          await this.#keys.found(tree, own, other !== undefined);
      }
      after = page.until;
      if (after !== undefined) await this.#pause.wait(pauseMs);
    } while (after !== undefined);
    for (const other of theirs.values()) {
      totals.keysCompared += 1;
      await this.#keys.found(tree, other, true);
    }
  }
}

/** Unique for bucket and key. */
function nameOf({ bucket, key }: ListedKey): string {
  return `${bucket.length} ${bucket}${key}`;
}
