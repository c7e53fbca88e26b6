/**
 * Finds out whether the addresses an operator gave belong to this node's cluster. A directory that is another
 * cluster's would otherwise start without a word, and serve data that nobody there knows.
 */

import type { Limits } from "../core/limits.ts";
import { Peers } from "../rpc/peers.ts";
import type { Address } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Membership } from "./membership.ts";

/** How long a seed may take to say who it is, in ms. */
const timeoutMs = 2000;

/** The sentence that says which address is of which other cluster, or undefined. A seed that is silent says nothing. */
export async function foreignSeed(
  runtime: Runtime,
  limits: Limits,
  membership: Membership,
  seeds: readonly Address[],
): Promise<string | undefined> {
  const { self: node, name, cluster } = membership;
  let foreign: string | undefined;
  const peers = new Peers({
    runtime,
    limits,
    // Who asks without a cluster is told any cluster's id.
    hello: () => ({ kind: "hello", id: 0, role: "joiner", cluster: "", node, incarnation: "", name }),
    addressOf: () => undefined,
    onHello: (hello, address) => {
      if (hello.cluster === "" || hello.cluster === cluster) return;
      foreign = `this data directory belongs to cluster ${cluster}, and ${address} is ${hello.name} of cluster ${hello.cluster}`;
    },
  });
  await Promise.all(seeds.map((seed) => peers.askAddress(seed, { kind: "ping", id: 0 }, timeoutMs)));
  peers.stop();
  return foreign;
}
