/**
 * One key (or two) on four nodes: what they hold in memory and on disk, what is under way between them, and what
 * clients have been told. Three nodes own the key, the fourth is a fallback that keeps hints for two of them, and mints
 * when it coordinates.
 *
 * Each method is one thing that can happen. All of them keep the oracle's view beside the product's, and compare the
 * two wherever something changed.
 */

import { type DotSet, emptyDotSet, prune } from "../../../src/core/causality/dot-set.ts";
import { ActorSource, type MintRecord } from "../../../src/core/causality/minting.ts";
import { emptySiblingSet, pruneState, type Sibling, type SiblingSet } from "../../../src/core/causality/sibling-set.ts";
import type { ActorId } from "../../../src/core/ids.ts";
import { Dice } from "./dice.ts";
import { mostWrites, Oracle, type Writes } from "./oracle.ts";
import type { Minter, Rule } from "./rules.ts";

/** A state, the private record beside it, and which writes it truly knows of. */
interface Held {
  readonly state: SiblingSet;
  readonly mint: MintRecord | undefined;
  readonly known: Writes;
}

const nothing: Held = { state: emptySiblingSet, mint: undefined, known: 0 };

/** Where a node keeps a copy of a key: its own, or a hint for an owner. */
interface Place {
  readonly node: number;
  readonly key: number;
  /** What the node reads. */
  memory: Held;
  /** What a crash leaves. */
  disk: Held;
  backup: Held | undefined;
  durableId: ActorId;
}

interface Letter {
  readonly to: number;
  readonly held: Held;
}

interface Token {
  readonly key: number;
  readonly seen: DotSet;
  /** What its client has truly seen: of any key, where tokens of one are used on another. */
  readonly past: Writes;
}

/** What was wrong, in the oracle's terms. */
export interface Violation {
  readonly kind: "lost" | "false-sibling";
  readonly writes: Writes;
  /** Whether one of the lost writes had been on two disks, so that a client may have been told so. */
  readonly acknowledged: boolean;
}

const emptyValue = new Uint8Array(0);
const owners = 3;

export class World {
  readonly oracle: Oracle = new Oracle();
  /** The first thing that went wrong. */
  violation: Violation | undefined;
  /** How often a false sibling was shown where pruning allows it, and how many copies were looked at. */
  falseSiblings = 0;
  looks = 0;
  /** A line for each step, where asked for. */
  readonly trace: string[] | undefined;
  readonly #rule: Rule;
  readonly #dice: Dice;
  readonly #nodes: { source: ActorSource; run: string }[] = [];
  readonly #places: Place[] = [];
  readonly #letters: Letter[] = [];
  readonly #tokens: Token[] = [];
  /** For each key, its writes. */
  readonly #writesOf: Writes[] = [0, 0];
  #acknowledged: Writes = 0;
  #now = 1000;

  /** `seed` is for the names of runs alone; what happens is the caller's choice. */
  constructor(rule: Rule, seed: number, traced: boolean) {
    this.#rule = rule;
    this.#dice = new Dice(seed);
    this.trace = traced ? [] : undefined;
    for (let node = 0; node <= owners; node++) {
      this.#nodes.push(this.#newRun());
      const slots = node < owners ? 1 : 2;
      for (let i = 0; i < slots * rule.keys; i++) {
        const durableId = this.#newId();
        this.#places.push({ node, key: i % rule.keys, memory: nothing, disk: nothing, backup: undefined, durableId });
      }
    }
  }

