/**
 * Asks the other owners of a key one thing, for one request: all at once, and those again that wait for a membership
 * change, until the request's time is up.
 *
 * Of every owner asked, the request hears exactly once: its answer, or in a sentence's rest why there is none.
 */

import type { NodeId } from "../core/ids.ts";
import { bucketSettings, ownersOf } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { AnswerHandler, CallFailure } from "../rpc/call.ts";
import type { Answer, RefusalCode, ReplicaGet, ReplicaPut } from "../wire/message.ts";
import type { Coordination } from "./coordination.ts";
import { isPassing, nameOf, retryPauseMs } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";

/** The request whose owners are asked. */
export interface OwnerListener {
  /** What to send, made anew for each time of asking, since the ring may have moved on. */
  request(): ReplicaGet | ReplicaPut;
  onOwnerAnswer(from: NodeId, answer: Answer): void;
  onOwnerTrouble(from: NodeId, why: string): void;
}

const troubles: Readonly<Record<CallFailure, string>> = {
  "not-sent": "cannot be reached",
  lost: "was connected and is not any more",
  "timed-out": "did not answer in time",
  overloaded: "takes no more requests",
};

export class OwnerCalls implements AnswerHandler {
  /** The key's owners when the request began, this node among them or not. */
  readonly owners: readonly NodeId[];
  readonly #node: Coordination;
  /** As it was when the request began. */
  readonly #ring: Ring;
  readonly #place: KeyPlace;
  readonly #listener: OwnerListener;
  readonly #endsMs: number;

  constructor(node: Coordination, place: KeyPlace, n: number, budgetMs: number, listener: OwnerListener) {
    this.#ring = node.ring();
    this.owners = ownersOf(this.#ring, place.partition, n);
    this.#node = node;
    this.#place = place;
    this.#listener = listener;
    this.#endsMs = node.runtime.clock.monotonicMs() + budgetMs;
  }

  /** Asks every owner but this node. */
  start(budgetMs: number): void {
    const request = this.#listener.request();
    for (let i = 0; i < this.owners.length; i++) {
      const owner = this.owners[i] as NodeId;
      if (owner !== this.#node.self) this.#node.peers.call(owner, request, budgetMs, this, i);
    }
  }

  onAnswer(from: NodeId, answer: Answer): void {
    if (answer.kind !== "refusal") return this.#listener.onOwnerAnswer(from, answer);
    if (answer.code === "stale-ring") this.#node.ringDiffers(from);
    if (!this.#askAgain(from, answer.code)) this.#trouble(from, `refused: ${answer.detail}`);
  }

  onFailure(from: NodeId, failure: CallFailure): void {
    this.#trouble(from, troubles[failure]);
  }

  #askAgain(owner: NodeId, code: RefusalCode): boolean {
    const leftMs = this.#endsMs - this.#node.runtime.clock.monotonicMs() - retryPauseMs;
    if (!isPassing(code) || leftMs <= 0) return false;
    this.#node.runtime.clock.setTimer(retryPauseMs, () => {
      const isStill = areStillOwners(this.#node.ring(), this.#ring, this.#place);
      if (!isStill) this.#trouble(owner, "is asked no more: the key's owners have changed meanwhile");
      else this.#node.peers.call(owner, this.#listener.request(), leftMs, this, 0);
    });
    return true;
  }

  #trouble(from: NodeId, what: string): void {
    this.#listener.onOwnerTrouble(from, `${nameOf(this.#node.ring(), from)} ${what}`);
  }
}

/**
 * Whether the key's owners under the ring of now are those of the ring under which a request began, all of them, no
 * others, and each still in the same incarnation. If not, what the request counts is no quorum any more: nobody may be
 * asked again for it. An answer counted from a directory that was lost since, together with one from an owner whose
 * copy was taken for the directory in its place, would be a write that this one lacks (`docs/how-it-works/rebuild.md`).
 */
export function areStillOwners(now: Ring, then: Ring, place: KeyPlace): boolean {
  if (now === then) return true;
  const [owners, asked] = [now, then].map((ring) =>
    ownersOf(ring, place.partition, bucketSettings(ring, place.bucket).n),
  ) as [readonly NodeId[], readonly NodeId[]];
  const isSame = (owner: NodeId, i: number): boolean =>
    owner === asked[i] && now.members.get(owner)?.incarnation === then.members.get(owner)?.incarnation;
  return owners.length === asked.length && owners.every(isSame);
}
