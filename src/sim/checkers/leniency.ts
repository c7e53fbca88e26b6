/**
 * What the checkers let pass, since the design says that it may happen: contexts that are pruned (§4.4), and what has
 * been replaced so long ago that all owners have forgotten it (reaping and compaction).
 */

import type { ReadEntry, WriteEntry } from "../journal.ts";

export interface Leniency {
  /** Contexts may be pruned: replaced versions may show again. */
  readonly prunes: boolean;
  /** What was replaced longer ago than this may be gone from every context, in virtual ms. */
  readonly forgetsAfterMs: number;
}

/** Whether nothing about `later`, which replaced something, need be in the read's context any more. */
export function mayBeForgotten(
  later: WriteEntry,
  read: Pick<ReadEntry, "ended">,
  { forgetsAfterMs }: Leniency,
): boolean {
  return later.began + forgetsAfterMs <= read.ended;
}