  /** One step, its every choice thrown from `step`. */
  step(step: number): void {
    const dice = new Dice(step);
    this.#now += dice.below(20);
    const at = dice.below(this.#places.length);
    const place = this.#places[at] as Place;
    const what = dice.below(100);
    if (what < 32) this.#write(at, place, dice);
    else if (what < 55) this.#deliver(dice);
    else if (what < 59) this.#lose(dice);
    else if (what < 74) this.#read(place, dice);
    else if (what < 80) this.#sync(at, place);
    else if (what < 86) this.#crash(place.node, false);
    else if (what < 88) this.#crash(place.node, true);
    else if (what < 91) this.#backUp(place.node);
    else if (what < 95) this.#restore(place.node, dice.percent(30));
    else this.#moveAway(at, place, dice);
  }

  /** The end: all that is anywhere comes together, in memory and from disk alone. */
  finish(): void {
    for (let key = 0; key < this.#rule.keys; key++) {
      let inMemory = nothing;
      let onDisk = nothing;
      for (const place of this.#places) {
        if (place.key !== key) continue;
        inMemory = this.#merged(inMemory, place.memory);
        onDisk = this.#merged(onDisk, place.disk);
      }
      this.#look(inMemory);
      this.#look(onDisk);
      for (const { to, held } of this.#letters)
        if (this.#places[to]?.key === key) inMemory = this.#merged(inMemory, held);
      this.#look(inMemory);
    }
  }

  #write(at: number, place: Place, dice: Dice): void {
    if (this.oracle.count === mostWrites) return;
    const { seen, past, key } = this.#pickToken(place.key, dice);
    const isPut = dice.percent(72);
    const held = place.memory;
    const rule = this.#rule;
    const node = this.#nodes[place.node] as { source: ActorSource; run: string };
    const minter: Minter = { ...node, durableId: place.durableId };
    const minted = rule.mint(minter, held.mint, held.state);
    const clock = this.#now + ((place.node * 37) % 60) - 30;
    const time = rule.modified(clock, held.state, seen);
    const truly = past & (this.#writesOf[place.key] as Writes);
    const { dot } = minted;
    const write = this.oracle.write(truly, isPut, time, `${dot.actor}:${String(dot.counter).padStart(3, "0")}`);
    this.#writesOf[place.key] = (this.#writesOf[place.key] as Writes) | (1 << write);
    const sibling: Sibling = { dot, value: emptyValue, checksum: write, contentType: "", modified: time };
    const state = isPut ? rule.put(held.state, seen, sibling) : rule.remove(held.state, seen, minted, time);
    const after: Held = { state: this.#pruned(state), mint: minted.record, known: held.known | truly | (1 << write) };
    const fails = dice.percent(12);
    const synced = dice.percent(65);
    this.trace?.push(
      `${nameOf(at, place)} ${isPut ? "puts" : "deletes"} w${write} as ${dot.actor}:${dot.counter}, having seen ${listed(truly)}` +
        `${key === place.key ? "" : " (a token of the other key)"}${fails ? ", and its disk fails" : synced ? ", synced" : ""}`,
    );
    if (fails) this.#fail(place, after, dice);
    else this.#keep(place, after, synced || rule.syncFirst);
    if (!(fails && rule.syncFirst)) this.#send(at, place.key, after, dice);
    if (!fails)
      this.#tokens.push({ key: place.key, seen: rule.answer(seen, minted, time, state), past: past | (1 << write) });
  }

  /** A local write that failed: its state is sent all the same, and it is on disk or not. */
  #fail(place: Place, after: Held, dice: Dice): void {
    if (dice.percent(30)) place.disk = after;
    place.memory = place.disk;
    const node = this.#nodes[place.node] as { source: ActorSource; run: string };
    const bytes = this.#eight();
    node.source.renewRun(bytes);
    node.run = new ActorSource(bytes).mint(undefined).dot.actor.slice(0, 12);
  }

  #send(from: number, key: number, held: Held, dice: Dice): void {
    for (let to = 0; to < this.#places.length; to++) {
      if (to !== from && this.#places[to]?.key === key && dice.percent(60)) this.#letters.push({ to, held });
    }
  }

  #deliver(dice: Dice): void {
    if (this.#letters.length === 0) return;
    const pick = dice.below(this.#letters.length);
    const { to, held } = this.#letters[pick] as Letter;
    if (dice.percent(80)) this.#letters.splice(pick, 1);
    const place = this.#places[to] as Place;
    this.trace?.push(`${nameOf(to, place)} receives ${listed(held.known)}`);
    this.#receive(place, held, dice.percent(65));
  }

  #lose(dice: Dice): void {
    if (this.#letters.length > 0) this.#letters.splice(dice.below(this.#letters.length), 1);
  }

  #read(place: Place, dice: Dice): void {
    let found: Held = place.memory;
    for (const other of this.#places) {
      if (other !== place && other.key === place.key && dice.percent(30)) found = this.#merged(found, other.memory);
    }
    this.#look(found);
    const seen = this.#prunedContext(found.state);
    this.trace?.push(`a client reads ${listed(found.known)}: ${listed(shown(found.state))}`);
    this.#tokens.push({ key: place.key, seen, past: found.known });
  }

  #sync(at: number, place: Place): void {
    place.disk = place.memory;
    this.trace?.push(`${nameOf(at, place)} syncs`);
    this.#acknowledge();
  }

  #crash(node: number, isWiped: boolean): void {
    this.trace?.push(`node ${node} ${isWiped ? "loses its disk" : "crashes"}`);
    for (const place of this.#places) {
      if (place.node !== node) continue;
      if (isWiped) {
        place.disk = nothing;
        place.durableId = this.#newId();
      }
      place.memory = place.disk;
    }
    this.#nodes[node] = this.#newRun();
  }

  #backUp(node: number): void {
    this.trace?.push(`node ${node} is backed up`);
    for (const place of this.#places) if (place.node === node) place.backup = place.disk;
  }

  /** Noticed: whoever restored it said so, and the node drops the private records. */
  #restore(near: number, isNoticed: boolean): void {
    const node = this.#places.find(({ node, backup }) => node >= near && backup !== undefined)?.node;
    if (!this.#rule.restores || node === undefined) return;
    for (const place of this.#places) {
      if (place.node !== node || place.backup === undefined) continue;
      place.disk = isNoticed ? { ...place.backup, mint: undefined } : place.backup;
    }
    this.trace?.push(`node ${node} is set back to its backup${isNoticed ? ", and told so" : ""}`);
    this.#crash(node, false);
  }

  /** The copy goes to another node and is dropped here, its private record with it: a hand-over, or a hint delivered. */
  #moveAway(at: number, place: Place, dice: Dice): void {
    const others = this.#places.filter((other) => other.key === place.key && other.node !== place.node);
    const target = others[dice.below(others.length)] as Place;
    this.trace?.push(
      `${nameOf(at, place)} hands over to ${nameOf(this.#places.indexOf(target), target)} and drops its copy`,
    );
    this.#receive(target, place.memory, true);
    place.memory = nothing;
    place.disk = nothing;
  }

