/**
 * One node of the model: what it does with the product's decisions (`src/core/seats`). A message comes in, others go
 * out; each time it is its turn, it does what is next to do.
 *
 * A copy is the set of writes it holds: merging is uniting, and nothing is ever replaced, which is all it takes to see
 * whether a write is lost or missed.
 */

import type { NodeId } from "../../../src/core/ids.ts";
import type { Voice } from "../../../src/core/quorum/voice.ts";
import { afterHandOver, type Epoch } from "../../../src/core/seats/epoch.ts";
import { isBeingRebuilt, type KnownSeats, knownSeat, withFence, withHolder } from "../../../src/core/seats/known.ts";
import {
  beginRebuild,
  finishRebuild,
  giveUpRebuild,
  grantRebuild,
  knowsNoOther,
  lostBeside,
  nextToCopy,
  promises,
  releaseGrant,
  withCopied,
} from "../../../src/core/seats/rebuild.ts";
import {
  decline,
  disown,
  type HandOver,
  handOverOf,
  learn,
  type SeatRecord,
  type Successor,
  seal,
  successorIsLost,
  takeOver,
  voiceOf,
} from "../../../src/core/seats/record.ts";
import { seatToTake } from "../../../src/core/seats/wanted.ts";
import type { Dice } from "../single-key/dice.ts";
import type { Writes } from "../single-key/oracle.ts";
import type { SeatRule } from "./rules.ts";

export const seats = 3;

/** A ring, as far as a partition is concerned, and who is a member under it. */
export interface View {
  readonly version: number;
  readonly owners: readonly NodeId[];
  /** By member; those that were removed are missing. */
  readonly incarnations: ReadonlyMap<NodeId, string>;
}

export type Message =
  | { readonly kind: "put"; readonly op: number; readonly write: Writes }
  | { readonly kind: "get"; readonly op: number }
  | {
      readonly kind: "answer";
      readonly op: number;
      readonly voice: Voice;
      readonly known: KnownSeats;
      readonly data: Writes;
    }
  | { readonly kind: "gossip"; readonly known: KnownSeats; readonly view: View }
  | { readonly kind: "ask"; readonly seat: number; readonly to: Successor }
  | { readonly kind: "sealed"; readonly handOver: HandOver }
  | { readonly kind: "copy"; readonly handOver: HandOver }
  | { readonly kind: "copied"; readonly handOver: HandOver; readonly data: Writes }
  | { readonly kind: "fence" | "fetch"; readonly seat: number; readonly epoch: Epoch }
  | { readonly kind: "fenced"; readonly epoch: Epoch; readonly voice: Voice; readonly known: KnownSeats }
  | { readonly kind: "fetched"; readonly epoch: Epoch; readonly voice: Voice; readonly data: Writes }
  | { readonly kind: "push" | "pushed"; readonly data: Writes }
  | { readonly kind: "inquire"; readonly seat: number; readonly epoch: Epoch }
  | { readonly kind: "given-up"; readonly seat: number; readonly epoch: Epoch; readonly known: KnownSeats };

interface Copy {
  readonly record: SeatRecord;
  readonly data: Writes;
}

/** What a node does to the world. */
export interface Outside {
  readonly rule: SeatRule;
  /** In how many of 100 turns a seat is rebuilt whose holder was removed, though it may be alive. */
  readonly rebuildPercent: number;
  readonly nodes: readonly NodeId[];
  /** In how many of 100 turns a node tells another what it knows. */
  readonly gossipPercent: number;
  send(from: Holder, to: NodeId | "client", message: Message): void;
  /** Whether nobody waits any more for a member that was removed while a seat was being handed over to it. */
  isGivenUp(successor: Successor): boolean;
  /** For the trace. */
  note(holder: Holder, what: string): void;
}

