/**
 * Answers other nodes about this node's own copies, and coordinates what they pass on.
 *
 * A replica's side of a request makes no promise and no closure: a get is answered within the call, a put by the small
 * object that waits for the disk.
 */

import type { Voice } from "../core/quorum/voice.ts";
import { bucketSettings, seatOf } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
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

export type DataRequest = ReplicaGet | ReplicaPut | CoordinateGet | CoordinateWrite;

/** Where a request's key lives here, and with what voice. */
interface Claimed {
  readonly ring: Ring;
  readonly place: KeyPlace;
  readonly voice: Voice | undefined;
  readonly lastWriteWins: boolean;
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
        return this.#coordinator.get(request, (answer) => from.reply(answer, request.id));
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
    this.#coordinator.write(request, (answer) => from.reply(answer, request.id));
  }

  #get(request: ReplicaGet, from: Requester): void {
    this.#node.counters.replicaGets += 1;
    const claimed = this.#claim(request, from);
    if (claimed === undefined) return;
    const local = this.#node.replica.read(claimed.place);
    if (local.kind === "refused") return this.#refuse(request.id, from, local.code, local.detail);
    const answer: ReplicaState = {
      kind: "replica-state",
      id: request.id,
      ringVersion: claimed.ring.version,
      ...(claimed.voice === undefined ? {} : { voice: claimed.voice }),
      ...(local.state === undefined ? {} : { state: local.state }),
    };
    from.reply(answer, request.id);
  }

  #put(request: ReplicaPut, from: Requester): void {
    this.#node.counters.replicaPuts += 1;
    const claimed = this.#claim(request, from);
    if (claimed === undefined) return;
    // A bucket that just changed sides is merged causally until both sides know: that loses nothing.
    const lastWriteWins = request.lastWriteWins && claimed.lastWriteWins;
    const reply = new StoredReply(request, from, claimed, request.synced);
    const merged = this.#node.replica.merge(
      claimed.place,
      request.state,
      lastWriteWins,
      request.synced ? reply : undefined,
    );
    if (merged.kind === "refused") this.#refuse(request.id, from, merged.code, merged.detail);
    else if (!request.synced) reply.onDurable();
  }

  /** Undefined if the request was refused. */
  #claim(request: ReplicaGet | ReplicaPut, from: Requester): Claimed | undefined {
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
    if (seatOf(ring, place.partition, bucket.n, node.self) === undefined) {
      this.#refuse(request.id, from, "no-owner", `this node is no owner of partition ${place.partition}`);
      return undefined;
    }
    return { ring, place, voice: node.voice(place, bucket.n), lastWriteWins: bucket.reconcile === "last-write-wins" };
  }

  #refuse(id: number, from: Requester, code: RefusalCode, detail: string): void {
    from.reply(refusal(this.#node.ring().version, code, detail), id);
  }
}

/** Answers a replica's put when the copy is where it must be. */
class StoredReply implements DurableListener {
  readonly #request: ReplicaPut;
  readonly #from: Requester;
  readonly #claimed: Claimed;
  readonly #synced: boolean;

  constructor(request: ReplicaPut, from: Requester, claimed: Claimed, synced: boolean) {
    this.#request = request;
    this.#from = from;
    this.#claimed = claimed;
    this.#synced = synced;
  }

  onDurable(): void {
    const { voice, ring } = this.#claimed;
    const answer: ReplicaStored = {
      kind: "replica-stored",
      id: this.#request.id,
      ringVersion: ring.version,
      ...(voice === undefined ? {} : { voice }),
      synced: this.#synced,
    };
    this.#from.reply(answer, this.#request.id);
  }

  onFailed(error: StorageError): void {
    const code = error.code === "disk-full" ? "disk-full" : "storage-failed";
    this.#from.reply(refusal(this.#claimed.ring.version, code, error.message), this.#request.id);
  }
}