  #receive(place: Place, held: Held, synced: boolean): void {
    const { state, known } = this.#merged(place.memory, held);
    this.#keep(place, { state: this.#pruned(state), mint: place.memory.mint, known }, synced);
  }

  #merged(a: Held, b: Held): Held {
    return { state: this.#rule.merge(a.state, b.state), mint: undefined, known: a.known | b.known };
  }

  #keep(place: Place, held: Held, synced: boolean): void {
    place.memory = held;
    if (synced) place.disk = held;
    // The answer is sent first, and what it vouched for must be there then.
    if (synced) this.#acknowledge();
    this.#look(held);
  }

  /** What is on two disks may have been acknowledged. */
  #acknowledge(): void {
    let once = 0;
    for (const place of this.#places) {
      this.#acknowledged |= once & place.disk.known;
      once |= place.disk.known;
    }
  }

  /** Compares what a state shows with what it must show. */
  #look({ state, known }: Held): void {
    this.looks++;
    const live = this.#rule.lastWriteWins ? this.oracle.newest(known) : this.oracle.live(known);
    const found = shown(state);
    if (found === live || this.violation !== undefined) return;
    const lost = live & ~found;
    if (lost === 0 && this.#rule.prunedTo > 0) {
      this.falseSiblings++;
      return;
    }
    const acknowledged = (lost & this.#acknowledged) !== 0;
    this.violation = { kind: lost ? "lost" : "false-sibling", writes: lost || found & ~live, acknowledged };
    this.trace?.push(`  must show ${listed(live)} and shows ${listed(found)}`);
  }

  /** Nothing, the newest token, or any: stale ones, used ones, ones of another client or, where allowed, key. */
  #pickToken(key: number, dice: Dice): Token {
    const how = dice.below(100);
    const any = this.#tokens[how < 60 ? this.#tokens.length - 1 : dice.below(Math.max(1, this.#tokens.length))];
    if (how < 25 || any === undefined) return { key, seen: emptyDotSet, past: 0 };
    return any;
  }

  #pruned(state: SiblingSet): SiblingSet {
    return this.#rule.prunedTo === 0 ? state : pruneState(state, this.#rule.prunedTo).state;
  }

  #prunedContext({ context, siblings }: SiblingSet): DotSet {
    if (this.#rule.prunedTo === 0) return context;
    const live = siblings.map((sibling) => sibling.dot);
    return prune(context, this.#rule.prunedTo, live).set;
  }

  #newRun(): { source: ActorSource; run: string } {
    const bytes = this.#eight();
    const source = new ActorSource(bytes);
    return { source, run: source.mint(undefined).dot.actor.slice(0, 12) };
  }

  #newId(): ActorId {
    return `id${this.#dice.u32()}` as ActorId;
  }

  #eight(): Uint8Array {
    const bytes = new Uint8Array(8);
    for (let i = 0; i < 8; i++) bytes[i] = this.#dice.below(256);
    return bytes;
  }
}

function shown(state: SiblingSet): Writes {
  let writes = 0;
  for (let i = 0; i < state.siblings.length; i++) writes |= 1 << (state.siblings[i] as Sibling).checksum;
  return writes;
}

function nameOf(at: number, place: Place): string {
  return place.node < owners ? `node ${place.node}` : `node ${place.node}'s hint ${at}`;
}

function listed(writes: Writes): string {
  const names: string[] = [];
  for (let write = 0; write < 32; write++) if (writes & (1 << write)) names.push(`w${write}`);
  return names.length === 0 ? "nothing" : names.join(" ");
}
