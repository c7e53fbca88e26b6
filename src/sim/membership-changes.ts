/**
 * Changes of the cluster's members while clients and faults go on: what operators do, sensible or not, at any moment.
 */

import type { SimCluster } from "./cluster.ts";
import type { Prng } from "./prng.ts";

export const changeNames = ["join"] as const;
export type ChangeName = (typeof changeNames)[number];

/** A cluster does not grow beyond this: what is run for its members costs the square of them. */
export const mostMembers = 9;

export class MembershipChanges {
  readonly #cluster: SimCluster;
  readonly #prng: Prng;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    this.#prng = cluster.simulation.prng("changes");
  }

  /** Does it, or asks for it; says of whom, or undefined where there was nobody. */
  strike(change: ChangeName): string | undefined {
    switch (change) {
      case "join":
        return this.#join();
    }
  }

  #join(): string | undefined {
    const { members, plan } = this.#cluster;
    if (members.length >= mostMembers) return undefined;
    const zone = `z${this.#prng.between(1, plan.zones)}`;
    const member = this.#cluster.add({ zone, capacity: this.#prng.pick([1, 1, 2, 4]) });
    this.#cluster.start(member);
    return `${member.machine.name} in ${zone}`;
  }
}
