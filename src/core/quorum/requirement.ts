/**
 * How many answers a request waits for (§4.5): a bucket's properties, what the request says of them, and how many
 * members there are, resolved to plain numbers.
 *
 * A number above the bucket's n is the caller's mistake. A cluster smaller than n keeps one copy a member, so n and
 * every number derived from it are capped by the members: a cluster of one is writable with the defaults.
 */

import type { BucketSettings, Quorum } from "../settings.ts";

export interface ReadRequirement {
  readonly kind: "read";
  /** Owners that exist: n, capped by the members. */
  readonly n: number;
  /** Answers that must come, from owners or stand-ins: the greater of r and pr. */
  readonly answers: number;
  /** Of those, answers that must come from owners. */
  readonly owners: number;
}

export interface WriteRequirement {
  readonly kind: "write";
  readonly n: number;
  /** Answers that must come: the greatest of w, pw and dw. */
  readonly answers: number;
  readonly owners: number;
  /** Whether a copy counts only once it is on disk. */
  readonly synced: boolean;
}

export interface Unsatisfiable {
  readonly kind: "unsatisfiable";
  /** A sentence that names the value and what is allowed. */
  readonly why: string;
}

export function readRequirement(
  bucket: BucketSettings,
  asked: { readonly r?: Quorum | undefined; readonly pr?: Quorum | undefined },
  members: number,
): ReadRequirement | Unsatisfiable {
  const n = Math.min(bucket.n, members);
  const r = count("r", asked.r ?? bucket.r, 1, bucket.n, n);
  if (typeof r !== "number") return r;
  const pr = count("pr", asked.pr ?? bucket.pr, 0, bucket.n, n);
  if (typeof pr !== "number") return pr;
  return { kind: "read", n, answers: Math.max(r, pr), owners: pr };
}

export function writeRequirement(
  bucket: BucketSettings,
  asked: { readonly w?: Quorum | undefined; readonly pw?: Quorum | undefined; readonly dw?: Quorum | undefined },
  members: number,
): WriteRequirement | Unsatisfiable {
  const n = Math.min(bucket.n, members);
  const w = count("w", asked.w ?? bucket.w, 1, bucket.n, n);
  if (typeof w !== "number") return w;
  const pw = count("pw", asked.pw ?? bucket.pw, 0, bucket.n, n);
  if (typeof pw !== "number") return pw;
  const isSynced = bucket.durability === "synced";
  const dw = count("dw", asked.dw ?? bucket.dw ?? (isSynced ? w : 0), 0, bucket.n, n);
  if (typeof dw !== "number") return dw;
  return { kind: "write", n, answers: Math.max(w, pw, dw), owners: pw, synced: isSynced || dw > 0 };
}

function count(name: string, quorum: Quorum, least: number, n: number, capped: number): number | Unsatisfiable {
  switch (quorum) {
    case "one":
      return Math.min(1, capped);
    case "quorum":
      return Math.floor(capped / 2) + 1;
    case "all":
      return capped;
    default:
      if (Number.isInteger(quorum) && quorum >= least && quorum <= n) return Math.min(quorum, capped);
      return {
        kind: "unsatisfiable",
        why: `${name} is ${quorum}, allowed are ${least} to ${n} (the bucket's n), one, quorum and all`,
      };
  }
}
