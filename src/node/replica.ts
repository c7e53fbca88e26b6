/**
 * This node's own copies: reading one, merging a peer's state into one, and minting a client's write into one.
 *
 * The read, the change and the handing over to the write buffer are one synchronous step, so nothing can come between
 * the read and the write of a key; the buffer shows the new state to every later read at once, and tells when it is
 * on disk. That replaces a queue per key.
 *
 * The laws of minting (`core/causality/minting.ts`) end here: the mint record is read from and written with the
 * key's own state, a state that came by merge keeps whatever record was there, and a failed commit ends the run, so
 * that no dot that was already sent can be minted again.
 *
 * A damaged record is never served and never merged into: its replica refuses the key, since a copy that starts anew
 * would vouch for writes it has lost. Where its head is whole, it is known which those are; so a stored value is compared
 * with its checksum where it is given to somebody or stays, and not where a write replaces it.
 */

import { MalformedBytes } from "../core/bytes/byte-reader.ts";
import { compactState } from "../core/causality/compaction.ts";
import type { Dot } from "../core/causality/dot.ts";
import type { DotSet } from "../core/causality/dot-set.ts";
import { mergeNewest, nextModified, soleTombstone, soleVersion } from "../core/causality/last-write-wins.ts";
import { ActorSource, runBytes } from "../core/causality/minting.ts";
import {
  emptySiblingSet,
  mergeStates,
  pruneState,
  putVersion,
  removeVersions,
  type Sibling,
  type SiblingSet,
  stateBytes,
  versionOfWrite,
} from "../core/causality/sibling-set.ts";
import type { Hash64 } from "../core/hash/murmur3.ts";
import type { Limits } from "../core/limits.ts";
import { sameHash } from "../core/merkle/hash-tree.ts";
import { keyDigest } from "../core/merkle/key-digest.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { StorageError } from "../storage/engine.ts";
import type { DurableListener, WriteBuffer } from "../storage/write-buffer.ts";
import type { RefusalCode } from "../wire/message.ts";
import {
  damagedValue,
  decodeUnverified,
  encodeRecord,
  type FoundRecord,
  holdsState,
  type KeyRecord,
} from "../wire/record.ts";
import { verifyValues } from "../wire/state-codec.ts";
import type { NodeCounters } from "./counters.ts";
import type { KeyPlace } from "./key-place.ts";
import type { StoredStates } from "./trees.ts";

/** A replica's reason not to do what it was asked. Nothing has happened. */
export interface ReplicaRefusal {
  readonly kind: "refused";
  readonly code: RefusalCode;
  readonly detail: string;
}

export interface LocalState {
  readonly kind: "state";
  /** Undefined: nothing is known of the key. */
  readonly state: SiblingSet | undefined;
  /** The state's head as it would be sent, of one that was read here. */
  readonly head?: Uint8Array | undefined;
}

/** A client's write, as its coordinator carries it out. */
export interface WriteIntent {
  /** What the client has seen; empty for a blind write. */
  readonly seen: DotSet;
  /** Absent for a delete. */
  readonly version?:
    | { readonly value: Uint8Array; readonly checksum: number; readonly contentType: string }
    | undefined;
  readonly writeId?: string | undefined;
  readonly lastWriteWins: boolean;
}

export interface LocalWrite {
  readonly kind: "written";
  readonly dot: Dot;
  /** Wall time of the write, in ms since 1970. */
  readonly modified: number;
  /** The whole state after the write: what the other replicas are to merge. */
  readonly state: SiblingSet;
}

/** `bytes` are those found under the stored key. */
export type OnDamaged = (storeKey: Uint8Array, bytes: Uint8Array, why: string) => void;

/** A disk that does not take what was forgotten keeps it a little longer: no harm. */
const nobodyWaits: DurableListener = { onDurable: () => {}, onFailed: () => {} };

