/**
 * Records that do not match their checksums: set aside, refused, and brought back from the other owners.
 *
 * A damaged record must not be taken for "nothing": its owner acknowledged writes in it. Nor may it be merged into or
 * begun anew, for the same reason. So the bytes stay where they are, which refuses the key at every look, after a
 * restart, too. Once *every* other owner that shares the key has answered with its voice, the merge of their states
 * is what this node must hold: of each write that it acknowledged together with another voice, that one has answered.
 *
 * That voice must have had the write when it answered. A request under way may have this node's acknowledgement, from
 * before the damage, and still be on its way to the other; so nobody is asked before a message's life is over.
 *
 * What was acknowledged by this node alone (w=1, or n=1) is lost with the record. A key that has no other owner stays
 * refused, since nobody can say what it held; `repair --force` ends that.
 */

import { MalformedBytes } from "../core/bytes/byte-reader.ts";
import { mergeNewest } from "../core/causality/last-write-wins.ts";
import { emptySiblingSet, mergeStates, type SiblingSet } from "../core/causality/sibling-set.ts";
import type { NodeId, PartitionId } from "../core/ids.ts";
import { bucketSettings, bucketVersion } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import { hasNothing } from "../core/seats/known.ts";
import { Ticker } from "../runtime/ticker.ts";
import type { StorageError } from "../storage/engine.ts";
import { damagedKey, parseDataKey } from "../storage/store-key.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import { verifyValues } from "../wire/state-codec.ts";
import { type Coordination, nameOf } from "./coordination.ts";
import { type KeyPlace, placeOf } from "./key-place.ts";
import type { SetAside } from "./set-aside.ts";
import type { Trees } from "./trees.ts";

/** Mean time between two rounds of asking the others, in ms, and keys asked about in one. */
const everyMs = 1000;
const keysARound = 32;
const callTimeoutMs = 5000;
/** Damaged keys known at a time; where there are more, the rest is found by another scan once these are whole. */
const mostKnown = 10_000;

interface Damaged {
  readonly place: KeyPlace;
  readonly foundMs: number;
  /** Why it is not whole yet, as last told. */
  told: string;
}

export class DamagedRecords {
  readonly #buffer: WriteBuffer;
  readonly #setAside: SetAside;
  readonly #known: Map<string, Damaged> = new Map();
  /** How many of them are in a partition, where there are any. */
  readonly #counts: Map<PartitionId, number> = new Map();
  /** Partitions with more of them than are known. */
  readonly #more: Set<PartitionId> = new Set();
  #node: Coordination | undefined;
  #trees: Trees | undefined;
  #ticker: Ticker | undefined;
  #isStopped = false;

  constructor(buffer: WriteBuffer, setAside: SetAside) {
    this.#buffer = buffer;
    this.#setAside = setAside;
  }

