/**
 * What this node keeps for owners that could not be reached (§4.6), in a space of the store of its own.
 *
 * A hint is a key's state like any other, stored under its owner's id: the same code merges into it, mints into it,
 * bounds and checks it. But it is no copy of this node's: hash trees, exchange and this node's own answers know
 * nothing of it, and it is gone once its owner has it (`handoff.ts`).
 *
 * Invariants:
 * - A hint is taken out only if its bytes are what was sent: one that has changed meanwhile holds a write that the
 *   owner may lack.
 * - The mint record of a write that was minted here lies in the hint it was minted into, is never sent, and goes with
 *   it: whoever mints after that draws a new actor (`minting.ts`).
 * - A damaged hint is set aside and logged, and never served, sent or merged into; it stands in nobody's way.
 */

import { MalformedBytes } from "../core/bytes/byte-reader.ts";
import { compareBytes } from "../core/bytes/order.ts";
import { mergeNewest } from "../core/causality/last-write-wins.ts";
import { mergeStates, type SiblingSet } from "../core/causality/sibling-set.ts";
import type { NodeId, PartitionId } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import { bucketSettings } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { StorageError } from "../storage/engine.ts";
import {
  damagedKey,
  hintBucketRange,
  hintKey,
  hintRange,
  isHintKey,
  keyAfter,
  parseHintKey,
} from "../storage/store-key.ts";
import type { DurableListener, WriteBuffer } from "../storage/write-buffer.ts";
import { decodeRecord } from "../wire/record.ts";
import { verifyValues } from "../wire/state-codec.ts";
import type { NodeCounters } from "./counters.ts";
import { HintIndex, type HintsForOwner } from "./hint-index.ts";
import { type KeyPlace, placeOf } from "./key-place.ts";
import { RecentKeys } from "./recent-keys.ts";
import { type LocalState, type LocalWrite, Replica, type ReplicaRefusal, type WriteIntent } from "./replica.ts";
import type { SetAside } from "./set-aside.ts";

export interface HintsOptions {
  readonly runtime: Runtime;
  readonly buffer: WriteBuffer;
  readonly limits: Limits;
  readonly counters: NodeCounters;
  readonly setAside: SetAside;
  readonly ring: () => Ring;
}

/** One hint, as it is to be sent. */
export interface Hint {
  readonly owner: NodeId;
  readonly place: KeyPlace;
  readonly state: SiblingSet;
  /** The stored record: what must not have changed when the hint is taken out. */
  readonly bytes: Uint8Array;
}

/** Some of an owner's hints, in the order of the store. */
export interface HintPage {
  readonly hints: readonly Hint[];
  /** The stored key after which to go on; undefined where that was the last. */
  readonly until: Uint8Array | undefined;
}

export class Hints {
  readonly #options: HintsOptions;
  readonly #index: HintIndex;
  readonly #replica: Replica;
  readonly #takenOut: RecentKeys;

  constructor(options: HintsOptions) {
    const { runtime, buffer, limits, counters } = options;
    const { clock, log, checksum } = runtime;
    this.#options = options;
    const onDamaged = (key: Uint8Array, bytes: Uint8Array, why: string): void => this.#setAside(key, bytes, why);
    this.#index = new HintIndex({ clock, log, checksum, buffer, onDamaged });
    this.#replica = new Replica({ runtime, buffer, limits, counters, states: this.#index });
    this.#takenOut = new RecentKeys(clock);
  }

  /** Begins to count what is stored; before the first request is served. */
  start(): void {
    this.#index.start();
  }

  stop(): Promise<void> {
    return this.#index.stop();
  }

  /** A commit failed: these stored keys may have gone back to what they were. */
  mayHaveReverted(keys: readonly Uint8Array[]): void {
    this.#replica.endRun();
    if (keys.some((key) => isHintKey(key))) this.#index.countAnew();
  }

  /** Hints held here: at least, for a while after the start. */
  get count(): number {
    return this.#index.count;
  }

  /** Bytes they take, likewise. */
  get bytes(): number {
    return this.#index.bytes;
  }

  /** Whether the numbers are exact. */
  get areCounted(): boolean {
    return this.#index.isComplete;
  }