export class Replica {
  readonly #runtime: Runtime;
  readonly #buffer: WriteBuffer;
  readonly #limits: Limits;
  readonly #counters: NodeCounters;
  readonly #states: StoredStates;
  readonly #onDamaged: OnDamaged | undefined;
  readonly #actors: ActorSource;

  constructor(options: {
    runtime: Runtime;
    buffer: WriteBuffer;
    limits: Limits;
    counters: NodeCounters;
    /** Hears of every state that is stored. */
    states: StoredStates;
    /** Hears of every damaged record that is met. */
    onDamaged?: OnDamaged;
  }) {
    this.#runtime = options.runtime;
    this.#buffer = options.buffer;
    this.#limits = options.limits;
    this.#counters = options.counters;
    this.#states = options.states;
    this.#onDamaged = options.onDamaged;
    this.#actors = new ActorSource(options.runtime.random.bytes(runBytes));
  }

  /** A commit failed: dots that were already sent may be missing on disk, so nobody mints under their actors again. */
  endRun(): void {
    this.#actors.renewRun(this.#runtime.random.bytes(runBytes));
  }

  /** Names the time since the start, or since a commit last failed. */
  get run(): string {
    return this.#actors.run;
  }

  /** Tells `done` once all that is held now is on disk, as far as the run is the same by then. */
  afterAll(done: DurableListener): void {
    this.#buffer.afterAll(done);
  }

  /** What is merged within this call costs the disk no sync of its own, and is durable a little later. */
  later<T>(act: () => T): T {
    return this.#buffer.later(act);
  }

  /** This node's state of a key, writes in flight included. */
  read(place: KeyPlace): LocalState | ReplicaRefusal {
    const held = this.#load(place);
    if (held !== undefined && "kind" in held) return held;
    return { kind: "state", state: held?.state, head: held?.stateHead };
  }

