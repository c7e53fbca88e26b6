/**
 * When hints go home, and to whom (§4.6): as soon as an owner can be reached again, when this node starts, and now and
 * then for what was left. One run an owner at a time, which `delivery.ts` carries out.
 *
 * What an owner would not take is tried again less and less often, so that a full disk or a copy that has to be filled
 * first costs little.
 */

import type { NodeId } from "../core/ids.ts";
import { Backoff } from "../runtime/backoff.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { Ticker } from "../runtime/ticker.ts";
import { StorageError } from "../storage/engine.ts";
import type { Coordination } from "./coordination.ts";
import { Delivery, mayDeliver } from "./delivery.ts";

/** Mean time between two looks for hints that can go, in ms. */
const everyMs = 1000;
const backoffLimits = { firstMs: 1000, longestMs: 10_000 };
/** A handoff of so many hints says so when it begins. */
const longHandoff = 100;

/** An owner that did not take all that waits for it. */
interface Delayed {
  readonly backoff: Backoff;
  notBeforeMs: number;
}

export class Handoff {
  readonly #node: Coordination;
  readonly #tasks: TaskGroup;
  readonly #ticker: Ticker;
  readonly #runs: Map<NodeId, Delivery> = new Map();
  readonly #delayed: Map<NodeId, Delayed> = new Map();
  /** Owners that came up while a run of before was still to end. */
  readonly #again: Set<NodeId> = new Set();
  #isStarted = false;
  #isStopped = false;

  constructor(node: Coordination) {
    const { clock, random, log } = node.runtime;
    this.#node = node;
    this.#tasks = new TaskGroup(log);
    this.#ticker = new Ticker({ name: "handoff", clock, random, log, everyMs, round: async () => this.#look() });
    node.onUp((owner) => {
      this.#delayed.delete(owner);
      if (this.#runs.has(owner)) this.#again.add(owner);
      if (this.#isStarted) this.#consider(owner);
    });
  }

  /** Begins; for members that serve. */
  start(): void {
    this.#isStarted = true;
    this.#look();
    this.#ticker.start();
  }

  /** Resolves when the last hint under way has been answered, or is not going to be. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const run of this.#runs.values()) run.stop();
    await Promise.all([this.#ticker.stop(), this.#tasks.close()]);
  }

  #look(): void {
    try {
      for (const owner of this.#node.hints.owners()) this.#consider(owner);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#node.runtime.log.warn("cannot look for hints", { error: error.message });
    }
  }

  #consider(owner: NodeId): void {
    const node = this.#node;
    // What one keeps that was removed may be forgotten by all members by now.
    if (!node.ring().members.has(node.self) || node.isInDoubt()) return;
    if (this.#isStopped || this.#runs.has(owner) || !node.hints.mayHaveFor(owner)) return;
    if (!mayDeliver(node, owner)) return;
    const delayed = this.#delayed.get(owner);
    if (delayed !== undefined && delayed.notBeforeMs > node.runtime.clock.monotonicMs()) return;
    const run = new Delivery(node, owner);
    this.#runs.set(owner, run);
    this.#tasks.run("handoff", () => this.#carryOut(owner, run));
  }

  async #carryOut(owner: NodeId, run: Delivery): Promise<void> {
    const { hints, runtime, ring } = this.#node;
    const { clock, log } = runtime;
    const startedMs = clock.monotonicMs();
    const to = { node: owner, name: ring().members.get(owner)?.name ?? "" };
    const waiting = hints.waiting().find((some) => some.owner === owner);
    if (waiting !== undefined && waiting.hints >= longHandoff) {
      log.info("handing hints over", { ...to, hints: waiting.hints, bytes: waiting.bytes });
    }
    try {
      await run.run();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      log.warn("a handoff was broken off", { ...to, error: error.message });
    } finally {
      this.#runs.delete(owner);
    }
    const { delivered, bytes, left } = run.totals;
    if (delivered > 0) {
      const ms = Math.round(clock.monotonicMs() - startedMs);
      log[delivered >= longHandoff ? "info" : "debug"]("handed hints over", { ...to, delivered, bytes, left, ms });
    }
    if (this.#again.delete(owner)) this.#consider(owner);
    else this.#delay(owner, delivered > 0);
  }

  /** A run that moved something is followed by another soon. */
  #delay(owner: NodeId, hasMoved: boolean): void {
    if (hasMoved || !this.#node.hints.mayHaveFor(owner)) {
      this.#delayed.delete(owner);
      return;
    }
    const { random, clock } = this.#node.runtime;
    const known = this.#delayed.get(owner);
    const backoff = known?.backoff ?? new Backoff(random, backoffLimits);
    this.#delayed.set(owner, { backoff, notBeforeMs: clock.monotonicMs() + backoff.next() });
  }
}