export class Holder {
  readonly id: NodeId;
  readonly self: Successor;
  memory: Copy;
  disk: Copy;
  view: View;
  isUp = true;
  readonly #outside: Outside;
  /** Acknowledgements that wait for the disk. */
  #unsynced: Message[] = [];
  /** Admitted and not in the store yet; empty under a sound rule. */
  #admitted: { readonly write: Writes; readonly answer: Message }[] = [];
  /** What has been heard from other seats' holders for the rebuild that goes on. */
  #fenced: Map<number, Voice> = new Map();
  #fetched: Map<number, Voice> = new Map();
  /** How often it gave up in a row, and how many turns it lets pass before it tries again. */
  #triedInVain = 0;
  #pauses = 0;

  constructor(outside: Outside, self: Successor, known: KnownSeats, hold: SeatRecord["hold"], view: View) {
    this.#outside = outside;
    this.id = self.node;
    this.self = self;
    this.memory = { record: disown({ hold, known }, this.id), data: 0 };
    this.disk = this.memory;
    this.view = view;
  }

  get record(): SeatRecord {
    return this.memory.record;
  }

  sync(): void {
    this.disk = this.memory;
    for (const answer of this.#unsynced.splice(0)) this.#outside.send(this, "client", answer);
  }

  /** What was admitted before is stored now. */
  commit(): void {
    for (const { write, answer } of this.#admitted.splice(0)) {
      this.memory = { ...this.memory, data: this.memory.data | write };
      this.#unsynced.push(answer);
    }
  }

  crash(): void {
    this.memory = this.disk;
    this.#unsynced = [];
    this.#admitted = [];
    this.#fenced = new Map();
    this.#fetched = new Map();
  }

  receive(message: Message, from: NodeId, dice: Dice): void {
    switch (message.kind) {
      case "put":
        return this.#put(message.op, message.write, dice);
      case "get": {
        const voice = voiceOf(this.record);
        const { known } = this.record;
        if (voice) this.#send("client", { kind: "answer", op: message.op, voice, known, data: this.memory.data });
        return;
      }
      case "gossip":
        this.#see(message.view);
        return this.#learn(message.known);
      case "ask":
        return this.#beAsked(message.seat, message.to, dice);
      case "sealed":
        return this.#hearSeal(message.handOver, from);
      case "copy": {
        const current = handOverOf(this.record);
        const isHis = current?.seat === message.handOver.seat && current.epoch === message.handOver.epoch;
        const speaks = !this.#outside.rule.seals && voiceOf(this.record) !== undefined;
        if (!isHis && !speaks) return;
        this.#send(from, { kind: "copied", handOver: message.handOver, data: this.memory.data });
        if (!this.#outside.rule.waitsForConfirmation) this.#store({ ...this.record, hold: { kind: "none" } }, 0);
        return;
      }
      case "copied":
        return this.#take(message.handOver, message.data, from);
      case "fence":
        return this.#beFenced(message.seat, message.epoch, from);
      case "fetch": {
        const voice = voiceOf(this.record);
        const { fencesFirst, fences } = this.#outside.rule;
        const isFenced = knownSeat(this.record.known, message.seat).fence === message.epoch;
        if (voice === undefined || (fences && fencesFirst && !isFenced)) return;
        this.#send(from, { kind: "fetched", epoch: message.epoch, voice, data: this.memory.data });
        return;
      }
      case "fenced":
        this.#learn(message.known);
        if (this.#isRebuilding(message.epoch)) this.#fenced.set(message.voice.seat, message.voice);
        return this.#copyIfBoth(message.voice.seat);
      case "fetched":
        return this.#fetch(message.epoch, message.voice, message.data);
      case "push":
        if (voiceOf(this.record) === undefined) return this.#tell(from);
        this.#store(this.record, this.memory.data | message.data);
        return this.#send(from, { kind: "pushed", data: message.data });
      case "pushed":
        if (this.record.hold.kind === "former" && (this.memory.data & ~message.data) === 0) {
          this.#store({ ...this.record, hold: { kind: "none" } });
        }
        return;
      case "inquire":
        if (this.#isRebuilding(message.epoch)) return;
        this.#send(from, { ...message, kind: "given-up", known: this.record.known });
        return this.#tell(from);
      case "given-up":
        this.#learn(message.known);
        return this.#beFreed(message.seat, message.epoch, from);
      case "answer":
        return;
    }
  }

  /** It is this node's turn. */
  act(dice: Dice): void {
    const { hold, known } = this.record;
    const { nodes, gossipPercent } = this.#outside;
    if (dice.percent(gossipPercent)) this.#tell(nodes[dice.below(nodes.length)] as NodeId);
    for (const { by, seat, epoch } of promises(this.record)) {
      this.#send(by, { kind: "inquire", seat, epoch });
    }
    const seat = seatToTake(this.id, hold, this.view.owners, known);
    if (hold.kind === "sealed") {
      if (!this.#outside.rule.waitsForRefusal && dice.percent(15)) this.#goOnUnasked();
      else this.#remindSuccessor(hold.to);
    }
    if (hold.kind === "rebuilding") this.#goOnRebuilding(dice);
    if (seat !== undefined) this.#pursue(seat, dice);
    else if (hold.kind === "former") {
      const holder = knownSeat(known, dice.below(seats)).holder;
      if (holder !== undefined) this.#send(holder, { kind: "push", data: this.memory.data });
    }
    const isForeign = !this.view.owners.includes(this.id);
    if (isForeign && (this.record.hold.kind === "none" || !this.#outside.rule.keepsWhatItHolds)) {
      if (this.memory.data !== 0) this.#note("drops its copy");
      this.#store({ ...this.record, hold: { kind: "none" } }, 0);
    }
  }

  /** A write whose every message is fast. */
  putAtOnce(write: Writes): void {
    this.memory = { ...this.memory, data: this.memory.data | write };
    this.sync();
  }

  #put(op: number, write: Writes, dice: Dice): void {
    const voice = voiceOf(this.record);
    if (voice === undefined) return;
    const answer: Message = { kind: "answer", op, voice, known: this.record.known, data: write };
    this.#admitted.push({ write, answer });
    if (this.#outside.rule.commitsAtOnce || dice.percent(50)) this.commit();
    if (dice.percent(60)) this.sync();
  }

  #beAsked(seat: number, to: Successor, dice: Dice): void {
    const { hold } = this.record;
    const isToGo = !this.view.owners.includes(this.id) || dice.percent(5);
    const sealed = hold.kind === "sealed" || isToGo ? seal(this.record, seat, to) : undefined;
    if (sealed === undefined) return this.#tell(to.node);
    const handOver = handOverOf(sealed) as HandOver;
    if (this.#outside.rule.seals && sealed !== this.record) {
      this.#note(`seals seat ${seat} for ${to.node}`);
      if (this.#outside.rule.sealIsSynced) this.#store(sealed);
      else this.memory = { ...this.memory, record: sealed };
    }
    this.#sendSealed(handOver, to.node);
  }

  #sendSealed(handOver: HandOver, to: NodeId): void {
    const { known, grant, ...rest } = handOver;
    const passedOn = this.#outside.rule.handsKnowledgeOn ? handOver : { ...rest, known: known.map(withoutFence) };
    this.#send(to, { kind: "sealed", handOver: passedOn });
  }

  #remindSuccessor(to: Successor): void {
    const incarnation = this.view.incarnations.get(to.node);
    // One that has joined again may be newer than this node's view; one that was removed may answer yet.
    const isGone = incarnation === undefined ? this.#outside.isGivenUp(to) : incarnation > to.incarnation;
    if (isGone) {
      this.#note("has lost its successor");
      this.#store(successorIsLost(this.record, this.id));
    } else this.#sendSealed(handOverOf(this.record) as HandOver, to.node);
  }

  #goOnUnasked(): void {
    const { hold, known } = this.record;
    if (hold.kind !== "sealed") return;
    const epoch = afterHandOver(afterHandOver(hold.epoch));
    const active = { kind: "active", seat: hold.seat, epoch } as const;
    this.#store({ ...this.record, hold: active, known: withHolder(known, hold.seat, epoch, this.id) });
  }

  #hearSeal(handOver: HandOver, from: NodeId): void {
    const isMine = handOver.to.incarnation === this.self.incarnation || !this.#outside.rule.namesIncarnation;
    if (!isMine) return;
    this.#learn(handOver.known);
    if (takeOver(this.record, handOver) === undefined) return this.#decline(handOver, from);
    if (this.#outside.rule.copiesLate) this.#send(from, { kind: "copy", handOver });
    else this.#take(handOver, 0, from);
  }

  #decline(handOver: HandOver, from: NodeId): void {
    const declined = decline(this.record, handOver);
    if (declined !== undefined) {
      this.#note(`declines seat ${handOver.seat}`);
      this.#store(declined);
    }
    this.#tell(from);
  }

  #take(handOver: HandOver, data: Writes, from: NodeId): void {
    const isMine = handOver.to.incarnation === this.self.incarnation || !this.#outside.rule.namesIncarnation;
    const taken = isMine ? takeOver(this.record, handOver) : undefined;
    if (taken === undefined) return;
    this.#note(`takes seat ${handOver.seat} over at epoch ${handOver.epoch}`);
    const { rule } = this.#outside;
    if (rule.syncsCopy) this.#store(taken, this.memory.data | data);
    else {
      this.memory = { record: taken, data: this.memory.data | data };
      this.disk = { ...this.disk, record: taken };
    }
    this.#tell(from);
  }

  #pursue(seat: number, dice: Dice): void {
    const { known, hold } = this.record;
    const { holder } = knownSeat(known, seat);
    const isOver = holder === undefined || hold.kind === "active";
    const isRemoved = holder !== undefined && !this.view.incarnations.has(holder);
    const isBegun = isBeingRebuilt(known, seat);
    if (isOver || (isRemoved && (isBegun || dice.percent(this.#outside.rebuildPercent)))) {
      if (this.#outside.rule.needsOther && knowsNoOther(known, seat, seats)) return;
      if (lostBeside(known, seat, seats) !== undefined || this.#pauses-- > 0) return;
      const begun = this.#begin(seat);
      if (begun === undefined) return;
      this.#note(`rebuilds seat ${seat}`);
      this.#store(begun);
    } else this.#send(holder, { kind: "ask", seat, to: this.self });
  }

  #begin(seat: number): SeatRecord | undefined {
    this.#fenced.clear();
    this.#fetched.clear();
    const begun = beginRebuild(this.record, seat, this.id);
    if (begun?.hold.kind !== "rebuilding" || this.#outside.rule.generations) return begun;
    const epoch = knownSeat(this.record.known, seat).fence + 1;
    return { ...begun, hold: { ...begun.hold, epoch }, known: withFence(this.record.known, seat, epoch, this.id) };
  }

  #goOnRebuilding(dice: Dice): void {
    const { hold, known } = this.record;
    if (hold.kind !== "rebuilding") return;
    const isInVain =
      (!this.view.owners.includes(this.id) && !hold.isHolder) || lostBeside(known, hold.seat, seats) !== undefined;
    // Whoever gets on no more gives up: another rebuild, which this one needs, may wait for the same holders.
    if (isInVain || dice.percent(4)) {
      this.#triedInVain = Math.min(6, this.#triedInVain + 1);
      this.#pauses = dice.below(2 ** this.#triedInVain);
      return this.#store(giveUpRebuild(this.record));
    }
    const { copiesAll, fences, fencesFirst } = this.#outside.rule;
    const next = copiesAll || hold.copied.length === 0 ? nextToCopy(this.record, seats) : undefined;
    if (next === undefined) return this.#finish();
    const { holder } = knownSeat(known, next);
    if (holder === undefined) return;
    const isFenced = this.#fenced.has(next) || !fences;
    const kind = fencesFirst ? (isFenced ? "fetch" : "fence") : this.#fetched.has(next) ? "fence" : "fetch";
    this.#send(holder, { kind, seat: hold.seat, epoch: hold.epoch });
  }

  #finish(): void {
    const { hold } = this.record;
    if (hold.kind !== "rebuilding") return;
    const all = this.#outside.rule.copiesAll ? hold.copied : [0, 1, 2].map((seat) => ({ seat, epoch: Infinity }));
    const done = finishRebuild({ ...this.record, hold: { ...hold, copied: all } }, seats, this.id);
    if (done === undefined) return;
    this.#note(`has rebuilt seat ${hold.seat}`);
    this.#triedInVain = 0;
    this.#store(done);
  }

  #beFenced(seat: number, epoch: Epoch, by: NodeId): void {
    const { fences, fenceIsSynced } = this.#outside.rule;
    const granted = this.#grant(seat, epoch, by);
    const voice = voiceOf(this.record);
    if (granted === undefined || voice === undefined) return this.#tell(by);
    if (fences && fenceIsSynced) this.#store(granted);
    else if (fences) this.memory = { ...this.memory, record: granted };
    this.#send(by, { kind: "fenced", epoch, voice, known: this.record.known });
  }

  #grant(seat: number, epoch: Epoch, by: NodeId): SeatRecord | undefined {
    const granted = grantRebuild(this.record, seat, epoch, by);
    if (granted === undefined || this.#outside.rule.promisesStand) return granted;
    return { ...granted, grant: { seat, epoch, by } };
  }

  #beFreed(seat: number, epoch: Epoch, from: NodeId): void {
    const by = this.#outside.rule.promisesAreNamed ? from : this.record.grant?.by;
    if (by !== undefined) this.#store(releaseGrant(this.record, { seat, epoch, by }));
  }

  #fetch(epoch: Epoch, voice: Voice, data: Writes): void {
    if (!this.#isRebuilding(epoch)) return;
    this.#store(this.record, this.memory.data | data);
    this.#fetched.set(voice.seat, voice);
    this.#copyIfBoth(voice.seat);
  }

  #copyIfBoth(seat: number): void {
    const voice = this.#fetched.get(seat);
    if (voice === undefined || (this.#outside.rule.fences && !this.#fenced.has(seat))) return;
    this.#fenced.delete(seat);
    this.#fetched.delete(seat);
    this.#store(withCopied(this.record, voice));
  }

  #isRebuilding(epoch: Epoch): boolean {
    const { hold } = this.record;
    return hold.kind === "rebuilding" && hold.epoch === epoch;
  }

  #learn(known: KnownSeats): void {
    const after = learn(this.record, known, this.id);
    if (after.hold === this.record.hold) this.memory = { ...this.memory, record: after };
    else {
      this.#note(`learns, was ${this.record.hold.kind}, is ${after.hold.kind}`);
      this.#store(after);
    }
  }

  #see(view: View): void {
    if (view.version > this.view.version) this.view = view;
  }

  #tell(to: NodeId): void {
    this.#send(to, { kind: "gossip", known: this.record.known, view: this.view });
  }

  /** The record is on disk, and so is the data that is given; other data may not be. */
  #store(record: SeatRecord, data?: Writes): void {
    this.memory = { record, data: data ?? this.memory.data };
    if (data === undefined) this.disk = { ...this.disk, record };
    else this.sync();
  }

  #send(to: NodeId | "client", message: Message): void {
    this.#outside.send(this, to, message);
  }

  #note(what: string): void {
    this.#outside.note(this, what);
  }
}

function withoutFence({ held, holder }: KnownSeats[number]): KnownSeats[number] {
  return { held, ...(holder && { holder }), fence: held };
}
