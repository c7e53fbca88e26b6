/**
 * One coordinated get (§4.5, §4.6, §5): ask every seat of the key, answer with the merge of the first R, then go on
 * listening, and repair the owners that turn out to be stale.
 *
 * The copy here is read first, and others are told what it is: whoever has the same one says so instead of sending it.
 *
 * Every state is merged into the result, also that of an owner without a voice and of one that stands in: more states
 * can only add versions and the knowledge of what was replaced. What counts is the tally's affair.
 *
 * Where too few answer, somebody who has nothing of the key is given what the others know, and counts once it holds
 * that: with two of three owners down, what is read is then held twice, and reads go on. Nothing is still nothing: if
 * nobody knows anything of the key, a missing answer stays missing.
 */

import { keepNewest, mergeNewest } from "../core/causality/last-write-wins.ts";
import { emptySiblingSet, mergeStates, pruneState, type SiblingSet } from "../core/causality/sibling-set.ts";
import type { NodeId } from "../core/ids.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { Answer, GetAnswer, Refusal, ReplicaGet, ReplicaPut } from "../wire/message.ts";
import { verifyValues } from "../wire/state-codec.ts";
import { type Coordination, lifeLeftMs, refusal } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";
import { type Answered, repairStale } from "./read-repair.ts";
import type { LocalState } from "./replica.ts";
import type { NeededOf, Seat, SeatListener } from "./seat.ts";
import { SeatCalls } from "./seat-calls.ts";

export interface GetPlan {
  readonly place: KeyPlace;
  readonly needed: NeededOf;
  readonly lastWriteWins: boolean;
  /** How long the request may take, in ms. */
  readonly budgetMs: number;
}

/** Somebody who answered for a seat, has no voice in it and nothing of the key. */
interface EmptyHanded {
  readonly seat: Seat;
  readonly node: NodeId;
}

export class GetOperation implements SeatListener {
  readonly #node: Coordination;
  readonly #plan: GetPlan;
  readonly #deliver: (answer: GetAnswer | Refusal) => void;
  readonly #calls: SeatCalls;
  /** What is here. */
  #local: LocalState | undefined;
  /** What owners answered. */
  #answered: Answered[] = [];
  #emptyHanded: EmptyHanded[] = [];
  /** Those that are being given the merge, by seat, where there are any. */
  #given: Map<Seat, NodeId> | undefined;
  /** Nothing that was merged is older. */
  readonly #beganMs: number;
  #merged: SiblingSet | undefined;
  #fastest: NodeId | undefined;
  #isDelivered = false;

  constructor(node: Coordination, plan: GetPlan, deliver: (answer: GetAnswer | Refusal) => void) {
    this.#node = node;
    this.#beganMs = node.runtime.clock.monotonicMs();
    this.#plan = plan;
    this.#deliver = deliver;
    const { place, needed, budgetMs } = plan;
    this.#calls = new SeatCalls({ node, place, needed, budgetMs, listener: this });
  }

