/**
 * Who keeps which of a partition's keys, and is asked for them, worked out once for each ring and each thing that is
 * known of the partition (§4.3): it is asked for with every request.
 */

import type { PartitionId } from "../core/ids.ts";
import type { Ring } from "../core/ring/ring.ts";
import { bucketSeats, type SeatOwner, seatOrder, seatOwners, seatsWanted } from "../core/seats/bucket-seats.ts";
import type { KnownSeats } from "../core/seats/known.ts";

/** Of one partition; each map by the n of a bucket. */
interface Places {
  readonly order: readonly number[];
  readonly known: KnownSeats;
  readonly seats: Map<number, readonly number[]>;
  readonly asked: Map<number, readonly SeatOwner[]>;
}

export class SeatPlaces {
  readonly #ringNow: () => Ring;
  readonly #known: (partition: PartitionId) => KnownSeats;
  /** What the memo is of. */
  #ring: Ring | undefined;
  #places: Map<PartitionId, Places> = new Map();

  constructor(ring: () => Ring, known: (partition: PartitionId) => KnownSeats) {
    this.#ringNow = ring;
    this.#known = known;
  }

  /** The seats that keep the keys of a bucket of n copies. */
  seatsOf(partition: PartitionId, n: number): readonly number[] {
    const { order, known, seats } = this.#of(partition);
    let kept = seats.get(n);
    if (kept === undefined) {
      kept = bucketSeats(order, known, n);
      seats.set(n, kept);
    }
    return kept;
  }

  /** The same, and those of the n seats that nobody holds yet, each with whom to ask for it. */
  asked(partition: PartitionId, n: number): readonly SeatOwner[] {
    const { order, known, asked } = this.#of(partition);
    let owners = asked.get(n);
    if (owners === undefined) {
      owners = seatOwners(this.#ringNow(), partition, order, known, n);
      asked.set(n, owners);
    }
    return owners;
  }

  /** Those that are asked for seats which somebody holds, or held. */
  owners(partition: PartitionId, n: number): readonly SeatOwner[] {
    return this.asked(partition, n).filter(({ isVacant }) => !isVacant);
  }

  #of(partition: PartitionId): Places {
    const ring = this.#ringNow();
    if (ring !== this.#ring) {
      this.#ring = ring;
      this.#places = new Map();
    }
    const known = this.#known(partition);
    const before = this.#places.get(partition);
    if (before?.known === known) return before;
    const order = before?.order ?? seatOrder(ring, partition, seatsWanted(ring));
    const places: Places = { order, known, seats: new Map(), asked: new Map() };
    this.#places.set(partition, places);
    return places;
  }
}
