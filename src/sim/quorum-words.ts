/** The simulation's own reading of r, w and their words: the checkers must not borrow it from what they check. */

import type { BucketSettings, Quorum } from "../core/settings.ts";
import type { Prng } from "./prng.ts";

export function resolve(quorum: Quorum, n: number): number {
  switch (quorum) {
    case "one":
      return 1;
    case "quorum":
      return Math.floor(n / 2) + 1;
    case "all":
      return n;
    default:
      return Math.min(quorum, n);
  }
}

/** Answers that a read with this `r` and the bucket's properties must have, and how many of them of owners. */
export function answersOfRead(
  settings: BucketSettings,
  r: Quorum | undefined,
  pr: Quorum | undefined,
): { readonly answers: number; readonly owners: number } {
  const owners = resolve(pr ?? settings.pr, settings.n);
  return { answers: Math.max(resolve(r ?? settings.r, settings.n), owners), owners };
}

/** Copies that a write must have, how many of them at owners, and whether each has to be on disk. */
export function copiesOfWrite(
  settings: BucketSettings,
  asked: { readonly w?: Quorum; readonly dw?: Quorum; readonly pw?: Quorum },
  zones: number,
): { readonly copies: number; readonly owners: number; readonly synced: boolean } {
  const { n } = settings;
  const w = resolve(asked.w ?? settings.w, n);
  const owners = resolve(asked.pw ?? settings.pw, n);
  const isSynced = settings.durability === "synced";
  const dw = asked.dw ?? settings.dw ?? (isSynced ? w : 0);
  return {
    copies: Math.max(w, owners, zones, resolve(dw, n)),
    owners,
    synced: isSynced || resolve(dw, n) > 0,
  };
}

/** Mostly nothing, that is the bucket's own; else a number or a word. */
export function drawQuorum(prng: Prng, n: number): Quorum | undefined {
  if (prng.chance(0.5)) return undefined;
  return prng.chance(0.6) ? prng.between(1, n) : prng.pick(["one", "quorum", "all"] as const);
}
