/** A cluster that changes at random: nodes join, leave, and change capacity or zone. */

import type { Placed } from "../../src/core/ring/claim.ts";
import { nodeId } from "../core/membership-arbitraries.ts";

export type Change = "join" | "leave" | "capacity" | "zone";

export interface Shape {
  readonly partitions: number;
  readonly n: number;
  /** Zones there may be. */
  readonly zones: number;
  /** The greatest capacity. */
  readonly capacity: number;
  /** Members, about. */
  readonly size: number;
}

/** Whole numbers below a bound, the same for the same seed. */
export function dice(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % below;
  };
}

export class RandomCluster {
  readonly shape: Shape;
  readonly #draw: (below: number) => number;
  #members: readonly Placed[] = [];
  #joined = 0;

  constructor(shape: Shape, seed: number) {
    this.shape = shape;
    this.#draw = dice(seed);
  }

  get members(): readonly Placed[] {
    return this.#members;
  }

  /** Another change; joins until the cluster has its size. */
  change(): Change {
    const kinds: readonly Change[] = ["join", "leave", "capacity", "zone"];
    const size = this.#members.length;
    const kind = size < this.shape.size && this.#joined < this.shape.size ? "join" : kinds[this.#draw(4)];
    const at = size === 0 ? 0 : this.#draw(size);
    if (kind === "leave" && size > 1) this.#members = this.#members.filter((_, i) => i !== at);
    else if (kind === "capacity") this.#replace(at, { capacity: this.#capacity() });
    else if (kind === "zone") this.#replace(at, { zone: this.#zone() });
    else {
      const joiner = { node: nodeId(this.#joined++), zone: this.#zone(), capacity: this.#capacity() };
      this.#members = [...this.#members, joiner];
      return "join";
    }
    return kind;
  }

  #replace(at: number, change: Partial<Placed>): void {
    this.#members = this.#members.map((member, i) => (i === at ? { ...member, ...change } : member));
  }

  #zone(): string {
    return `z${this.#draw(this.shape.zones)}`;
  }

  #capacity(): number {
    return 1 + this.#draw(this.shape.capacity);
  }
}
