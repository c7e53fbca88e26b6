/**
 * A set of dots: a key's context, and what a client has seen.
 */

import type { ActorId } from "../ids.ts";

/** The dots `from` to `to` of one actor, both included. */
export interface Interval {
  readonly actor: ActorId;
  readonly from: number;
  readonly to: number;
  /** Wall time, in ms since 1970, at which the dot `to` was minted. */
  readonly time: number;
}

/** Ordered by actor, then `from`; intervals of one actor are disjoint and do not touch. */
export type DotSet = readonly Interval[];

export const emptyDotSet: DotSet = [];
