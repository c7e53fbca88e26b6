/**
 * Keeps what a node says of itself true: where it is, how many seats it speaks for (§4.8.2); and raises its stamp while
 * it is written to (`stamps.ts`). A directory that is restored from a backup then knows less of itself than others
 * do, and is found out before it vouches for what it has forgotten (`Node.start`).
 */

import { welcomeVersion } from "../core/membership/node-record.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { Ticker } from "../runtime/ticker.ts";
import { isDiskFull } from "../storage/engine.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { OwnAddresses } from "./joining.ts";
import type { Membership } from "./membership.ts";
import type { Seats } from "./seats.ts";
import type { Stamps } from "./stamps.ts";

/** Mean time between two looks at what has changed, in ms. */
const everyMs = 500;
/** A node that was written to shows so after this long: writes younger than it may be missing in a copy unnoticed. */
const freshMs = 30_000;

/** Where it finds what it says. */
export interface DescribedParts {
  readonly membership: Membership;
  readonly seats: Seats;
  readonly stamps: Stamps;
  readonly buffer: WriteBuffer;
}

export class SelfDescription {
  readonly #membership: Membership;
  readonly #seats: Seats;
  readonly #stamps: Stamps;
  readonly #ticker: Ticker;
  readonly #clock: Clock;
  readonly #buffer: WriteBuffer;
  #addresses: OwnAddresses | undefined;
  #hasHeard: () => boolean = () => true;
  /** When the stamp was last raised, or began to be shown. */
  #stampedMs: number | undefined;
  /** Whether it is to be said anew though nothing has changed. */
  #isNews = false;
  #writesThen = 0;

  constructor(runtime: Runtime, { membership, seats, stamps, buffer }: DescribedParts) {
    const { clock, random, log } = runtime;
    this.#membership = membership;
    this.#seats = seats;
    this.#stamps = stamps;
    this.#clock = clock;
    this.#buffer = buffer;
    const round = (): Promise<void> => this.#describeIfRoom();
    this.#ticker = new Ticker({ name: "describing this node", clock, random, log, everyMs, round });
  }

  /**
   * Resolves when the record says what is so now, or the disk is full. Rejects with `StorageError`. `hasAsked`: others
   * were asked what they know of this node. Then its start is news, so that a copy from before it is found out; a
   * copy that has asked nobody must not say anything newer than they know, as long as it has not heard of anybody.
   */
  async start(addresses: OwnAddresses, hasAsked: boolean, hasHeard: () => boolean): Promise<void> {
    this.#addresses = addresses;
    this.#hasHeard = hasHeard;
    this.#isNews = hasAsked;
    await this.#describeIfRoom();
    this.#ticker.start();
  }

  stop(): Promise<void> {
    return this.#ticker.stop();
  }

  /** On a full disk nothing new can be said: the next look tries again. */
  async #describeIfRoom(): Promise<void> {
    try {
      await this.#describe();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  async #describe(): Promise<void> {
    const addresses = this.#addresses;
    if (addresses === undefined || this.#membership.isReplaced || this.#membership.isOutdated) return;
    const { incarnation, self, options } = this.#membership;
    const said = this.#membership.records.get(self);
    const mayTell = said?.incarnation !== incarnation || this.#isNews || this.#hasHeard();
    const voices = mayTell ? this.#seats.voices : said.voices;
    const now = { ...addresses, voices };
    const isSaid =
      said !== undefined &&
      said.incarnation === incarnation &&
      // A sponsor's welcome may say the same; that it is this node's own word is news all the same.
      said.version > welcomeVersion &&
      said.software === options.software &&
      said.peer === now.peer &&
      said.http === now.http &&
      said.voices === now.voices;
    if (!isSaid || this.#isNews) await this.#membership.describe(now);
    this.#isNews = false;
    if (mayTell) await this.#raiseStamp();
  }

  /** First it shows for a while, to others each second, the one that its directory has. */
  async #raiseStamp(): Promise<void> {
    const now = this.#clock.monotonicMs();
    this.#stampedMs ??= now;
    const { writes } = this.#buffer.counts;
    if (writes === this.#writesThen || now - this.#stampedMs < freshMs) return;
    await this.#stamps.raise();
    this.#stampedMs = now;
    this.#writesThen = writes;
  }
}
