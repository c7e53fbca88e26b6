/** Bounds: what a node queues never passes its limits. Looked at often, while faults are on. */

import type { SimCluster, SimMember } from "../cluster.ts";
import type { Plan } from "../plan.ts";

interface Bound {
  /** The largest level allowed: the limit, and what a single request may still add once the limit is reached. */
  readonly most: number;
  readonly unit: string;
}

function boundsOf({ limits }: Plan): ReadonlyMap<string, Bound> {
  return new Map([
    ["cartwheel_coordinations", { most: limits.coordinations, unit: "requests" }],
    ["cartwheel_write_buffer_bytes", { most: limits.writeBufferBytes + 2 * limits.stateBytes, unit: "bytes" }],
  ]);
}

/** Answers how many levels it looked at. */
export function checkBounds(cluster: SimCluster, member: SimMember): number {
  const { simulation, plan, network } = cluster;
  const { node } = member;
  const { process, name } = member.machine;
  if (node === undefined || process === undefined) return 0;
  const bounds = boundsOf(plan);
  let looked = 1;
  for (const sample of node.metrics()) {
    const bound = bounds.get(sample.name);
    if (bound === undefined) continue;
    looked++;
    if (sample.value > bound.most) {
      simulation.violate(
        "bounds",
        `${name}: ${sample.name} is ${sample.value} ${bound.unit}, at most ${bound.most} are allowed`,
      );
    }
  }
  const queued = network.largestQueue(process);
  const mostQueued = plan.limits.connectionQueueBytes + 2 * plan.limits.frameBytes;
  if (queued > mostQueued) {
    simulation.violate("bounds", `${name}: a connection holds ${queued} bytes back, at most ${mostQueued} are allowed`);
  }
  return looked;
}
