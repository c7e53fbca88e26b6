/**
 * Copies single keys from one peer, many with one message, and gives it nothing: what a seat's next holder does (§4.9).
 *
 * A batch is asked for when the pace allows it, and what comes is merged in the turn in which it comes: nothing that was
 * read waits here while its owners forget it. The next batch is asked for while this one waits for the disk.
 */

import { sameState } from "../core/causality/sibling-set.ts";
import { bucketSettings } from "../core/ring/preference-list.ts";
import { Lanes } from "../runtime/lanes.ts";
import type { CopiedState, CopyStates, ListedKey, TreeName } from "../wire/message.ts";
import type { Coordination } from "./coordination.ts";
import type { CopyPace } from "./copy-pace.ts";
import type { DifferingKeys, Shortfall } from "./differing-keys.ts";
import type { ExchangeTotals } from "./exchange.ts";
import type { ExchangeCalls } from "./exchange-calls.ts";
import { type KeyPlace, placeOf } from "./key-place.ts";
import { Stored } from "./key-repair.ts";

/** Keys asked for at once. The answer ends earlier where they are large (`exchange-service.ts`). */
const batchKeys = 64;
/** Batches under way at a time, for each copy: each is a commit of its own, which writes of clients wait behind. */
const batchesAtOnce = 1;

type Key = CopyStates["keys"][number];

export interface KeyCopyParts {
  readonly node: Coordination;
  readonly calls: ExchangeCalls;
  readonly totals: ExchangeTotals;
  readonly shortfall: Shortfall;
  /** Whether and how fast it may go on; absent where a seat is silent until it is done. */
  readonly pace: CopyPace | undefined;
}

export class KeyCopy implements DifferingKeys {
  readonly #parts: KeyCopyParts;
  readonly #lanes: Lanes = new Lanes(batchesAtOnce);
  #tree: TreeName | undefined;
  #keys: Key[] = [];

  constructor(parts: KeyCopyParts) {
    this.#parts = parts;
  }

  async found(tree: TreeName, { bucket, key }: ListedKey, isAtPeer: boolean): Promise<void> {
    if (!isAtPeer) return;
    if (tree !== this.#tree) await this.#send();
    this.#tree = tree;
    this.#keys.push({ bucket, key });
    if (this.#keys.length >= batchKeys) await this.#send();
  }

  async idle(): Promise<void> {
    await this.#send();
    await this.#lanes.idle();
  }

  async #send(): Promise<void> {
    const tree = this.#tree;
    const keys = this.#keys;
    if (tree === undefined || keys.length === 0) return;
    this.#keys = [];
    await this.#lanes.run(() => this.#copy(tree, keys));
  }

  async #copy(tree: TreeName, keys: readonly Key[]): Promise<void> {
    const { calls, totals, pace } = this.#parts;
    for (let left = keys; left.length > 0; ) {
      await pace?.turn();
      const before = totals.bytesReceived;
      const states = await this.#fetch(calls, { kind: "copy-states", id: 0, tree, keys: left });
      const received = totals.bytesReceived - before;
      await this.#merge(left.slice(0, states.length), states);
      pace?.took(received);
      left = left.slice(states.length);
    }
  }

  async #fetch(calls: ExchangeCalls, request: CopyStates): Promise<readonly CopiedState[]> {
    const answer = await calls.ask(request);
    if (answer.kind !== "states-copied") return calls.nonsense(request, answer);
    const { length } = answer.states;
    return length > 0 && length <= request.keys.length ? answer.states : calls.nonsense(request, answer);
  }

  /** Merges all in this turn, and resolves once they are on disk. */
  async #merge(keys: readonly Key[], states: readonly CopiedState[]): Promise<void> {
    const { shortfall, totals, node, pace } = this.#parts;
    this.#parts.calls.mustBeCurrent();
    const mergeAll = () => states.map((state, i) => this.#mergeOne(keys[i] as Key, state));
    // While requests need the disk, it goes with what they commit.
    const isLater = pace !== undefined && node.admission.share < 1;
    const outcomes = await Promise.all(isLater ? node.replica.later(mergeAll) : mergeAll());
    for (const outcome of outcomes) {
      if (outcome === "refused") shortfall.refused += 1;
      else if (outcome === "changed") totals.keysRepaired += 1;
    }
  }

  async #mergeOne({ bucket, key }: Key, state: CopiedState): Promise<"changed" | "same" | "refused"> {
    const { node, calls } = this.#parts;
    if (state === undefined) return "same";
    const place = placeOf(bucket, key, calls.ring.settings.partitions);
    if (state === "refused") return this.#lacks(place);
    const before = node.replica.read(place);
    if (before.kind === "refused") return this.#lacks(place);
    const lastWriteWins = bucketSettings(node.ring(), bucket).reconcile === "last-write-wins";
    const stored = new Stored();
    const merged = node.replica.merge(place, state, lastWriteWins, stored);
    if (merged.kind === "refused") {
      // Its own record was whole just now: it is a value that came that is not.
      if (merged.code === "corrupt") node.counters.corruptValues += 1;
      return this.#lacks(place);
    }
    if (!(await stored.isDurable)) return this.#lacks(place);
    const isSame = before.state !== undefined && merged.state !== undefined && sameState(before.state, merged.state);
    return isSame ? "same" : "changed";
  }

  #lacks({ partition }: KeyPlace): "refused" {
    this.#parts.shortfall.incomplete.add(partition);
    return "refused";
  }
}
