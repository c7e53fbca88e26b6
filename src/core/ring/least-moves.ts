/**
 * Moves seats until every member holds its share, and not one seat more than must move: a minimum-cost flow.
 *
 * The naive way moves a seat from who has too many to who has too few, wherever the rules allow it, and ends stuck, or
 * with detours, where zones forbid the straight way. Here each seat that must find a holder takes the cheapest chain
 * of members that pass seats on, up to one that has too few. A seat that comes to a node which did not hold its
 * partition costs one move; one that returns to where it was, or leaves a node it had just come to, takes back what
 * it cost. A step that lets one share rise and another fall, both within their ranges (`shares.ts`), costs nothing. Chains that are the cheapest one after the other are the cheapest together (successive shortest paths; see
 * Ahuja, Magnanti and Orlin, Network Flows, 1993, chapter 9), so no other way to these shares moves less.
 *
 * Costs of chains are compared under potentials, in which no step costs less than nothing (Dijkstra's condition), and
 * of equally cheap chains the one with the fewest steps is taken: two of its steps then never meet in a partition
 * where one would undo what the other needs.
 */

import { draw, type Salt, saltOf } from "./draw.ts";
import type { Placed, Placement } from "./placement.ts";
import type { Share } from "./shares.ts";

/** What one step may cost: its place in a member's counts. */
const stepCosts = [-1, 0, 1] as const;
const unreached = Number.MAX_SAFE_INTEGER;

/** A step of a chain: `from` passes its seat of a partition to `to`, or takes over a part of the share of `to`. */
interface Step {
  readonly partition: number | undefined;
  readonly from: number;
  readonly to: number;
}

export class LeastMoves {
  readonly #placement: Placement;
  readonly #shares: readonly Share[];
  /** Seats each member shall hold: within the range of its share. */
  readonly #targets: number[];
  readonly #salts: (Salt | undefined)[];
  readonly #potentials: Int32Array;
  /**
   * For each member that was looked at: by receiver and `stepCosts`, in how many partitions it can pass a seat on.
   * Kept up with every change, since to count anew would take longer than all the rest.
   */
  readonly #steps: (Int32Array | undefined)[];
  /** For each member that received a seat, the partitions in the order of what it draws for them. */
  readonly #drawnOrders: (Int32Array | undefined)[];
  // The search under way, by member.
  readonly #cost: Float64Array;
  readonly #length: Int32Array;
  readonly #cameFrom: Int32Array;
  readonly #isSettled: Uint8Array;

  /** The shares must add up to all seats and be possible. */
  constructor(placement: Placement, shares: readonly Share[]) {
    const size = placement.members.length;
    this.#placement = placement;
    this.#shares = shares;
    this.#targets = shares.map(({ seats }) => seats);
    this.#salts = new Array<Salt | undefined>(size).fill(undefined);
    this.#potentials = new Int32Array(size);
    this.#steps = new Array<Int32Array | undefined>(size).fill(undefined);
    this.#drawnOrders = new Array<Int32Array | undefined>(size).fill(undefined);
    this.#cost = new Float64Array(size);
    this.#length = new Int32Array(size);
    this.#cameFrom = new Int32Array(size);
    this.#isSettled = new Uint8Array(size);
  }

  /** Does all of it. */
  run(): void {
    const { partitions, members } = this.#placement;
    for (let partition = 0; partition < partitions; partition++) {
      while (this.#placement.lacksHolder(partition)) this.#fill(partition);
    }
    for (;;) {
      let giver = -1;
      for (let member = 0; member < members.length; member++) {
        if (this.#lack(member) < 0 && (giver < 0 || this.#lack(member) < this.#lack(giver))) giver = member;
      }
      if (giver < 0) return;
      this.#relieve(giver);
    }
  }

  /** Seats the member lacks for its share. */
  #lack(member: number): number {
    return (this.#targets[member] as number) - this.#placement.heldBy(member);
  }

  /** Finds a holder for an empty seat. */
  #fill(partition: number): void {
    const takers: number[] = [];
    this.#placement.eachForEmpty(partition, (member) => takers.push(member));
    const worth = (member: number): number => this.#potential(member) - this.#placement.costOf(partition, member);
    const highest = takers.reduce((most, member) => Math.max(most, worth(member)), -unreached);
    this.#begin();
    for (const member of takers) this.#reach(member, highest - worth(member), 1, -1);
    const end = this.#search((member) => this.#draw(member, partition));
    const steps = this.#chainTo(end);
    this.#walk(steps);
    this.#change(partition, () => this.#placement.add(partition, steps[0]?.from ?? end));
  }

  /** Takes one seat from a member with too many. */
  #relieve(giver: number): void {
    this.#begin();
    this.#reach(giver, 0, 0, -1);
    this.#walk(this.#chainTo(this.#search((member) => -this.#lack(member))));
  }

