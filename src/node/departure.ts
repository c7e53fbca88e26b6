/**
 * How a member leaves (§4.8.1): it hands over its seats and its hints like anybody whose seats are another's, and when it
 * holds nothing any more it writes down that it is gone. That event, its own removal, is final. It tells the others
 * (`farewell.ts`), and ends.
 *
 * One that was removed, and is alive, speaks for nobody from the moment it knows (`Coordination.isServing`). While others take
 * from it what it holds still, it lets them, and tells them where it is; then it ends, too. It hands out nothing of its own
 * accord: members may have forgotten meanwhile what it has (`reaper.ts`).
 *
 * Nobody else can say when that moment is: what a node holds, it alone knows. So a leave that is interrupted, wherever
 * and however often, is just a member that is leaving still.
 *
 * Invariant: when the event is written, no other node waits for anything that only this one has.
 */

import { newestClaim } from "../core/membership/check-events.ts";
import type { Log } from "../runtime/log.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { Ticker } from "../runtime/ticker.ts";
import { StorageError } from "../storage/engine.ts";
import { goneAfterMs } from "./coordination.ts";
import type { Farewell } from "./farewell.ts";
import type { Gossip } from "./gossip.ts";
import type { Hints } from "./hints.ts";
import type { Membership } from "./membership.ts";
import { NodeError } from "./node-error.ts";
import { departedAs } from "./peer-admission.ts";
import type { Transfer } from "./transfer.ts";

/** Mean time between two looks at what is left, in ms. */
const everyMs = 500;
/** It must have held nothing for so long, in ms: a holder that has sealed a seat for this node reminds it within that. */
const quietMs = 5000;

export interface DepartureParts {
  readonly runtime: Runtime;
  readonly membership: Membership;
  readonly gossip: Pick<Gossip, "spread">;
  readonly farewell: Pick<Farewell, "tell">;
  readonly transfer: Pick<Transfer, "holdsNothing" | "holdsSeats" | "isAwaited">;
  readonly hints: Pick<Hints, "isEmpty">;
  /** When somebody last asked this node for what makes a seat pass on. */
  readonly askedMs: () => number;
  /** Resolves when clients ask it nothing more. */
  readonly onLeaving: (() => Promise<void>) | undefined;
  /** They may come again. */
  readonly onStaying: (() => Promise<void>) | undefined;
  /** The node must not go on. */
  readonly end: (error: NodeError) => void;
}

export class Departure {
  readonly #parts: DepartureParts;
  readonly #log: Log;
  readonly #ticker: Ticker;
  /** Since when it has held nothing. */
  #sinceMs: number | undefined;
  /** Clients were sent away. */
  #isDeserted = false;
  /** Since when it has known that it was removed. */
  #knownMs: number | undefined;

  constructor(parts: DepartureParts) {
    const { clock, random, log } = parts.runtime;
    this.#parts = parts;
    this.#log = log;
    this.#ticker = new Ticker({ name: "departure", clock, random, log, everyMs, round: () => this.#round() });
  }

  /** Begins to look; for members only. */
  start(): void {
    this.#ticker.start();
  }

  /** Something is new: looks soon. */
  hurry(): void {
    this.#ticker.hurry();
  }

  stop(): Promise<void> {
    return this.#ticker.stop();
  }

  async #round(): Promise<void> {
    const { membership } = this.#parts;
    if (membership.departed !== undefined) return this.#end();
    if (!this.#isLeaving() || !this.#isEmpty()) {
      this.#sinceMs = undefined;
      if (this.#isDeserted) await this.#parts.onStaying?.();
      this.#isDeserted = false;
      return;
    }
    const nowMs = this.#parts.runtime.clock.monotonicMs();
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < quietMs) return;
    if (!this.#isDeserted) await this.#parts.onLeaving?.();
    this.#isDeserted = true;
    try {
      const gone = { kind: "remove", node: membership.self, claim: newestClaim } as const;
      await membership.append(gone, () => this.#isLeaving() && this.#isEmpty());
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#log.warn("cannot store that this node has left", { error: error.message });
    }
  }

  #isLeaving(): boolean {
    const { self, ring } = this.#parts.membership;
    return ring.members.get(self)?.isLeaving === true;
  }

  #isEmpty(): boolean {
    return this.#parts.transfer.holdsNothing && this.#parts.hints.isEmpty(undefined);
  }

  /** Where its own word made it go, somebody else must know it first. */
  async #end(): Promise<void> {
    const { membership, gossip, farewell, transfer, end } = this.#parts;
    if (membership.departed === "removed") this.#tellRemoved();
    if (this.#isWorthWaiting()) {
      // Whoever is to take them may have come since it was removed, and only it can say where it is.
      if (transfer.holdsSeats) await gossip.spread();
      return;
    }
    const hasTold = await farewell.tell();
    const { departed, history, self } = membership;
    const isOwnWord = history.some((event) => event.kind === "remove" && event.node === self && event.author === self);
    if (departed === undefined || (isOwnWord && !hasTold)) return;
    end(new NodeError(departed, departedAs(departed, membership.name)));
  }

  /**
   * Whether somebody may take a seat from this node still, since members have asked not long ago; or has sealed one for
   * it, which it is to give back: nobody else can.
   */
  #isWorthWaiting(): boolean {
    const { transfer, askedMs, runtime } = this.#parts;
    if (this.#knownMs === undefined) return false;
    const nowMs = runtime.clock.monotonicMs();
    if (!transfer.holdsSeats && !transfer.isAwaited) {
      this.#sinceMs ??= nowMs;
      return nowMs - this.#sinceMs < quietMs;
    }
    this.#sinceMs = undefined;
    return nowMs - Math.max(askedMs(), this.#knownMs) < goneAfterMs;
  }

  #tellRemoved(): void {
    if (this.#knownMs !== undefined) return;
    const { runtime, membership, transfer } = this.#parts;
    this.#knownMs = runtime.clock.monotonicMs();
    if (!transfer.holdsSeats) return;
    this.#log.warn(
      `${membership.name} was removed from the cluster: it serves nothing any more, and ends once others have taken what it holds`,
    );
  }
}
