/**
 * One partition with three seats, seven nodes, clients, and everything that can go wrong between them: rings that
 * change back to back and are heard of late, messages lost, late, doubled and out of order, crashes, lost disks, members
 * removed dead or alive.
 *
 * Clients know nothing: they ask every node, and count whoever answers with a voice, so that no law rests on who is
 * asked. With r + w > 3, a read must hold every write acknowledged before it began. In the end all is healed, and then
 * every seat must be spoken for by an owner, nobody else may hold anything, and nothing acknowledged may be missing.
 *
 * A young partition begins with fewer holders: its other seats are vacant until an owner has filled them. Whoever counts
 * its answers counts by the seats that those who answered know of.
 *
 * A second disk is lost only once every other seat is whole again: nothing helps against losing two of three at once.
 * Nor does anything help against the removal of both holders of a partition that has no third one yet.
 */

import type { NodeId } from "../../../src/core/ids.ts";
import type { Voice } from "../../../src/core/quorum/voice.ts";
import { afterHandOver } from "../../../src/core/seats/epoch.ts";
import {
  firstHolders,
  isOutdated,
  isVacant,
  type KnownSeats,
  knownSeat,
  uniteKnown,
} from "../../../src/core/seats/known.ts";
import { type Successor, voiceOf } from "../../../src/core/seats/record.ts";
import type { Dice } from "../single-key/dice.ts";
import { mostWrites, type Writes } from "../single-key/oracle.ts";
import { Holder, type Message, type Outside, seats, type View } from "./holder.ts";
import type { SeatRule } from "./rules.ts";

export interface SeatViolation {
  readonly kind: "missed" | "lost" | "stuck";
  readonly what: string;
}

interface Sent {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

interface Operation {
  readonly kind: "write" | "read";
  readonly needed: number;
  /** What it writes, or must find. */
  readonly writes: Writes;
  readonly answers: { readonly voice: Voice; readonly data: Writes }[];
  known: KnownSeats;
  isOver: boolean;
}

const nodeCount = 7;
const mostRounds = 1500;

export class SeatWorld implements Outside {
  readonly rule: SeatRule;
  readonly mayRebuild: boolean;
  readonly rebuildPercent: number;
  gossipPercent: number;
  readonly nodes: readonly NodeId[] = Array.from({ length: nodeCount }, (_, i) => `n${i}` as NodeId);
  violation: SeatViolation | undefined;
  readonly trace: string[] | undefined;
  reads = 0;
  handOvers = 0;
  rebuilds = 0;
  writes = 0;
  readonly #holders: Map<NodeId, Holder> = new Map();
  readonly #dead: Set<NodeId> = new Set();
  readonly #sent: Sent[] = [];
  readonly #operations: Operation[] = [];
  /** How many must answer a read, and hold a write. */
  readonly #r: number;
  readonly #w: number;
  readonly #cut: Set<NodeId> = new Set();
  readonly #lossPercent: number;
  /** What everybody knows at first, and whoever has lost its disk. */
  readonly #firstKnown: KnownSeats;
  #acknowledged: Writes = 0;
  #view: View;
  #incarnations = 0;

