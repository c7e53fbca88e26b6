/**
 * How many nodes are out of balance as the load of a day comes and goes (§6.2, Figure 6).
 *
 * The paper measured production and tells its cause: under high load many popular keys are asked for, and since keys
 * are spread evenly, so is the load; under low load there are few. The model is that and no more: customers come as often as
 * the hour's load says, each has keys of their own, and most ask for little, some for very much (a Pareto distribution).
 * Placement is given, by rings of any strategy; keys are hashed as the product hashes them.
 */

import { keyHash } from "../../../src/core/ring/key-hash.ts";
import type { Prng } from "../../../src/sim/prng.ts";
import { loadAt } from "./day.ts";
import { ownersAt, type TokenRing } from "./token-strategies.ts";

/** Intervals of a day: half hours, as in the paper. */
export const intervals = 48;
/** Further from the mean than this is out of balance, as in the paper. */
export const threshold = 0.15;

export interface Customers {
  /** In the busiest half hour. */
  readonly atPeak: number;
  /** Pareto's shape: the lower, the more of all requests are a few customers'. */
  readonly shape: number;
  /** Nobody asks more often than this in half an hour. */
  readonly most: number;
}

export interface Interval {
  /** Requests of all customers. */
  readonly requests: number;
  /** The share of nodes out of balance, with each of the rings. */
  readonly imbalance: readonly number[];
}

/** One day, half hour by half hour, with the same requests for each ring. */
export function dayOf(prng: Prng, rings: readonly TokenRing[], customers: Customers): readonly Interval[] {
  return Array.from({ length: intervals }, (_, i) => {
    const count = Math.round(customers.atPeak * loadAt((i + 0.5) / intervals));
    const loads = rings.map(({ nodes }) => new Float64Array(nodes));
    let requests = 0;
    for (let customer = 0; customer < count; customer++) {
      const asks = paretoOf(prng, customers);
      requests += asks;
      const hash = keyHash("carts", `${prng.u32()}-${prng.u32()}`);
      const place = hash.hi / 2 ** 32 + hash.lo / 2 ** 64;
      for (const [at, ring] of rings.entries()) {
        const load = loads[at] as Float64Array;
        for (const node of ownersAt(ring, place)) load[node] = (load[node] as number) + asks;
      }
    }
    return { requests, imbalance: loads.map(outOfBalance) };
  });
}

/** The share of nodes whose load is further from the mean than the threshold. */
export function outOfBalance(loads: Float64Array): number {
  const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
  const out = loads.filter((load) => Math.abs(load - mean) > threshold * mean);
  return loads.length === 0 ? 0 : out.length / loads.length;
}

/** At least one, and most often few. */
function paretoOf(prng: Prng, { shape, most }: Customers): number {
  const uniform = (prng.u32() + 1) / 2 ** 32;
  return Math.min(most, Math.floor(uniform ** (-1 / shape)));
}
