/**
 * Which members this node can reach, for itself alone and for the moment (§4.8.3: a local notion of failure is enough).
 *
 * A member is up while the connection to it stands and is not silent: `rpc/suspicion.ts` decides that from real traffic
 * and, where there is none, from pings. Every round knocks at the members without a connection, so that one stands
 * before a request needs it; what a refused or silent one costs is bounded by the pauses of `rpc/peer.ts`. It is up
 * again with the first byte heard of it, or at once when it connects to this node.
 */

import type { NodeId } from "../core/ids.ts";
import type { Peers } from "../rpc/peers.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { Ticker } from "../runtime/ticker.ts";
import type { Membership } from "./membership.ts";

/** Mean time between rounds, in ms. */
const everyMs = 250;

export class FailureDetector {
  readonly #membership: Membership;
  readonly #peers: Peers;
  readonly #ticker: Ticker;
  readonly #clock: Clock;
  /** Since when nodes are not up, on the monotonic clock. */
  readonly #silentSinceMs: Map<NodeId, number> = new Map();
  readonly #upListeners: ((node: NodeId) => void)[] = [];

  constructor(runtime: Runtime, membership: Membership, peers: Peers) {
    const { clock, random, log } = runtime;
    this.#clock = clock;
    this.#membership = membership;
    this.#peers = peers;
    this.#ticker = new Ticker({
      name: "failure detector",
      clock,
      random,
      log,
      everyMs,
      round: async () => this.#knock(),
    });
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

  /** Whether a call to the member can be expected to be answered; true of this node itself. */
  isUp(node: NodeId): boolean {
    return node === this.#membership.self || this.#peers.isUp(node);
  }

  /**
   * For how long the node has not been up, in ms; 0 where it is. What passed before this process was started, or before
   * it knew of the node, does not count.
   */
  silentMs(node: NodeId): number {
    if (this.isUp(node)) return 0;
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = this.#silentSinceMs.get(node);
    if (sinceMs === undefined) this.#silentSinceMs.set(node, nowMs);
    return nowMs - (sinceMs ?? nowMs);
  }

  /** Calls the listener, for good, whenever a member has come up that was not. */
  onUp(listener: (node: NodeId) => void): void {
    this.#upListeners.push(listener);
  }

  /** For `Peers`: the member is up, or is not any more. */
  changed(node: NodeId, isUp: boolean): void {
    if (isUp) this.#silentSinceMs.delete(node);
    else this.#silentSinceMs.set(node, this.#clock.monotonicMs());
    if (!isUp || !this.#membership.isMember || !this.#membership.ring.members.has(node)) return;
    for (const listener of this.#upListeners) listener(node);
  }

  #knock(): void {
    for (const node of this.#membership.ring.members.keys()) {
      if (this.isUp(node)) continue;
      this.silentMs(node);
      this.#peers.knock(node);
    }
  }
}
