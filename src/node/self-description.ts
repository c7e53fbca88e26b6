/** Keeps a node's own record true: where it is, how many seats it speaks for, which ring it knows (§4.8.2). */

import type { Runtime } from "../runtime/runtime.ts";
import { Ticker } from "../runtime/ticker.ts";
import type { OwnAddresses } from "./joining.ts";
import type { Membership } from "./membership.ts";
import type { Seats } from "./seats.ts";

/** Mean time between two looks at what has changed, in ms. */
const everyMs = 500;

export class SelfDescription {
  readonly #membership: Membership;
  readonly #seats: Seats;
  readonly #ticker: Ticker;
  #addresses: OwnAddresses | undefined;

  constructor(runtime: Runtime, membership: Membership, seats: Seats) {
    const { clock, random, log } = runtime;
    this.#membership = membership;
    this.#seats = seats;
    const round = (): Promise<void> => this.#describe();
    this.#ticker = new Ticker({ name: "describing this node", clock, random, log, everyMs, round });
  }

  /** Resolves when the record says what is so now. Rejects with `StorageError`. */
  async start(addresses: OwnAddresses): Promise<void> {
    this.#addresses = addresses;
    await this.#describe();
    this.#ticker.start();
  }

  stop(): Promise<void> {
    return this.#ticker.stop();
  }

  async #describe(): Promise<void> {
    const addresses = this.#addresses;
    if (addresses === undefined || this.#membership.isReplaced) return;
    const { ringVersion, incarnation, self, options } = this.#membership;
    const now = { ...addresses, voices: this.#seats.count.voices, ringVersion };
    const said = this.#membership.records.get(self);
    const isSaid =
      said !== undefined &&
      said.incarnation === incarnation &&
      said.software === options.software &&
      said.peer === now.peer &&
      said.http === now.http &&
      said.voices === now.voices &&
      said.ringVersion === now.ringVersion;
    if (!isSaid) await this.#membership.describe(now);
  }
}
