/**
 * One coordinated write, put or delete (§4.5, §4.6): mint it here, send the whole resulting state to the key's other
 * seats, answer once W of them hold it, and on disk where it must be.
 *
 * The copy here and the others are written at the same time. That a state can leave before it is on the local disk
 * is safe because of how dots are minted (`replica.ts`): a crash ends the run, and with it the actor. A write whose
 * quorum fails may still take effect, and says so; one that cannot reach its quorum as things stand is refused before
 * it is minted, and has certainly not happened.
 *
 * A node that is no owner mints into its hint for an owner that it stands in for, on top of all it keeps for the key.
 *
 * Invariant: once all calls have ended, every owner has confirmed the write or somebody keeps a hint for it: one that
 * stands in, or, where none is left, this node, which counts for nothing. That goes on after the client's answer. Where
 * nobody has room for hints, or this node stops, exchanges do the rest.
 */

import { type DotSet, emptyDotSet, withDot } from "../core/causality/dot-set.ts";
import { emptySiblingSet, type SiblingSet } from "../core/causality/sibling-set.ts";
import type { NodeId } from "../core/ids.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { SeatOwner } from "../core/seats/bucket-seats.ts";
import type { CallFailure } from "../rpc/call.ts";
import type { StorageError } from "../storage/engine.ts";
import type { DurableListener } from "../storage/write-buffer.ts";
import type { Answer, Refusal, RefusalCode, ReplicaPut, WriteAnswer } from "../wire/message.ts";
import { type Coordination, refusal } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";
import type { LocalWrite, ReplicaRefusal, WriteIntent } from "./replica.ts";
import type { NeededOf, Seat, SeatListener } from "./seat.ts";
import { SeatCalls } from "./seat-calls.ts";

export interface WritePlan {
  readonly place: KeyPlace;
  readonly needed: NeededOf;
  /** Whether a copy counts only once it is on disk. */
  readonly synced: boolean;
  readonly intent: WriteIntent;
  /** What the client itself has seen: `intent.seen` may hold more, where the coordinator read for it. */
  readonly clientSeen: DotSet | undefined;
  readonly budgetMs: number;
}

/** What has come of a write that began in the plain way (`plain-put.ts`). */
export interface BegunWrite {
  readonly state: SiblingSet;
  readonly answerContext: DotSet;
  /** With which this node's own copy counts. */
  readonly voice: Voice | undefined;
  /** All who were asked, this node among them, and the voices of those who hold it by now. */
  readonly asked: readonly SeatOwner[];
  readonly voices: readonly Voice[];
  /** Whether its client has its answer. */
  readonly isAnswered: boolean;
}

export class WriteOperation implements SeatListener, DurableListener {
  readonly #node: Coordination;
  readonly #plan: WritePlan;
  readonly #deliver: (answer: WriteAnswer | Refusal) => void;
  readonly #calls: SeatCalls;
  /** With which this node's own copy counts. */
  #voice: Voice | undefined;
  /** When the state was minted. */
  #mintedMs: number;
  #state: SiblingSet = emptySiblingSet;
  #answerContext: DotSet = emptyDotSet;
  #isDelivered = false;
  #localTrouble: RefusalCode | undefined;

  /** `beganMs`: when its time began, where that was before. */
  constructor(
    node: Coordination,
    plan: WritePlan,
    deliver: (answer: WriteAnswer | Refusal) => void,
    beganMs: number = node.runtime.clock.monotonicMs(),
  ) {
    this.#node = node;
    this.#plan = plan;
    this.#deliver = deliver;
    const { place, needed, budgetMs } = plan;
    this.#mintedMs = beganMs;
    this.#calls = new SeatCalls({ node, place, needed, budgetMs, beganMs, listener: this });
  }

  start(): void {
    const { synced, clientSeen } = this.#plan;
    const hopeless = this.#refuseIfHopeless();
    if (hopeless !== undefined) return this.#end(hopeless);
    const listener = synced ? this : undefined;
    const local = this.#mint(listener);
    if (local.kind === "refused") return this.#end(refusal(this.#node.ring().version, local.code, local.detail));
    // In the turn of the write: when the disk answers, the seat may be another node's.
    this.#voice = this.#calls.standsInHere ? undefined : this.#node.voice(this.#plan.place);
    this.#mintedMs = this.#node.runtime.clock.monotonicMs();
    this.#state = local.state;
    this.#answerContext = withDot(clientSeen ?? emptyDotSet, local.dot, local.modified);
    this.#calls.start();
    if (listener === undefined) this.#hearSelf();
  }

  /** Instead of `start`: goes on with what began in the plain way, and is told of the rest. */
  goOn({ state, answerContext, voice, asked, voices, isAnswered }: BegunWrite): void {
    const calls = this.#calls;
    const { self } = this.#node;
    this.#state = state;
    this.#answerContext = answerContext;
    this.#voice = voice;
    this.#isDelivered = isAnswered;
    calls.goOn(asked, isAnswered);
    if (calls.standsInHere) calls.failed(calls.here, self, "does not speak for the seat any more");
    for (const heard of voices) {
      const owner = asked.find(({ seat }) => seat === heard.seat)?.node;
      const seat = calls.seats.find(({ number }) => number === heard.seat);
      if (owner === self) this.#hearSelf();
      else if (owner !== undefined && seat !== undefined) calls.heard(seat, owner, { voice: heard, holdsCopy: true });
    }
  }

