/**
 * The work of one claim: the table of seats, changed in place, and the rules that every step of it keeps (§4.2).
 *
 * Invariants, of a partition that lacks no holder: its holders are distinct nodes, in as many zones as there are or as
 * it has seats. Of one that still lacks some: those that are missing can be chosen so that this comes true.
 */

import type { NodeId } from "../ids.ts";
import { zonesOf } from "./shares.ts";

/** One partition's holders, by seat. */
export type Seats = readonly NodeId[];

/** A member as placement sees it. */
export interface Placed {
  readonly node: NodeId;
  readonly zone: string;
  readonly capacity: number;
}

const nobody = -1;
const none: ReadonlySet<number> = Object.freeze(new Set<number>());

/** Members are meant by their index, partitions by their number. */
export class Placement {
  readonly members: readonly Placed[];
  readonly partitions: number;
  /** Seats of a partition; at most as many as there are members. */
  readonly copies: number;
  readonly #before: readonly Seats[];
  /** The zone of each member. */
  readonly #zones: readonly number[];
  readonly #zoneCount: number;
  /** `copies` entries a partition. */
  readonly #holders: Int32Array;
  /** 1 where the member held a seat of the partition before, by partition and member. */
  readonly #original: Uint8Array;
  /** The partitions in which each member holds a seat. */
  readonly #held: Map<number, Set<number>> = new Map();
  /** Of the partition that is looked at: how many of its holders are in each zone, and who holds it. */
  readonly #inZone: Int32Array;
  readonly #isHolder: Uint8Array;

  constructor(before: readonly Seats[], members: readonly Placed[], partitions: number, copies: number) {
    this.members = members;
    this.partitions = partitions;
    this.copies = copies;
    this.#before = before;
    const zones = new Map(zonesOf(members).map((zone, i) => [zone, i]));
    this.#zones = members.map((member) => zones.get(member.zone) as number);
    this.#zoneCount = zones.size;
    this.#holders = new Int32Array(partitions * copies).fill(nobody);
    this.#original = new Uint8Array(partitions * members.length);
    this.#inZone = new Int32Array(zones.size);
    this.#isHolder = new Uint8Array(members.length);
    const indexes = new Map(members.map((member, i) => [member.node, i]));
    for (let partition = 0; partition < partitions; partition++) this.#takeOver(partition, indexes);
  }