  /** `filled`: how many seats have a holder at first. */
  constructor(rule: SeatRule, dice: Dice, traced: boolean, filled: number) {
    this.rule = rule;
    this.#firstKnown = firstHolders(this.nodes.slice(0, filled));
    this.trace = traced ? [] : undefined;
    this.mayRebuild = dice.percent(75);
    this.rebuildPercent = this.mayRebuild ? 10 + dice.below(90) : 0;
    this.gossipPercent = dice.percent(60) ? dice.below(6) : dice.below(100);
    this.#lossPercent = dice.below(40);
    const quorums = this.mayRebuild
      ? [
          [2, 2],
          [2, 2],
          [3, 2],
          [2, 3],
        ]
      : [
          [2, 2],
          [1, 3],
          [3, 1],
        ];
    [this.#r, this.#w] = quorums[dice.below(quorums.length)] as [number, number];
    const owners = this.nodes.slice(0, seats);
    const incarnations = new Map(this.nodes.map((node) => [node, this.#incarnation()]));
    this.#view = { version: 1, owners, incarnations };
    for (const [seat, node] of this.nodes.entries()) {
      const hold = seat < filled ? ({ kind: "active", seat, epoch: 0 } as const) : ({ kind: "none" } as const);
      const self = { node, incarnation: incarnations.get(node) as string };
      this.#holders.set(node, new Holder(this, self, this.#firstKnown, hold, this.#view));
    }
  }

  step(dice: Dice): void {
    this.#act(dice);
    if (this.violation === undefined) this.#readAtOnce();
  }

  #act(dice: Dice): void {
    const node = this.#holder(dice);
    const what = dice.below(100);
    if (what < 50) this.#deliver(dice);
    else if (what < 70) {
      if (node.isUp) node.act(dice);
    } else if (what < 74) this.#write(dice);
    else if (what < 80) this.#writeAtOnce(dice);
    else if (what < 83) this.#read(dice);
    else if (what < 85) {
      if (node.isUp) node.sync();
    } else if (what < 87) {
      if (node.isUp) node.commit();
    } else if (what < 89) this.#crash(this.#holderOrOwner(dice), dice);
    else if (what < 92) this.#restart(dice);
    else if (what < 95) this.#changeOwners(dice);
    else if (what < 97) this.#removeSome(dice);
    else if (what < 98) this.#loseDisk(this.#holderOrOwner(dice), dice);
    else if (what < 99) this.#cutOff(dice);
    else if (dice.percent(50)) this.#swapOwners(dice);
  }

  /** All is healed: everybody is up, hears of the last ring, and no message is lost any more. */
  finish(dice: Dice): void {
    for (const holder of this.#alive()) holder.isUp = true;
    this.#cut.clear();
    this.gossipPercent = 100;
    for (let round = 0; round < mostRounds && this.violation === undefined; round++) {
      for (const holder of this.#alive()) {
        holder.commit();
        holder.sync();
        if (holder.view.version < this.#view.version) holder.view = this.#view;
        holder.act(dice);
      }
      for (const { from, to, message } of this.#sent.splice(0)) this.#arrive(from, to, message, dice);
      if (round > 2 && this.#isSettled()) return this.#lookAtAll();
    }
    if (this.violation === undefined) this.#fail("stuck", this.#told());
  }

  send(from: Holder, to: NodeId | "client", message: Message): void {
    if (to === "client") {
      if (message.kind === "answer") this.#sent.push({ from: from.id, to: "client" as NodeId, message });
    } else this.#sent.push({ from: from.id, to, message });
  }

  /** An operator looks before that: nothing helps against losing two of three at once. */
  isGivenUp({ node, incarnation }: Successor): boolean {
    const isLost = this.#dead.has(node) || this.#holders.get(node)?.self.incarnation !== incarnation;
    return isLost || this.#areOthersWhole(node);
  }

  note(holder: Holder, what: string): void {
    this.trace?.push(`${holder.id} ${what}`);
    if (what.startsWith("takes")) this.handOvers++;
    if (what.startsWith("has rebuilt")) this.rebuilds++;
  }

  #deliver(dice: Dice): void {
    for (let i = 0; i < 3 && this.#sent.length > 0 && this.violation === undefined; i++) {
      const count = this.#sent.length;
      const pick = dice.percent(60) ? Math.max(0, count - 1 - dice.below(4)) : dice.below(count);
      const { from, to, message } = this.#sent[pick] as Sent;
      if (!dice.percent(12)) this.#sent.splice(pick, 1);
      if (message.kind !== "answer" && dice.percent(this.#lossPercent)) continue;
      this.#arrive(from, to, message, dice);
    }
  }

  #arrive(from: NodeId, to: NodeId, message: Message, dice: Dice): void {
    if (message.kind === "answer") return this.#hear(message, from);
    const holder = this.#holders.get(to) as Holder;
    if (from !== "client" && this.#cut.has(from) !== this.#cut.has(to)) return;
    if (holder.isUp && !this.#dead.has(to)) holder.receive(message, from, dice);
  }

  #write(dice: Dice): void {
    if (this.writes === mostWrites) return;
    this.#ask("write", this.#w, 1 << this.writes++, dice);
  }

  #read(dice: Dice): void {
    this.#ask("read", this.#r, this.#acknowledged, dice);
  }

  /** A write whose every message is fast, and which reaches no more nodes than it must. */
  #writeAtOnce(dice: Dice): void {
    const quorums = this.#quorums(this.#w);
    const quorum = quorums[dice.below(quorums.length)];
    if (quorum === undefined || this.writes === mostWrites) return;
    const write = 1 << this.writes++;
    for (const holder of quorum) holder.putAtOnce(write);
    this.#acknowledged |= write;
    this.trace?.push(`w${bitOf(write)} is acknowledged by ${told(quorum)}, at once`);
  }

  /** Every read that could begin now and end now. */
  #readAtOnce(): void {
    if (this.#acknowledged === 0) return;
    for (const quorum of this.#quorums(this.#r)) {
      this.reads++;
      const missed = this.#acknowledged & ~quorum.reduce((all, { memory }) => all | memory.data, 0);
      if (missed !== 0) return this.#fail("missed", `a read of ${told(quorum)} misses ${listed(missed)}`);
    }
  }

  /** All sets of so many nodes whose answers would count together, each for a seat of its own. */
  #quorums(size: number): readonly (readonly Holder[])[] {
    const speakers = this.#alive().filter(({ isUp, record }) => isUp && voiceOf(record) !== undefined);
    let sets: Holder[][] = [[]];
    const quorums: Holder[][] = [];
    for (let i = 0; i < size; i++) {
      sets = sets.flatMap((set) => {
        const after = speakers.slice(set.length === 0 ? 0 : speakers.indexOf(set.at(-1) as Holder) + 1);
        return after
          .filter((next) => set.every((other) => this.#countTogether(other, next)))
          .map((next) => [...set, next]);
      });
      for (const set of sets) {
        const known = set.map(({ record }) => record.known).reduce(uniteKnown);
        if (set.length === this.#enough(size, known)) quorums.push(set);
      }
    }
    return quorums;
  }

  /** How many answers there must be where so many are asked for, of the seats that are not vacant. */
  #enough(size: number, known: KnownSeats): number {
    const { countsBy } = this.rule;
    const isThere = (seat: number): boolean =>
      countsBy === "fences" ? !isVacant(known, seat) : knownSeat(known, seat).held >= 0;
    const there = [0, 1, 2].filter(isThere).length;
    return countsBy === "nothing" ? 1 : Math.min(size, there);
  }

  #countTogether(a: Holder, b: Holder): boolean {
    const [voiceA, voiceB] = [voiceOf(a.record), voiceOf(b.record)] as [Voice, Voice];
    if (voiceA.seat === voiceB.seat) return false;
    if (!this.rule.comparesEpochs) return true;
    return !isOutdated(voiceA, b.record.known) && !isOutdated(voiceB, a.record.known);
  }

  /** Not every node hears of every request, or two answers would rarely be of two opinions. */
  #ask(kind: Operation["kind"], needed: number, writes: Writes, dice: Dice): void {
    const op = this.#operations.push({ kind, needed, writes, answers: [], known: [], isOver: false }) - 1;
    const message: Message = kind === "write" ? { kind: "put", op, write: writes } : { kind: "get", op };
    for (const holder of this.#alive()) {
      const isAsked = dice.percent(holder.record.hold.kind === "none" ? 5 : 65);
      if (isAsked) this.#sent.push({ from: "client" as NodeId, to: holder.id, message });
    }
  }

  #hear({ op, voice, known, data }: Extract<Message, { kind: "answer" }>, from: NodeId): void {
    const operation = this.#operations[op] as Operation;
    if (operation.isOver) return;
    operation.answers.push({ voice, data });
    operation.known = uniteKnown(operation.known, known);
    const isVoid = (voice: Voice): boolean => this.rule.comparesEpochs && isOutdated(voice, operation.known);
    const counted = operation.answers.filter((answer) => !isVoid(answer.voice));
    const enough = this.#enough(operation.needed, operation.known);
    if (new Set(counted.map((answer) => answer.voice.seat)).size < enough) return;
    operation.isOver = true;
    const voices = counted.map(({ voice }) => `${voice.seat}@${voice.epoch}`).join(" ");
    if (operation.kind === "write") {
      this.trace?.push(`w${bitOf(operation.writes)} is acknowledged by ${voices}, last by ${from}`);
      this.#acknowledged |= operation.writes;
      return;
    }
    this.reads++;
    const found = operation.answers.reduce((all, answer) => all | answer.data, 0);
    const missed = operation.writes & ~found;
    if (missed !== 0) this.#fail("missed", `a read of ${voices} misses ${listed(missed)}`);
  }

  #crash(node: Holder, dice: Dice): void {
    if (!node.isUp) return;
    this.trace?.push(`${node.id} crashes`);
    node.crash();
    node.isUp = dice.percent(50);
  }

  #restart(dice: Dice): void {
    const down = this.#alive().filter(({ isUp }) => !isUp);
    const holder = down[dice.below(down.length)];
    if (holder !== undefined) holder.isUp = true;
  }

  #changeOwners(dice: Dice): void {
    const others = [...this.#view.incarnations.keys()].filter((node) => !this.#view.owners.includes(node));
    const owners = [...this.#view.owners];
    for (let i = 1 + dice.below(2); i > 0 && others.length > 0; i--) {
      const [next] = others.splice(dice.below(others.length), 1);
      owners[dice.below(seats)] = next as NodeId;
    }
    this.#change({ owners }, dice);
  }

  #swapOwners(dice: Dice): void {
    const [a, ...rest] = this.#view.owners as [NodeId, NodeId, NodeId];
    this.#change({ owners: dice.percent(50) ? [...rest, a] : [rest[0] as NodeId, a, rest[1] as NodeId] }, dice);
  }

  /** Sometimes two at a time, from one side of a split. */
  #removeSome(dice: Dice): void {
    for (let i = dice.percent(35) ? 2 : 1; i > 0; i--) this.#remove(this.#holderOrOwner(dice), dice);
  }

  /** A member is removed: it is dead, or it is only said to be. */
  #remove({ id }: Holder, dice: Dice): void {
    const incarnations = new Map(this.#view.incarnations);
    if (!this.mayRebuild || incarnations.size <= nodeCount - 3 || !incarnations.delete(id)) return;
    if (this.#mayBeSole(id) || this.#mayBeSplit(id)) return;
    const isSuccessor = this.#alive().some(({ record: { hold } }) => hold.kind === "sealed" && hold.to.node === id);
    if (isSuccessor && !this.#areOthersWhole(id)) return;
    if (dice.percent(40) && this.#areOthersWhole(id)) {
      this.trace?.push(`${id} is dead`);
      this.#dead.add(id);
      this.#forgetQuestions(id);
    } else if (dice.percent(50)) this.#cut.add(id);
    const free = [...incarnations.keys()].filter((node) => !this.#view.owners.includes(node));
    const owners = this.#view.owners.map((owner) => (owner === id ? (free[dice.below(free.length)] as NodeId) : owner));
    this.#change({ owners, incarnations }, dice);
  }

  #loseDisk({ id, view }: Holder, dice: Dice): void {
    if (!this.mayRebuild || !this.#view.incarnations.has(id) || !this.#areOthersWhole(id)) return;
    this.trace?.push(`${id} loses its disk`);
    const incarnation = this.#incarnation();
    this.#change({ incarnations: new Map(this.#view.incarnations).set(id, incarnation) }, dice);
    this.#forgetQuestions(id);
    const current = view.version < this.#view.version ? this.#view : view;
    this.#holders.set(id, new Holder(this, { node: id, incarnation }, this.#firstKnown, { kind: "none" }, current));
  }

  /** One or two nodes hear nothing of the others, nor these of them; or they do again. Clients reach both sides. */
  #cutOff(dice: Dice): void {
    const wasCut = this.#cut.size > 0;
    this.#cut.clear();
    if (wasCut && dice.percent(40)) return;
    for (let i = 1 + dice.below(2); i > 0; i--) this.#cut.add(this.#holderOrOwner(dice).id);
    this.trace?.push(`cut off: ${[...this.#cut].join(" ")}`);
  }

  /** A process's questions end with its connections; its answers may still be on their way. */
  #forgetQuestions(of: NodeId): void {
    for (let i = this.#sent.length - 1; i >= 0; i--) {
      if (this.#sent[i]?.from === of && this.#sent[i]?.message.kind === "ask") this.#sent.splice(i, 1);
    }
  }

  /** Half the nodes hear of it at once. */
  #change(change: Partial<View>, dice: Dice): void {
    this.#view = { ...this.#view, ...change, version: this.#view.version + 1 };
    this.trace?.push(`ring ${this.#view.version}: ${this.#view.owners.join(" ")}`);
    for (const holder of this.#alive()) if (dice.percent(50)) holder.view = this.#view;
  }

  /** Whether all but one seat may be vacant yet: nothing helps against the loss of the only copy, either. */
  #mayBeSole(id: NodeId): boolean {
    return (
      [0, 1, 2].filter((seat) => this.#isWhole(seat)).length < 2 && this.#alive().some((holder) => holder.id === id)
    );
  }

  /**
   * Whether, of two seats that there are, the other one's holder was removed and may be alive: then each of the two would
   * help to replace the other, and there is no third one that both rebuilds need.
   */
  #mayBeSplit(id: NodeId): boolean {
    const known = this.#alive().map(({ disk: { record } }) => record.known);
    if ([0, 1, 2].every((seat) => known.some((one) => knownSeat(one, seat).held >= 0))) return false;
    const removed = this.#alive().filter((holder) => holder.id !== id && !this.#view.incarnations.has(holder.id));
    return removed.some(({ disk, memory }) => [disk, memory].some(({ record: { hold } }) => "seat" in hold));
  }

  /** Whether every seat but the one that the node has a part in has a voice that nobody has heard the end of. */
  #areOthersWhole(id: NodeId): boolean {
    const parts = new Set<number>();
    for (const holder of this.#alive()) {
      for (const { hold } of [holder.disk.record, holder.memory.record]) {
        if (hold.kind === "none" || hold.kind === "former") continue;
        if (holder.id === id || (hold.kind === "sealed" && hold.to.node === id)) parts.add(hold.seat);
      }
    }
    return parts.size < 2 && [0, 1, 2].every((seat) => parts.has(seat) || this.#isWhole(seat));
  }

  #isWhole(seat: number): boolean {
    const newest = this.#newest(seat);
    return this.#alive().some(({ disk: { record } }) => {
      return record.hold.kind === "active" && record.hold.seat === seat && record.hold.epoch === newest;
    });
  }