  /** For members, before the first look at a record. Throws `StorageError`. */
  start(node: Coordination, trees: Trees): void {
    if (this.#isStopped) return;
    this.#node = node;
    this.#trees = trees;
    this.#setAside.open();
    const { clock, random, log } = node.runtime;
    const round = (): Promise<void> => this.#round();
    this.#ticker = new Ticker({ name: "damaged records", clock, random, log, everyMs, round });
    this.#ticker.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ticker?.stop();
  }

  /** Records set aside in the store, and those of them that are not whole again. */
  get counts(): { readonly setAside: number; readonly waiting: number } {
    return { setAside: this.#setAside.count, waiting: this.#known.size };
  }

  /** Whether this node cannot vouch for all of the partition's keys. */
  isIn(partition: PartitionId): boolean {
    return this.#more.has(partition) || this.#counts.has(partition);
  }

  /** A look at a stored record found it damaged; `bytes` is what is there. */
  found(storeKey: Uint8Array, bytes: Uint8Array, why: string): void {
    const node = this.#node;
    if (node === undefined) return;
    const place = placeAt(node.ring(), storeKey);
    if (place === undefined) return this.#removeNonsense(node, storeKey, bytes, why);
    const { bucket, key, partition, storeKey: at } = place;
    if (this.#known.has(at.id)) return;
    if (this.#known.size >= mostKnown) {
      this.#more.add(partition);
      return;
    }
    node.counters.corruptRecords += 1;
    this.#count(partition, 1);
    this.#known.set(at.id, { place, foundMs: node.runtime.clock.monotonicMs(), told: "" });
    const setAside = this.#setAside.keep(at, bytes);
    const what =
      "a stored record is damaged: it is set aside, and its key refused until the other owners have answered";
    node.runtime.log.error(what, { bucket, key, partition, setAside, why });
  }

  /** Brings back what can be had of the others, whoever is missing. Rejects with `StorageError`. */
  async force(): Promise<void> {
    for (const damaged of [...this.#known.values()]) await this.#mend(damaged, true);
  }

  async #round(): Promise<void> {
    const node = this.#node as Coordination;
    const foundBefore = node.runtime.clock.monotonicMs() - node.limits.messageLifeMs;
    const due = [...this.#known.values()].filter(({ foundMs }) => foundMs <= foundBefore).slice(0, keysARound);
    for (const damaged of due) {
      // It may have become whole while others were asked about. Those that could not be mended wait behind the others.
      if (!this.#known.delete(damaged.place.storeKey.id)) continue;
      this.#known.set(damaged.place.storeKey.id, damaged);
      await this.#mend(damaged, false);
      if (this.#isStopped) return;
    }
    if (this.#known.size > 0 || this.#more.size === 0) return;
    for (const partition of this.#more) this.#trees?.scanAnew(partition);
    this.#more.clear();
  }

  async #mend(damaged: Damaged, isForced: boolean): Promise<void> {
    const node = this.#node as Coordination;
    const { place } = damaged;
    const ring = node.ring();
    const { reconcile } = bucketSettings(ring, place.bucket);
    const known = node.seats.known(place.partition);
    // Whoever fills a seat that nobody has held acknowledged nothing with it, and may be waiting for this very record.
    const spoken = node.seats.owners(place).filter(({ seat }) => !hasNothing(known, seat));
    const owners = spoken.map((owner) => owner.node);
    const others = owners.filter((owner) => owner !== node.self);
    if (others.length === 0 && !isForced) return this.#tell(damaged, "it has no other owner");
    const answers = await Promise.all(others.map((owner) => this.#ask(owner, place)));
    const missing = others.filter((_, i) => answers[i] === undefined).map((owner) => nameOf(ring, owner));
    if (missing.length > 0 && !isForced) return this.#tell(damaged, `waits for ${missing.join(" and ")}`);
    if (this.#isStopped || !node.isServing()) return;
    // What an owner said counts for its seat only if nobody else speaks for it by now.
    if (node.seats.known(place.partition) !== known && !isForced) return;
    const states = answers.flatMap((answer) => answer?.state ?? []);
    const merge = reconcile === "last-write-wins" ? mergeNewest : mergeStates;
    this.#putBack(damaged, states.reduce<SiblingSet>(merge, emptySiblingSet), missing);
  }

  #putBack({ place }: Damaged, state: SiblingSet, missing: readonly string[]): void {
    const node = this.#node as Coordination;
    const { bucket, key } = place;
    // Its tree may have been built with or without the record.
    this.#trees?.scanAnew(place.partition);
    node.replica.putBack(place, state, {
      onDurable: () => {
        if (this.#known.delete(place.storeKey.id)) this.#count(place.partition, -1);
        node.runtime.log.info("a damaged record is whole again", { bucket, key, without: missing });
      },
      onFailed: (error: StorageError) => {
        node.runtime.log.warn("a damaged record cannot be replaced", { bucket, key, why: error.message });
      },
    });
  }

  /** What the owner knows, if it answers with its voice. */
  async #ask(owner: NodeId, place: KeyPlace): Promise<{ readonly state: SiblingSet | undefined } | undefined> {
    const node = this.#node as Coordination;
    const { bucket, key, partition } = place;
    const knownHash = node.seats.hash(partition);
    const request = {
      kind: "replica-get",
      id: 0,
      knownHash,
      changes: bucketVersion(node.ring(), bucket),
      bucket,
      key,
    } as const;
    const answer = await node.peers.ask(owner, request, callTimeoutMs);
    if ("known" in answer && answer.known !== undefined) node.seats.learn(partition, answer.known);
    if (answer.kind === "refusal" && answer.code === "stale-ring") node.ringDiffers(owner);
    if (answer.kind !== "replica-state" || answer.voice === undefined) return undefined;
    const { state } = answer;
    return state === undefined || verifyValues(state, node.runtime.checksum) ? { state } : undefined;
  }

  #count(partition: PartitionId, more: number): void {
    const count = (this.#counts.get(partition) ?? 0) + more;
    if (count > 0) this.#counts.set(partition, count);
    else this.#counts.delete(partition);
  }

  #tell(damaged: Damaged, why: string): void {
    if (damaged.told === why) return;
    damaged.told = why;
    const { bucket, key } = damaged.place;
    this.#node?.runtime.log.warn("a damaged record is refused still", { bucket, key, why });
  }

  /** The key itself is damaged. Whose the record was nobody can say; what is missing there the next exchange finds. */
  #removeNonsense(node: Coordination, bytes: Uint8Array, record: Uint8Array, why: string): void {
    const key = damagedKey(bytes);
    node.counters.corruptRecords += 1;
    const setAside = this.#setAside.keep(key, record);
    node.runtime.log.error("a record is stored under a damaged key: it is set aside", { setAside, why });
    this.#buffer.put(key, undefined);
  }
}

/** The place of a stored key, or undefined where no key of a client is stored under these bytes. */
function placeAt(ring: Ring, storeKey: Uint8Array): KeyPlace | undefined {
  try {
    const { partition, bucket, key } = parseDataKey(storeKey);
    const place = placeOf(bucket, key, ring.settings.partitions);
    return place.partition === partition ? place : undefined;
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined;
    throw error;
  }
}
