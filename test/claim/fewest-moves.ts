/**
 * How few seats can move at all, found without `claim`: the textbook's minimum-cost flow by cancelling negative cycles
 * (Klein 1967), on a graph that says the rules and nothing else.
 *
 * Every partition sends N units, at most one (or, where there are fewer zones than copies, at least one) through each
 * of its zones, on to members of that zone, each of which takes as many in all as its bounds say. A unit that reaches a
 * member which did not hold the partition before costs one. Some placement is given, whichever; while its residual
 * graph has a cycle of negative cost, going round it makes it cheaper; once it has none, none is cheaper.
 */

import type { Placed, Seats } from "../../src/core/ring/claim.ts";

export interface Bounds {
  readonly least: number;
  readonly most: number;
}

export interface Question {
  readonly before: readonly Seats[];
  /** Any placement that keeps the rules and the bounds. */
  readonly some: readonly Seats[];
  readonly members: readonly Placed[];
  /** How many seats each member may hold in the end. */
  readonly bounds: readonly Bounds[];
}

/** Seats with a holder that did not hold any of that partition before. */
export function movesBetween(before: readonly Seats[], after: readonly Seats[]): number {
  return after.reduce((sum, holders, p) => sum + holders.filter((node) => !before[p]?.includes(node)).length, 0);
}

/** The fewest moves from `before` to any placement within the rules and bounds. */
export function fewestMoves(question: Question): number {
  const graph = new Flow(question);
  while (graph.cancelNegativeCycle());
  return graph.cost;
}

class Flow {
  readonly #members: number;
  readonly #partitions: number;
  readonly #zoneCount: number;
  readonly #zoneOf: readonly number[];
  readonly #bounds: readonly Bounds[];
  readonly #isFewZones: boolean;
  readonly #wasHolder: readonly Uint8Array[];
  readonly #isHolder: readonly Uint8Array[];
  readonly #inZone: readonly Int32Array[];
  readonly #held: Int32Array;

  constructor({ before, some, members, bounds }: Question) {
    const zones = [...new Set(members.map(({ zone }) => zone))];
    const index = new Map(members.map(({ node }, i) => [node, i]));
    this.#members = members.length;
    this.#partitions = some.length;
    this.#zoneCount = zones.length;
    this.#zoneOf = members.map(({ zone }) => zones.indexOf(zone));
    this.#bounds = bounds;
    this.#isFewZones = zones.length < (some[0]?.length ?? 0);
    const marks = (table: readonly Seats[]): readonly Uint8Array[] =>
      some.map((_, p) => {
        const row = new Uint8Array(members.length);
        for (const node of table[p] ?? []) {
          const member = index.get(node);
          if (member !== undefined) row[member] = 1;
        }
        return row;
      });
    this.#wasHolder = marks(before);
    this.#isHolder = marks(some);
    this.#held = new Int32Array(members.length);
    this.#inZone = this.#isHolder.map((row) => {
      const counts = new Int32Array(zones.length);
      for (const [member, holds] of row.entries()) {
        if (holds === 0) continue;
        this.#held[member] = (this.#held[member] as number) + 1;
        const zone = this.#zoneOf[member] as number;
        counts[zone] = (counts[zone] as number) + 1;
      }
      return counts;
    });
  }

  get cost(): number {
    let cost = 0;
    for (const [p, row] of this.#isHolder.entries()) {
      for (const [member, holds] of row.entries()) if (holds === 1 && this.#wasHolder[p]?.[member] === 0) cost++;
    }
    return cost;
  }

  // Nodes of the graph: members, the sink, partitions, and each partition's zones.
  #sink(): number {
    return this.#members;
  }
  #partition(p: number): number {
    return this.#members + 1 + p;
  }
  #zone(p: number, zone: number): number {
    return this.#members + 1 + this.#partitions + p * this.#zoneCount + zone;
  }

  /** Calls `arc` with every arc along which one more unit can be sent, or one be taken back. */
  #residual(arc: (from: number, to: number, cost: number) => void): void {
    for (let p = 0; p < this.#partitions; p++) {
      for (let zone = 0; zone < this.#zoneCount; zone++) {
        const units = this.#inZone[p]?.[zone] as number;
        if (this.#isFewZones || units < 1) arc(this.#partition(p), this.#zone(p, zone), 0);
        if (units > (this.#isFewZones ? 1 : 0)) arc(this.#zone(p, zone), this.#partition(p), 0);
      }
      for (let member = 0; member < this.#members; member++) {
        const cost = this.#wasHolder[p]?.[member] === 1 ? 0 : 1;
        const zone = this.#zone(p, this.#zoneOf[member] as number);
        if (this.#isHolder[p]?.[member] === 1) arc(member, zone, -cost);
        else arc(zone, member, cost);
      }
    }
    for (let member = 0; member < this.#members; member++) {
      const { least, most } = this.#bounds[member] as Bounds;
      const held = this.#held[member] as number;
      if (held < most) arc(member, this.#sink(), 0);
      if (held > least) arc(this.#sink(), member, 0);
    }
  }

  /** Finds one by Bellman and Ford, sends a unit round it, and says whether there was one. */
  cancelNegativeCycle(): boolean {
    const size = this.#members + 1 + this.#partitions * (1 + this.#zoneCount);
    const distance = new Int32Array(size);
    const cameFrom = new Int32Array(size).fill(-1);
    for (let round = 0; round < size; round++) {
      let hasChanged = false;
      this.#residual((from, to, cost) => {
        if ((distance[from] as number) + cost >= (distance[to] as number)) return;
        distance[to] = (distance[from] as number) + cost;
        cameFrom[to] = from;
        hasChanged = true;
      });
      if (!hasChanged) return false;
      const cycle = cycleIn(cameFrom);
      if (cycle === undefined) continue;
      for (let i = 0; i < cycle.length; i++) {
        this.#send(cycle[i] as number, cycle[(i + 1) % cycle.length] as number);
      }
      return true;
    }
    throw new Error("a cycle that is none");
  }

  #send(from: number, to: number): void {
    const isMember = (node: number): boolean => node < this.#members;
    const firstZone = this.#members + 1 + this.#partitions;
    if (from >= firstZone || to >= firstZone) {
      const zoneNode = Math.max(from, to) - firstZone;
      const p = Math.floor(zoneNode / this.#zoneCount);
      const zone = zoneNode % this.#zoneCount;
      const row = this.#isHolder[p] as Uint8Array;
      const counts = this.#inZone[p] as Int32Array;
      if (isMember(to)) row[to] = 1;
      else if (isMember(from)) row[from] = 0;
      else counts[zone] = (counts[zone] as number) + (from >= firstZone ? -1 : 1);
    } else if (isMember(from)) this.#held[from] = (this.#held[from] as number) + 1;
    else this.#held[to] = (this.#held[to] as number) - 1;
  }
}

/** A cycle among the arcs by which nodes were last reached, each node before the next on it; undefined if there is none. */
function cycleIn(cameFrom: Int32Array): readonly number[] | undefined {
  const visitedBy = new Int32Array(cameFrom.length).fill(-1);
  for (let start = 0; start < cameFrom.length; start++) {
    let node = start;
    while (node >= 0 && visitedBy[node] === -1) {
      visitedBy[node] = start;
      node = cameFrom[node] as number;
    }
    if (node < 0 || visitedBy[node] !== start) continue;
    const cycle = [node];
    for (let back = cameFrom[node] as number; back !== node; back = cameFrom[back] as number) cycle.push(back);
    return cycle.reverse();
  }
  return undefined;
}
