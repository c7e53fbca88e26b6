/**
 * Buckets' properties as clients see and set them. They are events of the cluster's history; the number of copies
 * decides placement, so another n for a bucket needs every member's word that it holds none of it.
 */

import { bucketSettings } from "../core/ring/preference-list.ts";
import { type BucketChange, type BucketSettings, contradictionIn, parseBucketChange } from "../core/settings.ts";
import { Backoff } from "../runtime/backoff.ts";
import { Pause } from "../runtime/pause.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { StorageError } from "../storage/engine.ts";
import type { BucketOutcome, BucketView, Failure } from "./api.ts";
import type { Gossip } from "./gossip.ts";
import type { Membership } from "./membership.ts";
import type { ChangeResult, PlacementChange } from "./placement-change.ts";
import { checkBucketName, failure } from "./request-check.ts";

/** How long another n is tried for while members are busy with other changes, in ms. */
const patienceMs = 5000;

export class Buckets {
  readonly #runtime: Runtime;
  readonly #membership: Membership;
  readonly #gossip: Gossip;
  readonly #changes: PlacementChange;
  #isStopped = false;

  constructor(runtime: Runtime, membership: Membership, gossip: Gossip, changes: PlacementChange) {
    this.#runtime = runtime;
    this.#membership = membership;
    this.#gossip = gossip;
    this.#changes = changes;
  }

  /** Tries nothing again from now on. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Those that were told anything, by name. */
  all(): readonly BucketView[] {
    return [...this.#membership.ring.buckets.keys()].sort().map((bucket) => this.view(bucket));
  }

  view(bucket: string): BucketView {
    return { bucket, ...bucketSettings(this.#membership.ring, bucket) };
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
      const refused = await this.#commit(bucket, before, parsed.change);
      return refused ?? { kind: "set", bucket: this.view(bucket) };
    } catch (error) {
      const isFull = error instanceof StorageError && error.code === "disk-full";
      return failure(
        isFull ? "disk-full" : "storage-failed",
        `cannot store the properties of bucket "${bucket}": ${String(error)}`,
      );
    }
  }

  async #commit(bucket: string, before: BucketSettings, change: BucketChange): Promise<Failure | undefined> {
    const { n, ...rest } = change;
    if (n === undefined || n === before.n) {
      await this.#membership.append({ kind: "bucket", bucket, change: rest });
      await this.#gossip.spread();
      return undefined;
    }
    const backoff = new Backoff(this.#runtime.random, { firstMs: 50, longestMs: 500 });
    const endsMs = this.#runtime.clock.monotonicMs() + patienceMs;
    for (;;) {
      const result = await this.#changes.propose(() => ({ kind: "bucket", bucket, change }), bucket);
      const isOver = this.#isStopped || this.#runtime.clock.monotonicMs() > endsMs;
      if (result.kind === "committed" || result.why !== "busy" || isOver) return failureOf(result);
      await new Pause(this.#runtime.clock).wait(backoff.next());
    }
  }
}

function isSame(before: BucketSettings, change: BucketChange): boolean {
  return Object.entries(change).every(([name, value]) => before[name as keyof BucketSettings] === value);
}

function failureOf(result: ChangeResult): Failure | undefined {
  if (result.kind === "committed") return undefined;
  return failure(result.why === "holds-data" ? "conflicting-change" : "not-ready", result.detail);
}
