/**
 * A member's part in agreeing to forget what a key's state has seen: it says what it knows against it, and forgets.
 *
 * What an owner has to say comes first of its state, then of its hints: asked early, it begins to watch in any case.
 */

import type { Hash64 } from "../core/hash/murmur3.ts";
import { forgettingQuietMs } from "../core/limits.ts";
import { sameHash } from "../core/merkle/hash-tree.ts";
import { keyDigest } from "../core/merkle/key-digest.ts";
import type { Requester } from "../rpc/server.ts";
import { StorageError } from "../storage/engine.ts";
import type { AskForgetting, Forget, ForgettingView, ListedKey } from "../wire/message.ts";
import { type Coordination, refusal } from "./coordination.ts";
import type { ForgettingWatch } from "./forgetting-watch.ts";
import { type KeyPlace, placeOf } from "./key-place.ts";

export type ForgettingRequest = AskForgetting | Forget;

export class Forgetting {
  readonly #node: Coordination;
  readonly #watch: ForgettingWatch;

  constructor(node: Coordination, watch: ForgettingWatch) {
    this.#node = node;
    this.#watch = watch;
  }

  serve(request: ForgettingRequest, from: Requester): void {
    const { id, ringVersion, keys } = request;
    const ring = this.#node.ring();
    if (!this.#node.isServing()) {
      from.reply(refusal(ring.version, "not-ready", "the node waits for a membership change to be decided"), id);
    } else if (ringVersion !== ring.version) {
      this.#node.counters.staleRings += 1;
      this.#node.ringDiffers(from.hello.node);
      const detail = `the request is of ring ${ringVersion}, this node's is ${ring.version}`;
      from.reply(refusal(ring.version, "stale-ring", detail), id);
    } else if (request.kind === "ask-forgetting") {
      from.reply({ kind: "forgetting-views", id, views: this.views(keys) }, id);
    } else {
      this.forget(keys);
      from.reply({ kind: "done", id }, id);
    }
  }

  /** What this member has to say, for each key. */
  views(keys: readonly ListedKey[]): readonly ForgettingView[] {
    return keys.map(({ bucket, key, digest }) => {
      try {
        return this.#view(placeOf(bucket, key, this.#node.ring().settings.partitions), digest);
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        return "kept";
      }
    });
  }

  /** Forgets what these states have seen, where this node owns and holds them still. */
  forget(keys: readonly ListedKey[]): void {
    const node = this.#node;
    for (const { bucket, key, digest } of keys) {
      const place = placeOf(bucket, key, node.ring().settings.partitions);
      if (node.voice(place) === undefined) continue;
      const done = node.replica.forget(place, digest);
      if (done === "reaped") node.counters.reapedKeys += 1;
      else if (done === "compacted") node.counters.compactedContexts += 1;
    }
  }

  #view(place: KeyPlace, agreed: Hash64): ForgettingView {
    const node = this.#node;
    const ring = node.ring();
    const { hold, known } = node.seats.record(place.partition);
    // One that was removed, and is alive, may hand over what others are about to forget.
    if (known.some(({ holder }) => holder !== undefined && !ring.members.has(holder))) return "kept";
    const isHeld = hold.kind === "active" || hold.kind === "rebuilding";
    const isOwner = isHeld && node.seats.seatsOf(place).includes(hold.seat);
    const view = isOwner ? this.#ownersView(place, agreed) : this.#othersView(place);
    if (view !== "ready") return view;
    return node.hints.heldWithin(place, forgettingQuietMs(node.limits)) ? "kept" : "ready";
  }

  #ownersView(place: KeyPlace, agreed: Hash64): ForgettingView {
    const held = this.#node.replica.read(place);
    if (held.kind === "refused" || !sameHash(keyDigest(place.bucket, place.key, held.state), agreed)) {
      return "other-state";
    }
    if (this.#node.voice(place) === undefined) return "no-voice";
    return this.#watch.look(place, agreed);
  }

  /**
   * A copy that comes after this look was sent less than a message's life ago, by a holder that by then had held the
   * agreed state for longer: it brings back nothing older.
   */
  #othersView(place: KeyPlace): ForgettingView {
    const held = this.#node.replica.read(place);
    return held.kind === "refused" || held.state !== undefined ? "kept" : "ready";
  }
}