  #begin(): void {
    this.#cost.fill(unreached);
    this.#isSettled.fill(0);
  }

  /**
   * Settles the nearest members one by one until one of them lacks a seat, and answers with that one. `order` decides
   * among those that are equally near: the lowest goes first.
   */
  #search(order: (member: number) => number): number {
    for (;;) {
      const next = this.#nearest(order);
      if (this.#lack(next) > 0) {
        this.#settlePotentials(this.#cost[next] as number);
        return next;
      }
      this.#isSettled[next] = 1;
      const steps = this.#stepsFrom(next);
      for (let to = 0; to < this.#cost.length; to++) {
        if (this.#isSettled[to] === 1) continue;
        const step = this.#cheapest(next, steps, to);
        if (step === undefined) continue;
        const cost = (this.#cost[next] as number) + step + this.#potential(next) - this.#potential(to);
        this.#reach(to, cost, (this.#length[next] as number) + 1, next);
      }
    }
  }

  #reach(member: number, cost: number, length: number, from: number): void {
    const known = this.#cost[member] as number;
    if (cost > known || (cost === known && length >= (this.#length[member] as number))) return;
    this.#cost[member] = cost;
    this.#length[member] = length;
    this.#cameFrom[member] = from;
  }

  #nearest(order: (member: number) => number): number {
    let best = -1;
    for (let member = 0; member < this.#cost.length; member++) {
      if (this.#isSettled[member] === 1 || this.#cost[member] === unreached) continue;
      if (best < 0 || this.#isNearer(member, best, order)) best = member;
    }
    if (best < 0) throw new Error("the shares cannot be reached");
    return best;
  }

  #isNearer(a: number, b: number, order: (member: number) => number): boolean {
    const cost = (this.#cost[a] as number) - (this.#cost[b] as number);
    if (cost !== 0) return cost < 0;
    const length = (this.#length[a] as number) - (this.#length[b] as number);
    if (length !== 0) return length < 0;
    const lacks = Number(this.#lack(b) > 0) - Number(this.#lack(a) > 0);
    return lacks !== 0 ? lacks < 0 : order(a) < order(b);
  }

  /** Keeps every step's cost under the potentials from falling below nothing, whatever the chain changes. */
  #settlePotentials(end: number): void {
    for (let member = 0; member < this.#cost.length; member++) {
      if (this.#isSettled[member] === 0) continue;
      this.#potentials[member] = this.#potential(member) + (this.#cost[member] as number) - end;
    }
  }

  #potential(member: number): number {
    return this.#potentials[member] as number;
  }

  /** The steps by which the search came to the member, the first one first, before any of them is done. */
  #chainTo(end: number): readonly Step[] {
    const steps: Step[] = [];
    for (let to = end; ; ) {
      const from = this.#cameFrom[to] as number;
      if (from < 0) return steps.reverse();
      const isOfShares = this.#cheapest(from, this.#stepsFrom(from), to) === 0 && this.#maySwapShares(from, to);
      steps.push({ partition: isOfShares ? undefined : this.#partitionFor(from, to), from, to });
      to = from;
    }
  }

  /** Of the partitions in which the cheapest step can be done, the one that the receiver draws the lowest number for. */
  #partitionFor(from: number, to: number): number {
    const placement = this.#placement;
    const wanted = cheapest(this.#stepsFrom(from), to);
    for (const partition of this.#drawnOrder(to)) {
      if (!placement.isHolder(partition, from)) continue;
      const cost = placement.costOf(partition, to) - placement.costOf(partition, from);
      if (cost === wanted && placement.mayReplace(partition, from, to)) return partition;
    }
    throw new Error("a step of a chain is in no partition");
  }

  /** What the cheapest step to the other member costs; undefined if there is none. */
  #cheapest(from: number, steps: Int32Array, to: number): number | undefined {
    const ofSeats = cheapest(steps, to);
    return (ofSeats ?? 1) >= 0 && this.#maySwapShares(from, to) ? 0 : ofSeats;
  }

  /** Whether `from` may have one seat more if `to` has one less. */
  #maySwapShares(from: number, to: number): boolean {
    const mayRise = (this.#targets[from] as number) < (this.#shares[from] as Share).most;
    return mayRise && (this.#targets[to] as number) > (this.#shares[to] as Share).least;
  }

  #walk(steps: readonly Step[]): void {
    for (const { partition, from, to } of steps) {
      if (partition === undefined) {
        this.#targets[from] = (this.#targets[from] as number) + 1;
        this.#targets[to] = (this.#targets[to] as number) - 1;
      } else this.#change(partition, () => this.#placement.replace(partition, from, to));
    }
  }

  /** Changes the holders of a partition, and with them the steps that each of them can do in it. */
  #change(partition: number, change: () => void): void {
    for (const holder of this.#placement.holdersOf(partition)) this.#countSteps(partition, holder, -1);
    change();
    for (const holder of this.#placement.holdersOf(partition)) this.#countSteps(partition, holder, 1);
  }

  #stepsFrom(member: number): Int32Array {
    const known = this.#steps[member];
    if (known !== undefined) return known;
    const steps = new Int32Array(this.#placement.members.length * stepCosts.length);
    this.#steps[member] = steps;
    for (const partition of this.#placement.partitionsOf(member)) this.#countSteps(partition, member, 1);
    return steps;
  }

  #countSteps(partition: number, from: number, count: 1 | -1): void {
    const steps = this.#steps[from];
    if (steps === undefined) return;
    const saved = this.#placement.costOf(partition, from);
    this.#placement.eachInsteadOf(from, partition, (to) => {
      const at = to * stepCosts.length + 1 + this.#placement.costOf(partition, to) - saved;
      steps[at] = (steps[at] as number) + count;
    });
  }

  #drawnOrder(member: number): Int32Array {
    const known = this.#drawnOrders[member];
    if (known !== undefined) return known;
    const draws = Array.from({ length: this.#placement.partitions }, (_, partition) => this.#draw(member, partition));
    const order = Int32Array.from(draws.keys());
    order.sort((a, b) => (draws[a] as number) - (draws[b] as number) || a - b);
    this.#drawnOrders[member] = order;
    return order;
  }

  #draw(member: number, partition: number): number {
    const salt = this.#salts[member] ?? saltOf((this.#placement.members[member] as Placed).node);
    this.#salts[member] = salt;
    return draw(salt, partition, 0);
  }
}

/** What the cheapest step to the member costs by the counts. */
function cheapest(steps: Int32Array, to: number): number | undefined {
  return stepCosts.find((_, i) => (steps[to * stepCosts.length + i] as number) > 0);
}
