/**
 * Brings single keys to the same state on both sides (§4.7): fetches and merges the other's, and sends the merge only if
 * the other lacks something of it.
 */

import { type SiblingSet, sameState } from "../core/causality/sibling-set.ts";
import { bucketSettings, bucketVersion } from "../core/ring/preference-list.ts";
import { Lanes } from "../runtime/lanes.ts";
import { Pause } from "../runtime/pause.ts";
import type { DurableListener } from "../storage/write-buffer.ts";
import type { ListedKey, TreeName } from "../wire/message.ts";
import { verifyValues } from "../wire/state-codec.ts";
import type { Coordination } from "./coordination.ts";
import type { DifferingKeys, Shortfall } from "./differing-keys.ts";
import type { ExchangeTotals } from "./exchange.ts";
import type { ExchangeCalls } from "./exchange-calls.ts";
import { type KeyPlace, placeOf } from "./key-place.ts";

/** Keys under way at a time, and the least that one rests for after another, in ms: foreground requests come first. */
const keysAtOnce = 8;
const leastRestMs = 1;

export interface KeyRepairParts {
  readonly node: Coordination;
  readonly calls: ExchangeCalls;
  readonly totals: ExchangeTotals;
  readonly shortfall: Shortfall;
  /** The other merges what this node holds, and this node takes nothing. */
  readonly isPush: boolean;
}

export class KeyRepair implements DifferingKeys {
  readonly #node: Coordination;
  readonly #calls: ExchangeCalls;
  readonly #parts: KeyRepairParts;
  readonly #lanes: Lanes = new Lanes(keysAtOnce);

  constructor(parts: KeyRepairParts) {
    this.#node = parts.node;
    this.#calls = parts.calls;
    this.#parts = parts;
  }

  found(_: TreeName, { bucket, key }: ListedKey, isAtPeer: boolean): Promise<void> {
    const { totals, shortfall } = this.#parts;
    const place = placeOf(bucket, key, this.#calls.ring.settings.partitions);
    const { clock } = this.#node.runtime;
    return this.#lanes.run(async () => {
      const beganMs = clock.monotonicMs();
      const isRepaired = await this.#repair(place, isAtPeer);
      if (isRepaired === undefined) shortfall.refused += 1;
      else if (isRepaired) totals.keysRepaired += 1;
      const restMs = this.#node.admission.restAfter(clock.monotonicMs() - beganMs);
      if (restMs >= leastRestMs) await new Pause(clock).wait(restMs);
    });
  }

  idle(): Promise<void> {
    return this.#lanes.idle();
  }

  /** Whether anything changed on either side; undefined where one of them refused. */
  async #repair(place: KeyPlace, isAtPeer: boolean): Promise<boolean | undefined> {
    this.#calls.mustBeCurrent();
    if (this.#parts.isPush) return (await this.#sendOwn(place)) ? true : undefined;
    const theirs = isAtPeer ? await this.#fetch(place) : undefined;
    if (theirs === "refused") return this.#lacks(place);
    // Between this look and the merge nothing waits: a node that promised to hold nothing must not be given a copy.
    this.#calls.mustBeCurrent();
    if (this.#node.seats.hold(place.partition).kind === "none") return undefined;
    const before = this.#node.replica.read(place);
    if (before.kind === "refused") return this.#lacks(place);
    const merged = theirs === undefined ? before.state : await this.#merge(place, theirs);
    if (merged === "refused") return this.#lacks(place);
    if (merged !== undefined && (theirs === undefined || !sameState(theirs, merged))) {
      return (await this.#sendOwn(place)) ? true : undefined;
    }
    return merged !== undefined && (before.state === undefined || !sameState(before.state, merged));
  }

  /** This node did not get what the other has of the key. */
  #lacks({ partition }: KeyPlace): undefined {
    this.#parts.shortfall.incomplete.add(partition);
    return undefined;
  }

  async #fetch({ bucket, key, partition }: KeyPlace): Promise<SiblingSet | undefined | "refused"> {
    const knownHash = this.#node.seats.hash(partition);
    const changes = bucketVersion(this.#calls.ring, bucket);
    const request = { kind: "replica-get", id: 0, knownHash, changes, bucket, key } as const;
    const answer = await this.#calls.ask(request);
    if (answer.kind === "refusal") return "refused";
    if (answer.kind !== "replica-state") return this.#calls.nonsense(request, answer);
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
    const changes = bucketVersion(this.#calls.ring, bucket);
    const how = { purpose: "repair", synced: true, lastWriteWins } as const;
    const request = { kind: "replica-put", id: 0, knownHash, changes, bucket, key, ...how, state } as const;
    const answer = await this.#calls.ask(request);
    if (answer.kind === "refusal") return false;
    if (answer.kind !== "replica-stored") return this.#calls.nonsense(request, answer);
    return answer.voice !== undefined;
  }

  #isLastWriteWins({ bucket }: KeyPlace): boolean {
    return bucketSettings(this.#node.ring(), bucket).reconcile === "last-write-wins";
  }
}

/** Whether what was stored with it is on disk. */
export class Stored implements DurableListener {
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
