/**
 * Which owners a get asks, and when it asks the others (§4.5): at first as many as it needs, this node's own copy among
 * them, and the rest once one of those is late. One get in some asks all, and repairs whoever is stale (§5).
 *
 * The paper asks all N, and takes the first R: the answer is the same kind of answer, since any R voices do, and it costs
 * what N ask for. Asking R alone would show each pause of one owner to readers: so a late one is not waited for. A cluster
 * that is slow as a whole must not be asked for more by that: only one get in ten may, but for some that were saved.
 *
 * Hot path: a few numbers for each get.
 */

import type { NodeId } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { SeatOwner } from "../core/seats/bucket-seats.ts";
import type { Peers } from "../rpc/peers.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Admission } from "./admission.ts";

/** An owner is not asked where others are who answer in less than half its time, and this much less, in ms. */
const slowerByMs = 1;
/** An owner is late after twice the ordinary time of a get, and not before this, in ms. */
const leastLateMs = 20;
/** The same while nothing is known of what is ordinary. */
const unknownLateMs = 50;
/** Each get earns a share of one that may ask more owners because some are late; so many are kept. */
const earned = 0.1;
const mostEarned = 10;

export interface ReadPlanOptions {
  readonly self: NodeId;
  readonly runtime: Runtime;
  readonly limits: Limits;
  readonly peers: Peers;
  readonly admission: Admission;
}

export class ReadPlan {
  readonly #options: ReadPlanOptions;
  #earned = mostEarned;

  constructor(options: ReadPlanOptions) {
    this.#options = options;
  }

  /** Those of the seats that a get need not ask at first, as bits by their numbers; never this node's own. */
  spared(asked: readonly SeatOwner[], answers: number): number {
    const { runtime, limits } = this.#options;
    let count = asked.length - Math.max(1, answers);
    if (count <= 0) return 0;
    this.#earned = Math.min(mostEarned, this.#earned + earned);
    const drawn = runtime.random.u32();
    if (drawn % limits.readsPerWholeRead === 0) return 0;
    let spared = 0;
    for (; count > 0; count--) spared |= 1 << this.#slowest(asked, spared, drawn >>> 16);
    return spared;
  }

  /** After how long an owner that was asked is late, in ms. */
  get lateMs(): number {
    const ordinaryMs = this.#options.admission.ordinaryMs("get");
    return ordinaryMs === undefined ? unknownLateMs : Math.max(leastLateMs, 2 * ordinaryMs);
  }

  /** Whether a get may ask the others because some are late; counts it. */
  mayAskMore(): boolean {
    if (this.#earned < 1) return false;
    this.#earned -= 1;
    return true;
  }

  /** The seat of the slowest owner of those not spared yet, if it is much slower than the fastest; else one by chance. */
  #slowest(asked: readonly SeatOwner[], spared: number, drawn: number): number {
    const { self, peers } = this.#options;
    let slowest = -1;
    let byChance = -1;
    let mostMs = 0;
    let leastMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < asked.length; i++) {
      const { node, seat } = asked[(i + drawn) % asked.length] as SeatOwner;
      if (node === self || (spared & (1 << seat)) !== 0) continue;
      if (byChance < 0) byChance = seat;
      const ms = peers.roundTripMs(node) ?? 0;
      leastMs = Math.min(leastMs, ms);
      if (ms <= mostMs) continue;
      mostMs = ms;
      slowest = seat;
    }
    return slowest >= 0 && mostMs > 2 * leastMs + slowerByMs ? slowest : byChance;
  }
}
