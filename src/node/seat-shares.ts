/**
 * Each member's share of the seats: in how many partitions the ring gives it one, and in how many of these it is known to
 * have one already. Counted anew only where the ring, or what is known of a seat, is new: every look at the cluster asks.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import type { Ring } from "../core/ring/ring.ts";
import { isBeingRebuilt } from "../core/seats/known.ts";
import type { Seats } from "./seats.ts";

export interface SeatShare {
  readonly wanted: number;
  readonly held: number;
}

const noShare: SeatShare = { wanted: 0, held: 0 };

export class SeatShares {
  readonly #seats: Seats;
  /** For which ring, and how many open partitions, the shares are; none once something is new. */
  #counted: { readonly ring: Ring; readonly open: number; readonly shares: ReadonlyMap<NodeId, SeatShare> } | undefined;

  constructor(seats: Seats) {
    this.#seats = seats;
    seats.onChange(() => {
      this.#counted = undefined;
    });
  }

  /** Of those to whom the ring gives a seat. */
  of(ring: Ring): ReadonlyMap<NodeId, SeatShare> {
    const open = this.#seats.partitions.length;
    if (this.#counted?.ring !== ring || this.#counted.open !== open) {
      this.#counted = { ring, open, shares: this.#count(ring) };
    }
    return this.#counted.shares;
  }

  #count(ring: Ring): ReadonlyMap<NodeId, SeatShare> {
    const shares = new Map<NodeId, SeatShare>();
    for (const [partition, owners] of ring.seats.entries()) {
      const known = this.#seats.known(partition as PartitionId);
      const holders = new Set(known.flatMap(({ holder }, seat) => (isBeingRebuilt(known, seat) ? [] : (holder ?? []))));
      for (const node of owners) {
        const { wanted, held } = shares.get(node) ?? noShare;
        shares.set(node, { wanted: wanted + 1, held: held + (holders.has(node) ? 1 : 0) });
      }
    }
    return shares;
  }
}
