/**
 * Brings a request to a node that can coordinate it (§4.5): this one if it holds one of the key's voices, else an
 * owner that does, the advised and the nearest first; and where no owner can, the first that can be reached of those
 * that may stand in (§4.6): owners without a voice, then the fallbacks in their order, this node in its place.
 *
 * Whatever certainly did not happen is tried at the next node: a request that never left, or was refused before it
 * began. A get is also tried again when its coordinator vanished, or fell silent. A write is not: it is answered with
 * "outcome unknown" and never sent twice, and a silent coordinator is given the rest of its time. While owners wait for a
 * membership change to be decided, so does the request: half its time before others stand in for them, and up to its
 * deadline where nobody can. One that has to be filled before it has a voice is hardly waited for.
 */

import type { NodeId } from "../core/ids.ts";
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
import type { KeyPlace } from "./key-place.ts";

/** How much longer than the request's own time its coordinator's refusal may take to arrive, in ms. */
const graceMs = 50;
/** An owner that has no voice may be about to store one that the ring just gave it: it is given so long, in ms. */
const voicelessMs = 100;

export interface RouteOptions {
  readonly request: CoordinateGet | CoordinateWrite;
  /** Of the request's key. */
  readonly place: KeyPlace;
  /** How many answers the request needs, for the message if nobody can be reached. */
  readonly needed: number;
  /** The owner that answered the preceding read fastest (§5). */
  readonly advised: NodeId | undefined;
  /** `isStray`: the request was passed on, or would have been, if anybody could be reached. */
  readonly deliver: (answer: GetAnswer | WriteAnswer | Refusal, isStray: boolean) => void;
}

export class Route implements AnswerHandler {
  /** A write that has left goes nowhere else: whoever was silent for a moment may still say what came of it. */
  readonly isPatient: false | "once-sent";
  readonly #options: RouteOptions;
  readonly #node: Coordination;
  readonly #coordinator: Coordinator;
  readonly #endsMs: number;
  readonly #place: KeyPlace;
  #candidates: NodeId[] = [];
  /** Owners beside this node are no candidates yet. */
  #mayAskOthers = false;
  /** Whether the candidates are asked to stand in. */
  #asFallback = false;
  #voiceless: Set<NodeId> | undefined;
  /** The last refusal that let the request go on. */
  #refused: Refusal | undefined;
  /** How much of the request's time owners are given before others stand in for them, in ms: 0 where that is no use. */
  #patienceMs = 0;
  /** It could not be coordinated here. */
  #isStray = false;

  constructor(node: Coordination, coordinator: Coordinator, options: RouteOptions) {
    this.isPatient = options.request.kind === "coordinate-write" ? "once-sent" : false;
    this.#options = options;
    this.#node = node;
    this.#coordinator = coordinator;
    this.#endsMs = node.runtime.clock.monotonicMs() + options.request.budgetMs;
    this.#place = options.place;
  }

  start(): void {
    // Nearly always this is the end of it: the others are looked for only where it is not.
    if (this.#node.voice(this.#place) === undefined) return this.#begin();
    this.#mayAskOthers = true;
    this.#coordinate(this.#options.request);
  }

  /** Likewise, after a while. */
  #begin(): void {
    this.#patienceMs = 0;
    this.#asFallback = false;
    const isHere = this.#node.voice(this.#place) !== undefined;
    this.#candidates = isHere ? [this.#node.self] : this.#others();
    this.#mayAskOthers = isHere;
    this.#tryNext();
  }

