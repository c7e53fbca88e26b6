/**
 * One coordinated write as nearly all of them go (§4.5): every owner is up and speaks for its seat, and nobody knows
 * anything that the coordinator does not know. The state is minted here and sent to the other owners, and all that is left to
 * do is to count those who say that they hold it.
 *
 * A write cannot be asked again, as a get can (`plain-get.ts`): it is minted once. So whatever else turns up has the general
 * way (`write.ts`) go on from there: it is told who was asked, who has confirmed, and whether the client has its answer, and
 * hears from then on all that this one hears. Nobody is asked twice for that. An owner that fails after the client has its
 * answer is such a thing, too: somebody is to keep a hint for it.
 *
 * Laws kept here as there: only a voice counts, each seat's once, and none that is older than what is known by then; a copy
 * counts where it must be, in memory or on disk.
 *
 * Hot path: one object a request, no timer of its own.
 */

import { type DotSet, emptyDotSet, withDot } from "../core/causality/dot-set.ts";
import { emptySiblingSet, type SiblingSet } from "../core/causality/sibling-set.ts";
import type { NodeId } from "../core/ids.ts";
import type { WriteRequirement } from "../core/quorum/requirement.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { SeatOwner } from "../core/seats/bucket-seats.ts";
import { isOutdated, type KnownSeats } from "../core/seats/known.ts";
import type { AnswerHandler, CallFailure } from "../rpc/call.ts";
import type { Sweep, Swept } from "../runtime/sweep.ts";
import type { StorageError } from "../storage/engine.ts";
import type { DurableListener } from "../storage/write-buffer.ts";
import type { Answer, Refusal, ReplicaPut, WriteAnswer } from "../wire/message.ts";
import { type Coordination, leastCallMs, refusal } from "./coordination.ts";
import type { BucketPart } from "./seat-places.ts";
import { WriteOperation, type WritePlan } from "./write.ts";

/** The part of the request's time after which others are to stand in for owners that have not answered. */
const patience = 1 / 2;

export interface PlainPutParts {
  readonly plan: WritePlan;
  readonly part: BucketPart;
  readonly needed: WriteRequirement;
}

export class PlainPut implements AnswerHandler, DurableListener, Swept {
  dueMs = 0;
  place = -1;
  readonly #node: Coordination;
  readonly #parts: PlainPutParts;
  readonly #deliver: (answer: WriteAnswer | Refusal) => void;
  /** Those that have no answer yet. */
  readonly #unanswered: Sweep;
  readonly #ring: Ring;
  readonly #known: KnownSeats;
  #beganMs = 0;
  /** With which this node's own copy counts. */
  #voice: Voice | undefined;
  #state: SiblingSet = emptySiblingSet;
  #answerContext: DotSet = emptyDotSet;
  /** That hold the state where it must be; each seat's once. */
  readonly #voices: Voice[] = [];
  #isAnswered = false;
  /** What goes on with it, since something unusual turned up. */
  #general: WriteOperation | undefined;

  constructor(
    node: Coordination,
    parts: PlainPutParts,
    deliver: (answer: WriteAnswer | Refusal) => void,
    unanswered: Sweep,
  ) {
    this.#node = node;
    this.#parts = parts;
    this.#deliver = deliver;
    this.#unanswered = unanswered;
    this.#ring = node.ring();
    this.#known = node.seats.known(parts.plan.place.partition);
  }

