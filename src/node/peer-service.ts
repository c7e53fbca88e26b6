/**
 * Answers other nodes about this node's own copies, and coordinates what they pass on.
 *
 * A replica's side of a request makes no promise and no closure: a get is answered within the call, a put by the small
 * object that waits for the disk.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { KnownSeats } from "../core/seats/known.ts";
import { keepForVacant } from "../core/seats/record.ts";
import type { BucketSettings } from "../core/settings.ts";
import type { Requester } from "../rpc/server.ts";
import type { StorageError } from "../storage/engine.ts";
import type { DurableListener } from "../storage/write-buffer.ts";
import type {
  CoordinateGet,
  CoordinateWrite,
  GetAnswer,
  Refusal,
  RefusalCode,
  ReplicaGet,
  ReplicaPut,
  ReplicaStored,
  WriteAnswer,
} from "../wire/message.ts";
import { type Coordination, refusal } from "./coordination.ts";
import type { Coordinator } from "./coordinator.ts";
import { type KeyPlace, placeOf } from "./key-place.ts";

/** A lag of less is not worth a copy of the request, in ms. */
const unnoticedLagMs = 10;
/** Nor is a rest of less worth a timer. */
const leastRestMs = 1;

export type DataRequest = ReplicaGet | ReplicaPut | CoordinateGet | CoordinateWrite;

/** Where a request's key lives. */
interface Located {
  /** What this node knows of the seats, where that is not what the asker knows. */
  readonly known: KnownSeats | undefined;
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
        return this.#coordinator.get(inTime(request, from), (answer) => this.#replyOf(request, answer, from));
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
    this.#coordinator.write(inTime(request, from), (answer) => this.#replyOf(request, answer, from));
  }

  /** A refusal tells who may do it instead. */
  #replyOf(request: CoordinateGet | CoordinateWrite, answer: GetAnswer | WriteAnswer | Refusal, from: Requester): void {
    if (answer.kind !== "refusal") return from.reply(answer, request.id);
    const { partition } = placeOf(request.bucket, request.key, this.#node.ring().settings.partitions);
    const known = this.#news(partition, request.knownHash);
    from.reply(known === undefined ? answer : { ...answer, known }, request.id);
  }

  #news(partition: PartitionId, knownHash: number): KnownSeats | undefined {
    const { seats } = this.#node;
    return seats.hash(partition) === knownHash ? undefined : seats.known(partition);
  }

  #get(request: ReplicaGet, from: Requester): void {
    this.#node.counters.replicaGets += 1;
    const located = this.#locate(request, request.standInFor, from);
    if (located === undefined) return;
    const { replica, hints } = this.#node;
    const { id, standInFor, unless } = request;
    const { place, known, voice } = located;
    if (standInFor === undefined && unless !== undefined && replica.holds(place, unless)) {
      return from.reply({ kind: "replica-state", id, known, voice, state: undefined, isSame: true }, id);
    }
    const local = (standInFor === undefined ? replica : hints).read(place);
    if (local.kind === "refused") return this.#refuse(id, from, local.code, local.detail);
    from.reply({ kind: "replica-state", id, known, voice, state: local.state, isSame: undefined }, id);
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
    const reply = new StoredReply(this.#node, request, from, located);
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
    if (!node.isServing()) {
      this.#refuse(request.id, from, "not-ready", "the node does not serve now");
      return undefined;
    }
    const ring = node.ring();
    const place = placeOf(request.bucket, request.key, ring.settings.partitions);
    const { partition } = place;
    const { settings: bucket, version } = node.seats.part(place);
    const known = this.#news(partition, request.knownHash);
    if (request.changes !== version) {
      node.counters.staleRings += 1;
      node.ringDiffers(from.hello.node);
      const why = `this node knows other changes of the n of bucket "${request.bucket}"`;
      this.#refuse(request.id, from, "stale-ring", why, known);
      return undefined;
    }
    const voice = node.voice(place);
    if (standInFor !== undefined) {
      // What it keeps for another must not be taken for its own answer, too.
      const isLeaving = ring.members.get(node.self)?.isLeaving !== false;
      if (!isLeaving && !node.seats.mayStore(partition)) return { known, place, bucket, voice: undefined };
      const why = `this node cannot stand in for ${standInFor} in partition ${partition}`;
      this.#refuse(request.id, from, "no-owner", why, known);
      return undefined;
    }
    if (voice !== undefined || node.seats.mayKeep(partition)) return { known, place, bucket, voice };
    const { kind } = node.seats.hold(partition);
    const seat = node.seats.seatToTake(partition);
    const passing = kind === "sealed" || kind === "active" || seat !== undefined;
    if (seat !== undefined && request.kind === "replica-put") {
      // When it is asked again, it may have that on its disk.
      void node.seats.change(partition, (record) => keepForVacant(record, seat));
    }
    const why = kind === "sealed" ? "hands its seat over in" : "holds no seat of";
    this.#refuse(
      request.id,
      from,
      passing ? "not-ready" : "no-owner",
      `this node ${why} partition ${partition}`,
      known,
    );
    return undefined;
  }

  #refuse(id: number, from: Requester, code: RefusalCode, detail: string, known?: KnownSeats): void {
    from.reply(refusal(this.#node.ring().version, code, detail, known === undefined ? {} : { known }), id);
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
  readonly #node: Coordination;
  readonly #beganMs: number;

  constructor(node: Coordination, request: ReplicaPut, from: Requester, located: Located) {
    this.#node = node;
    this.#beganMs = node.runtime.clock.monotonicMs();
    this.#request = request;
    this.#from = from;
    this.#located = located;
  }

  onDurable(): void {
    const { admission, runtime } = this.#node;
    if (this.#request.purpose === "write") {
      if (this.#request.synced) admission.took("copy", this.#beganMs);
      return this.#answer();
    }
    // Who brings a hint, or repairs a copy, sends the next one after this answer; what a read gives waits for no disk.
    const restMs = this.#request.synced ? admission.restAfter(runtime.clock.monotonicMs() - this.#beganMs) : 0;
    if (restMs < leastRestMs) this.#answer();
    else runtime.clock.setTimer(restMs, () => this.#answer());
  }

  #answer(): void {
    const { voice, known } = this.#located;
    const answer: ReplicaStored = {
      kind: "replica-stored",
      id: this.#request.id,
      known,
      voice,
      synced: this.#request.synced,
    };
    this.#from.reply(answer, this.#request.id);
  }

  onFailed(error: StorageError): void {
    const code = error.code === "disk-full" ? "disk-full" : "storage-failed";
    this.#from.reply(refusal(this.#node.ring().version, code, error.message), this.#request.id);
  }
}
