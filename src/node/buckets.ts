/**
 * Buckets' properties as clients see and set them (§4.5: n, r and w are the application's to choose). They are events of
 * the cluster's history, in force at once; another n begins an era, and keys follow it (`fillings.ts`).
 */

import { bucketSettings } from "../core/ring/preference-list.ts";
import { type BucketChange, type BucketSettings, contradictionIn, parseBucketChange } from "../core/settings.ts";
import { StorageError } from "../storage/engine.ts";
import type { BucketFilling, BucketOutcome, BucketView } from "./api.ts";
import type { Gossip } from "./gossip.ts";
import type { Membership } from "./membership.ts";
import { checkBucketName, failure } from "./request-check.ts";
import type { Seats } from "./seats.ts";

export class Buckets {
  readonly #membership: Membership;
  readonly #gossip: Gossip;
  readonly #seats: Seats;

  constructor(membership: Membership, gossip: Gossip, seats: Seats) {
    this.#membership = membership;
    this.#gossip = gossip;
    this.#seats = seats;
  }

  /** Those that were told anything, by name. */
  all(): readonly BucketView[] {
    return [...this.#membership.ring.buckets.keys()].sort().map((bucket) => this.view(bucket));
  }

  view(bucket: string): BucketView {
    return { bucket, ...bucketSettings(this.#membership.ring, bucket), filling: this.#filling(bucket) };
  }

  #filling(bucket: string): BucketFilling | undefined {
    if (!this.#membership.ring.eras.buckets.has(bucket)) return undefined;
    const { partitions } = this.#seats;
    const open = partitions.map((partition) => this.#seats.openEras({ partition, bucket }));
    const changing = open.filter(({ length }) => length > 1);
    const from = changing[0]?.[0]?.settings.n;
    if (from === undefined) return undefined;
    return { from, filled: partitions.length - changing.length, partitions: partitions.length };
  }

  /** Changes what `change` names. Never rejects. */
  async set(bucket: string, change: BucketChange): Promise<BucketOutcome> {
    if (!this.#membership.isMember || this.#membership.isReplaced) {
      return failure("not-ready", `${this.#membership.name} is no member of a cluster yet`);
    }
    const parsed = parseBucketChange(change);
    const wrong =
      checkBucketName(bucket) ?? (parsed.kind === "invalid" ? failure("bad-request", parsed.why) : undefined);
    if (wrong !== undefined || parsed.kind === "invalid") return wrong ?? failure("bad-request", "no properties");
    const before = bucketSettings(this.#membership.ring, bucket);
    const contradiction = contradictionIn({ ...before, ...parsed.change });
    if (contradiction !== undefined) return failure("bad-request", contradiction);
    if (isSame(before, parsed.change)) return { kind: "set", bucket: this.view(bucket) };
    try {
      await this.#commit(bucket, before, parsed.change);
      return { kind: "set", bucket: this.view(bucket) };
    } catch (error) {
      const isFull = error instanceof StorageError && error.code === "disk-full";
      return failure(
        isFull ? "disk-full" : "storage-failed",
        `cannot store the properties of bucket "${bucket}": ${String(error)}`,
      );
    }
  }

  /** What is as it was is no change: every event that names n begins a new era. */
  async #commit(bucket: string, before: BucketSettings, change: BucketChange): Promise<void> {
    const { n, ...rest } = change;
    const isSameN = n === undefined || n === before.n;
    await this.#membership.append({ kind: "bucket", bucket, change: isSameN ? rest : change });
    await this.#gossip.spread();
  }
}

function isSame(before: BucketSettings, change: BucketChange): boolean {
  return Object.entries(change).every(([name, value]) => before[name as keyof BucketSettings] === value);
}
