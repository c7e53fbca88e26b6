/**
 * Placement: who holds which seat of which partition (§6.2, strategy 3).
 *
 * The naive way, one owner for each partition and the next nodes clockwise for the other copies, reaches 0.35 to 0.87
 * of the possible balance. Here every seat is placed on its own. `targetShares` says how many seats each member shall
 * have; then seats move, as few as possible, until each has exactly that: straight from one that has too many to one
 * that has too few, or, where zones forbid every straight move, along the shortest chain of members that pass a seat
 * on. That is a flow with augmenting paths, so shares that can be met are met.
 *
 * Invariants of the result: min(N, members) seats a partition, on distinct nodes, in as many zones as there are or as
 * there are seats. It is a function of its arguments alone, in whole numbers, with ties broken by `draw`; a change of
 * what it answers is a new version, since every member must fold the same ring from the same history.
 */

import type { NodeId } from "../ids.ts";
import { draw, type Salt, saltOf } from "./draw.ts";
import { targetShares, zonesOf } from "./shares.ts";

/** One partition's holders, by seat. */
export type Seats = readonly NodeId[];

export interface Placed {
  readonly node: NodeId;
  readonly zone: string;
  readonly capacity: number;
}

/** Who holds the seats after a change, given who held them before and who is a member now. Version 1. */
export function claim(
  before: readonly Seats[],
  members: readonly Placed[],
  size: { readonly partitions: number; readonly copies: number },
): readonly Seats[] {
  if (members.length === 0) return Array.from({ length: size.partitions }, () => []);
  const placement = new Placement(before, members, size.partitions, Math.min(size.copies, members.length));
  placement.fillEmptySeats();
  placement.spreadOverZones();
  placement.balance();
  return placement.seats(before);
}

const nobody = -1;

/** The work of one claim: seats as indexes of members, changed in place. */
class Placement {
  readonly #members: readonly Placed[];
  readonly #copies: number;
  readonly #partitions: number;
  /** The zone of each member, by index. */
  readonly #zones: readonly number[];
  /** In how many zones each partition must be. */
  readonly #zonesWanted: number;
  readonly #salts: readonly Salt[];
  /** `copies` entries a partition. */
  readonly #seats: Int32Array;
  /** Seats each member holds, and shall hold. */
  readonly #held: number[];
  readonly #targets: readonly number[];
  readonly #drawnOrders: Map<number, Int32Array> = new Map();

