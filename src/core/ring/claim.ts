/**
 * Placement: who holds which seat of which partition (§6.2, strategy 3).
 *
 * The naive way, one owner for each partition and the next nodes clockwise for the other copies, reaches 0.35 to 0.87
 * of the possible balance. Here every seat is placed on its own, and two questions are answered one after the other:
 * how many seats each member shall have (`shares.ts`: as even for their capacities as nodes and zones allow), and how
 * to get there with the fewest moves (`least-moves.ts`), under the rules of `placement.ts`.
 *
 * Invariants of the result: min(N, members) seats a partition, on distinct nodes, in as many zones as there are or as
 * there are seats; every member holds what its share allows; no other table of which that is true differs in fewer
 * seats from the one before. It is a function of its arguments alone, in whole numbers, with ties broken by `draw`; a change of what
 * it answers is a new version, since every member must fold the same ring from the same history.
 */

import { LeastMoves } from "./least-moves.ts";
import { type Placed, Placement, type Seats } from "./placement.ts";
import { type Share, targetShares } from "./shares.ts";

export type { Placed, Seats } from "./placement.ts";

/** Who holds the seats after a change, given who held them before and who is a member now. Version 1. */
export function claim(
  before: readonly Seats[],
  members: readonly Placed[],
  size: { readonly partitions: number; readonly copies: number },
): readonly Seats[] {
  const { partitions } = size;
  const copies = Math.min(size.copies, members.length);
  if (copies === 0) return Array.from({ length: partitions }, () => []);
  const placement = new Placement(before, members, partitions, copies);
  const shares = targetShares(members, partitions, copies);
  const isFull = members.reduce((sum, _, i) => sum + placement.heldBy(i), 0) === partitions * copies;
  const isWithin = ({ least, most }: Share, i: number): boolean =>
    placement.heldBy(i) >= least && placement.heldBy(i) <= most;
  const isSettled = isFull && shares.every(isWithin);
  if (!isSettled) new LeastMoves(placement, shares).run();
  return placement.seats();
}
