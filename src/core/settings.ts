/**
 * What a bucket may be told, and what a cluster is founded with.
 *
 * All of it travels as events of the membership history (`membership/history.ts`), since it decides where copies live
 * and what an acknowledgement means.
 */

import { mostCopies, mostPartitions } from "./limits.ts";

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

export type ParsedBucketChange =
  | { readonly kind: "change"; readonly change: BucketChange }
  | { readonly kind: "invalid"; readonly why: string };

export type ParsedClusterSettings =
  | { readonly kind: "settings"; readonly settings: ClusterSettings }
  | { readonly kind: "invalid"; readonly why: string };

const quorumWords: readonly unknown[] = ["one", "quorum", "all"];
const lowestOf: ReadonlyMap<string, number> = new Map([
  ["r", 1],
  ["w", 1],
  ["pr", 0],
  ["pw", 0],
  ["dw", 0],
]);
const wordsOf: ReadonlyMap<string, readonly unknown[]> = new Map([
  ["durability", ["synced", "buffered"]],
  ["reconcile", ["siblings", "last-write-wins"]],
]);

/**
 * Reads a change of a bucket's properties from whoever sent it. Each property is judged alone; whether they agree with
 * each other and with what the bucket has already is `contradictionIn`'s to say.
 */
export function parseBucketChange(value: unknown): ParsedBucketChange {
  if (!isPlainObject(value)) return { kind: "invalid", why: "a bucket's properties are one JSON object" };
  const change: Record<string, unknown> = {};
  for (const [name, wanted] of Object.entries(value)) {
    if (wanted === undefined) continue;
    const flaw = flawOfProperty(name, wanted);
    if (flaw !== undefined) return { kind: "invalid", why: flaw };
    change[name] = wanted;
  }
  return { kind: "change", change: change as BucketChange };
}

/** Reads what a cluster is founded with; what is absent is as in `defaultClusterSettings`. */
export function parseClusterSettings(value: unknown): ParsedClusterSettings {
  if (!isPlainObject(value)) return { kind: "invalid", why: "a cluster's settings are one object" };
  const { partitions, n, r, w } = { ...defaultClusterSettings, ...withoutUndefined(value) };
  if (!isWhole(partitions, 1, mostPartitions) || !Number.isInteger(Math.log2(partitions))) {
    return {
      kind: "invalid",
      why: `partitions is ${show(partitions)}; it is a power of two, at most ${mostPartitions}`,
    };
  }
  const flaw = flawOfProperty("n", n) ?? flawOfProperty("r", r) ?? flawOfProperty("w", w);
  if (flaw !== undefined) return { kind: "invalid", why: flaw };
  const settings: ClusterSettings = { partitions, n, r, w };
  const contradiction = contradictionIn({ ...defaultBucketSettings(settings) });
  return contradiction === undefined ? { kind: "settings", settings } : { kind: "invalid", why: contradiction };
}

/** What a bucket nobody has told anything has in a cluster of these settings. */
export function defaultBucketSettings(settings: ClusterSettings): BucketSettings {
  const { n, r, w } = settings;
  return { n, r, w, pr: 0, pw: 0, dw: undefined, durability: "synced", reconcile: "siblings" };
}

/** What in these settings cannot be met by n copies, as a sentence, or undefined. */
export function contradictionIn(settings: BucketSettings): string | undefined {
  for (const name of ["r", "w", "pr", "pw", "dw"] as const) {
    const wanted = settings[name];
    if (typeof wanted === "number" && wanted > settings.n) {
      return `${name} is ${wanted} and n is ${settings.n}: there are no more answers than copies`;
    }
  }
  return undefined;
}

function flawOfProperty(name: string, value: unknown): string | undefined {
  if (name === "n") {
    return isWhole(value, 1, mostCopies)
      ? undefined
      : `n is ${show(value)}; it is a whole number from 1 to ${mostCopies}`;
  }
  const lowest = lowestOf.get(name);
  if (lowest !== undefined) {
    if (quorumWords.includes(value) || isWhole(value, lowest, mostCopies)) return undefined;
    return `${name} is ${show(value)}; it is a whole number from ${lowest} to n, or one, quorum or all`;
  }
  const words = wordsOf.get(name);
  if (words === undefined) return `${show(name)} is no property of a bucket`;
  return words.includes(value) ? undefined : `${name} is ${show(value)}; it is ${words.join(" or ")}`;
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function withoutUndefined(value: Readonly<Record<string, unknown>>): Partial<ClusterSettings> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
}

function isWhole(value: unknown, from: number, to: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= from && value <= to;
}

/** A value that somebody sent, for a sentence about it: short, whatever it is. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}...` : value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}

/** What was asked of a cluster's settings that is not so, as a sentence. */
export function settingsMismatch(settings: ClusterSettings, asked: Partial<ClusterSettings>): string | undefined {
  for (const name of ["partitions", "n", "r", "w"] as const) {
    const wanted = asked[name];
    if (wanted !== undefined && wanted !== settings[name]) {
      return `the cluster was founded with ${name} ${settings[name]}, not ${wanted}`;
    }
  }
  return undefined;
}
