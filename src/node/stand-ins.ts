/**
 * Who stands in next for an owner that does not answer (§4.6): the first fallback, in the partition's order of
 * preference, that is up and has no part in the request yet.
 *
 * Every coordinator of a key goes through the same order, so that while the same nodes are up a read comes to the
 * nodes that keep the hints of the writes before it. A node stands in once a request: two hints in one place would be
 * one copy that counts as two.
 */

import type { NodeId } from "../core/ids.ts";
import { preferenceOrder } from "../core/ring/preference-list.ts";
import type { Coordination } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";
import type { Seat } from "./seat.ts";

export class StandIns {
  readonly #node: Coordination;
  readonly #place: KeyPlace;
  readonly #seats: readonly Seat[];
  /** Fallbacks that stand in, or were asked to; few. */
  #taken: readonly NodeId[] = [];

  /** `seats`: those that are asked, now and later. */
  constructor(node: Coordination, place: KeyPlace, seats: readonly Seat[]) {
    this.#node = node;
    this.#place = place;
    this.#seats = seats;
  }

  /** This node itself stands in: it coordinates and is no owner. */
  takeSelf(): void {
    this.#taken = [...this.#taken, this.#node.self];
  }

  /**
   * The next fallback, which from now on has its part; undefined where none is left. `wanted` picks, of all that could
   * stand in, those that must go first, where the request asks for more than nodes in their order.
   */
  take(wanted?: (free: readonly NodeId[]) => readonly NodeId[]): NodeId | undefined {
    const first = wanted === undefined ? undefined : wanted(this.free())[0];
    const next = first ?? this.#order().find((node) => this.#isFree(node));
    if (next !== undefined) this.#taken = [...this.#taken, next];
    return next;
  }

  /** Those that could stand in now, in their order. */
  free(): readonly NodeId[] {
    return this.#order().filter((node) => this.#isFree(node));
  }

  #order(): readonly NodeId[] {
    return preferenceOrder(this.#node.ring(), this.#place.partition);
  }

  #isFree(node: NodeId): boolean {
    if (node === this.#node.self || this.#taken.includes(node) || !this.#node.isUp(node)) return false;
    return this.#seats.every(({ owner }) => owner !== node);
  }
}
