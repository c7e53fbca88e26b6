/**
 * What is known of one node, or of one address, beyond a connection's life: whether it can be reached, when it may be
 * dialled again, and what the log has been told of it.
 *
 * The pause after a failed connection doubles, counted from the dial, so that where packets vanish the next dial
 * begins when the last one is given up. It stays short: it is also how long a node that came back goes unnoticed.
 */

import type { NodeId } from "../core/ids.ts";
import type { Address } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Channel } from "./channel.ts";
import type { CloseCause } from "./counters.ts";

/** The pause after a first failed connection, in ms; it doubles with each further one. */
const firstPauseMs = 50;
const longestPauseMs = 500;
/** A connection that stood for less is no better than none, in ms. */
const shortestGoodMs = 1000;
/** A node that comes and goes is spoken of once in this time, in ms. */
const quietMs = 10_000;

export class Peer {
  readonly node: NodeId | undefined;
  channel: Channel | undefined;
  /** Moving average from asking to the answer, of the last connection, in ms. */
  roundTripMs: number | undefined;
  readonly #runtime: Runtime;
  #address: Address;
  #isUp = false;
  #isDoubtful = false;
  /** Connections that failed in a row. */
  #failures = 0;
  #notBeforeMs = 0;
  /** The last reason logged, so that a node that stays away is logged once. */
  #lastReason = "";
  #downSinceMs: number | undefined;
  #toldMs: number = Number.NEGATIVE_INFINITY;

  constructor(runtime: Runtime, node: NodeId | undefined, address: Address) {
    this.#runtime = runtime;
    this.node = node;
    this.#address = address;
  }

  get address(): Address {
    return this.#address;
  }

  /** It is somewhere else now, and nothing is held against it there. */
  moved(address: Address): void {
    this.channel?.close("done", `the node has moved to ${address}`);
    this.#address = address;
    this.forgive();
  }

  /** Its connection stands and it is not suspected. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** The last try to reach it came to nothing, or it was connected and fell silent. */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** It may be dialled now. */
  mayDial(nowMs: number): boolean {
    return nowMs >= this.#notBeforeMs;
  }

  /** Nothing is held against it any more: it may be dialled at once, and calls may wait for that. */
  forgive(): void {
    this.#isDoubtful = false;
    this.#failures = 0;
    this.#notBeforeMs = 0;
  }

  /** Its connection is over. */
  ended(channel: Channel, cause: CloseCause, reason: string): void {
    this.channel = undefined;
    this.roundTripMs = channel.roundTripMs;
    if (cause === "done") return this.forgive();
    const nowMs = this.#runtime.clock.monotonicMs();
    const wasGood = channel.wasOpenMs(nowMs) >= shortestGoodMs;
    this.#isDoubtful = !channel.wasOpen || cause === "silent";
    this.#failures = wasGood ? 0 : this.#failures + 1;
    const sinceMs = channel.wasOpen ? nowMs : channel.startedMs;
    this.#notBeforeMs = wasGood ? 0 : sinceMs + this.#pauseMs();
    const isNews = !this.#isUp && this.#lastReason !== reason;
    this.#lastReason = reason;
    if (!isNews) return;
    const fields = { node: this.node, address: this.#address, cause, reason };
    if (cause === "gone") this.#runtime.log.info("no connection to a peer", fields);
    else this.#runtime.log.warn("connection to a peer closed", fields);
  }

  /** Answers whether that is news; `why` is for the log, which is not told of an end that this node wanted. */
  setUp(isUp: boolean, why: string, cause?: CloseCause): boolean {
    if (this.#isUp === isUp) return false;
    this.#isUp = isUp;
    if (isUp) this.#lastReason = "";
    if (cause === "done") this.#downSinceMs = undefined;
    else this.#tell(this.#runtime.clock.monotonicMs(), why);
    return true;
  }

  #tell(nowMs: number, why: string): void {
    const { log } = this.#runtime;
    const fields = { node: this.node, address: this.#address, why };
    if (!this.#isUp) {
      this.#downSinceMs = nowMs;
      const isNews = nowMs - this.#toldMs >= quietMs;
      if (isNews) this.#toldMs = nowMs;
      log[isNews ? "warn" : "debug"]("a peer is down", fields);
    } else if (this.#downSinceMs === undefined) log.debug("a peer is up", fields);
    else {
      const wasTold = this.#toldMs === this.#downSinceMs;
      log[wasTold ? "info" : "debug"]("a peer is up again", {
        ...fields,
        downMs: Math.round(nowMs - this.#downSinceMs),
      });
    }
  }

  /** The random half keeps nodes from returning in step. */
  #pauseMs(): number {
    const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.#failures - 1, 10));
    return longest / 2 + this.#runtime.random.below(Math.ceil(longest / 2) + 1);
  }
}