  /** The newest epoch of a seat that anybody, or anything under way, knows of. */
  #newest(seat: number): number {
    const epochs = [0];
    for (const { record } of this.#alive().flatMap(({ memory, disk }) => [memory, disk])) {
      epochs.push(knownSeat(record.known, seat).fence);
      if (record.hold.kind === "sealed" && record.hold.seat === seat) epochs.push(afterHandOver(record.hold.epoch));
    }
    for (const { message } of this.#sent) {
      if (message.kind === "fence" && message.seat === seat) epochs.push(message.epoch);
    }
    return Math.max(...epochs);
  }

  #isSettled(): boolean {
    const { owners } = this.#view;
    const voices = this.#alive().map((holder) => ({ holder, voice: voiceOf(holder.disk.record) }));
    const areSpokenFor = [0, 1, 2].every((seat) => {
      const speakers = voices.filter(({ voice }) => voice?.seat === seat);
      const [speaker] = speakers;
      if (speakers.length !== 1 || speaker?.voice === undefined) return false;
      return owners.includes(speaker.holder.id) && speaker.voice.epoch === this.#newest(seat);
    });
    return areSpokenFor && this.#alive().every((holder) => owners.includes(holder.id) || holder.disk.data === 0);
  }

  #lookAtAll(): void {
    const held = [0, 1, 2].map((seat) => {
      return this.#alive().find((holder) => voiceOf(holder.disk.record)?.seat === seat)?.disk.data ?? 0;
    });
    for (const [seat, data] of held.entries()) {
      const others = held.filter((_, other) => other !== seat).reduce((all, other) => all | other, 0);
      const found = this.#r === 3 ? others | data : this.#r === 2 ? others : data;
      const lost = this.#acknowledged & ~found;
      if (lost !== 0) this.#fail("lost", `${listed(lost)} cannot be read without seat ${seat}`);
    }
  }

  #told(): string {
    const tell = ({ id, record: { hold, grant } }: Holder): string => {
      return `${id} ${JSON.stringify(hold)}${grant ? ` granted ${JSON.stringify(grant)}` : ""}`;
    };
    return [`owners ${this.#view.owners.join(" ")}`, ...this.#alive().map(tell)].join("; ");
  }

  #fail(kind: SeatViolation["kind"], what: string): void {
    this.violation ??= { kind, what };
  }

  #alive(): Holder[] {
    return [...this.#holders.values()].filter(({ id }) => !this.#dead.has(id));
  }

  #holder(dice: Dice): Holder {
    const alive = this.#alive();
    return alive[dice.below(alive.length)] as Holder;
  }

  /** Mostly one of those on whom it matters. */
  #holderOrOwner(dice: Dice): Holder {
    const matter = this.#alive().filter(
      ({ id, record }) => record.hold.kind !== "none" || this.#view.owners.includes(id),
    );
    return dice.percent(85) ? (matter[dice.below(matter.length)] as Holder) : this.#holder(dice);
  }

  #incarnation(): string {
    return String(this.#incarnations++).padStart(3, "0");
  }
}

function told(holders: readonly Holder[]): string {
  const tell = ({ id, record }: Holder): string => `${id} (${voiceOf(record)?.seat}@${voiceOf(record)?.epoch})`;
  return holders.map(tell).join(" and ");
}

function bitOf(write: Writes): number {
  return 31 - Math.clz32(write);
}

function listed(writes: Writes): string {
  const names = Array.from({ length: 32 }, (_, write) => write).filter((write) => writes & (1 << write));
  return names.map((write) => `w${write}`).join(" ");
}
