/**
 * Changes of the model's one bucket: which there are, who made them when, and what follows for requests under a weaker
 * rule or the product's.
 */

import { readRequirement, writeRequirement } from "../../../src/core/quorum/requirement.ts";
import { type Era, type Eras, noEras, withChange } from "../../../src/core/ring/eras.ts";
import { bucketSeats } from "../../../src/core/seats/bucket-seats.ts";
import { openEras } from "../../../src/core/seats/filled.ts";
import { type KnownSeats, knownSeat } from "../../../src/core/seats/known.ts";
import {
  type BucketSettings,
  defaultBucketSettings,
  defaultClusterSettings,
  type Quorum,
} from "../../../src/core/settings.ts";
import type { CopiesRule } from "./rules.ts";

/** A set of changes: bit i is change i. */
export type ChangeSet = number;

interface Change {
  readonly lamport: number;
  readonly author: number;
  readonly settings: BucketSettings;
}

export const seatCount = 5;
/** More than any n. */
const population = { size: 99, zones: 1 };

export function settingsOf(n: number, r: Quorum, w: Quorum): BucketSettings {
  return { ...defaultBucketSettings(defaultClusterSettings), n, r, w };
}

export class Changes {
  readonly #rule: CopiesRule;
  readonly #first: BucketSettings;
  readonly #order: readonly number[];
  readonly #changes: Change[] = [];
  readonly #eras: Map<ChangeSet, Eras> = new Map();

  constructor(rule: CopiesRule, first: BucketSettings, order: readonly number[]) {
    this.#rule = rule;
    this.#first = first;
    this.#order = order;
  }

  get count(): number {
    return this.#changes.length;
  }

  /** Somebody who knows these makes another one; the set with it. */
  make(known: ChangeSet, author: number, settings: BucketSettings): ChangeSet {
    const times = this.#changes.flatMap(({ lamport }, i) => (known & (1 << i) ? [lamport] : []));
    this.#changes.push({ lamport: Math.max(0, ...times) + 1, author, settings });
    return known | (1 << (this.#changes.length - 1));
  }

  /** The eras of one who knows these changes. */
  eras(known: ChangeSet): Eras {
    const memo = this.#eras.get(known);
    if (memo !== undefined) return memo;
    const sorted = this.#changes
      .map((change, i) => ({ ...change, i }))
      .filter(({ i }) => known & (1 << i))
      .sort((a, b) => a.lamport - b.lamport || a.author - b.author || a.i - b.i);
    let eras = noEras;
    let before = this.#first;
    for (const { lamport, author, i, settings: now } of sorted) {
      eras = withChange(eras, { bucket: "b", event: `${lamport}-${author}-${i}`, before, now });
      before = now;
    }
    this.#eras.set(known, eras);
    return eras;
  }

  /** The bucket's settings for one who knows these changes. */
  newest(known: ChangeSet): BucketSettings {
    return this.eras(known).buckets.get("b")?.eras.at(-1)?.settings ?? this.#first;
  }

  /** The open eras of the bucket for one who knows this. */
  open(changes: ChangeSet, known: KnownSeats): readonly Era[] {
    const all = this.eras(changes);
    const eras = all.buckets.get("b")?.eras ?? [{ place: -1, settings: this.#first }];
    const open = this.#openEras(all, eras, known);
    const [base] = open as [Era];
    const newest = open.at(-1) as Era;
    if (!this.#rule.meetsEarlierEras) return [newest];
    if (!this.#rule.meetsLaterEras) return [base];
    if (this.#rule.hasOwnNumbers) return open;
    const { r, w } = newest.settings;
    return open.map(({ place, settings }) => ({ place, settings: { ...settings, r, w } }));
  }

  #openEras(all: Eras, eras: readonly Era[], known: KnownSeats): readonly Era[] {
    const { checksPrefix, checksUse } = this.#rule;
    const order = this.#order;
    if (checksPrefix && checksUse) return openEras({ all, eras, order, known });
    const isFilled = ({ place, settings: { n } }: Era): boolean =>
      bucketSeats(order, known, n).every((seat) => {
        const filled = knownSeat(known, seat).filled;
        if (filled === undefined || filled.count <= place) return false;
        if (checksPrefix && all.hashes[filled.count] !== filled.hash) return false;
        const newest = eras.findLast((era) => era.place < filled.count) as Era;
        return !checksUse || bucketSeats(order, known, newest.settings.n).includes(seat);
      });
    const base = eras.findLastIndex((era, i) => i === 0 || isFilled(era));
    return eras.slice(base);
  }

  /** The seats that an era uses, as far as is known. */
  seats({ settings }: Era, known: KnownSeats): readonly number[] {
    return bucketSeats(this.#order, known, settings.n);
  }

  /** Whether answers for these seats are enough for a request of one who knows this. */
  isMet(kind: "read" | "write", answered: ReadonlySet<number>, changes: ChangeSet, known: KnownSeats): boolean {
    return this.open(changes, known).every((era) => {
      const seats = this.seats(era, known);
      const needed = kind === "read" ? readRequirement : writeRequirement;
      const requirement = needed(era.settings, {}, population, seats.length);
      if (requirement.kind === "unsatisfiable") throw new Error(requirement.why);
      return seats.filter((seat) => answered.has(seat)).length >= requirement.answers;
    });
  }
}