  /** Whoever held a seat keeps it, if it is still a member and the partition's other holders leave room by the rules. */
  #takeOver(partition: number, indexes: ReadonlyMap<NodeId, number>): void {
    const inZone = new Map<number, number>();
    const kept: number[] = [];
    for (const node of this.#before[partition] ?? []) {
      const member = indexes.get(node);
      if (member === undefined) continue;
      this.#original[partition * this.members.length + member] = 1;
      kept.push(member);
      const zone = this.#zones[member] as number;
      inZone.set(zone, (inZone.get(zone) ?? 0) + 1);
    }
    // What zones without a holder need is spoken for.
    const isTooMuch = (): boolean => kept.length + this.#zonesWanted - inZone.size > this.copies;
    for (let i = kept.length - 1; i >= 0 && isTooMuch(); i--) {
      const zone = this.#zones[kept[i] as number] as number;
      const others = (inZone.get(zone) as number) - 1;
      if (others === 0) continue;
      inZone.set(zone, others);
      kept.splice(i, 1);
    }
    for (const member of kept) this.add(partition, member);
  }

  /** In how many zones a partition must be. */
  get #zonesWanted(): number {
    return Math.min(this.copies, this.#zoneCount);
  }

  /** Seats the member holds. */
  heldBy(member: number): number {
    return this.partitionsOf(member).size;
  }

  /** The partitions in which the member holds a seat. */
  partitionsOf(member: number): ReadonlySet<number> {
    return this.#held.get(member) ?? none;
  }

  holdersOf(partition: number): readonly number[] {
    const holders: number[] = [];
    for (let at = partition * this.copies; at < (partition + 1) * this.copies; at++) {
      const holder = this.#holders[at] as number;
      if (holder !== nobody) holders.push(holder);
    }
    return holders;
  }

  isHolder(partition: number, member: number): boolean {
    for (let at = partition * this.copies; at < (partition + 1) * this.copies; at++) {
      if (this.#holders[at] === member) return true;
    }
    return false;
  }

  lacksHolder(partition: number): boolean {
    return this.#holders[partition * this.copies + this.copies - 1] === nobody;
  }

  /** What it costs that the member holds a seat of the partition: 1 if its data must be moved there, or 0. */
  costOf(partition: number, member: number): 0 | 1 {
    return this.#original[partition * this.members.length + member] === 1 ? 0 : 1;
  }

  /** Calls `found` with each member that may take an empty seat of the partition. */
  eachForEmpty(partition: number, found: (member: number) => void): void {
    const holders = this.#lookAt(partition);
    let missing = this.#zonesWanted;
    for (let zone = 0; zone < this.#zoneCount; zone++) if ((this.#inZone[zone] as number) > 0) missing--;
    const onlyNewZones = this.copies - holders.length === missing;
    for (let member = 0; member < this.members.length; member++) {
      if (this.#isHolder[member] === 1) continue;
      if (!onlyNewZones || this.#inZone[this.#zones[member] as number] === 0) found(member);
    }
    this.#lookAway(holders);
  }

  /** Whether the member may take the holder's seat of the partition. */
  mayReplace(partition: number, holder: number, member: number): boolean {
    let isAllowed = false;
    this.eachInsteadOf(holder, partition, (other) => {
      if (other === member) isAllowed = true;
    });
    return isAllowed;
  }

  /** Calls `found` with each member that may take the holder's seat of the partition. */
  eachInsteadOf(holder: number, partition: number, found: (member: number) => void): void {
    const holders = this.#lookAt(partition);
    const zone = this.#zones[holder] as number;
    // Where every partition can be in all zones, no zone may lose its only copy; else, none may have two.
    const mayLeaveZone = this.#zoneCount >= this.copies || (this.#inZone[zone] as number) > 1;
    const mayDouble = this.#zoneCount < this.copies;
    for (let member = 0; member < this.members.length; member++) {
      if (this.#isHolder[member] === 1) continue;
      const other = this.#zones[member] as number;
      if (other === zone || (mayLeaveZone && (mayDouble || this.#inZone[other] === 0))) found(member);
    }
    this.#lookAway(holders);
  }

  #lookAt(partition: number): readonly number[] {
    const holders = this.holdersOf(partition);
    for (const holder of holders) {
      const zone = this.#zones[holder] as number;
      this.#isHolder[holder] = 1;
      this.#inZone[zone] = (this.#inZone[zone] as number) + 1;
    }
    return holders;
  }

  #lookAway(holders: readonly number[]): void {
    for (const holder of holders) {
      this.#isHolder[holder] = 0;
      this.#inZone[this.#zones[holder] as number] = 0;
    }
  }

  /** Gives an empty seat of the partition to the member. */
  add(partition: number, member: number): void {
    this.#put(partition, nobody, member);
  }

  /** Gives the holder's seat of the partition to the member. */
  replace(partition: number, holder: number, member: number): void {
    this.#held.get(holder)?.delete(partition);
    this.#put(partition, holder, member);
  }

  #put(partition: number, instead: number, member: number): void {
    const at = this.#holders.indexOf(instead, partition * this.copies);
    if (at < 0 || at >= (partition + 1) * this.copies) throw new Error(`partition ${partition} has no such seat`);
    this.#holders[at] = member;
    const held = this.#held.get(member);
    if (held === undefined) this.#held.set(member, new Set([partition]));
    else held.add(partition);
  }

  /** The table as it stands, with the very same arrays where nothing changed. Who keeps a seat keeps its number. */
  seats(): readonly Seats[] {
    return Array.from({ length: this.partitions }, (_, partition) => {
      const old = this.#before[partition] ?? [];
      const now = new Array<NodeId | undefined>(this.copies).fill(undefined);
      const others: NodeId[] = [];
      for (const holder of this.holdersOf(partition)) {
        const { node } = this.members[holder] as Placed;
        const seat = old.indexOf(node);
        if (seat >= 0 && seat < this.copies) now[seat] = node;
        else others.push(node);
      }
      const holders = now.map((node) => node ?? (others.shift() as NodeId));
      return old.length === holders.length && holders.every((node, seat) => node === old[seat]) ? old : holders;
    });
  }
}
