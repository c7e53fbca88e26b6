/**
 * How few members any node took the cluster to have, and when: so many owners a request can have asked for at the most,
 * whatever its n. Looked at whenever a client calls or is answered, which is every few ms.
 */

import type { SimCluster } from "./cluster.ts";

interface Seen {
  readonly at: number;
  readonly fewest: number;
}

export class FewestMembers {
  readonly #cluster: SimCluster;
  /** Each holds until the next. */
  readonly #seen: Seen[] = [];

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** Looks at what all nodes see now. */
  look(): void {
    const views = this.#cluster.members.flatMap(({ node }) => node?.cluster().members.length ?? []);
    const fewest = Math.min(...views);
    if (this.#seen.at(-1)?.fewest !== fewest) this.#seen.push({ at: this.#cluster.simulation.now, fewest });
  }

  /** The fewest that were seen at or after `began`. */
  since(began: number): number {
    let fewest = Number.POSITIVE_INFINITY;
    for (let i = this.#seen.length - 1; i >= 0; i--) {
      const seen = this.#seen[i] as Seen;
      fewest = Math.min(fewest, seen.fewest);
      if (seen.at <= began) break;
    }
    return fewest;
  }
}
