/**
 * Read repair (§5): once every owner has answered or will not, those whose state is behind the merge of all answers
 * are sent that merge. It costs the reader nothing, since the answer has left.
 *
 * Nobody waits for a repair: a lost one is found again by the next read or by anti-entropy. So one whose read began
 * longer ago than a message may live is not sent: it may be that all have forgotten meanwhile what it would bring back.
 */

import { type SiblingSet, sameState } from "../core/causality/sibling-set.ts";
import type { NodeId } from "../core/ids.ts";
import { bucketVersion } from "../core/ring/preference-list.ts";
import type { AnswerHandler } from "../rpc/call.ts";
import type { ReplicaPut } from "../wire/message.ts";
import { type Coordination, lifeLeftMs } from "./coordination.ts";
import type { KeyPlace } from "./key-place.ts";

/** One owner's answer; `state` undefined: it has nothing of the key. */
export interface Answered {
  readonly node: NodeId;
  readonly state: SiblingSet | undefined;
}

const nobodyWaits: AnswerHandler = { onAnswer: () => {}, onFailure: () => {} };

export function repairStale(
  node: Coordination,
  read: { readonly place: KeyPlace; readonly lastWriteWins: boolean },
  learnedMs: number,
  answered: readonly Answered[],
  merged: SiblingSet,
): void {
  const stale = answered.filter(({ state }) => state === undefined || !sameState(state, merged));
  if (stale.length === 0 || !node.isServing()) return;
  const { place, lastWriteWins } = read;
  const lifeMs = lifeLeftMs(node, learnedMs);
  if (lifeMs === 0) return;
  let repair: ReplicaPut | undefined;
  for (const { node: owner } of stale) {
    node.counters.readRepairs += 1;
    if (owner === node.self) {
      if (node.seats.mayStore(place.partition)) node.replica.merge(place, merged, lastWriteWins, undefined);
      continue;
    }
    repair ??= {
      kind: "replica-put",
      id: 0,
      knownHash: node.seats.hash(place.partition),
      changes: bucketVersion(node.ring(), place.bucket),
      bucket: place.bucket,
      key: place.key,
      purpose: "repair",
      synced: false,
      lastWriteWins,
      state: merged,
    };
    node.peers.call(owner, repair, Math.min(lifeMs, node.limits.requestTimeoutMs), nobodyWaits, 0);
  }
}
