/**
 * One partition of four seats, with members that are few: they join, leave, stay after all, are removed dead or alive;
 * a bucket's n goes up and down; nodes crash, and are cut off from one another; half the nodes hear late of anything.
 *
 * After every step each read that could be made is made: it must hold every write acknowledged before. In the end all is
 * healed, and then each owner must hold a seat, nobody else one, and nobody may wait: who waits for somebody who waits
 * for him is found so.
 */

import type { NodeId } from "../../../src/core/ids.ts";
import type { Voice } from "../../../src/core/quorum/voice.ts";
import {
  firstHolders,
  isOutdated,
  isVacant,
  type KnownSeats,
  knownSeat,
  uniteKnown,
} from "../../../src/core/seats/known.ts";
import { mayVacate } from "../../../src/core/seats/vacate.ts";
import type { Quorum } from "../../../src/core/settings.ts";
import { type ChangeSet, Changes, settingsOf } from "../copies/changes.ts";
import { type Asker, quorumsOf } from "../copies/quorums.ts";
import { copiesRule } from "../copies/rules.ts";
import type { Dice } from "../single-key/dice.ts";
import { mostWrites, type Writes } from "../single-key/oracle.ts";
import { Member, type Outside, seatCount, type View } from "./member.ts";
import type { VacancyRule } from "./rules.ts";

export interface VacancyViolation {
  readonly kind: "missed" | "stuck";
  readonly what: string;
}

/** A write that goes from node to node, by a coordinator that knows so many changes of n. */
interface Write {
  readonly write: Writes;
  readonly changes: ChangeSet;
  readonly answers: Voice[];
  readonly asked: Set<Member>;
  known: KnownSeats;
}

const nodeCount = 7;
const mostChanges = 3;
const mostLosses = 2;
const mostRounds = 600;
/** A removed node that nobody takes anything from ends after so many rounds. */
const patience = 60;

export class VacancyWorld implements Outside {
  readonly rule: VacancyRule;
  readonly changes: Changes;
  readonly order: readonly number[];
  violation: VacancyViolation | undefined;
  readonly trace: string[] | undefined;
  reads = 0;
  writes = 0;
  vacated = 0;
  rebuilds = 0;
  handOvers = 0;
  readonly #members: readonly Member[];
  /** Nodes beyond a split. */
  #cut: ReadonlySet<Member> = new Set();
  #view: View;
  readonly #leaving: Set<NodeId> = new Set();
  readonly #mayLose: boolean;
  #losses = 0;
  /** A read of one answer may meet a removed node that is alive, and nobody can promise it anything. */
  #mayReadOne = false;
  #acknowledged: Writes = 0;
  #underWay: Write[] = [];

  constructor(rule: VacancyRule, dice: Dice, traced: boolean) {
    this.rule = rule;
    this.trace = traced ? [] : undefined;
    this.#mayLose = dice.percent(60);
    const numbers = Array.from({ length: seatCount }, (_, seat) => seat);
    const order = numbers.map((seat) => ({ seat, at: dice.u32() })).sort((a, b) => a.at - b.at);
    this.order = order.map(({ seat }) => seat);
    this.changes = new Changes(copiesRule, this.#settings(dice), this.order);
    const ids = Array.from({ length: nodeCount }, (_, i) => `n${i}` as NodeId);
    const filled = 1 + dice.below(seatCount);
    const known = firstHolders(ids.slice(0, filled));
    this.#view = { version: 1, owners: ids.slice(0, filled), members: new Set(ids.slice(0, filled)) };
    this.#members = ids.map((id, seat) => {
      const hold = seat < filled ? ({ kind: "active", seat, epoch: 0 } as const) : ({ kind: "none" } as const);
      return new Member(this, id, { hold, known }, this.#view);
    });
  }

  reach(from: Member, to: NodeId): Member | undefined {
    const other = this.#members.find(({ id }) => id === to) as Member;
    const isThere = from.isUp && other.isUp && !from.isDead && !other.isDead;
    return isThere && this.#cut.has(from) === this.#cut.has(other) ? other : undefined;
  }

  isRemoved(node: NodeId): boolean {
    return !this.#view.members.has(node);
  }

  note({ id }: Member, what: string): void {
    this.trace?.push(`${id} ${what}`);
    if (what.startsWith("has vacated")) this.vacated++;
    if (what.startsWith("has rebuilt")) this.rebuilds++;
    if (what.startsWith("takes")) this.handOvers++;
  }

