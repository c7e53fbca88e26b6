/**
 * What a request needs, and of which seats, as far as its coordinator knows: while a bucket's n changes (§4.5), the
 * quorums of each of its eras that is still open must be met.
 *
 * Hot path: worked out once for each request, and again where more is known.
 */

import type { SeatQuorum } from "../core/quorum/tally.ts";
import type { SeatOwner } from "../core/seats/bucket-seats.ts";
import type { Coordination } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";
import type { NeededOf, Wanted } from "./seat.ts";

/** What one era of the bucket needs, and of which seats; `filled` of them are not vacant. */
export type EraQuorum = Wanted & SeatQuorum & { readonly filled: number };

export interface AskedSeats {
  /** The newest era first. */
  readonly quorums: readonly EraQuorum[];
  /** Those of any era, each with whom to ask for it. */
  readonly owners: readonly SeatOwner[];
}

export function askedSeats({ seats, self }: Coordination, place: KeyPlace, neededOf: NeededOf): AskedSeats {
  const { partition } = place;
  // What it is to fill itself it may not be ready to keep anything in.
  const isAsked = ({ node, isVacant }: SeatOwner): boolean => node !== self || !isVacant || seats.mayStore(partition);
  const quorums: EraQuorum[] = [];
  for (const { settings } of seats.openEras(place)) {
    const asked = seats.askedFor(partition, settings.n);
    const numbers: number[] = [];
    let filled = 0;
    for (const owner of asked) {
      if (!owner.isVacant) filled++;
      if (isAsked(owner)) numbers.push(owner.seat);
    }
    const { answers, owners, zones } = neededOf(settings, { filled, asked: asked.length });
    quorums.unshift({ answers, owners, zones, filled, seats: numbers });
  }
  const { asked } = seats.part(place);
  return { quorums, owners: asked.every(isAsked) ? asked : asked.filter(isAsked) };
}
