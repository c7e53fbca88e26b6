/**
 * A member's promise not to touch data until a change of placement is decided.
 *
 * A node that vouched that it holds nothing must hold nothing when the change takes effect, or a write that was
 * acknowledged in between would stay with owners that are no longer asked. So in the turn in which it looks it stops
 * reading, writing and coordinating what the change concerns, and it vouches once its promise is on disk: a crash does
 * not free it. Whatever waits for the disk counts as held; a request that began before and goes on later has to ask
 * again whether it may. It is free again when it knows what became of the attempt.
 *
 * Invariant: between `isEmpty` seen true and the promise's end, no record of the concerned data is written.
 */

import { type NodeId, parseNodeId } from "../core/ids.ts";
import type { MetaChange, MetaStore } from "../storage/meta-store.ts";
import { asJson, readJson } from "./membership-store.ts";

/** What the change needs of the data side. `bucket` undefined means all of the store. */
export interface Holdings {
  /** Whether not a single record of it is stored or about to be, tombstones included. */
  isEmpty(bucket: string | undefined): boolean;
}

export interface Promised {
  /** The sponsor's name for the attempt. */
  readonly attempt: string;
  readonly sponsor: NodeId;
  /** The sponsor's directory: another one under its id knows nothing of the attempt. */
  readonly sponsorIncarnation: string;
  /** The bucket that was vouched for, or undefined for all of the store. */
  readonly bucket: string | undefined;
  /** The version of the ring that the attempt would replace. */
  readonly ringVersion: number;
}

export type Vouched = "promised" | "holds-data" | "busy" | "over";

/** How many attempts that ended are remembered, for a question that arrives after its own end. */
const rememberedAttempts = 256;

/** The change of the small records that ends a promise, for whoever ends it together with something else. */
export const releaseChange: MetaChange = { name: "pledge", value: undefined };

export class Pledge {
  readonly #meta: MetaStore;
  readonly #holdings: Holdings;
  /** The attempt for which data is left alone, promised on disk or about to be. */
  #current: Promised | undefined;
  #isDurable = false;
  /** Attempts that ended, the oldest first. */
  readonly #over: Set<string> = new Set();

  constructor(meta: MetaStore, holdings: Holdings) {
    this.#meta = meta;
    this.#holdings = holdings;
  }

  /** Takes up the promise of the process before this one. Throws `StorageError`. */
  open(): void {
    const stored = readJson(this.#meta, "pledge");
    if (typeof stored !== "object" || stored === null) return;
    const { attempt, sponsor, sponsorIncarnation, bucket, ringVersion } = stored as Readonly<Record<string, unknown>>;
    const node = parseNodeId(String(sponsor));
    const isText = typeof attempt === "string" && typeof sponsorIncarnation === "string";
    if (!isText || node === undefined || typeof ringVersion !== "number") {
      throw new Error("the promise on disk is not one this version understands");
    }
    const concerned = typeof bucket === "string" ? bucket : undefined;
    this.#current = { attempt, sponsor: node, sponsorIncarnation, bucket: concerned, ringVersion };
    this.#isDurable = true;
  }

  /** What is promised on disk. */
  get promised(): Promised | undefined {
    return this.#isDurable ? this.#current : undefined;
  }

  /** Whether requests for the bucket must be refused with `not-ready`. Cheap: asked for with every request. */
  forbids(bucket: string): boolean {
    if (this.#current === undefined) return false;
    return this.#current.bucket === undefined || this.#current.bucket === bucket;
  }

  /** Whether requests for all buckets must be refused. */
  get forbidsAll(): boolean {
    return this.#current !== undefined && this.#current.bucket === undefined;
  }

  /** Vouches for emptiness, if it can, and promises. Rejects with `StorageError`; then nothing is promised. */
  async make(wanted: Promised): Promise<Vouched> {
    if (this.#over.has(wanted.attempt)) return "over";
    if (this.#current !== undefined) {
      const isSame = this.#isDurable && this.#current.attempt === wanted.attempt;
      return isSame ? "promised" : "busy";
    }
    // One step: a write is in the store or on its way there from the turn in which it is minted or merged.
    if (!this.#holdings.isEmpty(wanted.bucket)) return "holds-data";
    this.#current = wanted;
    try {
      await this.#meta.put([asJson("pledge", wanted)]);
      if (!this.#isOver(wanted)) {
        this.#isDurable = true;
        return "promised";
      }
      // It ended while it was being made: take it back from disk before data may be touched.
      await this.#meta.put([releaseChange]);
      return "over";
    } finally {
      if (!this.#isDurable) this.#current = undefined;
    }
  }

  /** The attempt is over, whatever became of it. Resolves when data may be touched again. Rejects with `StorageError`. */
  async end(attempt: string): Promise<void> {
    this.#remember(attempt);
    if (!this.#isDurable || this.#current?.attempt !== attempt) return;
    await this.#meta.put([releaseChange]);
    this.ended(attempt);
  }

  /** The same, where `releaseChange` is on disk already. */
  ended(attempt: string): void {
    this.#remember(attempt);
    if (this.#current?.attempt !== attempt || !this.#isDurable) return;
    this.#isDurable = false;
    this.#current = undefined;
  }

  #isOver({ attempt }: Promised): boolean {
    return this.#over.has(attempt);
  }

  #remember(attempt: string): void {
    this.#over.add(attempt);
    for (const oldest of this.#over) {
      if (this.#over.size <= rememberedAttempts) break;
      this.#over.delete(oldest);
    }
  }
}