  step(dice: Dice): void {
    const what = dice.below(100);
    if (what < 60) for (let i = 0; i < 3; i++) this.#turn(this.#any(dice), dice);
    else if (what < 72) this.#writeAtOnce(dice);
    else if (what < 79) this.#write(dice);
    else if (what < 88) this.#meet(this.#any(dice), this.#any(dice));
    else if (what < 90) this.#any(dice).isUp = true;
    else if (what < 91) this.#crash(this.#any(dice), dice);
    else if (what < 93) this.#change(dice);
    else if (what < 94) this.#split(dice);
    else if (what < 97) this.#join(dice);
    else if (what < 99) this.#leave(dice);
    else this.#remove(dice);
    if (this.violation === undefined) this.#readAtOnce();
  }

  /** All is healed, nobody changes anything any more, and whoever is dead is removed. */
  finish(dice: Dice): void {
    this.#cut = new Set();
    this.#underWay = [];
    const alive = [...this.#view.members].filter((id) => this.#alive().some((member) => member.id === id));
    for (const id of alive) if (alive.every((other) => this.#leaving.has(other))) this.#leaving.delete(id);
    this.#changeView(alive, dice, "whoever is dead is removed");
    for (let round = 0; round < mostRounds && this.violation === undefined; round++) {
      for (const member of this.#alive()) {
        member.isUp = true;
        member.endPromisesTo((id) => this.#members.some((other) => other.id === id && other.isDead));
        this.#meet(member, this.#any(dice));
        this.#turn(member, dice);
      }
      if (this.violation === undefined) this.#readAtOnce();
      if (this.#isSettled()) return;
      if (round === patience) this.#endRemoved();
      if (round === mostRounds >> 1) this.#useAll(dice);
    }
    if (this.violation === undefined) this.#fail("stuck", this.#told());
  }

  #turn(member: Member, dice: Dice): void {
    if (member.isUp && !member.isDead) member.act(dice);
  }

  #settings(dice: Dice): ReturnType<typeof settingsOf> {
    const quorums: readonly (readonly [Quorum, Quorum])[] = [
      ["quorum", "quorum"],
      ["one", "all"],
      ["all", "one"],
    ];
    // What one node alone acknowledged may go with it.
    const isOneLost = this.#losses > 0 && !this.#mayReadOne;
    const [r, w] = quorums[isOneLost ? 0 : dice.below(this.#mayLose ? 2 : 3)] as readonly [Quorum, Quorum];
    this.#mayReadOne ||= r === "one";
    const n = dice.percent(60) ? seatCount : 2 + dice.below(seatCount - 1);
    return settingsOf(n, r, w);
  }

  #endRemoved(): void {
    for (const member of this.#alive()) {
      if (!this.#view.members.has(member.id) && member.record.hold.kind !== "none") member.isDead = true;
    }
  }

  /** A bucket that keeps fewer copies than there are seats stands in the way of vacating; an operator may raise n. */
  #useAll(dice: Dice): void {
    const [first] = this.#alive() as [Member];
    if (this.#mayVacateAll(first.copies)) return;
    first.learnChanges(this.changes.make(this.#allChanges(), 0, { ...this.#settings(dice), n: seatCount }));
  }

  #change(dice: Dice): void {
    if (this.changes.count === mostChanges) return;
    const author = this.#any(dice);
    if (author.voice === undefined) return;
    const settings = this.#settings(dice);
    author.learnChanges(this.changes.make(author.memory.changes, this.#members.indexOf(author), settings));
    this.trace?.push(`${author.id} changes n to ${settings.n}, r ${settings.r}, w ${settings.w}`);
  }

  #join(dice: Dice): void {
    const { members } = this.#view;
    const free = this.#alive().find(({ id, record }) => !members.has(id) && record.hold.kind === "none");
    const isLeaver = this.#leaving.size > 0 && dice.percent(40);
    const [back] = this.#leaving;
    if (isLeaver && back !== undefined) this.#leaving.delete(back);
    else if (free === undefined || members.size >= seatCount + 1) return;
    const joined = isLeaver || free === undefined ? [] : [free.id];
    free?.learn(this.#allKnown());
    free?.learnChanges(this.#allChanges());
    this.#changeView([...members, ...joined], dice, isLeaver ? `${back} stays` : `${free?.id} joins`);
  }

  #leave(dice: Dice): void {
    const { members } = this.#view;
    const staying = [...members].filter((id) => !this.#leaving.has(id));
    const leaver = staying[dice.below(staying.length)];
    if (leaver === undefined || staying.length < 2) return;
    this.#leaving.add(leaver);
    this.#changeView([...members], dice, `${leaver} is to leave`);
  }

  /** A member is removed, dead or alive. */
  #remove(dice: Dice): void {
    const members = [...this.#view.members];
    const staying = members.filter((id) => !this.#leaving.has(id));
    const id = members[dice.below(members.length)] as NodeId;
    const member = this.#members.find((one) => one.id === id) as Member;
    if (!this.#mayLose || this.#losses === mostLosses || !this.#areOthersWhole(member)) return;
    if (staying.filter((one) => one !== id).length === 0) return;
    this.#losses++;
    if (this.#mayReadOne || dice.percent(60)) {
      member.isDead = true;
      this.trace?.push(`${id} is dead`);
    } else this.#cut = new Set([member]);
    this.#leaving.delete(id);
    if (dice.percent(80))
      this.#changeView(
        members.filter((one) => one !== id),
        dice,
        `${id} is removed`,
      );
  }

  #changeView(members: readonly NodeId[], dice: Dice, what: string): void {
    const wanted = members.filter((id) => !this.#leaving.has(id));
    const before = this.#view.owners.filter((id) => wanted.includes(id));
    const owners = [...before, ...wanted.filter((id) => !before.includes(id))].slice(0, seatCount);
    if (dice.percent(40)) owners.sort(() => dice.below(3) - 1);
    this.#view = { version: this.#view.version + 1, owners, members: new Set(members) };
    this.trace?.push(`${what}; owners ${owners.join(" ")}`);
    for (const member of this.#alive()) if (dice.percent(40)) member.view = this.#view;
  }

  /** Whether every seat but that of this one has a voice, and nothing is on its way to or from this one. */
  #areOthersWhole(lost: Member): boolean {
    const known = this.#allKnown();
    const isHeldBy = (seat: number, member: Member): boolean =>
      [member.memory, member.disk].every(({ record: { hold } }) => {
        return hold.kind === "active" && hold.seat === seat && hold.epoch === knownSeat(known, seat).fence;
      });
    const { hold } = lost.record;
    const isAwaited = this.#alive().some(({ record }) => record.hold.kind === "sealed");
    if (isAwaited || hold.kind === "rebuilding" || hold.kind === "sealed") return false;
    const there = Array.from({ length: seatCount }, (_, seat) => seat).filter((seat) => !isVacant(known, seat));
    const own = hold.kind === "active" ? hold.seat : undefined;
    const others = there.filter((seat) => seat !== own);
    return others.length > 0 && others.every((seat) => this.#alive().some((member) => isHeldBy(seat, member)));
  }

  #split(dice: Dice): void {
    this.#cut = dice.percent(50) ? new Set() : new Set(this.#members.filter(() => dice.percent(35)));
  }

  #crash(member: Member, dice: Dice): void {
    if (!member.isUp) return;
    this.trace?.push(`${member.id} crashes`);
    member.crash();
    member.isUp = dice.percent(70);
  }

  #meet(a: Member, b: Member): void {
    if (this.reach(a, b.id) === undefined) return;
    const known = uniteKnown(a.known, b.known);
    const changes = a.memory.changes | b.memory.changes;
    const view = a.view.version > b.view.version ? a.view : b.view;
    for (const member of [a, b]) {
      member.learn(known);
      member.learnChanges(changes);
      member.view = view;
      if (view.version < this.#view.version && this.#cut.size === 0 && this.#underWay.length % 2 === 0) {
        member.view = this.#view;
      }
    }
  }

  /** A write whose every message is fast, and which reaches no more nodes than it must. */
  #writeAtOnce(dice: Dice): void {
    if (this.writes === mostWrites) return;
    const asker = this.#asker(this.#any(dice).memory.changes, dice.percent(50) ? [] : this.#allKnown());
    const quorums = quorumsOf("write", this.#speakers(), asker);
    const quorum = quorums[dice.below(quorums.length)];
    if (quorum === undefined) return;
    const write = 1 << this.writes++;
    for (const member of quorum) {
      member.store(write);
      member.sync();
    }
    this.#acknowledged |= write;
    this.trace?.push(`w${this.writes - 1} is acknowledged by ${quorum.map(tell).join(" ")}`);
  }

  /** A write begins, or reaches one more node. */
  #write(dice: Dice): void {
    if (this.#underWay.length < 2 && this.writes < mostWrites) {
      const { memory } = this.#any(dice);
      const write = 1 << this.writes++;
      this.#underWay.push({
        write,
        changes: memory.changes,
        answers: [],
        asked: new Set(),
        known: memory.record.known,
      });
    }
    const op = this.#underWay[dice.below(this.#underWay.length)];
    const left = this.#speakers().filter((member) => op !== undefined && !op.asked.has(member));
    const member = left[dice.below(left.length)];
    if (op === undefined || member === undefined) {
      this.#underWay = this.#underWay.filter((other) => other !== op);
      return;
    }
    op.asked.add(member);
    if (member.memory.changes !== op.changes) return;
    member.store(op.write);
    member.sync();
    op.answers.push(member.voice as Voice);
    op.known = uniteKnown(op.known, member.known);
    const counted = op.answers.filter((voice) => !isOutdated(voice, op.known));
    if (!this.changes.isMet("write", new Set(counted.map(({ seat }) => seat)), op.changes, op.known)) return;
    this.#acknowledged |= op.write;
    this.trace?.push(`${listed(op.write)} is acknowledged by ${[...op.asked].map(tell).join(" ")}, in the end`);
    this.#underWay = this.#underWay.filter((other) => other !== op);
  }

  /** Every read that could begin now and end now, by one who knows all of seats, and by one who knows what it is told. */
  #readAtOnce(): void {
    if (this.#acknowledged === 0) return;
    for (const changes of new Set(this.#speakers().map(({ memory }) => memory.changes))) {
      for (const seen of [this.#allKnown(), []]) {
        for (const quorum of quorumsOf("read", this.#speakers(), this.#asker(changes, seen))) {
          this.reads++;
          const missed = this.#acknowledged & ~quorum.reduce((all, { memory }) => all | memory.data, 0);
          if (missed === 0) continue;
          return this.#fail("missed", `a read of ${quorum.map(tell).join(" ")} misses ${listed(missed)}`);
        }
      }
    }
  }

  #asker(changes: ChangeSet, seen: KnownSeats): Asker {
    return { rule: copiesRule, all: this.changes, changes, seen };
  }

  #isSettled(): boolean {
    const { owners, members } = this.#view;
    const { copies } = this.#alive()[0] as Member;
    const isWaiting = !this.#mayVacateAll(copies);
    return this.#alive().every((member) => {
      const { hold } = member.record;
      const isOwner = owners.includes(member.id);
      if (isOwner) return hold.kind === "active" && member.isAtRest && (member.isFilled || isWaiting);
      return hold.kind === "none" || (isWaiting && members.has(member.id) && hold.kind === "active");
    });
  }

  #mayVacateAll(copies: number): boolean {
    const known = this.#allKnown();
    return known.every((_, seat) => mayVacate(known, seat, [copies]));
  }

  #speakers(): readonly Member[] {
    return this.#members.filter(({ voice }) => voice !== undefined);
  }

  #alive(): readonly Member[] {
    return this.#members.filter(({ isDead }) => !isDead);
  }

  #any(dice: Dice): Member {
    const matter = this.#alive().filter(({ id, record }) => this.#view.members.has(id) || record.hold.kind !== "none");
    const from = dice.percent(90) ? matter : this.#alive();
    return from[dice.below(from.length)] as Member;
  }

  #allKnown(): KnownSeats {
    return this.#alive().reduce<KnownSeats>((all, { known }) => uniteKnown(all, known), []);
  }

  #allChanges(): ChangeSet {
    return this.#alive().reduce((all, { memory }) => all | memory.changes, 0);
  }

  #told(): string {
    const told = ({ id, record, memory }: Member): string => `${id} ${JSON.stringify(record)} ${memory.changes}`;
    return [`owners ${this.#view.owners.join(" ")}`, ...this.#alive().map(told)].join("\n    ");
  }

  #fail(kind: VacancyViolation["kind"], what: string): void {
    this.violation ??= { kind, what };
  }
}

function tell({ id, voice }: Member): string {
  return voice === undefined ? id : `${id} (${voice.seat}@${voice.epoch})`;
}

function listed(writes: Writes): string {
  const names = Array.from({ length: 32 }, (_, write) => write).filter((write) => writes & (1 << write));
  return names.map((write) => `w${write}`).join(" ");
}