  constructor(before: readonly Seats[], members: readonly Placed[], partitions: number, copies: number) {
    this.#members = members;
    this.#partitions = partitions;
    this.#copies = copies;
    const zones = zonesOf(members);
    this.#zones = members.map((member) => zones.indexOf(member.zone));
    this.#zonesWanted = Math.min(copies, zones.length);
    this.#salts = members.map((member) => saltOf(member.node));
    this.#seats = new Int32Array(partitions * copies).fill(nobody);
    this.#held = members.map(() => 0);
    this.#takeOver(before);
    const claimants = members.map(({ zone, capacity }, i) => ({ zone, capacity, seats: this.#held[i] as number }));
    this.#targets = targetShares(claimants, partitions, copies);
  }

  /** Seats keep their holders where these are still members; where there are fewer seats now, the last ones go. */
  #takeOver(before: readonly Seats[]): void {
    const indexes = new Map(this.#members.map((member, i) => [member.node, i]));
    for (let partition = 0; partition < this.#partitions; partition++) {
      const holders = (before[partition] ?? []).map((node) => indexes.get(node) ?? nobody);
      while (holders.length > this.#copies) {
        const empty = holders.lastIndexOf(nobody);
        holders.splice(empty >= 0 ? empty : holders.length - 1, 1);
      }
      for (const [seat, holder] of holders.entries()) if (holder !== nobody) this.#place(partition, seat, holder);
    }
  }

  fillEmptySeats(): void {
    for (let partition = 0; partition < this.#partitions; partition++) {
      for (let seat = 0; seat < this.#copies; seat++) {
        if (this.#holder(partition, seat) !== nobody) continue;
        const isNewZone = (member: number): boolean => !this.#hasZone(partition, this.#zones[member] as number, nobody);
        const taker = this.#neediest(partition, isNewZone) ?? this.#neediest(partition, () => true);
        if (taker === undefined) throw new Error(`partition ${partition} has more seats than there are members`);
        this.#place(partition, seat, taker);
      }
    }
  }

  /** Replaces second copies in one zone by first ones in another, where a partition is in fewer zones than it could. */
  spreadOverZones(): void {
    for (let partition = 0; partition < this.#partitions; partition++) {
      while (this.#zoneCount(partition) < this.#zonesWanted) {
        let seat = nobody;
        for (let i = 0; i < this.#copies; i++) {
          const holder = this.#holder(partition, i);
          if (!this.#hasZone(partition, this.#zones[holder] as number, i)) continue;
          if (seat === nobody || this.#surplus(holder) > this.#surplus(this.#holder(partition, seat))) seat = i;
        }
        const isNewZone = (member: number): boolean => !this.#hasZone(partition, this.#zones[member] as number, nobody);
        const taker = this.#neediest(partition, isNewZone);
        if (taker === undefined || seat === nobody) throw new Error(`partition ${partition} cannot reach its zones`);
        this.#place(partition, seat, taker);
      }
    }
  }

  /** Moves seats until every member holds its share. */
  balance(): void {
    while (this.#moveStraight());
    const limit = this.#partitions * this.#copies;
    for (let i = 0; i < limit && this.#moveAlongChain(); i++);
  }

  /** The result, with the very same arrays where nothing changed. */
  seats(before: readonly Seats[]): readonly Seats[] {
    return Array.from({ length: this.#partitions }, (_, partition) => {
      const old = before[partition];
      const now = Array.from({ length: this.#copies }, (_, seat) => {
        return (this.#members[this.#holder(partition, seat)] as Placed).node;
      });
      return old?.length === now.length && now.every((node, seat) => node === old[seat]) ? old : now;
    });
  }

  /** One seat from a member with too many to one with too few, if any pair can do that. */
  #moveStraight(): boolean {
    const givers = this.#ordered((member) => this.#surplus(member));
    const takers = this.#ordered((member) => -this.#surplus(member));
    for (const taker of takers) {
      for (const giver of givers) {
        const seat = this.#bestSeat(giver, taker);
        if (seat === undefined) continue;
        this.#place(Math.floor(seat / this.#copies), seat % this.#copies, taker);
        return true;
      }
    }
    return false;
  }

  /** Members of which `measure` is positive, the greatest first. */
  #ordered(measure: (member: number) => number): readonly number[] {
    const found = [...this.#members.keys()].filter((member) => measure(member) > 0);
    return found.sort((a, b) => measure(b) - measure(a) || a - b);
  }

  /** The shortest chain giver -> ... -> taker in which each passes a seat to the next; false if there is none. */
  #moveAlongChain(): boolean {
    const reachedFrom = new Map<number, number>();
    const queue = [...this.#ordered((member) => this.#surplus(member))];
    for (const giver of queue) reachedFrom.set(giver, nobody);
    for (let from = queue.shift(); from !== undefined; from = queue.shift()) {
      for (let to = 0; to < this.#members.length; to++) {
        if (reachedFrom.has(to) || this.#bestSeat(from, to) === undefined) continue;
        reachedFrom.set(to, from);
        if (this.#surplus(to) < 0) return this.#passAlong(reachedFrom, to);
        queue.push(to);
      }
    }
    return false;
  }

  /** Does the chain's moves from its end backwards, so that each receiver has room for what it then passes on. */
  #passAlong(reachedFrom: ReadonlyMap<number, number>, taker: number): boolean {
    const undo: { readonly seat: number; readonly holder: number }[] = [];
    for (let to = taker; ; ) {
      const from = reachedFrom.get(to) as number;
      if (from === nobody) return true;
      const seat = this.#bestSeat(from, to);
      if (seat === undefined) break;
      undo.push({ seat, holder: from });
      this.#place(Math.floor(seat / this.#copies), seat % this.#copies, to);
      to = from;
    }
    for (const { seat, holder } of undo.reverse()) {
      this.#place(Math.floor(seat / this.#copies), seat % this.#copies, holder);
    }
    return false;
  }

  /** The seat that `giver` could pass to `taker` with the lowest draw, as an index into the table of seats. */
  #bestSeat(giver: number, taker: number): number | undefined {
    for (const partition of this.#drawnOrder(taker)) {
      for (let seat = 0; seat < this.#copies; seat++) {
        if (this.#holder(partition, seat) !== giver) continue;
        if (this.#mayReplace(partition, seat, taker)) return partition * this.#copies + seat;
      }
    }
    return undefined;
  }

  /** The partitions in the order of what the member draws for them: made once for each that takes seats. */
  #drawnOrder(member: number): Int32Array {
    const known = this.#drawnOrders.get(member);
    if (known !== undefined) return known;
    const salt = this.#salts[member] as Salt;
    const draws = Array.from({ length: this.#partitions }, (_, partition) => draw(salt, partition, 0));
    const order = Int32Array.from(draws.keys());
    order.sort((a, b) => (draws[a] as number) - (draws[b] as number) || a - b);
    this.#drawnOrders.set(member, order);
    return order;
  }

  /** Whether the partition keeps distinct nodes and its number of zones with `taker` in that seat. */
  #mayReplace(partition: number, seat: number, taker: number): boolean {
    const zone = this.#zones[taker] as number;
    const oldZone = this.#zones[this.#holder(partition, seat)] as number;
    if (this.#holds(partition, taker)) return false;
    if (zone === oldZone) return true;
    return this.#hasZone(partition, oldZone, seat) || !this.#hasZone(partition, zone, seat);
  }

  /** Of those that hold no seat of the partition and may take one, the member that lacks most. */
  #neediest(partition: number, mayTake: (member: number) => boolean): number | undefined {
    let best: number | undefined;
    for (let member = 0; member < this.#members.length; member++) {
      if (this.#holds(partition, member) || !mayTake(member)) continue;
      if (best === undefined || this.#isNeedier(partition, member, best)) best = member;
    }
    return best;
  }

  #isNeedier(partition: number, a: number, b: number): boolean {
    const difference = this.#surplus(a) - this.#surplus(b);
    if (difference !== 0) return difference < 0;
    return draw(this.#salts[a] as Salt, partition, 0) < draw(this.#salts[b] as Salt, partition, 0);
  }

  #surplus(member: number): number {
    return (this.#held[member] as number) - (this.#targets[member] as number);
  }

  #holder(partition: number, seat: number): number {
    return this.#seats[partition * this.#copies + seat] as number;
  }

  #place(partition: number, seat: number, member: number): void {
    const before = this.#holder(partition, seat);
    if (before !== nobody) this.#held[before] = (this.#held[before] as number) - 1;
    this.#held[member] = (this.#held[member] as number) + 1;
    this.#seats[partition * this.#copies + seat] = member;
  }

  #holds(partition: number, member: number): boolean {
    for (let seat = 0; seat < this.#copies; seat++) if (this.#holder(partition, seat) === member) return true;
    return false;
  }

  /** Whether a seat of the partition other than `except` is in the zone. */
  #hasZone(partition: number, zone: number, except: number): boolean {
    for (let seat = 0; seat < this.#copies; seat++) {
      const holder = this.#holder(partition, seat);
      if (seat !== except && holder !== nobody && this.#zones[holder] === zone) return true;
    }
    return false;
  }

  #zoneCount(partition: number): number {
    const zones = new Set<number>();
    for (let seat = 0; seat < this.#copies; seat++) {
      const holder = this.#holder(partition, seat);
      if (holder !== nobody) zones.add(this.#zones[holder] as number);
    }
    return zones.size;
  }
}
