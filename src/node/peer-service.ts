/**
 * Answers other nodes about this node's own copies, and coordinates what they pass on.
 *
 * A replica's side of a request makes no promise and no closure: a get is answered within the call, a put by the small
 * object that waits for the disk.
 */

import type { NodeId } from "../core/ids.ts";
import type { Voice } from "../core/quorum/voice.ts";
import { bucketSettings, seatOf } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { BucketSettings } from "../core/settings.ts";
import type { Requester } from "../rpc/server.ts";
import type { StorageError } from "../storage/engine.ts";
import type { DurableListener } from "../storage/write-buffer.ts";
import type {
  CoordinateGet,
  CoordinateWrite,
  RefusalCode,
  ReplicaGet,
  ReplicaPut,
  ReplicaState,
  ReplicaStored,
} from "../wire/message.ts";
import { type Coordination, refusal } from "./coordination.ts";
import type { Coordinator } from "./coordinator.ts";
import { type KeyPlace, placeOf } from "./key-place.ts";

/** A lag of less is not worth a copy of the request, in ms. */
const unnoticedLagMs = 10;

export type DataRequest = ReplicaGet | ReplicaPut | CoordinateGet | CoordinateWrite;

/** Where a request's key lives, in the ring of both sides. */
interface Located {
  readonly ring: Ring;
  readonly place: KeyPlace;
  readonly bucket: BucketSettings;
  /** What this node may speak with; undefined for a stand-in, and for an owner that has nothing to vouch for. */
  readonly voice: Voice | undefined;
}

export class PeerService {
  readonly #node: Coordination;
  readonly #coordinator: Coordinator;

  constructor(node: Coordination, coordinator: Coordinator) {
    this.#node = node;
    this.#coordinator = coordinator;
  }

  serve(request: DataRequest, from: Requester): void {
    switch (request.kind) {
      case "replica-get":
        return this.#get(request, from);
      case "replica-put":
        return this.#put(request, from);
      case "coordinate-get":
        return this.#coordinator.get(inTime(request, from), (answer) => from.reply(answer, request.id));
      case "coordinate-write":
        return this.#write(request, from);
    }
  }

  /** A value that changed on its way must not be minted: every copy of the key would be damaged with it. */
  #write(request: CoordinateWrite, from: Requester): void {
    const { version } = request;
    if (version !== undefined && this.#node.runtime.checksum(version.value) !== version.checksum) {
      this.#node.counters.corruptValues += 1;
      return this.#refuse(request.id, from, "corrupt", `the value of "${request.key}" does not match its checksum`);
    }
    this.#coordinator.write(inTime(request, from), (answer) => from.reply(answer, request.id));
  }

  #get(request: ReplicaGet, from: Requester): void {
    this.#node.counters.replicaGets += 1;
    const located = this.#locate(request, request.standInFor, from);
    if (located === undefined) return;
    const { replica, hints } = this.#node;
    const local = (request.standInFor === undefined ? replica : hints).read(located.place);
    if (local.kind === "refused") return this.#refuse(request.id, from, local.code, local.detail);
    const answer: ReplicaState = {
      kind: "replica-state",
      id: request.id,
      ringVersion: located.ring.version,
      ...(located.voice === undefined ? {} : { voice: located.voice }),
      ...(local.state === undefined ? {} : { state: local.state }),
    };
    from.reply(answer, request.id);
  }

  #put(request: ReplicaPut, from: Requester): void {
    this.#node.counters.replicaPuts += 1;
    const { state, synced, hintFor } = request;
    const located = this.#locate(request, hintFor, from);
    if (located === undefined) return;
    const { place, bucket } = located;
    const { replica, hints } = this.#node;
    // A bucket that just changed sides is merged causally until both sides know: that loses nothing.
    const lastWriteWins = request.lastWriteWins && bucket.reconcile === "last-write-wins";
    const reply = new StoredReply(request, from, located);
    const listener = synced ? reply : undefined;
    const merged =
      hintFor === undefined
        ? replica.merge(place, state, lastWriteWins, listener)
        : hints.keep(hintFor, place, state, lastWriteWins, listener);
    if (merged.kind === "refused") this.#refuse(request.id, from, merged.code, merged.detail);
    else if (!synced) reply.onDurable();
  }

  /** Undefined if the request was refused. `standInFor` is the owner whose hints this node is to keep or read. */
  #locate(request: ReplicaGet | ReplicaPut, standInFor: NodeId | undefined, from: Requester): Located | undefined {
    const node = this.#node;
    if (!node.isOpen(request.bucket)) {
      this.#refuse(request.id, from, "not-ready", "the node waits for a membership change to be decided");
      return undefined;
    }
    const ring = node.ring();
    if (request.ringVersion !== ring.version) {
      node.counters.staleRings += 1;
      node.ringDiffers(from.hello.node);
      this.#refuse(
        request.id,
        from,
        "stale-ring",
        `the request is of ring ${request.ringVersion}, this node's is ${ring.version}`,
      );
      return undefined;
    }
    const place = placeOf(request.bucket, request.key, ring.settings.partitions);
    const bucket = bucketSettings(ring, request.bucket);
    const isOwner = (member: NodeId): boolean => seatOf(ring, place.partition, bucket.n, member) !== undefined;
    if (standInFor === undefined && isOwner(node.self)) {
      return { ring, place, bucket, voice: node.voice(place, bucket.n) };
    }
    if (standInFor !== undefined && isOwner(standInFor) && !isOwner(node.self)) {
      return { ring, place, bucket, voice: undefined };
    }
    const why =
      standInFor === undefined
        ? `this node is no owner of partition ${place.partition}`
        : `this node cannot stand in for ${standInFor} in partition ${place.partition}`;
    this.#refuse(request.id, from, "no-owner", why);
    return undefined;
  }

  #refuse(id: number, from: Requester, code: RefusalCode, detail: string): void {
    from.reply(refusal(this.#node.ring().version, code, detail), id);
  }
}

/**
 * The request with what is left of its time: what passed while either process was stopped, or a socket held it, is
 * gone. A write must not begin after its client was told that nobody knows what became of it.
 */
function inTime<R extends CoordinateGet | CoordinateWrite>(request: R, { lagMs }: Requester): R {
  return lagMs < unnoticedLagMs ? request : { ...request, budgetMs: request.budgetMs - lagMs };
}

/** Answers a put when the copy or the hint is where it must be. */
class StoredReply implements DurableListener {
  readonly #request: ReplicaPut;
  readonly #from: Requester;
  readonly #located: Located;

  constructor(request: ReplicaPut, from: Requester, located: Located) {
    this.#request = request;
    this.#from = from;
    this.#located = located;
  }

  onDurable(): void {
    const { voice, ring } = this.#located;
    const answer: ReplicaStored = {
      kind: "replica-stored",
      id: this.#request.id,
      ringVersion: ring.version,
      ...(voice === undefined ? {} : { voice }),
      synced: this.#request.synced,
    };
    this.#from.reply(answer, this.#request.id);
  }

  onFailed(error: StorageError): void {
    const code = error.code === "disk-full" ? "disk-full" : "storage-failed";
    this.#from.reply(refusal(this.#located.ring.version, code, error.message), this.#request.id);
  }
}
