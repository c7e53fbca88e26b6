/**
 * How many answers a request waits for (§4.5): a bucket's properties, what the request says of them, and how many
 * copies the key has, resolved to plain numbers.
 *
 * Whoever asks for owners, or zones, gets as many as he asked for, or as there are members: not fewer while seats are
 * being filled.
 *
 * A number above the bucket's n is the caller's mistake. A cluster smaller than n keeps one copy a member, so n and
 * every number derived from it are capped by the seats that are filled: a cluster of one is writable with the defaults.
 * Zones are not capped, since who asks for two wants to outlive the loss of one.
 */

import type { BucketSettings, Quorum } from "../settings.ts";

export interface ReadRequirement {
  readonly kind: "read";
  /** Owners that exist: n, capped by the seats that are filled. */
  readonly n: number;
  /** Answers that must come, from owners or stand-ins: the greatest of r, pr and zones. */
  readonly answers: number;
  /** Of those, answers that must come from owners. */
  readonly owners: number;
  /** In how many zones those who answer must be. */
  readonly zones: number;
}

export interface WriteRequirement {
  readonly kind: "write";
  readonly n: number;
  /** Answers that must come: the greatest of w, pw, dw and zones. */
  readonly answers: number;
  readonly owners: number;
  readonly zones: number;
  /** Whether a copy counts only once it is on disk. */
  readonly synced: boolean;
}

/** How many members there are that can hold copies, and in how many zones they are. */
export interface Population {
  readonly size: number;
  readonly zones: number;
}

export interface Unsatisfiable {
  readonly kind: "unsatisfiable";
  /** A sentence that names the value and what is allowed. */
  readonly why: string;
}

/** What a read says of its numbers, where it does. */
export interface ReadAsk {
  readonly r?: Quorum | undefined;
  readonly pr?: Quorum | undefined;
  readonly zones?: number | undefined;
}

/** What a write says. */
export interface WriteAsk {
  readonly w?: Quorum | undefined;
  readonly pw?: Quorum | undefined;
  readonly dw?: Quorum | undefined;
  readonly zones?: number | undefined;
}

/** The numbers of a read. */
export function readRequirement(
  bucket: BucketSettings,
  asked: ReadAsk,
  population: Population,
  copies: number = population.size,
): ReadRequirement | Unsatisfiable {
  const n = Math.min(bucket.n, copies);
  const r = count("r", asked.r ?? bucket.r, 1, bucket.n, n);
  if (typeof r !== "number") return r;
  const pr = count("pr", asked.pr ?? bucket.pr, 0, bucket.n, Math.min(bucket.n, population.size));
  if (typeof pr !== "number") return pr;
  const zones = countZones(asked.zones ?? 1, Math.min(bucket.n, population.size), population);
  if (typeof zones !== "number") return zones;
  return { kind: "read", n, answers: Math.max(r, pr, zones), owners: pr, zones };
}

/** The numbers of a write. */
export function writeRequirement(
  bucket: BucketSettings,
  asked: WriteAsk,
  population: Population,
  copies: number = population.size,
): WriteRequirement | Unsatisfiable {
  const n = Math.min(bucket.n, copies);
  const w = count("w", asked.w ?? bucket.w, 1, bucket.n, n);
  if (typeof w !== "number") return w;
  const pw = count("pw", asked.pw ?? bucket.pw, 0, bucket.n, Math.min(bucket.n, population.size));
  if (typeof pw !== "number") return pw;
  const isSynced = bucket.durability === "synced";
  const dw = count("dw", asked.dw ?? bucket.dw ?? (isSynced ? w : 0), 0, bucket.n, n);
  if (typeof dw !== "number") return dw;
  const zones = countZones(asked.zones ?? 1, Math.min(bucket.n, population.size), population);
  if (typeof zones !== "number") return zones;
  return { kind: "write", n, answers: Math.max(w, pw, dw, zones), owners: pw, zones, synced: isSynced || dw > 0 };
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

function countZones(zones: number, n: number, { zones: known }: Population): number | Unsatisfiable {
  const most = Math.min(n, known);
  if (Number.isInteger(zones) && zones >= 1 && zones <= most) return zones;
  const why = most < known ? `copies of a key are on ${n} nodes` : `the members are in ${known} zones`;
  return { kind: "unsatisfiable", why: `zones is ${zones}, allowed are 1 to ${most}, since ${why}` };
}
