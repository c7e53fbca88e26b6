/**
 * Brings a request to a node that can coordinate it (§4.5): this one if it holds one of the key's voices, else an
 * owner that does, the advised and the nearest first.
 *
 * Whatever certainly did not happen is tried at the next owner: a request that never left, or was refused before it
 * began. A get is also tried again when its coordinator vanished. A write is not: it is answered with "outcome
 * unknown" and never sent twice. While owners wait for a membership change to be decided, so does the request, up to
 * its deadline.
 */

import type { NodeId } from "../core/ids.ts";
import { ownersOf } from "../core/ring/preference-list.ts";
import type { AnswerHandler, CallFailure } from "../rpc/call.ts";
import type {
  Answer,
  CoordinateGet,
  CoordinateWrite,
  GetAnswer,
  Refusal,
  RefusalCode,
  WriteAnswer,
} from "../wire/message.ts";
import { type Coordination, isPassing, nameOf, refusal, retryPauseMs } from "./coordination.ts";
import type { Coordinator } from "./coordinator.ts";
import { placeOf } from "./key-place.ts";

/** How much longer than the request's own time its coordinator's refusal may take to arrive, in ms. */
const graceMs = 50;

export interface RouteOptions {
  readonly node: Coordination;
  readonly coordinator: Coordinator;
  readonly request: CoordinateGet | CoordinateWrite;
  /** The bucket's n, and how many answers the request needs, for the message if nobody can be reached. */
  readonly n: number;
  readonly needed: number;
  /** The owner that answered the preceding read fastest (§5). */
  readonly advised: NodeId | undefined;
  readonly deliver: (answer: GetAnswer | WriteAnswer | Refusal) => void;
}

export class Route implements AnswerHandler {
  readonly #options: RouteOptions;
  readonly #node: Coordination;
  readonly #endsMs: number;
  #candidates: NodeId[] = [];
  /** The last refusal that let the request go on, and whether any may pass with time. */
  #refused: Refusal | undefined;
  #mayPass = false;

  constructor(options: RouteOptions) {
    this.#options = options;
    this.#node = options.node;
    this.#endsMs = options.node.runtime.clock.monotonicMs() + options.request.budgetMs;
  }

  start(): void {
    this.#mayPass = false;
    this.#candidates = this.#inOrder();
    this.#tryNext();
  }

  onAnswer(from: NodeId, answer: Answer): void {
    switch (answer.kind) {
      case "get-answer":
      case "write-answer":
        this.#options.deliver(answer);
        return;
      case "refusal":
        this.#hearRefusal(from, answer);
        return;
      default:
        this.#hearNothing(`its coordinator answered with ${answer.kind}`, "quorum-not-met");
    }
  }

  onFailure(from: NodeId, failure: CallFailure): void {
    const coordinator = `its coordinator ${nameOf(this.#node.ring(), from)}`;
    switch (failure) {
      case "not-sent":
        return this.#tryNext();
      case "overloaded":
        this.#refused = this.#refuse("overloaded", `${coordinator} takes no more requests`);
        return this.#tryNext();
      case "timed-out":
        return this.#hearNothing(`${coordinator} did not answer in time`, "deadline-passed");
      case "lost":
        return this.#hearNothing(`the connection to ${coordinator} was lost`, "quorum-not-met");
    }
  }

  #inOrder(): NodeId[] {
    const { node, request, n, advised } = this.#options;
    const ring = node.ring();
    const place = placeOf(request.bucket, request.key, ring.settings.partitions);
    const others = ownersOf(ring, place.partition, n).filter((owner) => owner !== node.self);
    const distance = (owner: NodeId): number => {
      if (!node.isUp(owner)) return Number.MAX_VALUE;
      return owner === advised ? -1 : (node.peers.roundTripMs(owner) ?? 0);
    };
    others.sort((a, b) => distance(a) - distance(b));
    return node.voice(place, n) === undefined ? others : [node.self, ...others];
  }

  #tryNext(): void {
    const leftMs = this.#endsMs - this.#node.runtime.clock.monotonicMs();
    const candidate = this.#candidates.shift();
    if (candidate === undefined || leftMs <= 0) return this.#exhausted(leftMs);
    const { request, coordinator } = this.#options;
    if (candidate === this.#node.self) {
      const take = (answer: Answer): void => this.onAnswer(candidate, answer);
      if (request.kind === "coordinate-get") coordinator.get({ ...request, budgetMs: leftMs }, take);
      else coordinator.write({ ...request, budgetMs: leftMs }, take);
      return;
    }
    this.#node.counters.forwarded += 1;
    // A get whose coordinator is silent still has half its time for the next one.
    const isLast = request.kind === "coordinate-write" || this.#candidates.length === 0;
    const budgetMs = isLast ? leftMs : leftMs / 2;
    const forwarded = { ...request, ringVersion: this.#node.ring().version, budgetMs };
    this.#node.peers.call(candidate, forwarded, budgetMs + graceMs, this, 0);
  }

  #hearRefusal(from: NodeId, answer: Refusal): void {
    if (answer.ringVersion !== this.#node.ring().version && from !== this.#node.self) this.#node.ringDiffers(from);
    if (answer.mayHaveHappened || !letsOthersTry(answer.code)) {
      this.#options.deliver(answer);
      return;
    }
    this.#refused = answer;
    this.#mayPass ||= isPassing(answer.code) || answer.code === "no-owner";
    this.#tryNext();
  }

  /** A coordinator had the request and will not answer it. */
  #hearNothing(why: string, code: RefusalCode): void {
    if (this.#options.request.kind === "coordinate-get") return this.#tryNext();
    const { bucket, key } = this.#options.request;
    const detail = `the write of "${key}" in bucket "${bucket}" may or may not have happened: ${why}`;
    this.#options.deliver(this.#refuse(code, detail, true));
  }

  #exhausted(leftMs: number): void {
    if (this.#mayPass && leftMs > retryPauseMs) {
      this.#node.runtime.clock.setTimer(retryPauseMs, () => this.start());
      return;
    }
    const { bucket, key } = this.#options.request;
    if (this.#refused !== undefined) {
      const { code, detail } = this.#refused;
      const passing = isPassing(code) || code === "no-owner";
      this.#options.deliver(this.#refuse(passing ? "not-ready" : code, detail));
      return;
    }
    this.#options.deliver(this.#refuse("quorum-not-met", `no owner of "${key}" in bucket "${bucket}" can be reached`));
  }

  #refuse(code: RefusalCode, detail: string, mayHaveHappened = false): Refusal {
    const more = code === "quorum-not-met" ? { needed: this.#options.needed, received: 0 } : {};
    return refusal(this.#node.ring().version, code, detail, { mayHaveHappened, ...more });
  }
}

/** Refusals that are the refuser's affair: another owner may well do it. */
function letsOthersTry(code: RefusalCode): boolean {
  return isPassing(code) || code === "no-owner" || code === "corrupt" || code === "storage-failed";
}