  /** Whether its state is the one with this head, and whole: without reading more of it than that takes. */
  holds(place: KeyPlace, head: Uint8Array): boolean {
    const { bytes: key } = place.storeKey;
    try {
      const bytes = this.#buffer.get(place.storeKey);
      return bytes !== undefined && holdsState(bytes, key, head, this.#runtime.checksum);
    } catch (error) {
      // Whoever reads it hears what is wrong.
      if (error instanceof MalformedBytes || error instanceof StorageError) return false;
      throw error;
    }
  }

  /**
   * Merges a peer's state into this node's. `listener`, where there is one, hears in a later turn that the result is on
   * disk, or why it is not.
   */
  merge(
    place: KeyPlace,
    incoming: SiblingSet,
    lastWriteWins: boolean,
    listener: DurableListener | undefined,
  ): LocalState | ReplicaRefusal {
    if (!verifyValues(incoming, this.#runtime.checksum)) {
      return { kind: "refused", code: "corrupt", detail: `a value of ${describe(place)} does not match its checksum` };
    }
    const held = this.#open(place);
    if (held !== undefined && "kind" in held) return held;
    const before = held?.state ?? emptySiblingSet;
    const merged = lastWriteWins ? mergeNewest(before, incoming) : mergeStates(before, incoming);
    const damaged = this.#refuseIfDamaged(place, merged, incoming.siblings);
    if (damaged !== undefined) return damaged;
    if (held !== undefined && merged === before) {
      this.#confirm(place, listener);
      return { kind: "state", state: before };
    }
    const full = this.#refuseIfFull();
    if (full !== undefined) return full;
    const state = this.#bounded(merged);
    this.#store(place, held, { mint: held?.mint, state }, listener);
    return { kind: "state", state };
  }

  /** Mints a client's write into this node's state (§4.4). `listener` as for `merge`. */
  write(place: KeyPlace, intent: WriteIntent, listener: DurableListener | undefined): LocalWrite | ReplicaRefusal {
    const full = this.#refuseIfFull();
    if (full !== undefined) return full;
    const held = this.#open(place);
    if (held !== undefined && "kind" in held) return held;
    const before = held?.state ?? emptySiblingSet;

    const { version, writeId, seen } = intent;
    const isNamed = version !== undefined && writeId !== undefined;
    const earlier = isNamed ? versionOfWrite(before, { ...version, writeId }, seen) : undefined;
    if (held !== undefined && earlier !== undefined) {
      const damaged = this.#refuseIfDamaged(place, before, []);
      if (damaged !== undefined) return damaged;
      this.#confirm(place, listener);
      return { kind: "written", dot: earlier.dot, modified: earlier.modified, state: before };
    }

    const now = this.#runtime.clock.wallMs();
    const modified = intent.lastWriteWins ? nextModified(now, before, seen) : now;
    const { dot, record } = this.#actors.mint(held?.mint);
    const state = this.#bounded(apply(before, intent, dot, modified));
    const damaged = this.#refuseIfDamaged(place, state, version === undefined ? [] : [version]);
    if (damaged !== undefined) return damaged;
    if (version !== undefined) {
      const tooLarge = this.#refuseIfTooLarge(place, state);
      if (tooLarge !== undefined) return tooLarge;
    }
    this.#store(place, held, { mint: record, state }, listener);
    return { kind: "written", dot, modified, state };
  }

  /**
   * Forgets what the key's state has seen (`core/causality/compaction.ts`), if it is still the state of this digest; of
   * a tombstone nothing stays, its mint record neither. Undefined, and nothing done, if it is another.
   */
  forget(place: KeyPlace, agreed: Hash64): "reaped" | "compacted" | undefined {
    const held = this.#load(place);
    if (held === undefined || "kind" in held) return undefined;
    if (!sameHash(keyDigest(place.bucket, place.key, held.state), agreed)) return undefined;
    const state = compactState(held.state);
    if (state.siblings.length > 0) {
      this.#store(place, held, { mint: held.mint, state }, nobodyWaits);
      return "compacted";
    }
    this.#buffer.put(place.storeKey, undefined, nobodyWaits);
    this.#states.stored(place, held.state, state);
    return "reaped";
  }

  /**
   * Puts this state, the merge of what all other owners hold, in the place of a damaged record, without a mint record;
   * where nobody knows anything of the key, nothing stays. A record that is whole by now may hold writes of its own:
   * it stays as it is.
   */
  putBack(place: KeyPlace, merged: SiblingSet, listener: DurableListener): void {
    const held = this.#load(place);
    const state = this.#bounded(merged);
    if (held === undefined || !("kind" in held)) return this.#confirm(place, listener);
    if (held.code !== "corrupt") return;
    if (!isKnown(state)) this.#buffer.put(place.storeKey, undefined, listener);
    else this.#buffer.put(place.storeKey, this.#encoded(place, { mint: undefined, state }), listener);
    this.#states.stored(place, undefined, state);
  }

  /** The key's record, every byte of it compared with its checksums. */
  #load(place: KeyPlace): FoundRecord | ReplicaRefusal | undefined {
    const held = this.#open(place);
    if (held === undefined || "kind" in held) return held;
    return this.#refuseIfDamaged(place, held.state, []) ?? held;
  }

  /** The same, its values not compared yet: most often they are about to be replaced. */
  #open(place: KeyPlace): FoundRecord | ReplicaRefusal | undefined {
    let bytes: Uint8Array | undefined;
    try {
      bytes = this.#buffer.get(place.storeKey);
      return bytes && decodeUnverified(bytes, place.storeKey.bytes, this.#runtime.checksum);
    } catch (error) {
      if (error instanceof MalformedBytes && bytes !== undefined) return this.#damaged(place, bytes, error.message);
      if (!(error instanceof StorageError)) throw error;
      return { kind: "refused", code: "storage-failed", detail: `cannot read ${describe(place)}: ${error.message}` };
    }
  }

  /** Whether a value that the state has of the stored record, and not of those that were compared, is damaged. */
  #refuseIfDamaged(
    place: KeyPlace,
    state: SiblingSet,
    compared: readonly { readonly value: Uint8Array }[],
  ): ReplicaRefusal | undefined {
    for (const { value, checksum } of state.siblings) {
      if (compared.some((fresh) => fresh.value === value) || this.#runtime.checksum(value) === checksum) continue;
      return this.#damaged(place, this.#buffer.get(place.storeKey) ?? value, damagedValue);
    }
    return undefined;
  }

  #damaged(place: KeyPlace, bytes: Uint8Array, why: string): ReplicaRefusal {
    this.#onDamaged?.(place.storeKey.bytes, bytes, why);
    return { kind: "refused", code: "corrupt", detail: `the stored record of ${describe(place)} is damaged: ${why}` };
  }

