/**
 * One node of the model: what it does about the seats of one partition, in the order in which the product does it
 * (`src/node/transfer-tasks.ts`), with the product's decisions. Each turn is one step that asks one other node at most;
 * between two turns anything may happen to either.
 *
 * A copy is the set of writes it holds: merging is uniting. How messages get lost, late and doubled on the way is in the
 * models of seats and of changes of n (`../seat`, `../copies`).
 */

import type { NodeId } from "../../../src/core/ids.ts";
import type { Voice } from "../../../src/core/quorum/voice.ts";
import { keepsBucket } from "../../../src/core/seats/bucket-seats.ts";
import { allChanges, isFilledForAll, leftToCopy } from "../../../src/core/seats/filled.ts";
import { isBeingRebuilt, type KnownSeats, knownSeat, withFilled } from "../../../src/core/seats/known.ts";
import {
  beginRebuild,
  finishRebuild,
  giveUpRebuild,
  grantRebuild,
  isAnothers,
  knowsNoOther,
  lostBeside,
  nextToCopy,
  promises,
  releaseGrant,
  withCopied,
} from "../../../src/core/seats/rebuild.ts";
import {
  decline,
  handOverOf,
  learn,
  type SeatRecord,
  seal,
  successorIsLost,
  takeOver,
  voiceOf,
} from "../../../src/core/seats/record.ts";
import { isForNobody } from "../../../src/core/seats/vacate.ts";
import { seatToTake } from "../../../src/core/seats/wanted.ts";
import type { ChangeSet, Changes } from "../copies/changes.ts";
import type { Dice } from "../single-key/dice.ts";
import type { Writes } from "../single-key/oracle.ts";
import type { VacancyRule } from "./rules.ts";
import { type Lost, Vacating } from "./vacating.ts";

export const seatCount = 4;

/** Who shall own the partition, and who is a member, as of some time. */
export interface View {
  readonly version: number;
  readonly owners: readonly NodeId[];
  readonly members: ReadonlySet<NodeId>;
}

export interface Copy {
  readonly record: SeatRecord;
  readonly data: Writes;
  readonly changes: ChangeSet;
}

/** What a node sees of the world. */
export interface Outside {
  readonly rule: VacancyRule;
  readonly changes: Changes;
  /** The bucket's order of seats. */
  readonly order: readonly number[];
  /** The other node, if it can be reached from here now. */
  reach(from: Member, to: NodeId): Member | undefined;
  /** Whether it has been a member and is none any more: one of whose joining nobody here has heard is not gone. */
  isRemoved(node: NodeId): boolean;
  note(member: Member, what: string): void;
}

/** A copy of another holder, or to it, that counts if that one still has this voice at the next turn. */
interface Underway {
  readonly from: NodeId;
  readonly voice: Voice;
  readonly data: Writes;
  readonly before: SeatRecord["hold"];
}

export class Member {
  readonly id: NodeId;
  isUp = true;
  isDead = false;
  memory: Copy;
  disk: Copy;
  view: View;
  readonly #outside: Outside;
  underway: Underway | undefined;
  #vacating: Vacating;
  /** Whom it has copied to fill its seat for the changes of n that it knows. */
  #copied: Map<number, Voice> = new Map();
  #rebuiltFrom: Map<number, ChangeSet> = new Map();
  pauses = 0;

  constructor(outside: Outside, id: NodeId, record: SeatRecord, view: View) {
    this.#outside = outside;
    this.#vacating = new Vacating(outside, this);
    this.id = id;
    this.view = view;
    this.memory = { record, data: 0, changes: 0 };
    this.disk = this.memory;
  }

  get record(): SeatRecord {
    return this.memory.record;
  }

  get known(): KnownSeats {
    return this.memory.record.known;
  }

  get voice(): Voice | undefined {
    if (!this.isUp || this.isDead) return undefined;
    const { hold } = this.record;
    const isUnsealed = !this.#outside.rule.seals && hold.kind === "sealed" && isForNobody(hold, this.id);
    return isUnsealed ? { seat: hold.seat, epoch: hold.epoch } : voiceOf(this.record);
  }

  /** How many copies the bucket keeps, as far as it knows. */
  get copies(): number {
    return this.#outside.changes.newest(this.memory.changes).n;
  }

