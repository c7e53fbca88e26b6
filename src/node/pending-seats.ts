/**
 * Seats that are not with those who shall hold them yet, as far as this node knows: how many, and whether there are any.
 */

import type { PartitionId } from "../core/ids.ts";
import type { Ring } from "../core/ring/ring.ts";
import { wantedOwners } from "../core/seats/bucket-seats.ts";
import { surplusSeats } from "../core/seats/wanted.ts";
import type { Seats } from "./seats.ts";

export class PendingSeats {
  readonly #seats: Seats;
  readonly #ring: () => Ring;
  /** Where one was last found: it is looked for there first. */
  #foundAt = 0;
  /** The ring for which there was none, until something is new. */
  #settled: Ring | undefined;
  /** How many there were, and for which ring and how many open partitions, until something is new. */
  #counted: { readonly ring: Ring; readonly open: number; readonly count: number } | undefined;

  constructor(seats: Seats, ring: () => Ring) {
    this.#seats = seats;
    this.#ring = ring;
    seats.onChange(() => {
      this.#settled = undefined;
      this.#counted = undefined;
    });
  }

  get count(): number {
    const ring = this.#ring();
    const { partitions } = this.#seats;
    if (this.#counted?.ring !== ring || this.#counted.open !== partitions.length) {
      const count = partitions.reduce<number>((sum, partition) => sum + this.#pendingIn(partition), 0);
      this.#counted = { ring, open: partitions.length, count };
    }
    return this.#counted.count;
  }

  get areAny(): boolean {
    const ring = this.#ring();
    if (this.#settled === ring) return false;
    const { partitions } = this.#seats;
    for (let looked = 0; looked < partitions.length; looked++) {
      const partition = partitions[(this.#foundAt + looked) % partitions.length] as PartitionId;
      if (this.#pendingIn(partition) === 0) continue;
      this.#foundAt = partition;
      return true;
    }
    this.#settled = ring;
    return false;
  }

  #pendingIn(partition: PartitionId): number {
    const known = this.#seats.known(partition);
    const owners = wantedOwners(this.#ring(), partition);
    const missing = owners.filter((owner) => !known.some(({ holder }) => holder === owner)).length;
    return missing + surplusSeats(owners, known).length;
  }
}
