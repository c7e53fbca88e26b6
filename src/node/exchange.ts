/**
 * One exchange with one other owner (§4.7): compare the roots of all trees both hold, descend where they differ, list
 * the keys of the leaves that differ, and bring each key that differs to the same state on both sides.
 *
 * Equal replicas cost one message and its answer, whatever they hold. A key that differs costs its way down the tree
 * and its state, once in each direction that needs it: this node fetches and merges the other's, and sends the merge
 * only if the other lacks something of it. All of it is the same merge as a write's or a read repair's, so an exchange
 * can end at any point, be repeated, or run against writes and other exchanges: what it did stays right, and what it
 * did not do the next one finds.
 *
 * Bounds: one part of the other's list in memory, a few keys under way, every call with a deadline.
 */

import { ByteWriter } from "../core/bytes/byte-writer.ts";
import { compareBytes } from "../core/bytes/order.ts";
import { type SiblingSet, sameState } from "../core/causality/sibling-set.ts";
import type { NodeId, PartitionId } from "../core/ids.ts";
import { areChildrenOf, childrenOf } from "../core/merkle/exchange.ts";
import { emptyHash, leafLevel, sameHash } from "../core/merkle/hash-tree.ts";
import { leafOf } from "../core/merkle/key-digest.ts";
import { partitionOf } from "../core/ring/key-hash.ts";
import { bucketSettings } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import { Lanes } from "../runtime/lanes.ts";
import { Pause } from "../runtime/pause.ts";
import type { DurableListener } from "../storage/write-buffer.ts";
import { encodeMessage } from "../wire/codec.ts";
import type { Answer, HashesCompared, KeysListed, ListedKey, Message, Request, TreeName } from "../wire/message.ts";
import { verifyValues } from "../wire/state-codec.ts";
import { type Coordination, callTroubles } from "./coordination.ts";
import { type KeyPlace, placeOf } from "./key-place.ts";
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
export type Direction = "both" | "pull" | "push";

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
/** Keys under way at a time: foreground requests come first. */
const keysAtOnce = 8;
/** Nobody waits for an exchange: a call may take longer than a client's request, and a list is made page by page. */
const callTimeoutMs = 5000;
const listTimeoutMs = 10_000;
const pauseMs = 1;
/** A peer that makes lists for others is asked again after so long, in ms, and so often. */
const busyMs = 20;
const mostWaits = 500;

/** Ends an exchange from wherever it is. */
class BrokenOff extends Error {
  readonly outcome: ExchangeOutcome;

  constructor(kind: "not-ready" | "failed", why: string) {
    super(why);
    this.outcome = { kind, why };
  }
}

