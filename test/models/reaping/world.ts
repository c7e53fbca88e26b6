/**
 * One key on five nodes, and time: three own it, the fourth keeps hints for two of them, the fifth owned it before and
 * may still hold its copy. States are on their way between them in frames and in the memory of reads that repair, and
 * the owners forget what the rule lets them forget: tombstones, and what contexts hold beyond live versions.
 *
 * Beside every copy, frame and token goes the oracle's view of it: which writes it truly knows. A copy that forgot
 * keeps that view, so that a deleted version that comes back, or a write that is swallowed, is seen where it happens.
 */

import { compactState } from "../../../src/core/causality/compaction.ts";
import type { DotSet } from "../../../src/core/causality/dot-set.ts";
import { emptyDotSet, withDot } from "../../../src/core/causality/dot-set.ts";
import { ActorSource, type MintRecord } from "../../../src/core/causality/minting.ts";
import {
  emptySiblingSet,
  mergeStates,
  putVersion,
  removeVersions,
  type Sibling,
  type SiblingSet,
  sameState,
} from "../../../src/core/causality/sibling-set.ts";
import { Dice } from "../single-key/dice.ts";
import { mostWrites, Oracle, type Writes } from "../single-key/oracle.ts";
import type { ReapingRule } from "./rules.ts";

interface Held {
  readonly state: SiblingSet;
  readonly mint: MintRecord | undefined;
  readonly known: Writes;
}

const nothing: Held = { state: emptySiblingSet, mint: undefined, known: 0 };

interface Place {
  readonly node: number;
  readonly kind: "own" | "hint" | "copy";
  /** The owner a hint is for. */
  readonly owner: number;
  memory: Held;
  disk: Held;
  backup: Held | undefined;
  /** When memory or disk last changed, as far as the running process knows. */
  changedMs: number;
  /** When the place was last known to hold something, or not known to hold nothing. */
  heldMs: number;
}

interface Node {
  source: ActorSource;
  isUp: boolean;
  isMember: boolean;
}

interface Frame {
  readonly to: Place;
  readonly held: Held;
  readonly sentMs: number;
}

/** A read that goes on: what it has seen is sent to whoever lacks it. */
interface Read {
  readonly node: number;
  readonly startedMs: number;
  held: Held;
}

/** The owners are asked, and all members, one after the other. */
interface Round {
  readonly agreed: SiblingSet;
  readonly startedMs: number;
  readonly asked: Set<number>;
}

export interface Violation {
  readonly kind: "lost" | "came-back";
  readonly writes: Writes;
}

const owners = 3;
const fallback = 3;
const former = 4;
const nodes = 5;
const emptyValue = new Uint8Array(0);

export class ReapingWorld {
  readonly oracle: Oracle = new Oracle();
  violation: Violation | undefined;
  /** How often an owner forgot a tombstone, and made a context shorter. */
  reaped = 0;
  compacted = 0;
  readonly trace: string[] | undefined;
  readonly #rule: ReapingRule;
  readonly #dice: Dice;
  readonly #nodes: Node[] = [];
  readonly #places: Place[] = [];
  readonly #frames: Frame[] = [];
  readonly #forgets: { readonly to: Place; readonly agreed: SiblingSet }[] = [];
  readonly #reads: Read[] = [];
  readonly #tokens: { readonly seen: DotSet; readonly past: Writes }[] = [];
  #round: Round | undefined;
  #nowMs = 10_000;
  /** When members last came or went. */
  #membersMs = 0;
  /** When the former owner handed its copy over: until then it is sent what owners are sent. */
  readonly #movedMs: number;

  constructor(rule: ReapingRule, seed: number, traced: boolean) {
    this.#rule = rule;
    this.#dice = new Dice(seed);
    this.trace = traced ? [] : undefined;
    for (let node = 0; node < nodes; node++) {
      this.#nodes.push({ source: new ActorSource(this.#eight()), isUp: true, isMember: true });
    }
    for (let node = 0; node < owners; node++) this.#place(node, "own", node);
    this.#place(fallback, "hint", 0);
    this.#place(fallback, "hint", 1);
    this.#place(0, "hint", 2);
    this.#place(former, "copy", 0);
    this.#movedMs = this.#nowMs + this.#dice.below(600);
  }

