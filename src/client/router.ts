/**
 * Whom to ask, and whom next (§6.4): an owner of the key, the nearer one where they differ much; then the other owners,
 * the other members, and at last the addresses that the client was given, whoever is there.
 *
 * An owner that cannot be reached, or is silent, costs a request nothing once that is known: it comes after the others.
 */

import type { NodeId } from "../core/ids.ts";
import type { Peers } from "../rpc/peers.ts";
import type { Address } from "../runtime/network.ts";
import type { Random } from "../runtime/random.ts";
import type { RingMap } from "./ring-map.ts";

/** Another owner is preferred to the first where that takes so many times as long, and so much longer, in ms. */
const slowFactor = 2;
const slowMs = 2;

/** A member, or whoever is at an address. */
export type Target =
  | { readonly kind: "node"; readonly node: NodeId }
  | { readonly kind: "address"; readonly address: Address };

export interface RouterOptions {
  readonly peers: Peers;
  readonly random: Random;
  readonly seeds: readonly Address[];
  /** Asks any member first, as through a balancer, and not an owner. */
  readonly asksAnybody?: boolean | undefined;
}

export class Router {
  readonly #options: RouterOptions;
  #map: RingMap | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** What is known of the ring; undefined before anything is. */
  get map(): RingMap | undefined {
    return this.#map;
  }

  /** Takes a newer map. */
  use(map: RingMap): void {
    this.#map = map;
  }

  addressOf(node: NodeId): Address | undefined {
    return this.#map?.members.get(node)?.address;
  }

  /** The owner to ask first; undefined where nobody is known. */
  first(bucket: string, key: string): NodeId | undefined {
    const { peers, random, asksAnybody } = this.#options;
    const nodes = this.#map?.nodes ?? [];
    if (asksAnybody === true && nodes.length > 0) return nodes[random.below(nodes.length)];
    const owners = this.#map?.owners(bucket, key) ?? [];
    const [best, second] = owners;
    if (best === undefined || second === undefined) return best;
    if (!peers.isUp(best) && peers.isDoubtful(best)) {
      // Nothing else would ever dial it again: it is asked nothing until it is back.
      peers.knock(best);
      return owners.find((node) => !peers.isDoubtful(node)) ?? best;
    }
    const bestMs = peers.roundTripMs(best) ?? 0;
    if (bestMs < slowMs) return best;
    // Whether the other is any nearer shows once it is connected.
    if (!peers.isUp(second)) peers.knock(second);
    const secondMs = peers.roundTripMs(second) ?? bestMs;
    return bestMs > secondMs * slowFactor && bestMs > secondMs + slowMs && peers.isUp(second) ? second : best;
  }

  /** Everybody who may be asked for the key, in order. */
  all(bucket: string, key: string): Target[] {
    const { peers, random, seeds } = this.#options;
    const owners = this.#map?.owners(bucket, key) ?? [];
    const nodes = this.#map?.nodes ?? [];
    const others = nodes.filter((node) => !owners.includes(node));
    const from = others.length === 0 ? 0 : random.below(others.length);
    const order = [...owners, ...others.slice(from), ...others.slice(0, from)];
    const sure = order.filter((node) => !peers.isDoubtful(node));
    const doubtful = order.filter((node) => peers.isDoubtful(node));
    return [
      ...[...sure, ...doubtful].map((node): Target => ({ kind: "node", node })),
      ...seeds.map((address): Target => ({ kind: "address", address })),
    ];
  }

  /** The node had to pass a request for the key on. */
  wasStray(bucket: string, key: string, node: NodeId): void {
    this.#map?.demote(bucket, key, node);
  }
}