  /** How many it kept in the eras whose quorums requests must meet. */
  get #mostCopies(): number {
    const { copiesOpenEras } = this.#outside.rule;
    const open = copiesOpenEras ? this.#outside.changes.open(this.memory.changes, this.known) : [];
    return Math.max(this.copies, ...open.map(({ settings }) => settings.n));
  }

  sync(): void {
    this.disk = this.memory;
  }

  crash(): void {
    this.memory = this.disk;
    this.underway = undefined;
    this.#vacating = new Vacating(this.#outside, this);
    this.#copied = new Map();
    this.#rebuiltFrom = new Map();
  }

  store(writes: Writes): void {
    this.memory = { ...this.memory, data: this.memory.data | writes };
  }

  learn(known: KnownSeats): void {
    const before = this.record;
    const after = learn(before, known, this.id);
    const { hold } = before;
    const isKept = !this.#outside.rule.copiesAnew && hold.kind === "rebuilding" && after.hold.kind === "rebuilding";
    const record = isKept ? { ...after, hold } : after;
    if (record.hold === hold) this.memory = { ...this.memory, record };
    else this.decide(record);
  }

  /** Changes of n are on its disk before it knows them. */
  learnChanges(changes: ChangeSet): void {
    const all = this.memory.changes | changes;
    if (all === this.memory.changes) return;
    this.#copied = new Map();
    this.memory = { ...this.memory, changes: all };
    this.disk = { ...this.disk, changes: all };
  }

  get isFilled(): boolean {
    const voice = voiceOf(this.record);
    return voice === undefined || isFilledForAll(this.#eras(), this.known, voice.seat);
  }

  /** Whether it may hold something that is nobody's any more, or is on the way to a seat. */
  get isAtRest(): boolean {
    const { hold } = this.record;
    return hold.kind === "none" || (hold.kind === "active" && knownSeat(this.known, hold.seat).fence === hold.epoch);
  }

  /** Whether the rebuild, or vacancy, of that seat at that epoch goes on here. */
  isUnderWay(seat: number, epoch: number): boolean {
    const holds = [this.record.hold, this.disk.record.hold];
    const isRebuilt = holds.some((hold) => {
      return (hold.kind === "rebuilding" || hold.kind === "active") && hold.seat === seat && hold.epoch === epoch;
    });
    return isRebuilt || (this.#vacating.lost?.seat === seat && this.#vacating.lost.epoch === epoch);
  }

  /** It is this node's turn. */
  act(dice: Dice): void {
    this.#inquire();
    const { hold } = this.record;
    const { owners } = this.view;
    if (!this.view.members.has(this.id) && hold.kind !== "none") return this.#actRemoved();
    if (hold.kind === "sealed")
      return isForNobody(hold, this.id) ? this.#vacating.finishOwn(dice) : this.#remind(hold.to.node);
    if (this.#vacating.lost !== undefined) return this.#vacating.goOn(dice);
    if (this.#fill()) return;
    const seat = this.#vacating.next();
    if (seat !== undefined && this.pauses-- <= 0 && this.#vacating.begin(seat)) return;
    if (hold.kind === "rebuilding") return this.#goOnRebuilding(dice);
    const wanted = seatToTake(this.id, hold, owners, this.known);
    if (wanted !== undefined) return this.#pursue(wanted);
    if (hold.kind === "former") return this.#handBack(dice);
    if (hold.kind === "none") this.memory = { ...this.memory, data: 0 };
    else if (dice.percent(30)) this.#shed();
  }

  /** One that was removed gives of its own accord nothing but what it has sealed for somebody. */
  #actRemoved(): void {
    const { hold } = this.record;
    if (hold.kind === "sealed" && !isForNobody(hold, this.id)) return this.#remind(hold.to.node);
    if (hold.kind === "rebuilding") this.decide(giveUpRebuild(this.record));
  }

  #eras(): ReturnType<Changes["eras"]> {
    return this.#outside.changes.eras(this.memory.changes);
  }

  reach(node: NodeId | undefined): Member | undefined {
    return node === undefined ? undefined : this.#outside.reach(this, node);
  }

  isGone(node: NodeId): boolean {
    return this.#outside.isRemoved(node) && !this.view.members.has(node) && this.reach(node) === undefined;
  }

  /** Whether promises go on; those of one that is gone are the operator's to end (`endPromisesTo`). */
  #inquire(): void {
    for (const promise of promises(this.record)) {
      const by = this.reach(promise.by);
      const isOver =
        promise.by === this.id ? this.#vacating.lost === undefined : by?.isUnderWay(promise.seat, promise.epoch);
      if (by !== undefined) this.learn(by.known);
      if (promise.by === this.id ? isOver === true : isOver === false) this.decide(releaseGrant(this.record, promise));
    }
  }

  /** What an operator says by force: these promises are void. */
  endPromisesTo(isDead: (node: NodeId) => boolean): void {
    for (const promise of promises(this.record)) {
      if (isDead(promise.by)) this.decide(releaseGrant(this.record, promise));
    }
  }

  // Filling, where n has changed.

  #fill(): boolean {
    const voice = this.voice;
    if (voice === undefined || this.isFilled || this.record.hold.kind !== "active") return false;
    const left = leftToCopy(this.known, voice.seat, this.#copied);
    const mayGoOn = left.every((seat) => {
      return !isBeingRebuilt(this.known, seat) && this.reach(knownSeat(this.known, seat).holder) !== undefined;
    });
    if (!mayGoOn) return false;
    const [next] = left;
    if (next === undefined) {
      const known = withFilled(this.known, voice.seat, allChanges(this.#eras()));
      this.decide({ ...this.record, known });
      return true;
    }
    const copied = this.copy(next, voice.seat, this.memory.changes);
    if (copied !== undefined) this.#copied.set(next, copied);
    return true;
  }

  /** Copies another seat's holder in two turns, between which it must keep its voice; that voice at the second one. */
  copy(seat: number, own: number, changes: ChangeSet | undefined): Voice | undefined {
    const holder = this.reach(knownSeat(this.known, seat).holder);
    const voice = holder?.voice;
    const isSame = holder !== undefined && (changes === undefined || holder.memory.changes === changes);
    const underway = this.underway;
    this.underway = undefined;
    if (holder === undefined) return undefined;
    this.learn(holder.known);
    if (voice?.seat !== seat || !isSame) {
      this.#outside.note(this, `cannot copy seat ${seat} of ${holder.id}`);
      return void this.learnChanges(holder.memory.changes);
    }
    const before = this.record.hold;
    const isBegun =
      underway?.from === holder.id && underway.voice.seat === seat && underway.voice.epoch === voice.epoch;
    if (isBegun && underway.before === before) {
      this.store(underway.data);
      this.sync();
      return voice;
    }
    const isKept = keepsBucket(this.#outside.order, this.known, this.#mostCopies, own);
    this.underway = { from: holder.id, voice, data: isKept ? holder.memory.data : 0, before };
    return undefined;
  }

  /** It gives another seat's holder all it has, in two turns, likewise. */
  giveTo(seat: number): Voice | undefined {
    const holder = this.reach(knownSeat(this.known, seat).holder);
    const underway = this.underway;
    this.underway = undefined;
    if (holder === undefined) return undefined;
    this.learn(holder.known);
    this.learnChanges(holder.memory.changes);
    if (holder.memory.changes !== this.memory.changes) return void holder.learnChanges(this.memory.changes);
    const { voice } = holder;
    const isSame =
      underway?.from === holder.id && underway.voice.epoch === voice?.epoch && underway.voice.seat === seat;
    if (isSame) return voice;
    if (!holder.merge(this.memory.data)) return undefined;
    if (!this.#outside.rule.givesToVoices) return { seat, epoch: Number.POSITIVE_INFINITY };
    if (voice?.seat === seat) {
      this.underway = { from: holder.id, voice, data: 0, before: this.record.hold };
    }
    return undefined;
  }

  /** Whether it has all of that, on its disk. */
  merge(data: Writes): boolean {
    const { hold } = this.record;
    const isWhole = hold.kind === "active" || hold.kind === "sealed" || (hold.kind === "rebuilding" && hold.isHolder);
    if (isWhole && (data & ~this.memory.data) === 0) {
      this.sync();
      return true;
    }
    if (hold.kind !== "active" || !keepsBucket(this.#outside.order, this.known, this.#mostCopies, hold.seat))
      return false;
    this.store(data);
    this.sync();
    return true;
  }

  /** It fences the seat for another's sake; whether it has a voice to be copied with. */
  beFenced({ seat, epoch }: Pick<Lost, "seat" | "epoch">, by: NodeId): boolean {
    const isAnother = isAnothers(this.record, seat, by, (node) => this.isGone(node));
    if (isAnother && this.#outside.rule.helpsOne) return false;
    const granted = grantRebuild(this.record, seat, epoch, by);
    if (granted === undefined || this.voice === undefined) return false;
    this.decide(granted);
    return true;
  }

  // Taking.

  #pursue(seat: number): void {
    const { known, hold } = this.record;
    const { holder } = knownSeat(known, seat);
    const isLost = holder === undefined || hold.kind === "active" || this.isGone(holder);
    const isRemoved = holder !== undefined && this.#outside.isRemoved(holder) && !this.view.members.has(holder);
    const isDeposed = isBeingRebuilt(known, seat) && isRemoved;
    if (isLost || isDeposed) return this.#beginRebuild(seat);
    const from = this.reach(holder);
    if (from === undefined || isBeingRebuilt(known, seat)) return;
    this.learn(from.known);
    from.beAsked(seat, this);
  }

  beAsked(seat: number, by: Member): void {
    const { hold } = this.record;
    this.learn(by.known);
    if (hold.kind !== "active" || this.view.owners.includes(this.id)) return;
    const sealed = seal(this.record, seat, { node: by.id, incarnation: "" });
    if (sealed === undefined) return;
    this.note(`seals seat ${seat} for ${by.id}`);
    this.decide(sealed);
  }

  #remind(to: NodeId): void {
    const handOver = handOverOf(this.record);
    if (handOver === undefined) return;
    if (this.isGone(to)) return this.decide(successorIsLost(this.record, this.id));
    const successor = this.reach(to);
    if (successor === undefined) return;
    const taken = successor.view.members.has(to) ? takeOver(successor.record, handOver) : undefined;
    if (taken !== undefined) {
      successor.store(this.memory.data);
      successor.learnChanges(this.memory.changes);
      successor.note(`takes seat ${handOver.seat} over`);
      successor.decide(taken);
    } else {
      const declined = decline(successor.record, handOver);
      if (declined !== undefined) successor.decide(declined);
    }
    this.learn(successor.known);
  }

  #beginRebuild(seat: number): void {
    const { known, hold } = this.record;
    if (this.pauses-- > 0) return;
    if (
      (hold.kind !== "active" && knowsNoOther(known, seat, seatCount)) ||
      lostBeside(known, seat, seatCount) !== undefined
    )
      return;
    const isWhole = known.every(({ holder, held }, other) => {
      const isThere = other !== seat && held >= 0 && holder !== undefined && holder !== this.id;
      return !isThere || this.reach(holder) !== undefined;
    });
    const begun = isWhole ? beginRebuild(this.record, seat, this.id) : undefined;
    if (begun === undefined) return;
    this.note(`rebuilds seat ${seat}`);
    this.#rebuiltFrom = new Map();
    this.underway = undefined;
    this.decide(begun);
  }

  #goOnRebuilding(dice: Dice): void {
    const { hold } = this.record;
    if (hold.kind !== "rebuilding") return;
    const isWanted = this.view.owners.includes(this.id) || hold.isHolder;
    const next = nextToCopy(this.record, seatCount);
    if (isWanted && next === undefined) return this.#finishRebuild();
    const holder = next === undefined ? undefined : this.reach(knownSeat(this.known, next).holder);
    const isInVain = !isWanted || lostBeside(this.known, hold.seat, seatCount) !== undefined || dice.percent(4);
    if (isInVain || holder?.beFenced(hold, this.id) === false) {
      this.pauses = dice.below(16);
      return this.decide(giveUpRebuild(this.record));
    }
    if (next === undefined || holder === undefined) return;
    const voice = this.copy(next, hold.seat, undefined);
    if (voice === undefined) return;
    this.#rebuiltFrom.set(next, holder.memory.changes);
    this.learnChanges(holder.memory.changes);
    this.decide(withCopied(this.record, voice));
  }

  #finishRebuild(): void {
    const { hold } = this.record;
    if (hold.kind !== "rebuilding") return;
    const { changes } = this.memory;
    const copied = hold.copied.filter(({ seat }) => this.#rebuiltFrom.get(seat) === changes);
    const left = leftToCopy(this.known, hold.seat, new Map(copied.map((voice) => [voice.seat, voice])));
    const all = allChanges(this.#eras());
    const done = finishRebuild(this.record, seatCount, this.id, left.length === 0 && all.count > 0 ? all : undefined);
    if (done === undefined) return;
    this.note(`has rebuilt seat ${hold.seat}`);
    this.decide(done);
  }

  // Giving away what is nobody's.

  #handBack(dice: Dice): void {
    const speakers = this.known.flatMap(({ holder }) => this.reach(holder) ?? []);
    const speaker = speakers[dice.below(speakers.length)];
    if (speaker === undefined) return;
    this.learn(speaker.known);
    const isAlone = speaker.voice === undefined || speaker.memory.changes !== this.memory.changes;
    if (isAlone || !speaker.merge(this.memory.data) || this.record.hold.kind !== "former") return;
    this.decide({ ...this.record, hold: { kind: "none" } });
  }

  /** It drops what its seat does not keep, where all that do are there, and filled (`src/node/surplus.ts`). */
  #shed(): void {
    const voice = this.voice;
    const { changes, order } = this.#outside;
    if (voice === undefined || this.memory.data === 0 || !this.isFilled) return;
    const open = changes.open(this.memory.changes, this.known);
    const kept = changes.seats(open.at(-1) as NonNullable<(typeof open)[0]>, this.known);
    if (open.length !== 1 || kept.includes(voice.seat) || order.length === 0) return;
    const keepers = kept.map((seat) => {
      return isBeingRebuilt(this.known, seat) ? undefined : this.reach(knownSeat(this.known, seat).holder);
    });
    const [first] = keepers;
    if (keepers.includes(undefined) || first === undefined || !first.merge(this.memory.data)) return;
    this.note("drops what its seat does not keep");
    this.memory = { ...this.memory, data: 0 };
  }

  /** A decision is on disk at once, and all that was stored before it. */
  decide(record: SeatRecord): void {
    this.memory = { ...this.memory, record };
    this.sync();
  }

  note(what: string): void {
    this.#outside.note(this, what);
  }
}
