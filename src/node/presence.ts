/**
 * Keeps a connection to every member, so that a request finds it made and the cluster's view says who can be reached.
 *
 * A member is up, for this node alone and for the moment, while the connection to it stands (§4.8.3: a local notion of
 * failure is enough). Every round knocks at those that are not; what a refused or silent one costs is bounded by the
 * pauses of `rpc/peers.ts`.
 */

import type { NodeId } from "../core/ids.ts";
import type { AnswerHandler } from "../rpc/call.ts";
import type { Peers } from "../rpc/peers.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { Ticker } from "../runtime/ticker.ts";
import type { Membership } from "./membership.ts";

/** Mean time between rounds, in ms. */
const everyMs = 500;
/** How long a knock may go unanswered, in ms. */
const knockTimeoutMs = 1000;

const nobodyWaits: AnswerHandler = { onAnswer: () => {}, onFailure: () => {} };

export class Presence {
  readonly #membership: Membership;
  readonly #peers: Peers;
  readonly #ticker: Ticker;

  constructor(runtime: Runtime, membership: Membership, peers: Peers) {
    const { clock, random, log } = runtime;
    this.#membership = membership;
    this.#peers = peers;
    this.#ticker = new Ticker({ name: "presence", clock, random, log, everyMs, round: async () => this.#knock() });
    membership.onChange(() => {
      if (membership.isMember) this.#knock();
    });
  }

  start(): void {
    this.#knock();
    this.#ticker.start();
  }

  stop(): Promise<void> {
    return this.#ticker.stop();
  }

  /** The node has connected to this one, so it lives: no need to wait for the next round. */
  heard(node: NodeId): void {
    this.#peers.heard(node);
    if (this.#membership.isMember) this.#knock();
  }

  isUp(node: NodeId): boolean {
    return node === this.#membership.self || this.#peers.isConnected(node);
  }

  #knock(): void {
    for (const node of this.#membership.ring.members.keys()) {
      if (this.isUp(node)) continue;
      this.#peers.call(node, { kind: "ping", id: 0 }, knockTimeoutMs, nobodyWaits, 0);
    }
  }
}
