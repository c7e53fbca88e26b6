/**
 * The eras of buckets: the times between two changes of a bucket's n (§4.3, §4.5: how many copies a key has is the
 * application's to choose).
 *
 * A change of n is an event like any other, known here earlier and there later. What was acknowledged in an earlier era
 * lies where that era wanted it, so a request may have to meet the quorums of several eras (`core/seats/filled.ts`),
 * each with the numbers of its own time. All changes of n that a node knows are a set that only grows, and a hash names
 * it: nodes whose sets differ do not answer one another, and a seat is marked as filled for a set (`core/seats/filled.ts`).
 *
 * Events are folded in their order, so the same set gives the same eras and hashes everywhere.
 */

import { hash128 } from "../hash/murmur3.ts";
import type { BucketSettings } from "../settings.ts";

export interface Era {
  /** Which of all changes of n, of any bucket, it began with, from 0 on; -1 for the time before a bucket's first. */
  readonly place: number;
  /** As they were at its end, or are now. */
  readonly settings: BucketSettings;
}

export interface BucketEras {
  /** Names the set of changes of this bucket's n: 32 bits. */
  readonly version: number;
  /** The oldest first. */
  readonly eras: readonly Era[];
}

/** Of all buckets. */
export interface Eras {
  /** Those whose n was ever told. */
  readonly buckets: ReadonlyMap<string, BucketEras>;
  /** Names the set of the first 0, 1, 2 ... changes of n: 32 bits each. */
  readonly hashes: readonly number[];
  /** The greatest n that any of them ever was. */
  readonly most: number;
}

/** Nobody has changed any bucket's n. */
export const noEras: Eras = { buckets: new Map(), hashes: [0], most: 0 };

/** The version of a bucket whose n was never told. */
export const firstVersion = 0;

/** With the change of n that the event of this name made: `before` it the bucket asked for this, and now for that. */
export function withChange(
  eras: Eras,
  { bucket, event, before, now }: { bucket: string; event: string; before: BucketSettings; now: BucketSettings },
): Eras {
  const known = eras.buckets.get(bucket) ?? { version: firstVersion, eras: [{ place: -1, settings: before }] };
  const version = chained(known.version, event);
  const hashes = [...eras.hashes, chained(eras.hashes.at(-1) ?? 0, event)];
  const era = { place: eras.hashes.length - 1, settings: now };
  const buckets = new Map(eras.buckets).set(bucket, { version, eras: [...known.eras, era] });
  return { buckets, hashes, most: Math.max(eras.most, before.n, now.n) };
}

/** With other settings in the bucket's present era. */
export function withSettings(eras: Eras, bucket: string, settings: BucketSettings): Eras {
  const known = eras.buckets.get(bucket);
  const present = known?.eras.at(-1);
  if (known === undefined || present === undefined) return eras;
  const changed = [...known.eras.slice(0, -1), { ...present, settings }];
  return { ...eras, buckets: new Map(eras.buckets).set(bucket, { ...known, eras: changed }) };
}

function chained(hash: number, event: string): number {
  return hash128(new TextEncoder().encode(`${hash} ${event}`))[0] >>> 0;
}
