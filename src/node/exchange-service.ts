/**
 * Answers the exchanges that other nodes begin (§4.7): compares what they tell of their hash trees with this node's own,
 * and lists the keys of leaves that differ. The states themselves travel as those of any request between replicas.
 */

import { stateBytes } from "../core/causality/sibling-set.ts";
import type { PartitionId } from "../core/ids.ts";
import { differingChildren } from "../core/merkle/exchange.ts";
import { emptyHash, sameHash } from "../core/merkle/hash-tree.ts";
import { bucketSettings } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import { allChanges } from "../core/seats/filled.ts";
import type { Requester } from "../rpc/server.ts";
import { Pause } from "../runtime/pause.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { StorageError } from "../storage/engine.ts";
import type {
  CompareNodes,
  CompareTrees,
  CopiedState,
  CopyStates,
  ListedKey,
  ListKeys,
  RefusalCode,
  TreeName,
  TreeSize,
  WhenStored,
} from "../wire/message.ts";
import { type Coordination, refusal } from "./coordination.ts";
import { CopyPace } from "./copy-pace.ts";
import { placeOf } from "./key-place.ts";
import type { LeafScan } from "./leaf-scan.ts";
import type { Trees } from "./trees.ts";

export type ExchangeRequest = CompareTrees | CompareNodes | ListKeys | CopyStates | WhenStored;

/** A part of a list ends at this many keys, or after so many pages of the store. */
const mostListed = 256;
const mostPages = 64;
/** Lists made at a time, and answers with states that wait for their turn. */
const mostLists = 4;
const mostCopies = 64;
/** An answer with states ends once it has so many bytes: what is read, sent and committed at once holds up requests. */
const copiedBytes = 128 * 1024;
/** Between two pages, in ms. */
const pauseMs = 1;
/** An answer with states waits for its turn so long at most, in ms: whoever asked for it waits not much longer. */
const longestTurnMs = 2000;

const nothing: TreeSize = { keys: 0, bytes: 0 };

export class ExchangeService {
  readonly #node: Coordination;
  readonly #trees: Trees;
  readonly #scan: LeafScan;
  readonly #lists: TaskGroup;
  readonly #copies: TaskGroup;
  readonly #pace: CopyPace;
  #isStopped = false;

  constructor(node: Coordination, trees: Trees, scan: LeafScan) {
    this.#node = node;
    this.#trees = trees;
    this.#scan = scan;
    this.#lists = new TaskGroup(node.runtime.log);
    this.#copies = new TaskGroup(node.runtime.log);
    this.#pace = new CopyPace(node.runtime.clock, node.admission, node.limits.transferBytesPerSecond);
  }