  #store(
    place: KeyPlace,
    before: KeyRecord | undefined,
    after: KeyRecord,
    listener: DurableListener | undefined,
  ): void {
    this.#buffer.put(place.storeKey, this.#encoded(place, after), listener);
    this.#states.stored(place, before?.state, after.state);
  }

  #encoded({ storeKey }: KeyPlace, record: KeyRecord): Uint8Array {
    return encodeRecord(record, storeKey.bytes, this.#runtime.checksum);
  }

  /** Tells the listener when a state that need not change is on disk. Without one, it will be as soon as there is room. */
  #confirm({ storeKey }: KeyPlace, listener: DurableListener | undefined): void {
    if (listener === undefined) this.#buffer.promise(storeKey);
    else if (!this.#buffer.follow(storeKey, listener)) this.#runtime.clock.endOfTurn(() => listener.onDurable());
  }

  /** The bound of last resort on a context's size (§4.4). */
  #bounded(state: SiblingSet): SiblingSet {
    const bounded = pruneState(state, this.#limits.contextEntries);
    this.#counters.prunedContextEntries += bounded.pruned;
    return bounded.state;
  }

  #refuseIfFull(): ReplicaRefusal | undefined {
    if (!this.#buffer.isFull) return undefined;
    const limit = this.#limits.writeBufferBytes;
    return { kind: "refused", code: "overloaded", detail: `writes that wait for the disk are over ${limit} bytes` };
  }

  #refuseIfTooLarge(place: KeyPlace, state: SiblingSet): ReplicaRefusal | undefined {
    const { siblings, stateBytes: mostBytes } = this.#limits;
    const count = state.siblings.length;
    const bytes = stateBytes(state);
    if (count <= siblings && bytes <= mostBytes) return undefined;
    const has =
      count > siblings
        ? `${count} live versions, the limit is ${siblings}`
        : `${bytes} bytes, the limit is ${mostBytes}`;
    return {
      kind: "refused",
      code: "too-many-siblings",
      detail: `cannot store ${describe(place)}: it would have ${has}; read it and write back one resolved version with the context of that read`,
    };
  }
}

/** Whether the state says anything at all. */
function isKnown({ context, siblings }: SiblingSet): boolean {
  return context.length > 0 || siblings.length > 0;
}

function describe(place: KeyPlace): string {
  return `"${place.key}" in bucket "${place.bucket}"`;
}

/** The state after the write (§4.4). */
function apply(before: SiblingSet, intent: WriteIntent, dot: Dot, modified: number): SiblingSet {
  const { seen, version, writeId, lastWriteWins } = intent;
  if (version === undefined) {
    return lastWriteWins ? soleTombstone(dot, modified) : removeVersions(before, seen, dot, modified);
  }
  const { value, checksum, contentType } = version;
  const sibling: Sibling =
    writeId === undefined
      ? { dot, value, checksum, contentType, modified }
      : { dot, value, checksum, contentType, modified, writeId };
  return lastWriteWins ? soleVersion(sibling) : putVersion(before, seen, sibling);
}
