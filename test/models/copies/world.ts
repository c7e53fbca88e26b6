/**
 * One partition of five seats, a bucket whose n changes back to back and on both sides of a split, clients with old and
 * new views, and what goes wrong meanwhile: messages lost, late and doubled, crashes, hand-overs, and seats lost and
 * rebuilt, or filled for the first time.
 *
 * Whoever knows a change of n makes the next one after it; who does not, beside it. A read must hold every write that
 * was acknowledged before it began. In the end all know the same, every seat is filled, and those that the bucket does
 * not use any more hold nothing.
 */

import type { NodeId } from "../../../src/core/ids.ts";
import type { Voice } from "../../../src/core/quorum/voice.ts";
import { firstEpoch, neverHeld } from "../../../src/core/seats/epoch.ts";
import { isBeingRebuilt, isOutdated, type KnownSeats, knownSeat, uniteKnown } from "../../../src/core/seats/known.ts";
import type { Quorum } from "../../../src/core/settings.ts";
import type { Dice } from "../single-key/dice.ts";
import { mostWrites, type Writes } from "../single-key/oracle.ts";
import { type ChangeSet, Changes, seatCount, settingsOf } from "./changes.ts";
import { Keeper, type Told } from "./keeper.ts";
import { type Asker, quorumsOf } from "./quorums.ts";
import type { CopiesRule } from "./rules.ts";

export interface CopiesViolation {
  readonly kind: "missed" | "lost" | "stuck";
  readonly what: string;
}

/** A coordinator. */
interface Client {
  known: KnownSeats;
  changes: ChangeSet;
}

interface Operation {
  readonly client: Client;
  readonly kind: "write" | "read";
  /** What it writes, or must find. */
  readonly writes: Writes;
  readonly answers: { readonly voice: Voice; readonly data: Writes }[];
  isOver: boolean;
}

type Message =
  | { readonly kind: "request"; readonly to: Keeper; readonly op: Operation; readonly changes: ChangeSet }
  | {
      readonly kind: "answer";
      readonly op: Operation;
      readonly voice: Voice;
      readonly known: KnownSeats;
      readonly data: Writes;
    }
  | { readonly kind: "refusal"; readonly op: Operation; readonly changes: ChangeSet }
  | { readonly kind: "copy"; readonly to: Keeper; readonly by: Keeper; readonly changes: ChangeSet }
  | { readonly kind: "copied"; readonly to: Keeper; readonly told: Told };

const nodeCount = 9;
const clientCount = 3;
const mostChanges = 5;
const mostLosses = 3;
const mostRounds = 400;

export class CopiesWorld {
  readonly rule: CopiesRule;
  violation: CopiesViolation | undefined;
  readonly trace: string[] | undefined;
  reads = 0;
  writes = 0;
  marks = 0;
  drops = 0;
  rebuilds = 0;
  readonly #changes: Changes;
  readonly #keepers: readonly Keeper[];
  readonly #clients: readonly Client[];
  readonly #sent: Message[] = [];
  /** Nodes beyond a split, with the clients of odd number. */
  #cut: ReadonlySet<Keeper> = new Set();
  readonly #mayLose: boolean;
  readonly #lossPercent: number;
  /** Answers of writes that wait for the disk. */
  readonly #unsynced: Map<Keeper, Message[]> = new Map();
  #losses = 0;
  #acknowledged: Writes = 0;

