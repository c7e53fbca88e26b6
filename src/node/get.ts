/**
 * One coordinated get (§4.5, §5): ask all owners of the key, answer with the merge of the first R voices, then go on
 * listening, and repair the owners that turn out to be stale.
 *
 * Every owner's state is merged into the result, also that of an owner without a voice: more states can only add
 * versions and the knowledge of what was replaced. Only voices are counted.
 */

import { keepNewest, mergeNewest } from "../core/causality/last-write-wins.ts";
import type { SiblingSet } from "../core/causality/sibling-set.ts";
import { mergeStates, pruneState } from "../core/causality/sibling-set.ts";
import type { NodeId } from "../core/ids.ts";
import type { ReadRequirement } from "../core/quorum/requirement.ts";
import { Tally } from "../core/quorum/tally.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { Answer, GetAnswer, Refusal, ReplicaGet } from "../wire/message.ts";
import { verifyValues } from "../wire/state-codec.ts";
import { type Coordination, refusal } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";
import { OwnerCalls, type OwnerListener } from "./owner-calls.ts";
import { type Answered, repairStale } from "./read-repair.ts";

export interface GetPlan {
  readonly place: KeyPlace;
  readonly requirement: ReadRequirement;
  readonly lastWriteWins: boolean;
  /** How long the request may take, in ms. */
  readonly budgetMs: number;
}

export class GetOperation implements OwnerListener {
  readonly #node: Coordination;
  readonly #plan: GetPlan;
  readonly #deliver: (answer: GetAnswer | Refusal) => void;
  readonly #calls: OwnerCalls;
  readonly #tally: Tally;
  readonly #answered: Answered[] = [];
  #merged: SiblingSet | undefined;
  #fastest: NodeId | undefined;
  #isDelivered = false;
  #lastTrouble = "";

  constructor(node: Coordination, plan: GetPlan, deliver: (answer: GetAnswer | Refusal) => void) {
    this.#node = node;
    this.#plan = plan;
    this.#deliver = deliver;
    const { place, requirement, budgetMs } = plan;
    this.#calls = new OwnerCalls(node, place, requirement.n, budgetMs, this);
    this.#tally = new Tally(requirement.answers, this.#calls.owners.length);
  }

  start(): void {
    this.#calls.start(this.#plan.budgetMs);
    if (this.#calls.owners.includes(this.#node.self)) this.#askSelf();
    else this.#settle();
  }

  request(): ReplicaGet {
    const { bucket, key } = this.#plan.place;
    return { kind: "replica-get", id: 0, ringVersion: this.#node.ring().version, bucket, key };
  }

  onOwnerAnswer(from: NodeId, answer: Answer): void {
    if (answer.kind !== "replica-state") {
      this.onOwnerTrouble(from, `${from} answered with ${answer.kind}`);
    } else if (answer.state !== undefined && !verifyValues(answer.state, this.#node.runtime.checksum)) {
      this.#node.counters.corruptValues += 1;
      this.onOwnerTrouble(from, `a value from ${from} does not match its checksum`);
    } else {
      this.#hear(from, answer.voice, answer.state);
    }
  }

  onOwnerTrouble(_from: NodeId, why: string): void {
    this.#lastTrouble = why;
    this.#tally.failed();
    this.#settle();
  }

  #askSelf(): void {
    const { place, requirement } = this.#plan;
    const local = this.#node.replica.read(place);
    if (local.kind === "refused") this.onOwnerTrouble(this.#node.self, local.detail);
    else this.#hear(this.#node.self, this.#node.voice(place, requirement.n), local.state);
  }

  #hear(from: NodeId, voice: Voice | undefined, state: SiblingSet | undefined): void {
    if (voice !== undefined) this.#fastest ??= from;
    this.#answered.push({ node: from, state });
    if (state !== undefined) this.#merged = this.#merge(state);
    this.#tally.heard(voice);
    this.#settle();
  }

  #merge(state: SiblingSet): SiblingSet {
    if (this.#merged === undefined) return this.#plan.lastWriteWins ? keepNewest(state) : state;
    return this.#plan.lastWriteWins ? mergeNewest(this.#merged, state) : mergeStates(this.#merged, state);
  }

  #settle(): void {
    if (!this.#isDelivered) {
      if (this.#tally.isMet) this.#succeed();
      else if (this.#tally.isLost) this.#giveUp();
    }
    if (this.#tally.isOver && this.#merged !== undefined) {
      repairStale(this.#node, this.#plan, this.#answered, this.#bounded(this.#merged));
    }
  }

  #succeed(): void {
    this.#isDelivered = true;
    this.#deliver({
      kind: "get-answer",
      id: 0,
      ringVersion: this.#node.ring().version,
      ...(this.#merged === undefined ? {} : { state: this.#bounded(this.#merged) }),
      ...(this.#fastest === undefined ? {} : { fastest: this.#fastest }),
      voices: this.#tally.received,
    });
  }

  #giveUp(): void {
    this.#isDelivered = true;
    const { needed, received } = this.#tally;
    const detail = `${received} of the ${needed} owners needed answered; last trouble: ${this.#lastTrouble || "none"}`;
    this.#deliver(refusal(this.#node.ring().version, "quorum-not-met", detail, { needed, received }));
  }

  /** A merge of pruned contexts can be over the limit again. */
  #bounded(state: SiblingSet): SiblingSet {
    return pruneState(state, this.#node.limits.contextEntries).state;
  }
}