  /** What waits for whom, the most first. */
  waiting(): readonly HintsForOwner[] {
    return this.#index.waiting();
  }

  /** Whether there may be a hint for this owner. */
  mayHaveFor(owner: NodeId): boolean {
    return this.#index.has(owner);
  }

  /** Everybody for whom there may be a hint. Throws `StorageError`. */
  owners(): readonly NodeId[] {
    return this.#index.owners();
  }

  /**
   * Keeps a state for an owner, merged with what is kept for it already. `listener` as for `Replica.merge`; without
   * one, the hint is kept as soon as the disk has room.
   */
  keep(
    owner: NodeId,
    place: KeyPlace,
    state: SiblingSet,
    lastWriteWins: boolean,
    listener: DurableListener | undefined,
  ): LocalState | ReplicaRefusal {
    return this.#counted(() => {
      const at = hintPlace(owner, place);
      const kept = this.#replica.merge(at, state, lastWriteWins, listener);
      // Either the state is damaged or what was kept is.
      if (kept.kind !== "refused" || kept.code !== "corrupt" || !verifyValues(state, this.#options.runtime.checksum))
        return kept;
      this.#mend(at, kept.detail);
      return this.#replica.merge(at, state, lastWriteWins, listener);
    });
  }

  /** Mints a client's write into the hint for `owner`, on top of all that is held for the key. */
  write(
    owner: NodeId,
    place: KeyPlace,
    intent: WriteIntent,
    listener: DurableListener | undefined,
  ): LocalWrite | ReplicaRefusal {
    return this.#counted(() => {
      const held = this.read(place);
      if (held.kind === "refused") return held;
      const at = hintPlace(owner, place);
      if (held.state !== undefined) {
        const merged = this.#replica.merge(at, held.state, intent.lastWriteWins, undefined);
        if (merged.kind === "refused") return merged;
      }
      return this.#replica.write(at, intent, listener);
    });
  }

  /** The merge of all hints of the key, whoever they are for; undefined where there is none. */
  read(place: KeyPlace): LocalState | ReplicaRefusal {
    let merged: SiblingSet | undefined;
    for (const owner of this.#ownersOrRefusal()) {
      if (typeof owner === "object") return owner;
      const at = hintPlace(owner, place);
      const found = this.#replica.read(at);
      if (found.kind === "refused") {
        if (found.code !== "corrupt") return found;
        this.#mend(at, found.detail);
        continue;
      }
      if (found.state === undefined) continue;
      merged = merged === undefined ? found.state : this.#merge(place.bucket, merged, found.state);
    }
    return { kind: "state", state: merged };
  }

  /** Whether there is no hint of the bucket, or none at all. Throws `StorageError`. */
  isEmpty(bucket: string | undefined): boolean {
    const { buffer, ring } = this.#options;
    if (bucket === undefined) return buffer.scan(hintRange(), 1).length === 0;
    const { partitions } = ring().settings;
    return this.owners().every((owner) => {
      for (let partition = 0; partition < partitions; partition++) {
        if (buffer.scan(hintBucketRange(owner, partition as PartitionId, bucket), 1).length > 0) return false;
      }
      return true;
    });
  }

  /**
   * Whether a hint of the key is here, or was within the last `lifeMs`; true where that is not known, as it is not
   * for a while after a restart.
   */
  heldWithin(place: KeyPlace, lifeMs: number): boolean {
    const { buffer } = this.#options;
    if (this.#takenOut.has(place, lifeMs)) return true;
    return this.owners().some((owner) => buffer.get(hintKey(owner, place.storeKey)) !== undefined);
  }

  /** The next hints for an owner, behind the stored key `after`: at most `limit` are looked at. Throws `StorageError`. */
  page(owner: NodeId, after: Uint8Array | undefined, limit: number): HintPage {
    const { buffer, runtime, ring } = this.#options;
    const { from, to } = hintRange(owner);
    const found = buffer.scan({ from: after === undefined ? from : keyAfter(after), to }, limit);
    const hints: Hint[] = [];
    for (const { key: storeKey, value: bytes } of found) {
      try {
        const { bucket, key } = parseHintKey(storeKey);
        const { state } = decodeRecord(bytes, storeKey, runtime.checksum);
        hints.push({ owner, place: placeOf(bucket, key, ring().settings.partitions), state, bytes });
      } catch (error) {
        if (!(error instanceof MalformedBytes)) throw error;
        this.#setAside(storeKey, bytes, error.message);
        this.#index.countAnew();
      }
    }
    const last = found[found.length - 1];
    return { hints, until: last === undefined || found.length < limit ? undefined : last.key.slice() };
  }

  /** Takes a hint out that its owner has, unless it has changed since. Throws `StorageError`. */
  takeOut({ owner, place, state, bytes }: Hint): boolean {
    const { buffer, counters } = this.#options;
    const at = hintPlace(owner, place);
    const now = buffer.get(at.storeKey);
    if (now === undefined || compareBytes(now, bytes) !== 0) return false;
    buffer.put(at.storeKey, undefined, this.#takenOut.deletion(place));
    this.#index.removed(at, state);
    counters.hintsDelivered += 1;
    return true;
  }

  #ownersOrRefusal(): readonly (NodeId | ReplicaRefusal)[] {
    try {
      return this.owners();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return [{ kind: "refused", code: "storage-failed", detail: `cannot look for hints: ${error.message}` }];
    }
  }

  #merge(bucket: string, a: SiblingSet, b: SiblingSet): SiblingSet {
    const { reconcile } = bucketSettings(this.#options.ring(), bucket);
    return reconcile === "last-write-wins" ? mergeNewest(a, b) : mergeStates(a, b);
  }

  /** Refuses where the hints take too much room already. */
  #counted<R extends LocalState | LocalWrite>(act: () => R | ReplicaRefusal): R | ReplicaRefusal {
    const { limits, counters } = this.#options;
    const done: R | ReplicaRefusal =
      this.#index.bytes < limits.hintBytes
        ? act()
        : { kind: "refused", code: "overloaded", detail: `the hints kept here are over ${limits.hintBytes} bytes` };
    if (done.kind === "refused") counters.hintsRefused += 1;
    else counters.hintsKept += 1;
    return done;
  }

  /** What is stored there is damaged: goes on without it. */
  #mend(at: KeyPlace, why: string): void {
    const bytes = this.#bytesOf(at);
    if (bytes !== undefined) this.#setAside(at.storeKey.bytes, bytes, why);
    // Nobody knows how large it was taken to be.
    this.#index.countAnew();
  }

  #bytesOf(at: KeyPlace): Uint8Array | undefined {
    try {
      return this.#options.buffer.get(at.storeKey);
    } catch (error) {
      if (error instanceof StorageError) return undefined;
      throw error;
    }
  }

  #setAside(storeKey: Uint8Array, bytes: Uint8Array, why: string): void {
    const { runtime, buffer, counters, setAside, ring } = this.#options;
    const { log } = runtime;
    counters.corruptRecords += 1;
    const hint = hintAt(ring(), storeKey);
    if (hint === undefined) {
      // Whose it was nobody can say, and the hint that its bytes may name lies elsewhere.
      const key = damagedKey(storeKey);
      log.error("a hint is stored under a damaged key: it is set aside", { why });
      setAside.keep(key, bytes);
      buffer.put(key, undefined);
      return;
    }
    const { owner, place, at } = hint;
    log.error("a hint is damaged and set aside", { owner, bucket: place.bucket, key: place.key, why });
    setAside.keep(at.storeKey, bytes);
    buffer.put(at.storeKey, undefined, this.#takenOut.deletion(place));
  }
}

/** The hint that is stored under these bytes, or undefined where none can be. */
function hintAt(
  ring: Ring,
  storeKey: Uint8Array,
): { readonly owner: NodeId; readonly place: KeyPlace; readonly at: KeyPlace } | undefined {
  try {
    const { owner, partition, bucket, key } = parseHintKey(storeKey);
    const place = placeOf(bucket, key, ring.settings.partitions);
    return place.partition === partition ? { owner, place, at: hintPlace(owner, place) } : undefined;
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined;
    throw error;
  }
}

function hintPlace(owner: NodeId, place: KeyPlace): KeyPlace {
  return { ...place, storeKey: hintKey(owner, place.storeKey) };
}
