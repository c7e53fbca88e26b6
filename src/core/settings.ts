/**
 * What a bucket may be told, and what a cluster is founded with.
 *
 * All of it travels as events of the membership history (`membership/history.ts`), since it decides where copies live
 * and what an acknowledgement means.
 */

/** A number of answers, or the word for it; resolved against a bucket's n by `quorum/requirement.ts`. */
export type Quorum = number | "one" | "quorum" | "all";

export interface BucketSettings {
  /** Copies of each key, 1 to `limits.copies`. */
  readonly n: number;
  /** Answers a read waits for, owners and stand-ins alike. */
  readonly r: Quorum;
  /** Answers a write waits for, owners and stand-ins alike. */
  readonly w: Quorum;
  /** Of a read's answers, how many must be owners'; 0 asks for none. */
  readonly pr: Quorum;
  /** Of a write's answers, how many must be owners'; 0 asks for none. */
  readonly pw: Quorum;
  /** Copies that must be on disk; undefined: w where `durability` is synced, 0 where it is buffered. */
  readonly dw: Quorum | undefined;
  /** Whether a copy counts once it is on disk, or once it is in the object buffer (§6.1). */
  readonly durability: "synced" | "buffered";
  /** Whether concurrent versions stay side by side, or the one with the greatest time wins. */
  readonly reconcile: "siblings" | "last-write-wins";
}

/** What one change of a bucket names; the rest stays. */
export type BucketChange = { readonly [K in keyof BucketSettings]?: NonNullable<BucketSettings[K]> };

/** Fixed by the cluster's first node. */
export interface ClusterSettings {
  /** Q, the number of equal partitions: a power of two (§6.2, strategy 3). */
  readonly partitions: number;
  readonly n: number;
  readonly r: Quorum;
  readonly w: Quorum;
}

export const defaultClusterSettings: ClusterSettings = { partitions: 256, n: 3, r: 2, w: 2 };
