/**
 * Where answers came from, for requests that ask for several zones (§4.6): which nodes said anything of the key while it
 * was read, and on whose disks a write is when it is acknowledged.
 *
 * More may have answered than were counted, and a member whose zone was changed may have been taken for either: so what
 * is seen here may be more zones than counted, never fewer.
 */

import { MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { Dot } from "../core/causality/dot.ts";
import { holds } from "../core/causality/dot-set.ts";
import { partitionOf } from "../core/ring/key-hash.ts";
import { dataKey, isHintKey } from "../storage/store-key.ts";
import type { Message } from "../wire/message.ts";
import { decodeRecord } from "../wire/record.ts";
import type { SimCluster, SimMember } from "./cluster.ts";
import type { SimConnection } from "./connection.ts";
import type { KeyJournal } from "./journal.ts";
import type { Host } from "./network.ts";

/** Before a hint's own key: its tag and its owner. */
const hintHeadBytes = 9;

/** Who said anything of a key since the watch began. */
interface Watched {
  readonly bucket: string;
  readonly key: string;
  readonly heard: Set<Host>;
}

/** A hint that went home. */
interface Delivered {
  readonly bucket: string;
  readonly key: string;
  readonly by: Host;
  readonly at: number;
}

export class ZoneWatch {
  /** Requests for several zones that were answered. */
  answered = 0;
  readonly #cluster: SimCluster;
  readonly #watched: Set<Watched> = new Set();
  readonly #delivered: Delivered[] = [];
  /** Requests for watched keys, by the side of the connection on which they arrive. */
  readonly #asked: WeakMap<SimConnection, Map<number, readonly Watched[]>> = new WeakMap();

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** A message was sent. */
  heard(message: Message, from: SimConnection, to: SimConnection): void {
    if (message.kind === "replica-put" && message.purpose === "hint") {
      const { bucket, key } = message;
      this.#delivered.push({ bucket, key, by: from.host, at: this.#cluster.simulation.now });
    }
    if (this.#watched.size === 0) return;
    // One that has nothing may be given what the others have, and counts with that.
    if (message.kind === "replica-get" || message.kind === "replica-put") {
      const { bucket, key } = message;
      const watches = [...this.#watched].filter((one) => one.bucket === bucket && one.key === key);
      if (watches.length === 0) return;
      for (const { heard } of watches) heard.add(from.host);
      const asked = this.#asked.get(to) ?? new Map<number, readonly Watched[]>();
      this.#asked.set(to, asked.set(message.id, watches));
    } else if (message.kind === "replica-state" || message.kind === "replica-stored") {
      const watches = this.#asked.get(from)?.get(message.id) ?? [];
      this.#asked.get(from)?.delete(message.id);
      const saysNothing = message.kind === "replica-state" && message.voice === undefined;
      if (saysNothing && message.state === undefined && message.isSame === undefined) return;
      for (const { heard } of watches) heard.add(from.host);
    }
  }

  /** Watches a read from now on. Answers what ends the watch, and tells in how many zones there were answers. */
  reads({ bucket, key }: KeyJournal, at: SimMember): () => number {
    const watched: Watched = { bucket, key, heard: new Set([at.machine]) };
    this.#watched.add(watched);
    return () => {
      this.#watched.delete(watched);
      return this.#zones((member) => watched.heard.has(member.machine));
    };
  }

  /** In how many zones the write is on some disk, as a copy or as a hint, or was as one that went home since it began. */
  holding({ bucket, key }: KeyJournal, dot: Dot, began: number): number {
    const { partitions } = this.#cluster.plan.settings;
    const copy = dataKey(partitionOf(bucket, key, partitions), bucket, key).bytes;
    const gave = this.#delivered.filter((one) => one.at >= began && one.bucket === bucket && one.key === key);
    return this.#zones(({ machine }) => {
      if (gave.some(({ by }) => by === machine)) return true;
      const stored = machine.disk.get(copy);
      if (stored !== undefined && this.#holds(stored, copy, dot)) return true;
      return machine.disk.sorted().some((hint) => {
        return isHintOf(hint.key, copy) && this.#holds(hint.value, hint.key, dot);
      });
    });
  }

  #holds(stored: Uint8Array, key: Uint8Array, dot: Dot): boolean {
    try {
      return holds(decodeRecord(stored, key, this.#cluster.simulation.surroundings.checksum).state.context, dot);
    } catch (error) {
      // The checker of disks tells of damage.
      if (!(error instanceof MalformedBytes)) throw error;
      return false;
    }
  }

  #zones(counts: (member: SimMember) => boolean): number {
    return new Set(this.#cluster.everyone.filter(counts).flatMap(({ zones }) => [...zones])).size;
  }
}

function isHintOf(hint: Uint8Array, copy: Uint8Array): boolean {
  if (!isHintKey(hint) || hint.length !== copy.length + hintHeadBytes - 1) return false;
  return copy.subarray(1).every((byte, i) => byte === hint[hintHeadBytes + i]);
}