  start(): void {
    const { here, standsInHere } = this.#calls;
    const { self, hints, replica } = this.#node;
    const local = (standsInHere ? hints : replica).read(this.#plan.place);
    if (local.kind === "state") this.#local = local;
    this.#calls.start();
    if (local.kind === "refused") return this.#calls.failed(here, self, local.detail);
    this.#hear(here, self, standsInHere ? undefined : this.#node.voice(this.#plan.place), local.state);
  }

  request(seat: Seat, isStandIn: boolean): ReplicaGet | ReplicaPut | undefined {
    const { bucket, key, partition } = this.#plan.place;
    const changes = this.#node.seats.part(this.#plan.place).version;
    const knownHash = this.#node.seats.hash(partition);
    const given = this.#given?.get(seat);
    if (isStandIn && given !== undefined && given === seat.standIn) {
      return lifeLeftMs(this.#node, this.#beganMs) === 0 ? undefined : this.#gift(seat, given);
    }
    const standInFor = isStandIn ? seat.owner : undefined;
    const unless = isStandIn ? undefined : this.#local?.head;
    return { kind: "replica-get", id: 0, knownHash, changes, bucket, key, standInFor, unless };
  }

  onAnswer(seat: Seat, from: NodeId, answer: Answer): void {
    if (answer.kind === "replica-stored") {
      this.#calls.heard(seat, from, { voice: undefined, holdsCopy: true });
    } else if (answer.kind !== "replica-state") {
      this.#calls.failed(seat, from, `answered with ${answer.kind}`);
    } else if (answer.isSame === true) {
      const { state, head } = this.#local ?? {};
      if (head === undefined) this.#calls.failed(seat, from, "has the same as nobody");
      else this.#hear(seat, from, answer.voice, state);
    } else if (answer.state !== undefined && !verifyValues(answer.state, this.#node.runtime.checksum)) {
      this.#node.counters.corruptValues += 1;
      this.#calls.failed(seat, from, "sent a value that does not match its checksum");
    } else {
      this.#hear(seat, from, answer.voice, answer.state);
    }
  }

  onNobody(): void {}

  onDeadline(): void {
    this.#giveUp();
  }

  settle(): void {
    if (!this.#isDelivered) {
      if (this.#calls.isMet) this.#succeed();
      else if (!this.#give() && this.#calls.isLost) this.#giveUp();
    }
    if (this.#calls.tally.isOver && this.#merged !== undefined) {
      const answered = this.#answered;
      this.#answered = [];
      repairStale(this.#node, this.#plan, this.#beganMs, answered, this.#bounded(this.#merged));
    }
  }

  #hear(seat: Seat, from: NodeId, voice: Voice | undefined, state: SiblingSet | undefined): void {
    // One that fills its seat is asked again until it speaks.
    if (from === seat.owner) {
      const before = this.#answered.findIndex(({ node }) => node === from);
      if (before !== -1) this.#answered.splice(before, 1);
      this.#answered.push({ node: from, state });
    }
    if (this.#emptyHanded.length > 0) {
      this.#emptyHanded = this.#emptyHanded.filter(
        (other) => other.node !== from && (voice === undefined || other.seat !== seat),
      );
    }
    if (state !== undefined) this.#merged = this.#merge(state);
    if (voice !== undefined) this.#fastest ??= from;
    else if (state === undefined) this.#emptyHanded.push({ seat, node: from });
    this.#calls.heard(seat, from, { voice, holdsCopy: state !== undefined });
  }

  #merge(state: SiblingSet): SiblingSet {
    if (this.#merged === undefined) return this.#plan.lastWriteWins ? keepNewest(state) : state;
    return this.#plan.lastWriteWins ? mergeNewest(this.#merged, state) : mergeStates(this.#merged, state);
  }

  /** Gives what is known to as many as are missing. False where none is, and where that could not be enough. */
  #give(): boolean {
    if (this.#calls.tally.lacksVoices || this.#merged === undefined) return false;
    const taking = this.#takers();
    if (taking.length === 0 || lifeLeftMs(this.#node, this.#beganMs) === 0) return false;
    this.#emptyHanded = this.#emptyHanded.filter((other) => !taking.includes(other));
    for (const { seat, node } of taking) {
      this.#given ??= new Map();
      this.#given.set(seat, node);
      this.#calls.askAgain(seat, node);
      if (node === this.#node.self) this.#keepHere(seat, this.#bounded(this.#merged));
    }
    return true;
  }

  /** Those to whom it must be given, so that nodes and zones are enough; none where there are too few of them. */
  #takers(): readonly EmptyHanded[] {
    const { tally, zones } = this.#calls;
    const missingZones = zones?.missing ?? 0;
    const count = Math.max(tally.missing, missingZones);
    if (count <= 0 || count > this.#emptyHanded.length) return [];
    const wanted = zones?.wanted(this.#emptyHanded.map(({ node }) => node)) ?? [];
    if (wanted.length < missingZones) return [];
    const rank = ({ node }: EmptyHanded): number => (wanted.includes(node) ? 0 : 1);
    return this.#emptyHanded.toSorted((a, b) => rank(a) - rank(b)).slice(0, count);
  }

  #gift(seat: Seat, node: NodeId): ReplicaPut {
    const { place, lastWriteWins } = this.#plan;
    const state = this.#bounded(this.#merged ?? emptySiblingSet);
    // Given to an owner, it is that owner's repair.
    this.#answered = this.#answered.map((answered) => (answered.node === node ? { node, state } : answered));
    return {
      kind: "replica-put",
      id: 0,
      knownHash: this.#node.seats.hash(place.partition),
      changes: this.#node.seats.part(place).version,
      bucket: place.bucket,
      key: place.key,
      purpose: "repair",
      synced: false,
      lastWriteWins,
      ...(node === seat.owner ? {} : { hintFor: seat.owner }),
      state,
    };
  }

  #keepHere(seat: Seat, state: SiblingSet): void {
    const { place, lastWriteWins } = this.#plan;
    const { self, hints } = this.#node;
    const kept = !this.#node.isServing()
      ? undefined
      : seat.owner === self
        ? this.#mergeHere(state)
        : hints.keep(seat.owner, place, state, lastWriteWins, undefined);
    if (kept?.kind === "state") this.#calls.heard(seat, self, { voice: undefined, holdsCopy: true });
    else this.#calls.failed(seat, self, kept?.detail ?? "keeps nothing now");
  }

  #mergeHere(state: SiblingSet): ReturnType<Coordination["replica"]["merge"]> | undefined {
    const { place, lastWriteWins } = this.#plan;
    const { replica, seats } = this.#node;
    return seats.mayStore(place.partition) ? replica.merge(place, state, lastWriteWins, undefined) : undefined;
  }

  #succeed(): void {
    const { tally } = this.#calls;
    this.#end({
      kind: "get-answer",
      id: 0,
      state: this.#merged === undefined ? undefined : this.#bounded(this.#merged),
      fastest: this.#fastest,
      voices: tally.voicesRead,
      seats: this.#calls.filled,
    });
  }

  #giveUp(): void {
    if (this.#isDelivered) return;
    const { of, needed, received } = this.#calls.shortage;
    const came =
      of === "nodes"
        ? `${received} of the ${needed} answers needed came`
        : `answers came from ${received} of the ${needed} zones needed`;
    const detail = `${came}; last trouble: ${this.#calls.lastTrouble}`;
    this.#end(refusal(this.#node.ring().version, "quorum-not-met", detail, { needed, received }));
  }

  #end(answer: GetAnswer | Refusal): void {
    this.#isDelivered = true;
    this.#calls.needNoStandIns();
    this.#calls.answered();
    this.#deliver(answer);
  }

  /** A merge of pruned contexts can be over the limit again. */
  #bounded(state: SiblingSet): SiblingSet {
    return pruneState(state, this.#node.limits.contextEntries).state;
  }
}
