/**
 * Asks another seat's holder whether it speaks, of those who know the same changes of n: what is copied from it, or given
 * to it, counts only if it has one voice before and after, since it may have handed its seat on meanwhile.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { Coordination } from "./coordination.ts";
import type { Delay } from "./hand-over.ts";

const callTimeoutMs = 5000;

/** Its voice, while it knows the changes of n that this hash names; or why it cannot be had. */
export async function voiceOfHolder(
  node: Coordination,
  partition: PartitionId,
  holder: NodeId,
  changes: number,
): Promise<Voice | Delay> {
  const { peers, seats, ringDiffers } = node;
  const answer = await peers.ask(holder, { kind: "fill-seat", id: 0, partition, changes }, callTimeoutMs);
  if (answer.kind === "seat-fenced") {
    seats.learn(partition, answer.known);
    return answer.voice;
  }
  if (answer.kind !== "refusal") return { peer: holder, why: "does not answer" };
  if (answer.known !== undefined) seats.learn(partition, answer.known);
  if (answer.code === "stale-ring") ringDiffers(holder);
  return { peer: holder, why: answer.detail };
}

/** Whether both are the same one. */
export function isSameVoice(a: Voice, b: Voice): boolean {
  return a.seat === b.seat && a.epoch === b.epoch;
}
