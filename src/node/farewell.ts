/**
 * How one that has left sees to it that somebody knows (§4.8.1). Nobody else can say that it holds nothing any more, and
 * as long as nobody does it is leaving for ever. So it tells all members that it knows, and the addresses its operator
 * names, until one of them has it on its disk.
 *
 * Then it writes that down. Started again after everybody that it knew has gone, too, it would wait for ever for one to
 * tell; but what it had to say is known, and it may end.
 *
 * Invariant: what is written down was so: a member that stayed, or one at all where none did, had this node's word on its
 * disk.
 */

import { Pause } from "../runtime/pause.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { StorageError } from "../storage/engine.ts";
import type { MetaStore } from "../storage/meta-store.ts";
import type { Gossip } from "./gossip.ts";
import { asJson, readJson } from "./membership-store.ts";

/** Where it is written down. */
const record = "farewell";
/** Who could reach nobody tries again after so long, in ms. */
const tellAgainMs = 1000;

export class Farewell {
  readonly #runtime: Runtime;
  readonly #meta: MetaStore;
  readonly #gossip: Pick<Gossip, "tellAll">;
  readonly #pause: Pause;
  #isStopped = false;

  constructor(runtime: Runtime, meta: MetaStore, gossip: Pick<Gossip, "tellAll">) {
    this.#runtime = runtime;
    this.#meta = meta;
    this.#gossip = gossip;
    this.#pause = new Pause(runtime.clock);
  }

  /** Tells whoever can be reached. Whether one of them knows, or one is known to have known. */
  async tell(): Promise<boolean> {
    const hasTold = await this.#gossip.tellAll();
    if (hasTold) await this.#writeDown();
    return hasTold || this.#isWrittenDown();
  }

  /** Does so until somebody knows; `why` is what is to be known. `listen` is for those who may come and ask. */
  async insist(why: string, listen: () => Promise<unknown>): Promise<void> {
    for (let tries = 0; !this.#isStopped && !(await this.tell()); tries++) {
      if (tries === 0) {
        const remedy = "trying until one is; --join with the address of one that is a member now would help";
        this.#runtime.log.warn(`${why}; no member can be reached that might not know it yet: ${remedy}`);
        await listen();
      }
      await this.#pause.wait(tellAgainMs);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#pause.end();
  }

  /** A damaged record is none. */
  #isWrittenDown(): boolean {
    try {
      return readJson(this.#meta, record) === true;
    } catch (error) {
      if (error instanceof StorageError && error.code === "corrupt") return false;
      throw error;
    }
  }

  /** Without room for it the node ends as well: only started again it has to find somebody once more. */
  async #writeDown(): Promise<void> {
    if (this.#isWrittenDown()) return;
    try {
      await this.#meta.put([asJson(record, true)]);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#runtime.log.warn("cannot store that others know of the departure", { error: error.message });
    }
  }
}
