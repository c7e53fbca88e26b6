/**
 * A client's call of a node, and how it may end.
 *
 * Law: a process that lives and is not paused answers every call within the request's time and a little more.
 */

import type { RunningNode, SimCluster, SimMember } from "./cluster.ts";
import { describeError } from "./simulation.ts";

/** With an answer, or in silence, since its process died or the client lost patience. */
export type Ended<T> = { readonly kind: "answered"; readonly outcome: T } | { readonly kind: "silence" };

/** How much longer than its timeout a call may take before the client gives it up, in ms. */
const patienceMs = 3000;

/** Calls a node as a request that arrives at its process. */
export function callNode<T>(
  cluster: SimCluster,
  member: SimMember,
  ask: (node: RunningNode) => Promise<T>,
): Promise<Ended<T>> {
  const { simulation, plan } = cluster;
  const { node } = member;
  const { process } = member.machine;
  if (node === undefined || process === undefined) return Promise.resolve({ kind: "silence" });
  return new Promise((resolve) => {
    const pauses = process.isPaused ? -1 : process.pauses;
    const giveUp = simulation.schedule(plan.limits.requestTimeoutMs + patienceMs, undefined, () => {
      if (process.pauses === pauses) {
        simulation.violate(
          "calls answer",
          `${process.name} has left a call without an answer, long after its time was up`,
        );
      }
      resolve({ kind: "silence" });
    });
    const silence = (): void => {
      giveUp.isCancelled = true;
      resolve({ kind: "silence" });
    };
    const answered = (outcome: T): void => {
      giveUp.isCancelled = true;
      resolve({ kind: "answered", outcome });
    };
    process.onDeath(silence);
    simulation.schedule(0, process, () => {
      ask(node).then(answered, (error) => {
        simulation.violate("calls answer", `${process.name}: a call threw ${describeError(error)}`);
        silence();
      });
    });
  });
}
