/**
 * One coordinated write, put or delete (§4.5): mint it into the local state, send the whole resulting state to the
 * other owners, answer once W voices hold it, and on disk where it must be.
 *
 * The local copy and the others are written at the same time. That a state can leave before it is on the local disk
 * is safe because of how dots are minted (`replica.ts`): a crash ends the run, and with it the actor. A write whose
 * quorum fails may still take effect, and says so.
 */

import { type DotSet, emptyDotSet, withDot } from "../core/causality/dot-set.ts";
import { emptySiblingSet, type SiblingSet } from "../core/causality/sibling-set.ts";
import type { NodeId } from "../core/ids.ts";
import type { WriteRequirement } from "../core/quorum/requirement.ts";
import { Tally } from "../core/quorum/tally.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { Timer } from "../runtime/clock.ts";
import type { StorageError } from "../storage/engine.ts";
import type { DurableListener } from "../storage/write-buffer.ts";
import type { Answer, Refusal, RefusalCode, ReplicaPut, WriteAnswer } from "../wire/message.ts";
import { type Coordination, refusal } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";
import { OwnerCalls, type OwnerListener } from "./owner-calls.ts";
import type { WriteIntent } from "./replica.ts";

export interface WritePlan {
  readonly place: KeyPlace;
  readonly requirement: WriteRequirement;
  readonly intent: WriteIntent;
  /** What the client itself has seen: `intent.seen` may hold more, where the coordinator read for it. */
  readonly clientSeen: DotSet | undefined;
  readonly budgetMs: number;
}

export class WriteOperation implements OwnerListener, DurableListener {
  readonly #node: Coordination;
  readonly #plan: WritePlan;
  readonly #deliver: (answer: WriteAnswer | Refusal) => void;
  readonly #calls: OwnerCalls;
  readonly #tally: Tally;
  #state: SiblingSet = emptySiblingSet;
  #answerContext: DotSet = emptyDotSet;
  #isDelivered = false;
  #deadline: Timer | undefined;
  #lastTrouble = "";
  #localTrouble: RefusalCode | undefined;

  constructor(node: Coordination, plan: WritePlan, deliver: (answer: WriteAnswer | Refusal) => void) {
    this.#node = node;
    this.#plan = plan;
    this.#deliver = deliver;
    const { place, requirement, budgetMs } = plan;
    this.#calls = new OwnerCalls(node, place, requirement.n, budgetMs, this);
    this.#tally = new Tally(requirement.answers, this.#calls.owners.length);
  }

  start(): void {
    const { place, requirement, intent, clientSeen, budgetMs } = this.#plan;
    const listener = requirement.synced ? this : undefined;
    const local = this.#node.replica.write(place, intent, listener);
    if (local.kind === "refused") {
      this.#isDelivered = true;
      this.#deliver(refusal(this.#node.ring().version, local.code, local.detail));
      return;
    }
    this.#state = local.state;
    this.#answerContext = withDot(clientSeen ?? emptyDotSet, local.dot, local.modified);
    this.#calls.start(budgetMs);
    if (listener === undefined) this.#hearSelf();
    else this.#deadline = this.#node.runtime.clock.setTimer(budgetMs, () => this.#expire());
  }

  /** The local copy is on disk. */
  onDurable(): void {
    this.#hearSelf();
  }

  /** The local copy is not stored; the others may still make the quorum. */
  onFailed(error: StorageError): void {
    this.#localTrouble = error.code === "disk-full" ? "disk-full" : "storage-failed";
    this.onOwnerTrouble(this.#node.self, error.message);
  }

  request(): ReplicaPut {
    const { place, requirement, intent } = this.#plan;
    return {
      kind: "replica-put",
      id: 0,
      ringVersion: this.#node.ring().version,
      bucket: place.bucket,
      key: place.key,
      purpose: "write",
      synced: requirement.synced,
      lastWriteWins: intent.lastWriteWins,
      state: this.#state,
    };
  }

  onOwnerAnswer(from: NodeId, answer: Answer): void {
    if (answer.kind !== "replica-stored") this.onOwnerTrouble(from, `${from} answered with ${answer.kind}`);
    else if (this.#plan.requirement.synced && !answer.synced) this.onOwnerTrouble(from, `${from} has no copy on disk`);
    else this.#hear(answer.voice);
  }

  onOwnerTrouble(_from: NodeId, why: string): void {
    this.#lastTrouble = why;
    this.#tally.failed();
    this.#settle();
  }

  #hearSelf(): void {
    const { place, requirement } = this.#plan;
    this.#hear(this.#node.voice(place, requirement.n));
  }

  #hear(voice: Voice | undefined): void {
    this.#tally.heard(voice);
    this.#settle();
  }

  #settle(): void {
    if (this.#isDelivered) return;
    if (this.#tally.isMet) this.#succeed();
    else if (this.#tally.isLost) this.#giveUp();
  }

  #succeed(): void {
    this.#end();
    this.#deliver({
      kind: "write-answer",
      id: 0,
      ringVersion: this.#node.ring().version,
      context: this.#answerContext,
      siblings: this.#state.siblings.length,
      voices: this.#tally.received,
    });
  }

  #giveUp(): void {
    this.#end();
    const { needed, received } = this.#tally;
    const code = this.#localTrouble === "disk-full" ? "disk-full" : "quorum-not-met";
    const detail = `${received} of the ${needed} owners needed hold the write; last trouble: ${this.#lastTrouble}`;
    this.#deliver(refusal(this.#node.ring().version, code, detail, { needed, received, mayHaveHappened: true }));
  }

  /** The local disk has not answered in time; the other owners' calls end by themselves. */
  #expire(): void {
    if (this.#isDelivered) return;
    this.#lastTrouble ||= "the time is up";
    this.#giveUp();
  }

  #end(): void {
    this.#isDelivered = true;
    this.#deadline?.cancel();
  }
}
