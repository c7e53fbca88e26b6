/**
 * Forgetting what a key's state has seen, once nobody can bring it back (§4.4 bounds clocks by losing what may still
 * matter; this does not).
 *
 * A state's context keeps what was replaced or deleted from coming back with an old copy. Where no old copy is left,
 * neither in a store nor on its way to one, the context need hold no more than the live versions' own dots: that is
 * *compaction*. Of a tombstone nothing is left then, and its record goes: that is *reaping*. When that may be done is
 * the affair of `node/reaper.ts`; done too early, it brings deleted values back.
 *
 * A mint record outlives a compaction and goes with its record: no counter is ever read from a context, so a dot that
 * was forgotten is not minted again (`minting.ts`).
 */

import { type DotSet, emptyDotSet, withDot } from "./dot-set.ts";
import { emptySiblingSet, type SiblingSet } from "./sibling-set.ts";

/** A live state with this many intervals more than versions is worth an agreement of all owners. */
const compactedFrom = 3;

/** What stays of the state: its live versions, and of its context their dots alone. */
export function compactState({ siblings }: SiblingSet): SiblingSet {
  if (siblings.length === 0) return emptySiblingSet;
  let context: DotSet = emptyDotSet;
  for (const { dot, modified } of siblings) context = withDot(context, dot, modified);
  return { context, siblings };
}

/** Whether forgetting would make the state smaller by enough: a tombstone, or a context of many old entries. */
export function isWorthForgetting({ context, siblings }: SiblingSet): boolean {
  if (siblings.length === 0) return context.length > 0;
  return context.length >= siblings.length + compactedFrom;
}
