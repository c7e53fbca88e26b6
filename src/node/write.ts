/**
 * One coordinated write, put or delete (§4.5): mint it into the local state, send the whole resulting state to the
 * other owners, answer once W voices hold it, and on disk where it must be.
 *
 * The local copy and the others are written at the same time. That a state can leave before it is on the local disk
 * is safe because of how dots are minted (`replica.ts`): a crash ends the run, and with it the actor. A write whose
 * quorum fails may still take effect, and says so.
 */

import { type DotSet, emptyDotSet, withDot } from "../core/causality/dot-set.ts";
import type { SiblingSet } from "../core/causality/sibling-set.ts";
import type { NodeId } from "../core/ids.ts";
import type { WriteRequirement } from "../core/quorum/requirement.ts";
import { Tally } from "../core/quorum/tally.ts";
import type { Voice } from "../core/quorum/voice.ts";
import { ownersOf } from "../core/ring/preference-list.ts";
import type { AnswerHandler, CallFailure } from "../rpc/call.ts";
import type { Timer } from "../runtime/clock.ts";
import type { StorageError } from "../storage/engine.ts";
import type { DurableListener } from "../storage/write-buffer.ts";
import type { Answer, Refusal, RefusalCode, ReplicaPut, WriteAnswer } from "../wire/message.ts";
import { areStillOwners, type Coordination, isPassing, refusal, retryPauseMs } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";
import type { WriteIntent } from "./replica.ts";

export interface WritePlan {
  readonly place: KeyPlace;
  readonly requirement: WriteRequirement;
  readonly intent: WriteIntent;
  /** What the client itself has seen: `intent.seen` may hold more, where the coordinator read for it. */
  readonly clientSeen: DotSet | undefined;
  readonly budgetMs: number;
}

export class WriteOperation implements AnswerHandler, DurableListener {
  readonly #node: Coordination;
  readonly #plan: WritePlan;
  readonly #deliver: (answer: WriteAnswer | Refusal) => void;
  readonly #owners: readonly NodeId[];
  readonly #tally: Tally;
  readonly #endsMs: number;
  #state: SiblingSet | undefined;
  #answerContext: DotSet = emptyDotSet;
  #isDelivered = false;
  #deadline: Timer | undefined;
  #lastTrouble = "";
  #localTrouble: RefusalCode | undefined;

  constructor(node: Coordination, plan: WritePlan, deliver: (answer: WriteAnswer | Refusal) => void) {
    this.#node = node;
    this.#plan = plan;
    this.#deliver = deliver;
    this.#owners = ownersOf(node.ring(), plan.place.partition, plan.requirement.n);
    this.#tally = new Tally(plan.requirement.answers, this.#owners.length);
    this.#endsMs = node.runtime.clock.monotonicMs() + plan.budgetMs;
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
    const request = this.#request(local.state);
    for (let i = 0; i < this.#owners.length; i++) {
      const owner = this.#owners[i] as NodeId;
      if (owner !== this.#node.self) this.#node.peers.call(owner, request, budgetMs, this, i);
    }
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
    this.#fail(this.#node.self, error.message);
  }

  onAnswer(from: NodeId, answer: Answer, tag: number): void {
    switch (answer.kind) {
      case "replica-stored":
        if (this.#plan.requirement.synced && !answer.synced) this.#fail(from, "its copy is not on disk");
        else this.#hear(answer.voice);
        return;
      case "refusal":
        if (answer.code === "stale-ring") this.#node.ringDiffers(from);
        if (!isPassing(answer.code) || !this.#askAgain(from, tag)) this.#fail(from, answer.detail);
        return;
      default:
        this.#fail(from, `it answered with ${answer.kind}`);
    }
  }

  onFailure(from: NodeId, failure: CallFailure): void {
    this.#fail(from, failure);
  }

  #request(state: SiblingSet): ReplicaPut {
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
      state,
    };
  }

  #askAgain(owner: NodeId, tag: number): boolean {
    const leftMs = this.#endsMs - this.#node.runtime.clock.monotonicMs() - retryPauseMs;
    const state = this.#state;
    if (leftMs <= 0 || state === undefined) return false;
    this.#node.runtime.clock.setTimer(retryPauseMs, () => {
      const isStill = areStillOwners(this.#node.ring(), this.#plan.place, this.#owners);
      if (!isStill) this.#fail(owner, "the key's owners have changed meanwhile");
      else this.#node.peers.call(owner, this.#request(state), leftMs, this, tag);
    });
    return true;
  }

  #hearSelf(): void {
    const { place, requirement } = this.#plan;
    this.#hear(this.#node.voice(place, requirement.n));
  }

  #hear(voice: Voice | undefined): void {
    this.#tally.heard(voice);
    this.#settle();
  }

  #fail(from: NodeId, why: string): void {
    this.#lastTrouble = `${from}: ${why}`;
    this.#tally.failed();
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
      siblings: this.#state?.siblings.length ?? 0,
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
