/** One node of our store, as a process that a benchmark has started. */

import type { BucketChange } from "../core/settings.ts";
import { letHeapGrow } from "../host/heap-growth.ts";
import { type RunningNode, type StartNodeOptions, startNode } from "../host/start-node.ts";
import { serveParent } from "./child-process.ts";

let node: RunningNode | undefined;

function running(): RunningNode {
  if (node === undefined) throw new Error("the node was not started");
  return node;
}

serveParent(
  {
    start: async (options) => {
      letHeapGrow();
      node = await startNode(options as StartNodeOptions);
      const { members, name } = node.api.cluster();
      return members.find((member) => member.name === name)?.peer;
    },
    http: () => running().http,
    metrics: () => running().api.metrics(),
    leak: (bytes) => {
      const kept: Uint8Array[] = [];
      setInterval(() => kept.push(new Uint8Array(bytes as number).fill(1)), 1000);
      return kept.length;
    },
    repair: () => running().api.startRepair(),
    repairing: () => running().api.repair().running,
    cluster: () => {
      const { members, pendingTransfers } = running().api.cluster();
      return { up: members.filter(({ status }) => status !== "down").length, pendingTransfers };
    },
    bucket: async (what) => {
      const { name, change } = what as { name: string; change: BucketChange };
      await running().api.setBucket(name, change);
    },
  },
  async () => node?.stop(),
);
