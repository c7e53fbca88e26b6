/** A dot is one write's unique name: its actor, and that actor's how-many-eth write it is (§4.4, with dotted causality). */

import type { ActorId } from "../ids.ts";

export interface Dot {
  readonly actor: ActorId;
  /** From 1. */
  readonly counter: number;
}

/** Orders dots by actor, then counter; says nothing about causality. */
export function compareDots(a: Dot, b: Dot): number {
  if (a.actor !== b.actor) return a.actor < b.actor ? -1 : 1;
  return a.counter - b.counter;
}

export function sameDot(a: Dot, b: Dot): boolean {
  return a.counter === b.counter && a.actor === b.actor;
}
