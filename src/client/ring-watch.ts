/**
 * Keeps what a client knows of the ring fresh (§6.4: the paper's clients ask a random node every 10 seconds): at first of
 * the addresses it was given, then of any member, every ten seconds and when a request met trouble that a newer ring may
 * explain. An answer that nothing has changed costs a few bytes.
 */

import type { NodeId } from "../core/ids.ts";
import type { FailedCall } from "../rpc/call.ts";
import type { Peers } from "../rpc/peers.ts";
import type { Address } from "../runtime/network.ts";
import { Pause } from "../runtime/pause.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { Ticker } from "../runtime/ticker.ts";
import type { RingInquiry } from "../wire/client-message.ts";
import type { Answer } from "../wire/message.ts";
import { RingMap } from "./ring-map.ts";
import type { Router } from "./router.ts";

const refreshEveryMs = 10_000;
/** However much trouble there is, the ring is not asked for more often, in ms. */
const leastPauseMs = 250;
/** How long one node may take to tell the ring, in ms. */
const askMs = 2000;
/** Between two rounds over all addresses while none has answered yet, in ms. */
const retryMs = 100;

const noHash = { hi: 0, lo: 0 };

export interface RingWatchOptions {
  readonly runtime: Runtime;
  readonly peers: Peers;
  readonly router: Router;
  readonly seeds: readonly Address[];
}

export class RingWatch {
  readonly #options: RingWatchOptions;
  readonly #ticker: Ticker;
  #askedMs: number = Number.NEGATIVE_INFINITY;
  #isStopped = false;

  constructor(options: RingWatchOptions) {
    this.#options = options;
    const { clock, random, log } = options.runtime;
    this.#ticker = new Ticker({
      name: "asking for the ring",
      clock,
      random,
      log,
      everyMs: refreshEveryMs,
      round: () => this.#refresh(),
    });
  }

  /** Resolves once the ring is known; with why not where nobody has told it by then. */
  async learn(endsMs: number): Promise<string | undefined> {
    const { runtime, seeds } = this.#options;
    const { clock } = runtime;
    for (;;) {
      const troubles: string[] = [];
      for (const seed of seeds) {
        const leftMs = endsMs - clock.monotonicMs();
        if (leftMs <= 0) break;
        const trouble = await this.#askSeed(seed, Math.min(askMs, leftMs));
        if (trouble === undefined) {
          this.#ticker.start();
          return undefined;
        }
        troubles.push(`${seed}: ${trouble}`);
      }
      if (clock.monotonicMs() + retryMs >= endsMs || this.#isStopped) return troubles.join("; ");
      await new Pause(clock).wait(retryMs);
    }
  }

  /** Something went where it should not have: the ring may be another one. */
  hurry(): void {
    if (this.#options.runtime.clock.monotonicMs() - this.#askedMs >= leastPauseMs) this.#ticker.hurry();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#ticker.stop();
  }

  async #refresh(): Promise<void> {
    const { peers, router, runtime, seeds } = this.#options;
    this.#askedMs = runtime.clock.monotonicMs();
    for (const node of this.#membersToAsk()) {
      if (this.#isStopped) return;
      if (this.#take(await peers.ask(node, this.#inquiry(), askMs)) === undefined) return;
    }
    for (const seed of seeds) {
      if (this.#isStopped) return;
      if ((await this.#askSeed(seed, askMs)) === undefined) return;
    }
    const known = router.map?.nodes.length ?? 0;
    runtime.log.warn("nobody tells the ring", { members: known, seeds });
  }

  /** Those that can be reached first, each time others. */
  #membersToAsk(): readonly NodeId[] {
    const { peers, router, runtime } = this.#options;
    const nodes = router.map?.nodes ?? [];
    const from = nodes.length === 0 ? 0 : runtime.random.below(nodes.length);
    const order = [...nodes.slice(from), ...nodes.slice(0, from)];
    return [...order.filter((node) => peers.isUp(node)), ...order.filter((node) => !peers.isUp(node))].slice(0, 5);
  }

  async #askSeed(seed: Address, timeoutMs: number): Promise<string | undefined> {
    return this.#take(await this.#options.peers.askAddress(seed, this.#inquiry(), timeoutMs));
  }

  #inquiry(): RingInquiry {
    return { kind: "ring-inquiry", id: 0, hash: this.#options.router.map?.hash ?? noHash };
  }

  /** Undefined if that told the ring, else why not. */
  #take(answer: Answer | FailedCall): string | undefined {
    const { router } = this.#options;
    switch (answer.kind) {
      case "ring-told":
        if (answer.ring === undefined || router.map?.isNewerThan(answer.ring) === true) return undefined;
        router.use(new RingMap(answer.ring, answer.hash));
        return undefined;
      case "call-failure":
        return answer.failure === "not-sent" ? "cannot be reached" : "does not answer";
      case "client-failed":
        return answer.detail;
      default:
        return `answered with ${answer.kind}`;
    }
  }
}