  /** One step, its every choice thrown from `step`. */
  step(step: number): void {
    const dice = new Dice(step);
    const pace = dice.below(100);
    this.#nowMs += dice.below(pace < 60 ? 20 : pace < 85 ? 150 : 2000);
    const place = this.#places[dice.below(this.#places.length)] as Place;
    const what = dice.below(100);
    if (what < 13) this.#write(place, dice);
    else if (what < 26) this.#deliver(dice);
    else if (what < 31) this.#clientReads(place);
    else if (what < 36) this.#beginRead(place, dice);
    else if (what < 45) this.#goOnReading(place, dice);
    else if (what < 46) this.#sync(place);
    else if (what < 50) this.#crash(place.node);
    else if (what < 52) this.#backUp(place.node);
    else if (what < 54) this.#restore(dice);
    else if (what < 58) this.#handOver(place, dice);
    else if (what < 62) this.#turn(dice);
    else if (what < 65) this.#leaveOrReturn(dice);
    else if (what < 73) this.#agree(dice);
    else if (what < 90) this.#ask(dice);
    else this.#forget(dice);
  }

  /** The end: all that is anywhere comes together. */
  finish(): void {
    for (const node of this.#nodes) node.isUp = true;
    let all = nothing;
    for (const place of this.#places) if (this.#isMember(place)) all = merged(all, place.memory);
    this.#look(all);
    for (const frame of this.#frames) if (this.#isYoung(frame)) all = merged(all, frame.held);
    this.#look(all);
  }

  #write(at: Place, dice: Dice): void {
    // A hint is minted into where no owner can be reached; the former owner's copy never.
    if (this.oracle.count === mostWrites || at.kind === "copy" || !this.#isUp(at.node)) return;
    const token = dice.percent(25) ? undefined : this.#tokens[this.#tokens.length - 1 - dice.below(2)];
    const { seen, past } = token ?? { seen: emptyDotSet, past: 0 };
    const isPut = dice.percent(55);
    const { state, mint, known } = at.memory;
    const { dot, record } = (this.#nodes[at.node] as Node).source.mint(mint);
    const write = this.oracle.write(past, isPut, this.#nowMs, `${dot.actor}:${dot.counter}`);
    const sibling: Sibling = { dot, value: emptyValue, checksum: write, contentType: "", modified: this.#nowMs };
    const after: Held = {
      state: isPut ? putVersion(state, seen, sibling) : removeVersions(state, seen, dot, this.#nowMs),
      mint: record,
      known: known | past | (1 << write),
    };
    this.trace?.push(`${nameOf(at)} ${isPut ? "puts" : "deletes"} w${write}, having seen ${listed(past)}`);
    this.#keep(at, after, dice.percent(75));
    for (const to of this.#places) if (to !== at && dice.percent(to.kind === "hint" ? 15 : 75)) this.#send(to, after);
    this.#tokens.push({ seen: withDot(seen, dot, this.#nowMs), past: past | (1 << write) });
  }

  #send(to: Place, held: Held): void {
    if (to.kind === "copy" && this.#nowMs > this.#movedMs) return;
    this.#frames.push({ to, held, sentMs: this.#nowMs });
  }

  /** Several frames at a time: most arrive soon, some late, some twice. */
  #deliver(dice: Dice): void {
    for (let i = 0; i < 3 && this.#frames.length > 0; i++) {
      const pick = dice.percent(70) ? this.#frames.length - 1 : dice.below(this.#frames.length);
      const frame = this.#frames[pick] as Frame;
      if (!this.#isUp(frame.to.node)) continue;
      if (dice.percent(85)) this.#frames.splice(pick, 1);
      if (!this.#isYoung(frame)) continue;
      this.trace?.push(
        `${nameOf(frame.to)} receives ${listed(frame.held.known)}, ${this.#nowMs - frame.sentMs} ms old`,
      );
      this.#receive(frame.to, frame.held, dice.percent(75));
    }
  }

  #isYoung({ sentMs }: Frame): boolean {
    return this.#nowMs - sentMs <= this.#rule.frameLifeMs;
  }

  #clientReads({ node, memory }: Place): void {
    if (!this.#isUp(node)) return;
    this.#look(memory);
    this.#tokens.push({ seen: memory.state.context, past: memory.known });
  }

  #beginRead(from: Place, dice: Dice): void {
    if (!this.#isUp(from.node)) return;
    const node = dice.below(nodes);
    this.trace?.push(`node ${node} reads ${listed(from.memory.known)} from ${nameOf(from)}`);
    this.#reads.push({ node, startedMs: this.#nowMs, held: from.memory });
  }

  /** It asks another place, or sends what it has to one that may lack it. */
  #goOnReading(place: Place, dice: Dice): void {
    const read = this.#reads[dice.below(this.#reads.length)];
    if (read === undefined || !this.#isUp(read.node)) return;
    if (dice.percent(30) && this.#isUp(place.node)) read.held = merged(read.held, place.memory);
    else if (this.#nowMs - read.startedMs <= this.#rule.repairLifeMs && place.kind !== "copy") {
      this.trace?.push(`node ${read.node} sends ${listed(read.held.known)} to ${nameOf(place)} as a repair`);
      this.#send(place, read.held);
    }
  }

  #sync(place: Place): void {
    if (this.#isUp(place.node)) this.#keep(place, place.memory, true);
  }

  #crash(node: number): void {
    this.trace?.push(`node ${node} crashes`);
    (this.#nodes[node] as Node).source = new ActorSource(this.#eight());
    for (const place of this.#places) {
      if (place.node !== node) continue;
      place.memory = place.disk;
      place.changedMs = this.#nowMs;
      place.heldMs = this.#nowMs;
    }
    for (let i = this.#reads.length - 1; i >= 0; i--) if (this.#reads[i]?.node === node) this.#reads.splice(i, 1);
    if (node === 0) this.#round = undefined;
  }

  #backUp(node: number): void {
    for (const place of this.#places) if (place.node === node) place.backup = place.disk;
  }

  #restore(dice: Dice): void {
    const from = dice.below(nodes);
    const node = this.#places.find((place) => place.node >= from && place.backup !== undefined)?.node;
    if (node === undefined) return;
    for (const place of this.#places) {
      if (place.node === node) place.disk = (this.#rule.returnsEmpty ? undefined : place.backup) ?? nothing;
    }
    this.trace?.push(`node ${node} is set back to its backup`);
    this.#crash(node);
  }

  /** A hint, or the former owner's copy, is sent, and dropped once it is stored; a second frame of it may be late. */
  #handOver(place: Place, dice: Dice): void {
    if (place.kind === "own" || isEmpty(place.memory) || !this.#isUp(place.node)) return;
    if (place.kind === "copy" && this.#nowMs < this.#movedMs) return;
    const to = this.#places[place.owner] as Place;
    if (dice.percent(40)) this.#send(to, place.memory);
    if (!this.#isUp(to.node)) return;
    this.trace?.push(`${nameOf(place)} hands over ${listed(place.memory.known)} and is dropped`);
    this.#receive(to, place.memory, true);
    this.#keep(place, nothing, true);
  }

  /** Stops a node, or lets it go on: what was sent to it meanwhile lies there. */
  #turn(dice: Dice): void {
    const stopped = this.#nodes.findIndex(({ isUp }) => !isUp);
    const node = stopped >= 0 && dice.percent(70) ? stopped : dice.below(nodes);
    const it = this.#nodes[node] as Node;
    it.isUp = !it.isUp;
    this.trace?.push(`node ${node} ${it.isUp ? "goes on" : "stops"}`);
  }

  #leaveOrReturn(dice: Dice): void {
    const gone = this.#nodes.findIndex(({ isMember }) => !isMember);
    const node = gone >= 0 && dice.percent(70) ? gone : dice.percent(50) ? former : fallback;
    const it = this.#nodes[node] as Node;
    // What it was about to hand over may be on its way still.
    for (const place of this.#places) {
      const isSent = it.isMember && it.isUp && place.node === node && !isEmpty(place.memory);
      if (isSent && dice.percent(70)) this.#send(this.#places[place.owner] as Place, place.memory);
    }
    it.isMember = !it.isMember;
    this.#membersMs = this.#nowMs;
    this.trace?.push(`node ${node} ${it.isMember ? "comes back" : "is removed"}`);
    if (!it.isMember) return;
    if (this.#rule.returnsEmpty) for (const place of this.#places) if (place.node === node) place.disk = nothing;
    this.#crash(node);
  }

  /** Owners exchange what they have, so that there is something to agree on. */
  #agree(dice: Dice): void {
    if (dice.percent(50)) for (const place of this.#places) this.#handOver(place, dice);
    for (const to of this.#places) {
      for (const from of this.#places) {
        const isPair = to !== from && to.kind === "own" && from.kind === "own";
        if (!isPair || !this.#isUp(to.node) || !this.#isUp(from.node) || sameState(from.memory.state, to.memory.state))
          continue;
        this.trace?.push(`${nameOf(to)} gets ${listed(from.memory.known)} from ${nameOf(from)}`);
        this.#receive(to, from.memory, dice.percent(90));
      }
    }
    if (dice.percent(8)) this.#leaveOrReturn(dice);
    if (dice.percent(50)) this.#ask(dice);
  }

  /** Asks those who were not asked yet; once all have said yes, within a message's life, the owners are told. */
  #ask(dice: Dice): void {
    const [first] = this.#places as [Place];
    if (!this.#isUp(first.node)) return;
    if (this.#round === undefined || this.#nowMs - this.#round.startedMs > 100) {
      this.#round = { agreed: first.memory.state, startedMs: this.#nowMs, asked: new Set() };
    }
    const { agreed, asked } = this.#round;
    const isSettled = this.#nowMs - this.#membersMs >= this.#rule.settledMs;
    if (!isSettled || agreed.context.length === 0 || sameState(agreed, compactState(agreed))) {
      this.#round = undefined;
      return;
    }
    for (const [node, { isMember }] of this.#nodes.entries()) {
      if (asked.has(node) || dice.percent(8)) continue;
      const isLeftOut = !isMember || (!this.#rule.everyMember && !this.#isUp(node));
      if (!isLeftOut && !this.#isUp(node)) continue;
      if (!isLeftOut && !this.#consents(node, agreed)) {
        this.#round = undefined;
        return;
      }
      asked.add(node);
    }
    if (asked.size < nodes) return;
    this.trace?.push(`all consent to forget ${listed(this.#places[0]?.memory.known ?? 0)}`);
    for (const to of this.#places) if (to.kind === "own") this.#forgets.push({ to, agreed });
    this.#round = undefined;
    if (dice.percent(60)) this.#forget(dice);
  }

  #consents(node: number, agreed: SiblingSet): boolean {
    const rule = this.#rule;
    return this.#places.every((place) => {
      if (place.node !== node) return true;
      const { kind, memory, disk, changedMs, heldMs } = place;
      if (kind !== "own") {
        const isAsked = kind === "hint" ? rule.hints : rule.copies;
        return !isAsked || (isEmpty(memory) && isEmpty(disk) && this.#nowMs - heldMs >= rule.quietMs);
      }
      if (rule.agree && !sameState(memory.state, agreed)) return false;
      if (rule.onDisk && !sameState(disk.state, memory.state)) return false;
      return this.#nowMs - changedMs >= rule.graceMs;
    });
  }

  #forget(dice: Dice): void {
    for (let i = 0; i < 3 && this.#forgets.length > 0; i++) {
      const pick = dice.below(this.#forgets.length);
      const { to, agreed } = this.#forgets[pick] as { to: Place; agreed: SiblingSet };
      if (!this.#isUp(to.node)) continue;
      if (dice.percent(85)) this.#forgets.splice(pick, 1);
      const { state, mint, known } = to.memory;
      if (this.#rule.compares && !sameState(state, agreed)) continue;
      const left = compactState(agreed);
      const isGone = left.context.length === 0;
      if (isGone) this.reaped++;
      else this.compacted++;
      this.trace?.push(`${nameOf(to)} ${isGone ? "forgets" : "compacts"}`);
      this.#keep(to, { state: left, mint: isGone ? undefined : mint, known }, dice.percent(70));
    }
  }

  #receive(place: Place, held: Held, synced: boolean): void {
    const after = merged(place.memory, held);
    this.#keep(place, { ...after, mint: place.memory.mint }, synced);
  }

  #keep(place: Place, held: Held, synced: boolean): void {
    const isChanged =
      !sameState(place.memory.state, held.state) || (synced && !sameState(place.disk.state, held.state));
    if (isChanged) place.changedMs = this.#nowMs;
    if (!isEmpty(place.memory) || !isEmpty(held)) place.heldMs = this.#nowMs;
    place.memory = held;
    if (synced) place.disk = held;
    this.#look(held);
  }

  #look({ state, known }: Held): void {
    const live = this.oracle.live(known);
    let shown: Writes = 0;
    for (const { checksum } of state.siblings) shown |= 1 << checksum;
    if (shown === live || this.violation !== undefined) return;
    const lost = live & ~shown;
    this.violation = { kind: lost ? "lost" : "came-back", writes: lost || shown & ~live };
    this.trace?.push(`  must show ${listed(live)} and shows ${listed(shown)}`);
  }

  #isUp(node: number): boolean {
    const { isUp, isMember } = this.#nodes[node] as Node;
    return isUp && isMember;
  }

  #isMember({ node }: Place): boolean {
    return (this.#nodes[node] as Node).isMember;
  }

  #place(node: number, kind: Place["kind"], owner: number): void {
    const times = { changedMs: this.#nowMs, heldMs: this.#nowMs };
    this.#places.push({ node, kind, owner, memory: nothing, disk: nothing, backup: undefined, ...times });
  }

  #eight(): Uint8Array {
    return Uint8Array.from({ length: 8 }, () => this.#dice.below(256));
  }
}

function merged(a: Held, b: Held): Held {
  return { state: mergeStates(a.state, b.state), mint: undefined, known: a.known | b.known };
}

function isEmpty({ state }: Held): boolean {
  return state.context.length === 0;
}

function nameOf({ node, kind, owner }: Place): string {
  return kind === "own" ? `owner ${node}` : kind === "hint" ? `node ${node}'s hint for ${owner}` : "the former owner";
}

function listed(writes: Writes): string {
  const names = Array.from({ length: 32 }, (_, write) => write).filter((write) => writes & (1 << write));
  return names.length === 0 ? "nothing" : names.map((write) => `w${write}`).join(" ");
}