export class Exchange {
  readonly #parts: ExchangeParts;
  readonly #node: Coordination;
  readonly #ring: Ring;
  readonly #lanes: Lanes = new Lanes(keysAtOnce);
  readonly #pause: Pause;
  readonly #scratch: ByteWriter = new ByteWriter(4096);
  readonly #incomplete: Set<PartitionId> = new Set();
  #keysRefused = 0;
  #waits = 0;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#node = parts.node;
    this.#ring = parts.node.ring();
    this.#pause = new Pause(parts.node.runtime.clock);
  }

  /** Does all of it. Rejects with `StorageError` alone. */
  async run(): Promise<ExchangeOutcome> {
    try {
      const trees = this.#parts.compared;
      await this.#eachPart(trees, (part) => this.#compare(part));
      // What the other found damaged while it listed its keys it tells only now.
      if (this.#parts.direction === "pull") await this.#eachPart(trees, (part) => this.#compareRoots(part));
      return { kind: "compared", keysRefused: this.#keysRefused, incomplete: this.#incomplete };
    } catch (error) {
      await this.#lanes.idle().catch(() => {});
      if (error instanceof BrokenOff) return error.outcome;
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
    const { differing, unvouched } = await this.#hashesCompared(
      { kind: "compare-trees", id: 0, trees: told },
      (answer) => isSensible(answer.differing) && isSensible(answer.unvouched),
    );
    for (const place of unvouched) this.#incomplete.add((trees[place] as TreeName).partition);
    return differing;
  }

  async #compare(trees: readonly TreeName[]): Promise<void> {
    const differing = await this.#compareRoots(trees);
    this.#parts.totals.partitionsCompared += new Set(trees.map(({ partition }) => partition)).size;
    for (const place of differing) await this.#descend(trees[place] as TreeName);
    await this.#lanes.idle();
  }

  async #descend(tree: TreeName): Promise<void> {
    let nodes: readonly number[] = [0];
    for (let level = 0; level < leafLevel && nodes.length > 0; level++) {
      const asked = nodes;
      const told = childrenOf(this.#parts.trees.tree(tree), level, nodes);
      const request = {
        kind: "compare-nodes",
        id: 0,
        tree,
        level,
        nodes: told,
      } as const;
      nodes = (await this.#hashesCompared(request, ({ differing }) => areChildrenOf(asked, differing))).differing;
    }
    if (nodes.length > 0) await this.#compareLeaves(tree, nodes);
  }

  async #hashesCompared(request: Request, isSensible: (answer: HashesCompared) => boolean): Promise<HashesCompared> {
    const answer = await this.#ask(request);
    return answer.kind === "hashes-compared" && isSensible(answer) ? answer : this.#nonsense(request, answer);
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
    const { settings } = this.#ring;
    const request = { kind: "list-keys", id: 0, tree, leaves: [...leaves], after } as const;
    const answer = await this.#ask(request, listTimeoutMs);
    if (answer.kind !== "keys-listed") return this.#nonsense(request, answer);
    const goesOn = answer.until === undefined || compareBytes(answer.until, after) > 0;
    const isAsked = ({ bucket, key }: ListedKey): boolean =>
      partitionOf(bucket, key, settings.partitions) === tree.partition && leaves.has(leafOf(bucket, key));
    return goesOn && answer.keys.every(isAsked) ? answer : this.#nonsense(request, answer);
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
      this.#mustBeCurrent("");
      const page = scan.page(this.#ring, tree, leaves, { after, last });
      for (const own of page.keys) {
        const name = nameOf(own);
        const other = theirs.get(name);
        theirs.delete(name);
        totals.keysCompared += 1;
        if (other === undefined || !sameHash(own.digest, other.digest)) await this.#repair(own, other !== undefined);
      }
      after = page.until;
      if (after !== undefined) await this.#pause.wait(pauseMs);
    } while (after !== undefined);
    for (const other of theirs.values()) {
      totals.keysCompared += 1;
      await this.#repair(other, true);
    }
  }

  /** Starts a key's repair as soon as there is room. */
  #repair({ bucket, key }: ListedKey, isAtPeer: boolean): Promise<void> {
    const place = placeOf(bucket, key, this.#ring.settings.partitions);
    return this.#lanes.run(async () => {
      const isRepaired = await this.#repairKey(place, isAtPeer);
      if (isRepaired === undefined) this.#keysRefused += 1;
      else if (isRepaired) this.#parts.totals.keysRepaired += 1;
    });
  }

  /** Whether anything changed on either side; undefined where one of them refused. */
  async #repairKey(place: KeyPlace, isAtPeer: boolean): Promise<boolean | undefined> {
    this.#mustBeCurrent(place.bucket);
    const { direction } = this.#parts;
    const isCopy = direction === "pull";
    if (isCopy && !isAtPeer) return false;
    if (direction === "push") return (await this.#sendOwn(place)) ? true : undefined;
    const theirs = isAtPeer ? await this.#fetch(place) : undefined;
    if (theirs === "refused") return this.#lacks(place);
    // Between this look and the merge nothing waits: a node that promised to hold nothing must not be given a copy.
    this.#mustBeCurrent(place.bucket);
    if (!isCopy && this.#node.seats.hold(place.partition).kind === "none") return undefined;
    const before = this.#node.replica.read(place);
    if (before.kind === "refused") return this.#lacks(place);
    const merged = theirs === undefined ? before.state : await this.#merge(place, theirs);
    if (merged === "refused") return this.#lacks(place);
    const isTold = !isCopy && merged !== undefined;
    if (isTold && (theirs === undefined || !sameState(theirs, merged))) {
      return (await this.#sendOwn(place)) ? true : undefined;
    }
    return merged !== undefined && (before.state === undefined || !sameState(before.state, merged));
  }

  /** This node did not get what the other has of the key. */
  #lacks({ partition }: KeyPlace): undefined {
    this.#incomplete.add(partition);
    return undefined;
  }

  async #fetch({ bucket, key, partition }: KeyPlace): Promise<SiblingSet | undefined | "refused"> {
    const knownHash = this.#node.seats.hash(partition);
    const copies = bucketSettings(this.#ring, bucket).n;
    const request = { kind: "replica-get", id: 0, knownHash, copies, bucket, key, isCopy: true } as const;
    const answer = await this.#ask(request);
    if (answer.kind === "refusal") return "refused";
    if (answer.kind !== "replica-state") return this.#nonsense(request, answer);
    if (answer.state === undefined || verifyValues(answer.state, this.#node.runtime.checksum)) return answer.state;
    this.#node.counters.corruptValues += 1;
    return "refused";
  }

  /** Merges into this node's own copy, and resolves once that is on disk. */
  async #merge(place: KeyPlace, theirs: SiblingSet): Promise<SiblingSet | undefined | "refused"> {
    const stored = new Stored();
    const merged = this.#node.replica.merge(place, theirs, this.#isLastWriteWins(place), stored);
    if (merged.kind === "refused" || !(await stored.isDurable)) return "refused";
    return merged.state;
  }

  /**
   * Sends what this node holds now, to be merged there; false if that was refused. Not what it held before it waited
   * for its disk: by now the owners may have agreed to forget that.
   */
  async #sendOwn(place: KeyPlace): Promise<boolean> {
    const { bucket, key } = place;
    const held = this.#node.replica.read(place);
    if (held.kind === "refused") return false;
    if (held.state === undefined) return true;
    const { state } = held;
    const lastWriteWins = this.#isLastWriteWins(place);
    const knownHash = this.#node.seats.hash(place.partition);
    const copies = bucketSettings(this.#ring, bucket).n;
    const purpose = { purpose: "repair", synced: true } as const;
    const request = {
      kind: "replica-put",
      id: 0,
      knownHash,
      copies,
      bucket,
      key,
      ...purpose,
      lastWriteWins,
      state,
    } as const;
    const answer = await this.#ask(request);
    if (answer.kind === "refusal") return false;
    if (answer.kind !== "replica-stored") return this.#nonsense(request, answer);
    return answer.voice !== undefined;
  }

  #isLastWriteWins({ bucket }: KeyPlace): boolean {
    return bucketSettings(this.#node.ring(), bucket).reconcile === "last-write-wins";
  }

  #mustBeCurrent(bucket: string): void {
    const { node, isStopped } = this.#parts;
    if (isStopped()) throw new BrokenOff("failed", "this node stops");
    if (!node.isOpen(bucket)) throw new BrokenOff("not-ready", "this node waits for a membership change to be decided");
    if (node.ring().buckets !== this.#ring.buckets) throw new BrokenOff("not-ready", "a bucket has changed");
  }

  /** The answer, or a refusal that concerns this request alone; any other ends the exchange. */
  async #ask(request: Request, timeoutMs: number = callTimeoutMs): Promise<Answer> {
    this.#mustBeCurrent("");
    const { node, peer, totals } = this.#parts;
    totals.bytesSent += this.#sizeOf(request);
    const answer = await node.peers.ask(peer, request, timeoutMs);
    if (answer.kind === "call-failure") throw new BrokenOff("failed", callTroubles[answer.failure]);
    totals.bytesReceived += this.#sizeOf(answer);
    if (answer.kind !== "refusal") return answer;
    if (answer.code === "overloaded" && request.kind === "list-keys" && this.#waits < mostWaits) {
      this.#waits += 1;
      await new Pause(node.runtime.clock).wait(busyMs);
      return this.#ask(request, timeoutMs);
    }
    if (answer.code === "stale-ring") node.ringDiffers(peer);
    const isPassing = answer.code === "stale-ring" || answer.code === "not-ready" || answer.code === "overloaded";
    if (isPassing) throw new BrokenOff("not-ready", answer.detail);
    return answer;
  }

  #nonsense(request: Pick<Request, "kind">, answer: Answer): never {
    const why = answer.kind === "refusal" ? `${answer.code}: ${answer.detail}` : "an answer that makes no sense";
    throw new BrokenOff("failed", `${request.kind} was answered with ${why}`);
  }

  /** What the message takes on the wire, without its part of a frame. */
  #sizeOf(message: Message): number {
    const bodies: Uint8Array[] = [];
    this.#scratch.reset();
    encodeMessage(this.#scratch, bodies, message, 0);
    return bodies.reduce((sum, body) => sum + body.length, this.#scratch.length);
  }
}

/** Waits for a merge to be on disk. */
class Stored implements DurableListener {
  readonly isDurable: Promise<boolean>;
  #settle: (isDurable: boolean) => void = () => {};

  constructor() {
    this.isDurable = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  onDurable(): void {
    this.#settle(true);
  }

  onFailed(): void {
    this.#settle(false);
  }
}

/** Unique for bucket and key. */
function nameOf({ bucket, key }: ListedKey): string {
  return `${bucket.length} ${bucket}${key}`;
}
