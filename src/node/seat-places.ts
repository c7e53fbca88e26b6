/**
 * Who keeps which of a partition's keys, and is asked for them, worked out once for each ring and each thing that is
 * known of the partition (§4.3): it is asked for with every request.
 */

import type { PartitionId } from "../core/ids.ts";
import type { Era } from "../core/ring/eras.ts";
import { bucketSettings, bucketVersion, type Ring } from "../core/ring/ring.ts";
import {
  bucketSeats,
  keepsBucket,
  type SeatOwner,
  seatOrder,
  seatOwners,
  seatsWanted,
} from "../core/seats/bucket-seats.ts";
import { openEras } from "../core/seats/filled.ts";
import type { KnownSeats } from "../core/seats/known.ts";
import type { BucketSettings } from "../core/settings.ts";
import type { SeatCount } from "./seat.ts";

/** A bucket's keys in one partition. */
export interface BucketPlace {
  readonly partition: PartitionId;
  readonly bucket: string;
}

/** What every request for the bucket's keys in one partition asks. */
export interface BucketPart {
  readonly settings: BucketSettings;
  /** Names the changes of the bucket's n that the ring knows. */
  readonly version: number;
  /** How many eras of the bucket requests must meet the quorums of: one where its n has not changed. */
  readonly eras: number;
  /** The seats that keep the bucket's keys. */
  readonly seats: readonly number[];
  /** The same, with whom to ask for each. */
  readonly owners: readonly SeatOwner[];
  /** The same, and those that nobody holds yet, with whoever is to fill them. */
  readonly asked: readonly SeatOwner[];
  /** Of those that a bucket of that n keeps now, whatever it kept before. */
  readonly count: SeatCount;
}

/** Of one partition; the maps by the n of a bucket, or by its name. */
interface Places {
  readonly order: readonly number[];
  readonly known: KnownSeats;
  readonly seats: Map<number, readonly number[]>;
  readonly asked: Map<number, readonly SeatOwner[]>;
  readonly eras: Map<string, readonly Era[]>;
  /** Of buckets that were told something; all others are alike. */
  readonly told: Map<string, BucketPart>;
  others: BucketPart | undefined;
  /** The one that was asked for last, and for which bucket: many requests in a row are for one. */
  lastBucket: string | undefined;
  last: BucketPart | undefined;
}

export class SeatPlaces {
  readonly #ringNow: () => Ring;
  readonly #known: (partition: PartitionId) => KnownSeats;
  /** What the memo is of. */
  #ring: Ring | undefined;
  #places: (Places | undefined)[] = [];

  constructor(ring: () => Ring, known: (partition: PartitionId) => KnownSeats) {
    this.#ringNow = ring;
    this.#known = known;
  }

  /** The bucket's eras whose quorums a request must meet there (`core/seats/filled.ts`). */
  openEras({ partition, bucket }: BucketPlace): readonly Era[] {
    const { order, known, eras: memo } = this.#of(partition);
    let open = memo.get(bucket);
    if (open === undefined) {
      const ring = this.#ringNow();
      const eras = ring.eras.buckets.get(bucket)?.eras;
      if (eras === undefined) return [{ place: -1, settings: bucketSettings(ring, bucket) }];
      open = openEras({ all: ring.eras, eras, order, known });
      memo.set(bucket, open);
    }
    return open;
  }

  /** The bucket's settings and seats there. */
  part(place: BucketPlace): BucketPart {
    const places = this.#of(place.partition);
    if (places.last !== undefined && places.lastBucket === place.bucket) return places.last;
    const part = this.#find(places, place);
    places.lastBucket = place.bucket;
    places.last = part;
    return part;
  }

  #find(places: Places, place: BucketPlace): BucketPart {
    const { buckets, eras } = this.#ringNow();
    if (!buckets.has(place.bucket) && !eras.buckets.has(place.bucket)) return (places.others ??= this.#partOf(place));
    let part = places.told.get(place.bucket);
    if (part === undefined) {
      part = this.#partOf(place);
      places.told.set(place.bucket, part);
    }
    return part;
  }

  #partOf(place: BucketPlace): BucketPart {
    const { partition, bucket } = place;
    const ring = this.#ringNow();
    const settings = bucketSettings(ring, bucket);
    const copies = this.#copies(place);
    const asked = this.asked(partition, copies);
    const now = this.asked(partition, settings.n);
    return {
      settings,
      version: bucketVersion(ring, bucket),
      eras: this.openEras(place).length,
      seats: this.seatsOf(partition, copies),
      owners: asked.filter(({ isVacant }) => !isVacant),
      asked,
      count: { filled: now.filter(({ isVacant }) => !isVacant).length, asked: now.length },
    };
  }

  /** How many copies of the bucket's keys there are to be there. */
  #copies(place: BucketPlace): number {
    const ring = this.#ringNow();
    if (!ring.eras.buckets.has(place.bucket)) return bucketSettings(ring, place.bucket).n;
    return Math.max(...this.openEras(place).map(({ settings }) => settings.n));
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

  /**
   * Whether the seat keeps keys of buckets of n copies, or would if it were the next to be filled: also of those that kept
   * more until a short while ago, as long as requests meet the quorums of that time. The seat may take another's place there.
   */
  keeps(partition: PartitionId, n: number, seat: number): boolean {
    const { order, known } = this.#of(partition);
    return keepsBucket(order, known, this.#mostOf(partition, n), seat);
  }

  #mostOf(partition: PartitionId, n: number): number {
    const { eras, buckets } = this.#ringNow();
    const changed = [...eras.buckets.keys()].filter((bucket) => buckets.get(bucket)?.n === n);
    return Math.max(n, ...changed.map((bucket) => this.#copies({ partition, bucket })));
  }

  #of(partition: PartitionId): Places {
    const ring = this.#ringNow();
    if (ring !== this.#ring) {
      this.#ring = ring;
      this.#places = [];
    }
    const known = this.#known(partition);
    const before = this.#places[partition];
    if (before?.known === known) return before;
    const order = before?.order ?? seatOrder(ring, partition, seatsWanted(ring));
    const places: Places = {
      order,
      known,
      seats: new Map(),
      asked: new Map(),
      eras: new Map(),
      told: new Map(),
      others: undefined,
      lastBucket: undefined,
      last: undefined,
    };
    this.#places[partition] = places;
    return places;
  }
}