  /** Whether it may begin. False where something is unusual already; then nothing has happened. */
  mayBegin(): boolean {
    const { needed, part, plan } = this.#parts;
    const node = this.#node;
    const { asked, count } = part;
    if (needed.zones > 1 || Math.max(needed.answers, needed.owners) > asked.length || node.isInDoubt()) return false;
    if (count.filled !== count.asked || node.seats.openEras(plan.place).length !== 1) return false;
    const voice = node.voice(plan.place);
    if (voice === undefined || isOutdated(voice, this.#known)) return false;
    let isHere = false;
    for (let i = 0; i < asked.length; i++) {
      const { node: owner, seat, isVacant } = asked[i] as SeatOwner;
      if (isVacant) return false;
      if (owner === node.self) isHere = seat === voice.seat;
      else if (!node.isUp(owner)) return false;
    }
    this.#voice = voice;
    return isHere;
  }

  /** Mints it, and asks the others to hold it; in the turn of `mayBegin`. */
  begin(): void {
    const { place, synced, intent, clientSeen, budgetMs } = this.#parts.plan;
    const node = this.#node;
    const listener = synced ? this : undefined;
    const local = node.replica.write(place, intent, listener);
    if (local.kind === "refused") return this.#deliver(refusal(this.#ring.version, local.code, local.detail));
    this.#state = local.state;
    this.#answerContext = withDot(clientSeen ?? emptyDotSet, local.dot, local.modified);
    this.#beganMs = node.runtime.clock.monotonicMs();
    this.dueMs = this.#beganMs + budgetMs * patience;
    this.#unanswered.add(this);
    this.#askOthers();
    if (listener === undefined) this.#hear(this.#voice as Voice);
  }

  #askOthers(): void {
    const { plan, part } = this.#parts;
    const { place, synced, intent, budgetMs } = plan;
    const { self, peers, seats } = this.#node;
    const request: ReplicaPut = {
      kind: "replica-put",
      id: 0,
      knownHash: seats.hash(place.partition),
      changes: part.version,
      bucket: place.bucket,
      key: place.key,
      purpose: "write",
      synced,
      lastWriteWins: intent.lastWriteWins,
      hintFor: undefined,
      state: this.#state,
    };
    const callMs = Math.max(leastCallMs, budgetMs);
    for (let i = 0; i < part.asked.length; i++) {
      const { node: owner, seat } = part.asked[i] as SeatOwner;
      if (owner !== self) peers.call(owner, request, callMs, this, seat);
    }
  }

  /** The local copy is on disk. */
  onDurable(): void {
    // The disk took a while: the seat may have passed on since.
    if (this.#general === undefined && this.#counts(this.#voice as Voice)) this.#hear(this.#voice as Voice);
    else this.#inGeneral().onDurable();
  }

  onFailed(error: StorageError): void {
    this.#inGeneral().onFailed(error);
  }

  onAnswer(from: NodeId, answer: Answer, seat: number): void {
    if (this.#general === undefined && answer.kind === "replica-stored" && answer.known === undefined) {
      const { voice, synced } = answer;
      const isWhere = synced || !this.#parts.plan.synced;
      if (isWhere && voice !== undefined && voice.seat === seat && this.#counts(voice)) return this.#hear(voice);
    }
    this.#inGeneral().heardOf(seat, from, answer);
  }

  onFailure(from: NodeId, failure: CallFailure, seat: number): void {
    this.#inGeneral().heardOf(seat, from, failure);
  }

  onDue(): void {
    this.#inGeneral();
  }

  /** Whether the voice counts, as far as is known by now, and nothing new is known. */
  #counts(voice: Voice): boolean {
    if (isOutdated(voice, this.#known)) return false;
    return this.#node.seats.known(this.#parts.plan.place.partition) === this.#known && this.#node.ring() === this.#ring;
  }

  /** One that holds it more. */
  #hear(voice: Voice): void {
    this.#voices.push(voice);
    const { needed, part } = this.#parts;
    if (this.#isAnswered || this.#voices.length < Math.max(needed.answers, needed.owners)) return;
    this.#isAnswered = true;
    this.#unanswered.remove(this);
    this.#deliver({
      kind: "write-answer",
      id: 0,
      context: this.#answerContext,
      siblings: this.#state.siblings.length,
      voices: this.#voices.length,
      seats: part.count.filled,
    });
  }

  /** What hears all from now on. */
  #inGeneral(): WriteOperation {
    if (this.#general !== undefined) return this.#general;
    this.#unanswered.remove(this);
    const general = new WriteOperation(this.#node, this.#parts.plan, this.#deliver, this.#beganMs);
    this.#general = general;
    general.goOn({
      state: this.#state,
      answerContext: this.#answerContext,
      voice: this.#voice,
      asked: this.#parts.part.asked,
      voices: this.#voices,
      isAnswered: this.#isAnswered,
    });
    return general;
  }
}
