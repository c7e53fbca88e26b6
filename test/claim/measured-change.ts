/** One change of a cluster, and what it cost against what it had to: for the tests and for the sweep. */

import assert from "node:assert/strict";
import { claim, type Placed, type Seats } from "../../src/core/ring/claim.ts";
import { idealShares, leastGreatestLoad } from "./best-balance.ts";
import { fewestMoves, movesBetween } from "./fewest-moves.ts";

export interface Measured {
  readonly seats: readonly Seats[];
  readonly moved: number;
  /**
   * The fewest moves to any placement as balanced: no load for a capacity is greater than the greatest is here, and
   * each member's share is within one seat of the ideal, or what it is here.
   */
  readonly fewest: number;
  /** The greatest load for a capacity, as part of which the least possible one is given: 1 is best. */
  readonly balance: number;
  /** Mean load for a capacity, as part of the greatest: Figure 8's efficiency. */
  readonly efficiency: number;
  /** Whether neither zones nor nodes that cannot hold more stood in the way of shares by capacity. */
  readonly isFree: boolean;
  /** CPU time. */
  readonly tookMs: number;
}

export const seatsHeld = (seats: readonly Seats[], node: string): number =>
  seats.reduce((sum, holders) => sum + (holders.includes(node as never) ? 1 : 0), 0);

/** Makes the change, holds the result to the rules, and measures it. */
export function measure(before: readonly Seats[], members: readonly Placed[], partitions: number, n: number): Measured {
  const started = process.cpuUsage();
  const seats = claim(before, members, { partitions, copies: n });
  const used = process.cpuUsage(started);
  const tookMs = (used.user + used.system) / 1000;
  const copies = Math.min(n, members.length);
  checkRules(seats, members, partitions, copies);
  const cluster = { members, partitions, copies };
  const held = members.map(({ node }) => seatsHeld(seats, node));
  const { shares, isFree } = idealShares(cluster);
  const greatest = Math.max(...held.map((seats, i) => seats / (members[i] as Placed).capacity));
  const bounds = held.map((seats, i) => {
    const ideal = shares[i] as number;
    const room = Math.floor(greatest * (members[i] as Placed).capacity + 1e-6);
    const most = Math.min(Math.ceil(ideal - 1e-6), room);
    return { least: Math.min(seats, Math.floor(ideal + 1e-6)), most: Math.max(seats, most) };
  });
  const mean = (partitions * copies) / members.reduce((sum, { capacity }) => sum + capacity, 0);
  const moved = movesBetween(before, seats);
  return {
    seats,
    moved,
    fewest: moved === 0 ? 0 : fewestMoves({ before, some: seats, members, bounds }),
    balance: leastGreatestLoad(cluster) / greatest,
    efficiency: mean / greatest,
    isFree,
    tookMs,
  };
}

/** Distinct nodes, all members, in as many zones as can be. */
export function checkRules(
  seats: readonly Seats[],
  members: readonly Placed[],
  partitions: number,
  copies: number,
): void {
  const zoneOf = new Map(members.map(({ node, zone }) => [node, zone]));
  const zones = new Set(zoneOf.values()).size;
  assert.equal(seats.length, partitions);
  for (const [partition, holders] of seats.entries()) {
    assert.equal(holders.length, copies, `partition ${partition} has ${holders.length} seats`);
    assert.equal(new Set(holders).size, copies, `partition ${partition} has one node twice`);
    const spread = new Set(holders.map((node) => zoneOf.get(node)));
    assert.ok(!spread.has(undefined), `partition ${partition} is held by a node that is no member`);
    assert.equal(spread.size, Math.min(copies, zones), `partition ${partition} is in too few zones`);
  }
}