  /** What became of a call that was made in the plain way, for the seat of that number. */
  heardOf(number: number, from: NodeId, outcome: Answer | CallFailure): void {
    const place = this.#calls.seats.findIndex((seat) => seat.number === number);
    if (place < 0) return;
    const tag = 2 * place;
    if (typeof outcome === "string") this.#calls.onFailure(from, outcome, tag);
    else this.#calls.onAnswer(from, outcome, tag);
  }

  /** The local copy is on disk. */
  onDurable(): void {
    this.#hearSelf();
  }

  /** The local copy is not stored; the others may still make the quorum. */
  onFailed(error: StorageError): void {
    this.#localTrouble = error.code === "disk-full" ? "disk-full" : "storage-failed";
    this.#calls.failed(this.#calls.here, this.#node.self, error.message);
  }

  request({ owner }: Seat, isStandIn: boolean): ReplicaPut {
    const { place, synced, intent } = this.#plan;
    return {
      kind: "replica-put",
      id: 0,
      knownHash: this.#node.seats.hash(place.partition),
      changes: this.#node.seats.part(place).version,
      bucket: place.bucket,
      key: place.key,
      purpose: "write",
      synced,
      lastWriteWins: intent.lastWriteWins,
      hintFor: isStandIn ? owner : undefined,
      state: this.#state,
    };
  }

  onAnswer(seat: Seat, from: NodeId, answer: Answer): void {
    if (answer.kind !== "replica-stored") this.#calls.failed(seat, from, `answered with ${answer.kind}`);
    else if (this.#plan.synced && !answer.synced) this.#calls.failed(seat, from, "has no copy on disk");
    else this.#calls.heard(seat, from, { voice: answer.voice, holdsCopy: true });
  }

  /** The last hint is kept here. */
  onNobody({ owner }: Seat): void {
    const { place, intent } = this.#plan;
    const { self, hints, counters, runtime, limits } = this.#node;
    if (owner === self) return;
    // A node that stops, or was stopped for so long that all may have forgotten what this would bring back, keeps
    // nothing: exchanges bring the owner what this node holds itself.
    const isLate = runtime.clock.monotonicMs() - this.#mintedMs > limits.longestTimeoutMs;
    if (isLate || !this.#node.isServing()) counters.hintsRefused += 1;
    else hints.keep(owner, place, this.#state, intent.lastWriteWins, undefined);
  }

  settle(): void {
    if (this.#isDelivered) return;
    if (this.#calls.isMet) this.#succeed();
    else if (this.#calls.isLost) this.#giveUp();
  }

  onDeadline(): void {
    if (!this.#isDelivered) this.#giveUp();
  }

  /** Before anything is minted: what cannot succeed must not half happen. */
  #refuseIfHopeless(): Refusal | undefined {
    const refuse = (needed: number, lack: string): Refusal =>
      refusal(this.#node.ring().version, "quorum-not-met", lack, { needed, received: 0 });
    for (const { needed, most } of this.#calls.prospects()) {
      const { answers, owners, zones } = needed;
      if (most.owners < owners) return refuse(owners, `${owners} owners are needed, ${most.owners} can be reached`);
      if (most.answers < answers) {
        return refuse(answers, `${answers} nodes are needed to hold the write, ${most.answers} can be reached`);
      }
      if (most.zones < zones) {
        return refuse(zones, `nodes of ${zones} zones are needed to hold the write, of ${most.zones} can be reached`);
      }
    }
    return undefined;
  }

  #mint(listener: DurableListener | undefined): LocalWrite | ReplicaRefusal {
    const { place, intent } = this.#plan;
    const { replica, hints } = this.#node;
    const { here, standsInHere } = this.#calls;
    return standsInHere ? hints.write(here.owner, place, intent, listener) : replica.write(place, intent, listener);
  }

  #hearSelf(): void {
    this.#calls.heard(this.#calls.here, this.#node.self, { voice: this.#voice, holdsCopy: true });
  }

  #succeed(): void {
    this.#end({
      kind: "write-answer",
      id: 0,
      context: this.#answerContext,
      siblings: this.#state.siblings.length,
      voices: this.#calls.tally.voices,
      seats: this.#calls.filled,
    });
  }

  #giveUp(): void {
    const { of, needed, received } = this.#calls.shortage;
    const code = this.#localTrouble === "disk-full" ? "disk-full" : "quorum-not-met";
    const held =
      of === "nodes"
        ? `${received} of the ${needed} nodes needed hold the write`
        : `nodes of ${received} of the ${needed} zones needed hold the write`;
    const detail = `${held}; last trouble: ${this.#calls.lastTrouble}`;
    this.#end(refusal(this.#node.ring().version, code, detail, { needed, received, mayHaveHappened: true }));
  }

  #end(answer: WriteAnswer | Refusal): void {
    this.#isDelivered = true;
    this.#calls.answered();
    this.#deliver(answer);
  }
}