  onAnswer(from: NodeId, answer: Answer): void {
    switch (answer.kind) {
      case "get-answer":
      case "write-answer":
        this.#deliver(answer);
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
        // A new member may be known of before its address is.
        if (!this.#node.peers.isDoubtful(from)) this.#giveTime();
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

  /** The other owners, who may have a voice, the best first: of its own this node knows. */
  #others(): NodeId[] {
    const node = this.#node;
    const { advised } = this.#options;
    const owners = new Set(node.seats.owners(this.#place).map((owner) => owner.node));
    owners.delete(node.self);
    const distance = (owner: NodeId): number => {
      if (!node.isUp(owner)) return Number.MAX_VALUE;
      return owner === advised ? -1 : (node.peers.roundTripMs(owner) ?? 0);
    };
    return [...owners].sort((a, b) => distance(a) - distance(b));
  }

  /** Who may stand in, of those that are up: owners that have said to have no voice, and then the fallbacks. */
  #fallbacks(): NodeId[] {
    const node = this.#node;
    const owners = node.seats.owners(this.#place).map((owner) => owner.node);
    const isVoiceless = (owner: NodeId): boolean =>
      owner === node.self ? node.voice(this.#place) === undefined : this.#voiceless?.has(owner) === true;
    return node.seats
      .order(this.#place)
      .filter((member) => node.isUp(member) && (!owners.includes(member) || isVoiceless(member)));
  }

  #tryNext(): void {
    const leftMs = this.#endsMs - this.#node.runtime.clock.monotonicMs();
    if (this.#candidates.length === 0 && this.#mayAskOthers) {
      this.#mayAskOthers = false;
      this.#candidates = this.#others();
    }
    if (this.#candidates.length === 0 && this.#mayAskFallbacks(leftMs)) {
      this.#asFallback = true;
      this.#candidates = this.#fallbacks();
    }
    const candidate = this.#candidates.shift();
    if (candidate === undefined || leftMs <= 0) return this.#exhausted(leftMs);
    if (candidate === this.#node.self) this.#coordinateFor(leftMs);
    else this.#passOn(candidate, leftMs);
  }

  /** Owners that refuse in passing are waited for. One that tried needs nobody in its place. */
  #mayAskFallbacks(leftMs: number): boolean {
    if (this.#asFallback || this.#refused?.code === "quorum-not-met") return false;
    return leftMs <= this.#options.request.budgetMs - this.#patienceMs;
  }

  /** An owner may have another answer soon. */
  #giveTime(mostMs: number = Number.POSITIVE_INFINITY): void {
    this.#patienceMs = Math.max(this.#patienceMs, Math.min(mostMs, this.#options.request.budgetMs / 2));
  }

  #coordinateFor(budgetMs: number): void {
    const { request } = this.#options;
    this.#coordinate({ ...request, asFallback: this.#asFallback ? true : request.asFallback, budgetMs });
  }

  #coordinate(request: CoordinateGet | CoordinateWrite): void {
    const take = (answer: Answer): void => this.onAnswer(this.#node.self, answer);
    if (request.kind === "coordinate-get") this.#coordinator.get(request, take, this.#place);
    else this.#coordinator.write(request, take, this.#place);
  }

  #deliver(answer: GetAnswer | WriteAnswer | Refusal): void {
    this.#options.deliver(answer, this.#isStray);
  }

  #passOn(candidate: NodeId, leftMs: number): void {
    this.#isStray = true;
    const { request } = this.#options;
    this.#node.counters.forwarded += 1;
    // A get whose coordinator is silent still has half its time for the next one.
    const isLast = request.kind === "coordinate-write" || this.#candidates.length === 0;
    const budgetMs = isLast ? leftMs : leftMs / 2;
    const asFallback = this.#asFallback ? { asFallback: true as const } : {};
    const forwarded = { ...request, ...asFallback, knownHash: this.#node.seats.hash(this.#place.partition), budgetMs };
    this.#node.peers.call(candidate, forwarded, budgetMs + graceMs, this, 0);
  }

  #hearRefusal(from: NodeId, answer: Refusal): void {
    const isSameView = answer.known === undefined;
    if (answer.known !== undefined) this.#node.seats.learn(this.#place.partition, answer.known);
    if (answer.code === "stale-ring") this.#node.ringDiffers(from);
    if (answer.mayHaveHappened || !this.#letsOthersTry(answer.code)) {
      this.#deliver(answer);
      return;
    }
    this.#refused = answer;
    const isVoiceless = answer.code === "no-owner" && isSameView;
    if (isVoiceless) {
      this.#voiceless ??= new Set();
      this.#voiceless.add(from);
    }
    if (isPassing(answer.code) || answer.code === "no-owner") this.#giveTime(isVoiceless ? voicelessMs : undefined);
    this.#tryNext();
  }

  /** A coordinator had the request and will not answer it. */
  #hearNothing(why: string, code: RefusalCode): void {
    if (this.#options.request.kind === "coordinate-get") return this.#tryNext();
    const { bucket, key } = this.#options.request;
    const detail = `the write of "${key}" in bucket "${bucket}" may or may not have happened: ${why}`;
    this.#deliver(this.#refuse(code, detail, true));
  }

  #exhausted(leftMs: number): void {
    if (this.#patienceMs > 0 && leftMs > retryPauseMs) {
      this.#node.runtime.clock.setTimer(retryPauseMs, () => this.#begin());
      return;
    }
    const { bucket, key } = this.#options.request;
    if (this.#refused !== undefined) {
      const { code, detail } = this.#refused;
      const isPassed = isPassing(code) || code === "no-owner";
      this.#deliver(isPassed ? this.#refuse("not-ready", detail) : this.#refused);
      return;
    }
    this.#deliver(this.#refuse("quorum-not-met", `no owner of "${key}" in bucket "${bucket}" can be reached`));
  }

  #refuse(code: RefusalCode, detail: string, mayHaveHappened = false): Refusal {
    const more = code === "quorum-not-met" ? { needed: this.#options.needed, received: 0 } : {};
    return refusal(this.#node.ring().version, code, detail, { mayHaveHappened, ...more });
  }

  /** Refusals that are the refuser's affair: another node may well do it. So is a fallback whose hints are too many. */
  #letsOthersTry(code: RefusalCode): boolean {
    // A write that is refused so was not minted: another owner may reach more nodes than this one.
    if (this.#asFallback ? code === "overloaded" : code === "quorum-not-met") return true;
    return isPassing(code) || code === "no-owner" || code === "corrupt" || code === "storage-failed";
  }
}