  constructor(rule: CopiesRule, dice: Dice, traced: boolean) {
    this.rule = rule;
    this.trace = traced ? [] : undefined;
    this.#mayLose = dice.percent(40);
    this.#lossPercent = dice.below(30);
    const numbers = Array.from({ length: seatCount }, (_, seat) => seat);
    const order = numbers.map((seat) => ({ seat, at: dice.u32() })).sort((a, b) => a.at - b.at);
    this.#changes = new Changes(
      rule,
      this.#settings(dice),
      order.map(({ seat }) => seat),
    );
    const existing = dice.percent(60) ? seatCount : 2 + dice.below(3);
    const known = Array.from({ length: existing }, (_, seat) => {
      return { held: firstEpoch, holder: `n${seat}` as NodeId, fence: firstEpoch };
    });
    this.#keepers = Array.from({ length: nodeCount }, (_, i) => {
      const hold =
        i < existing ? ({ kind: "active", seat: i, epoch: firstEpoch } as const) : ({ kind: "none" } as const);
      return new Keeper(rule, this.#changes, `n${i}` as NodeId, { hold, known });
    });
    this.#clients = Array.from({ length: clientCount }, () => ({ known, changes: 0 }));
  }

  step(dice: Dice): void {
    this.#act(dice);
    if (this.violation === undefined) this.#readAtOnce();
  }

  #act(dice: Dice): void {
    const what = dice.below(100);
    if (what < 25) this.#deliver(dice);
    else if (what < 45) for (let i = 0; i < 4; i++) this.#fill(this.#any(dice), dice);
    else if (what < 50) this.#ask("write", dice);
    else if (what < 57) this.#writeAtOnce(dice);
    else if (what < 61) this.#ask("read", dice);
    else if (what < 70) this.#gossip(dice);
    else if (what < 75) this.#change(dice);
    else if (what < 79) this.#sync(this.#any(dice));
    else if (what < 82) this.#crash(this.#any(dice), dice);
    else if (what < 86) this.#any(dice).isUp = true;
    else if (what < 90) this.#handOver(dice);
    else if (what < 96) this.#rebuild(dice);
    else if (what < 97) this.#lose(dice);
    else if (what < 98)
      this.#cut = dice.percent(40) ? new Set() : new Set(this.#keepers.filter(() => dice.percent(40)));
    else if (this.#any(dice).drop()) this.drops++;
  }

  /** All is healed, nobody changes anything any more, and no message is lost. */
  finish(dice: Dice): void {
    this.#cut = new Set();
    for (let round = 0; round < mostRounds && this.violation === undefined; round++) {
      for (const keeper of this.#keepers) {
        keeper.isUp = true;
        this.#sync(keeper);
        this.#meet(keeper, this.#any(dice));
        this.#fill(keeper, dice);
        if (keeper.drop()) this.drops++;
      }
      this.#finishHandOvers();
      for (let i = 0; i < nodeCount; i++) this.#rebuild(dice);
      while (this.#sent.length > 0) this.#arrive(this.#sent.shift() as Message, dice);
      if (this.violation === undefined) this.#readAtOnce();
      if (this.#isSettled()) return;
    }
    if (this.violation === undefined) this.#fail("stuck", `nothing gets on any more: ${this.#told()}`);
  }

  #settings(dice: Dice): ReturnType<typeof settingsOf> {
    const quorums: readonly (readonly [Quorum, Quorum])[] = [
      ["quorum", "quorum"],
      ["one", "all"],
      ["all", "one"],
    ];
    // What one node alone acknowledged may go with it.
    const pick = this.#mayLose ? dice.below(2) : dice.percent(70) ? 1 + dice.below(2) : dice.below(3);
    const [r, w] = quorums[pick] as readonly [Quorum, Quorum];
    const least = this.#mayLose ? 2 : 1;
    return settingsOf(least + dice.below(seatCount + 1 - least), r, w);
  }

  #deliver(dice: Dice): void {
    for (let i = 0; i < 4 && this.#sent.length > 0 && this.violation === undefined; i++) {
      const pick = dice.percent(60)
        ? Math.max(0, this.#sent.length - 1 - dice.below(4))
        : dice.below(this.#sent.length);
      const message = this.#sent[pick] as Message;
      if (!dice.percent(10)) this.#sent.splice(pick, 1);
      if (!dice.percent(this.#lossPercent)) this.#arrive(message, dice);
    }
  }

  #arrive(message: Message, dice: Dice): void {
    switch (message.kind) {
      case "request":
        return this.#serve(message.to, message.op, message.changes, dice);
      case "answer":
        return this.#hear(message);
      case "refusal":
        message.op.client.changes |= message.changes;
        return;
      case "copy": {
        const { to, by, changes } = message;
        if (this.#areApart(to, by)) return;
        const told = to.beCopied(changes);
        if (told !== undefined) this.#sent.push({ kind: "copied", to: by, told });
        else if (to.voice !== undefined) this.#meet(to, by);
        return;
      }
      case "copied":
        if (message.to.isUp && !message.to.isDead) message.to.hearCopy(message.told);
    }
  }

  #serve(keeper: Keeper, op: Operation, changes: ChangeSet, dice: Dice): void {
    const { voice } = keeper;
    if (voice === undefined || this.#isBeyond(keeper, op.client)) return;
    if (this.rule.comparesVersions && keeper.memory.changes !== changes) {
      if (dice.percent(50)) keeper.learnChanges(changes);
      this.#sent.push({ kind: "refusal", op, changes: keeper.memory.changes });
      return;
    }
    if (op.kind === "write") keeper.store(op.writes);
    const answer = { kind: "answer", op, voice, known: keeper.known, data: keeper.memory.data } as const;
    if (op.kind === "read") this.#sent.push(answer);
    else this.#unsynced.set(keeper, [...(this.#unsynced.get(keeper) ?? []), answer]);
    if (dice.percent(50)) this.#sync(keeper);
  }

  #hear({ op, voice, known, data }: Extract<Message, { kind: "answer" }>): void {
    const { client } = op;
    client.known = uniteKnown(client.known, known);
    if (op.isOver) return;
    op.answers.push({ voice, data });
    const counted = op.answers.filter((answer) => !isOutdated(answer.voice, client.known));
    const seats = new Set(counted.map((answer) => answer.voice.seat));
    if (!this.#changes.isMet(op.kind, seats, client.changes, client.known)) return;
    op.isOver = true;
    const voices = counted.map((answer) => `${answer.voice.seat}@${answer.voice.epoch}`).join(" ");
    if (op.kind === "write") {
      this.trace?.push(`${listed(op.writes)} is acknowledged by ${voices} under ${bits(client.changes)}`);
      this.#acknowledged |= op.writes;
      return;
    }
    this.reads++;
    const missed = op.writes & ~op.answers.reduce((all, answer) => all | answer.data, 0);
    if (missed !== 0)
      this.#fail("missed", `a read of ${voices} under ${bits(client.changes)} misses ${listed(missed)}`);
  }

  #ask(kind: Operation["kind"], dice: Dice): void {
    if (kind === "write" && this.writes === mostWrites) return;
    const client = this.#client(dice);
    const writes = kind === "write" ? 1 << this.writes++ : this.#acknowledged;
    const op: Operation = { client, kind, writes, answers: [], isOver: false };
    for (const to of this.#speakers()) {
      if (dice.percent(70)) this.#sent.push({ kind: "request", to, op, changes: client.changes });
    }
  }

  /** A write whose every message is fast, and which reaches no more nodes than it must. */
  #writeAtOnce(dice: Dice): void {
    const client = this.#client(dice);
    const seen = dice.percent(50) ? client.known : this.#allKnown();
    if (this.writes === mostWrites) return;
    const reached = this.#speakers().filter((keeper) => !this.#isBeyond(keeper, client));
    const quorums = quorumsOf("write", reached, this.#asker(client.changes, seen));
    const quorum = quorums[dice.below(quorums.length)];
    if (quorum === undefined) return;
    const write = 1 << this.writes++;
    for (const keeper of quorum) {
      keeper.store(write);
      this.#sync(keeper);
    }
    this.#acknowledged |= write;
    this.trace?.push(
      `${listed(write)} is acknowledged by ${quorum.map(tell).join(" ")} at once, under ${bits(client.changes)}`,
    );
  }

  /** Every read that could begin now and end now, by one who knows all marks, and by one who knows what it is told. */
  #readAtOnce(): void {
    if (this.#acknowledged === 0) return;
    const views = new Set(this.#speakers().map(({ memory }) => memory.changes));
    for (const { changes } of this.#clients) if (!this.rule.comparesVersions) views.add(changes);
    for (const changes of views) {
      for (const seen of [this.#allKnown(), []]) {
        for (const quorum of quorumsOf("read", this.#speakers(), this.#asker(changes, seen))) {
          this.reads++;
          const missed = this.#acknowledged & ~quorum.reduce((all, { memory }) => all | memory.data, 0);
          if (missed === 0) continue;
          const who = quorum.map(tell).join(" ");
          return this.#fail("missed", `a read of ${who} under ${bits(changes)} misses ${listed(missed)}`);
        }
      }
    }
  }

  #asker(changes: ChangeSet, seen: KnownSeats): Asker {
    return { rule: this.rule, all: this.#changes, changes, seen };
  }

  #fill(keeper: Keeper, dice: Dice): void {
    if (keeper.voice === undefined || keeper.isFilled) return;
    const left = keeper.toCopy();
    const seat = left[dice.below(left.length)];
    const holder = seat === undefined ? undefined : this.#holderOf(seat);
    const { changes } = keeper.memory;
    if (holder !== undefined) {
      const message = { kind: "copy", to: holder, by: keeper, changes } as const;
      this.#sent.push(message);
      if (dice.percent(70)) {
        this.#arrive(this.#sent.pop() as Message, dice);
        const answer = this.#sent.at(-1);
        if (answer?.kind === "copied") this.#arrive(this.#sent.pop() as Message, dice);
      }
    }
    if (!keeper.mark()) return;
    this.marks++;
    this.trace?.push(`${tell(keeper)} is filled for ${bits(changes)}`);
    if (dice.percent(10)) this.#crash(keeper, dice);
  }

  #change(dice: Dice): void {
    if (this.#changes.count === mostChanges || !dice.percent(40)) return;
    const author = this.#any(dice);
    const settings = this.#settings(dice);
    author.learnChanges(this.#changes.make(author.memory.changes, this.#keepers.indexOf(author), settings));
    const { n, r, w } = settings;
    this.trace?.push(`${author.id} changes n to ${n}, r ${r}, w ${w}: ${bits(author.memory.changes)}`);
  }

  /** Two nodes tell each other what they know, or a node and a client do. */
  #gossip(dice: Dice): void {
    const node = this.#any(dice);
    if (dice.percent(40)) {
      const client = this.#client(dice);
      if (this.#isBeyond(node, client)) return;
      if (dice.percent(70)) client.changes |= node.memory.changes;
      if (dice.percent(50)) client.known = uniteKnown(client.known, node.known);
    } else this.#meet(node, this.#any(dice));
  }

  #meet(a: Keeper, b: Keeper): void {
    if (this.#areApart(a, b)) return;
    const known = uniteKnown(a.known, b.known);
    const changes = a.memory.changes | b.memory.changes;
    for (const keeper of [a, b]) {
      keeper.learn(known);
      keeper.learnChanges(changes);
    }
  }

  #sync(keeper: Keeper): void {
    if (!keeper.isUp || keeper.isDead) return;
    keeper.sync();
    this.#sent.push(...(this.#unsynced.get(keeper) ?? []));
    this.#unsynced.delete(keeper);
  }

  #crash(keeper: Keeper, dice: Dice): void {
    if (!keeper.isUp) return;
    this.trace?.push(`${tell(keeper)} crashes`);
    keeper.crash();
    this.#unsynced.delete(keeper);
    keeper.isUp = dice.percent(60);
  }

  #handOver(dice: Dice): void {
    this.#finishHandOvers();
    const [from, to] = [this.#any(dice), this.#any(dice)];
    const isFree = to.isUp && to.record.hold.kind === "none" && !this.#isAwaited(to);
    if (isFree && !this.#areApart(from, to) && from.seal(to.id)) this.trace?.push(`${from.id} seals for ${to.id}`);
  }

  #isAwaited({ id }: Keeper): boolean {
    return this.#keepers.some(({ record: { hold } }) => hold.kind === "sealed" && hold.to.node === id);
  }

  #finishHandOvers(): void {
    for (const from of this.#keepers) {
      const { hold } = from.record;
      const to = hold.kind === "sealed" ? this.#keepers.find(({ id }) => id === hold.to.node) : undefined;
      if (to === undefined || this.#areApart(from, to)) continue;
      if (to.take(from)) this.trace?.push(`${tell(to)} takes over from ${from.id}`);
      from.learn(to.known);
    }
  }

  /** A seat is lost, or nobody has held it yet: somebody rebuilds it, or goes on with that. */
  #rebuild(dice: Dice): void {
    const already = this.#keepers.find(({ record, isDead }) => record.hold.kind === "rebuilding" && !isDead);
    if (already === undefined) {
      const seat = Array.from({ length: seatCount }, (_, i) => i).find((i) => this.#isLost(i));
      const free = this.#alive().find((keeper) => keeper.record.hold.kind === "none" && !this.#isAwaited(keeper));
      if (seat !== undefined && free?.isUp && dice.percent(50)) {
        free.learn(this.#allKnown());
        free.rebuild(seat, () => undefined);
      }
      return;
    }
    const isReached = (keeper: Keeper | undefined): Keeper | undefined =>
      keeper === undefined || this.#areApart(keeper, already) ? undefined : keeper;
    if (!already.isUp || !already.rebuild(this.#seatOf(already), (seat) => isReached(this.#holderOf(seat)))) return;
    this.rebuilds++;
    this.trace?.push(`${tell(already)} is rebuilt`);
  }

  #seatOf({ record: { hold } }: Keeper): number {
    return hold.kind === "none" || hold.kind === "former" ? -1 : hold.seat;
  }

  #isLost(seat: number): boolean {
    return !this.#alive().some((keeper) => this.#seatOf(keeper) === seat);
  }

  /** Only one seat at a time, and only one that is handed to nobody. */
  #lose(dice: Dice): void {
    const keeper = this.#any(dice);
    const isWhole = this.#keepers.every(({ record: { hold }, isDead }) => isDead || hold.kind !== "rebuilding");
    const seats = this.#known().filter(({ held }) => held !== neverHeld).length;
    const areAll = Array.from({ length: seatCount }, (_, seat) => seat).every((seat) => {
      return knownSeat(this.#known(), seat).held === neverHeld || !this.#isLost(seat);
    });
    if (!this.#mayLose || this.#losses === mostLosses || !isWhole || !areAll || seats < 3) return;
    if (keeper.record.hold.kind !== "active" || isBeingRebuilt(this.#known(), this.#seatOf(keeper))) return;
    this.trace?.push(`${tell(keeper)} is lost`);
    this.#losses++;
    keeper.isDead = true;
    keeper.isUp = false;
  }

  /** Whoever speaks for the seat. */
  #holderOf(seat: number): Keeper | undefined {
    return this.#keepers.find(({ voice, record }) => voice?.seat === seat && record.hold.kind === "active");
  }

  #speakers(): readonly Keeper[] {
    return this.#keepers.filter(({ voice }) => voice !== undefined);
  }

  #alive(): readonly Keeper[] {
    return this.#keepers.filter(({ isDead }) => !isDead);
  }

  #any(dice: Dice): Keeper {
    const alive = this.#alive();
    const speakers = this.#speakers();
    const from = speakers.length > 0 && dice.percent(75) ? speakers : alive;
    return from[dice.below(from.length)] as Keeper;
  }

  #client(dice: Dice): Client {
    return this.#clients[dice.below(clientCount)] as Client;
  }

  #areApart(a: Keeper, b: Keeper): boolean {
    return !a.isUp || !b.isUp || a.isDead || b.isDead || this.#cut.has(a) !== this.#cut.has(b);
  }

  #isBeyond(keeper: Keeper, client: Client): boolean {
    return this.#cut.size > 0 && this.#cut.has(keeper) !== (this.#clients.indexOf(client) % 2 === 1);
  }

  #known(): KnownSeats {
    return this.#keepers.reduce<KnownSeats>((all, { known }) => uniteKnown(all, known), []);
  }

  /** All that anybody who is alive knows. */
  #allKnown(): KnownSeats {
    return this.#alive().reduce<KnownSeats>((all, { known }) => uniteKnown(all, known), []);
  }

  #isSettled(): boolean {
    const [first] = this.#alive();
    const changes = first?.memory.changes ?? 0;
    const known = this.#allKnown();
    const areSame = this.#alive().every(({ memory }) => memory.changes === changes);
    if (!areSame || this.#alive().some(({ isFilled, record }) => !isFilled || record.hold.kind === "sealed"))
      return false;
    const open = this.#changes.open(changes, known);
    if (open.length !== 1) return false;
    const used = open.flatMap((era) => this.#changes.seats(era, known));
    return this.#speakers().every(({ voice, memory }) => memory.data === 0 || used.includes((voice as Voice).seat));
  }

  #told(): string {
    return this.#alive()
      .map(
        (keeper) =>
          `${tell(keeper)} ${JSON.stringify(keeper.record)} ${bits(keeper.memory.changes)} ${keeper.memory.data}`,
      )
      .join("\n    ");
  }

  #fail(kind: CopiesViolation["kind"], what: string): void {
    this.violation ??= { kind, what };
  }
}

function tell({ id, voice }: Keeper): string {
  return voice === undefined ? id : `${id} (${voice.seat}@${voice.epoch})`;
}

function bits(changes: ChangeSet): string {
  const names = Array.from({ length: mostChanges }, (_, i) => i).filter((i) => changes & (1 << i));
  return `{${names.join(" ")}}`;
}

function listed(writes: Writes): string {
  const names = Array.from({ length: 32 }, (_, write) => write).filter((write) => writes & (1 << write));
  return names.map((write) => `w${write}`).join(" ");
}