  serve(request: ExchangeRequest, from: Requester): void {
    const ring = this.#admit(request, from);
    if (ring === undefined) return;
    switch (request.kind) {
      case "compare-trees":
        return this.#compareTrees(request, ring, from);
      case "compare-nodes": {
        if (!this.#isShared(request.tree, ring, from, request.id)) return;
        const tree = this.#trees.tree(request.tree);
        const differing = differingChildren(tree, request.level, request.nodes);
        return from.reply({ kind: "hashes-compared", id: request.id, differing, unvouched: [], sizes: [] }, request.id);
      }
      case "list-keys":
        if (!this.#isShared(request.tree, ring, from, request.id)) return;
        if (this.#lists.size >= mostLists) return this.#refuse(request.id, from, "overloaded", "too many lists");
        return this.#lists.run("listing keys", () => this.#answerList(request, ring, from));
      case "copy-states":
        if (this.#copies.size >= mostCopies) return this.#refuse(request.id, from, "overloaded", "too many copies");
        return this.#copies.run("copying states", () => this.#copyInTurn(request, from));
      case "when-stored":
        return this.#whenStored(request, from);
    }
  }

  /** Resolves when nothing is being answered any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pace.stop();
    await Promise.all([this.#lists.close(), this.#copies.close()]);
  }

  #admit(request: ExchangeRequest, from: Requester): Ring | undefined {
    const ring = this.#node.ring();
    if (!this.#node.mayBeCopied() || !this.#trees.areBuilt) {
      this.#refuse(request.id, from, "not-ready", "the node is not ready to compare its hash trees");
      return undefined;
    }
    return ring;
  }

  #compareTrees({ id, changes, trees, wantsSizes }: CompareTrees, ring: Ring, from: Requester): void {
    if (changes !== allChanges(ring.eras).hash) {
      this.#node.ringDiffers(from.hello.node);
      return this.#refuse(id, from, "stale-ring", "this node knows other changes of n, and so other trees");
    }
    const differing: number[] = [];
    const unvouched: number[] = [];
    for (const [place, tree] of trees.entries()) {
      if (!this.#isHeld(tree, ring)) {
        unvouched.push(place);
        continue;
      }
      const own = this.#trees.tree(tree)?.hash(0, 0) ?? emptyHash;
      if (!sameHash(own, tree.root)) differing.push(place);
      if (!this.#vouches(tree.partition)) unvouched.push(place);
    }
    const sizes = wantsSizes ? trees.map((tree) => (this.#isHeld(tree, ring) ? this.#trees.size(tree) : nothing)) : [];
    from.reply({ kind: "hashes-compared", id, differing, unvouched, sizes }, id);
  }

  #whenStored({ id }: WhenStored, from: Requester): void {
    const { replica } = this.#node;
    replica.afterAll({
      onDurable: () => from.reply({ kind: "all-stored", id, run: replica.run }, id),
      onFailed: (error) => this.#refuse(id, from, "storage-failed", error.message),
    });
  }

  /** A seat that is silent until its copy is whole waits for no turn. */
  async #copyInTurn(request: CopyStates, from: Requester): Promise<void> {
    const { tree } = request;
    const isUrgent = this.#node.seats.hold(tree.partition).kind === "sealed";
    if (!isUrgent) await this.#pace.turn(longestTurnMs);
    const ring = this.#admit(request, from);
    if (ring === undefined || !this.#isShared(tree, ring, from, request.id)) return;
    const bytes = this.#copyStates(request, ring, from);
    if (!isUrgent) this.#pace.took(bytes);
  }

  /** Answers with the bytes of what it sends. */
  #copyStates({ id, tree, keys }: CopyStates, ring: Ring, from: Requester): number {
    const states: CopiedState[] = [];
    let bytes = 0;
    for (const { bucket, key } of keys) {
      const place = placeOf(bucket, key, ring.settings.partitions);
      if (place.partition !== tree.partition || bucketSettings(ring, bucket).n !== tree.n) {
        this.#refuse(id, from, "bad-request", `"${key}" of bucket "${bucket}" is not in that tree`);
        return 0;
      }
      const held = this.#node.replica.read(place);
      states.push(held.kind === "refused" ? "refused" : held.state);
      if (held.kind === "state" && held.state !== undefined) bytes += stateBytes(held.state);
      if (bytes >= copiedBytes) break;
    }
    from.reply({ kind: "states-copied", id, states }, id);
    return bytes;
  }

  /** Whether what this node holds of the partition is all that was acknowledged in a seat's name. */
  #vouches(partition: PartitionId): boolean {
    const hold = this.#node.seats.hold(partition);
    const isWhole = hold.kind === "active" || hold.kind === "sealed" || (hold.kind === "rebuilding" && hold.isHolder);
    return isWhole && !this.#node.damaged.isIn(partition);
  }

  #isHeld({ partition }: TreeName, ring: Ring): boolean {
    return partition < ring.settings.partitions && this.#node.seats.hold(partition).kind !== "none";
  }

  /** Refuses the request if this node has nothing to compare with. */
  #isShared(tree: TreeName, ring: Ring, from: Requester, id: number): boolean {
    if (this.#isHeld(tree, ring)) return true;
    this.#refuse(id, from, "no-owner", `this node holds no seat of partition ${tree.partition}`);
    return false;
  }

  async #answerList(request: ListKeys, ring: Ring, from: Requester): Promise<void> {
    try {
      await this.#list(request, ring, from);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#refuse(request.id, from, "storage-failed", error.message);
    }
  }

  async #list(request: ListKeys, ring: Ring, from: Requester): Promise<void> {
    const leaves = new Set(request.leaves);
    const pause = new Pause(this.#node.runtime.clock);
    const keys: ListedKey[] = [];
    let until: Uint8Array | undefined = request.after.length === 0 ? undefined : request.after;
    for (let pages = 0; pages < mostPages && keys.length < mostListed; pages++) {
      if (pages > 0) await pause.wait(pauseMs);
      if (this.#isStopped) return this.#refuse(request.id, from, "not-ready", "the node stops");
      const page = this.#scan.page(ring, request.tree, leaves, { after: until, last: undefined });
      keys.push(...page.keys);
      until = page.until;
      if (until === undefined) break;
    }
    const answer = { kind: "keys-listed", id: request.id, keys, ...(until !== undefined && { until }) } as const;
    from.reply(answer, request.id);
  }

  #refuse(id: number, from: Requester, code: RefusalCode, detail: string): void {
    from.reply(refusal(this.#node.ring().version, code, detail), id);
  }
}
