/**
 * What happens to links: cuts, one-way and whole, splits of all kinds, links that come and go, connections that are
 * reset, damaged or forgotten on the way, slowness.
 */

import type { SimCluster, SimMember } from "./cluster.ts";
import type { Prng } from "./prng.ts";

export const linkFaultNames = [
  "cut",
  "one-way cut",
  "split",
  "owners cut off",
  "flapping link",
  "reset",
  "half-open connection",
  "corruption",
  "slow network",
] as const;
export type LinkFaultName = (typeof linkFaultNames)[number];

type Way = readonly [from: SimMember, to: SimMember];

export class LinkFaults {
  readonly #cluster: SimCluster;
  readonly #prng: Prng;
  #isOver = false;

  constructor(cluster: SimCluster, prng: Prng) {
    this.#cluster = cluster;
    this.#prng = prng;
  }

  /** All links carry again; a connection that was forgotten stays so, since nothing but its ends could tell. */
  heal(): void {
    this.#isOver = true;
    this.#cluster.network.traits = this.#cluster.plan.link;
    this.#cluster.network.mendAll();
  }

  /** Does it; says to whom, or undefined where there was nobody. */
  strike(fault: LinkFaultName): string | undefined {
    const prng = this.#prng;
    const { members, network } = this.#cluster;
    const one = prng.pick(members);
    const other = prng.pick(members);
    const name = one.machine.name;
    switch (fault) {
      case "cut":
        if (one === other) return undefined;
        this.#cut(bothWays(one, other), prng.skewed(50, 10_000));
        return `${name} and ${other.machine.name}`;
      case "one-way cut":
        if (one === other) return undefined;
        this.#cut([[one, other]], prng.skewed(50, 10_000));
        return `${name} to ${other.machine.name}`;
      case "split": {
        const shuffled = prng.shuffled(members);
        const size = prng.between(1, shuffled.length - 1);
        return this.#split(shuffled.slice(0, size), shuffled.slice(size), prng.skewed(100, 10_000));
      }
      case "owners cut off":
        return this.#cutOffOwners(one, prng.skewed(100, 10_000));
      case "flapping link":
        if (one === other) return undefined;
        this.#flap(bothWays(one, other), this.#cluster.simulation.now + prng.skewed(500, 8000));
        return `${name} and ${other.machine.name}`;
      case "reset": {
        let resets = 0;
        for (let i = prng.between(1, 5); i > 0; i--) if (network.resetOne()) resets++;
        return resets === 0 ? undefined : `${resets} connections`;
      }
      case "half-open connection":
        return network.forgetOne() ? "something on the way forgets a connection" : undefined;
      case "corruption":
        return network.corruptOne() ? "one bit on its way" : undefined;
      case "slow network":
        return this.#slowDown(prng.skewed(200, 5000));
    }
  }

  #cut(ways: readonly Way[], durationMs: number): void {
    const { network } = this.#cluster;
    for (const [from, to] of ways) network.cut(from.machine, to.machine);
    this.#after(durationMs, () => {
      for (const [from, to] of ways) network.mend(from.machine, to.machine);
    });
  }

  #split(left: readonly SimMember[], right: readonly SimMember[], durationMs: number): string {
    this.#cut(
      left.flatMap((a) => right.flatMap((b) => bothWays(a, b))),
      durationMs,
    );
    const names = (side: readonly SimMember[]): string => side.map(({ machine }) => machine.name).join(" ");
    return `${names(left)} | ${names(right)}`;
  }

  /** A key's owners on one side, its fallbacks on the other. */
  #cutOffOwners({ node }: SimMember, durationMs: number): string | undefined {
    const { members, plan } = this.#cluster;
    const key = `k${this.#prng.below(plan.keysPerBucket)}`;
    const place = node?.isReady !== true ? undefined : node.locate(this.#prng.pick(plan.buckets).name, key);
    if (place === undefined) return undefined;
    const names = new Set(place.preferenceList.slice(0, place.n).map(({ name }) => name));
    const owners = members.filter(({ machine }) => names.has(machine.name));
    const fallbacks = members.filter(({ machine }) => !names.has(machine.name));
    return fallbacks.length === 0 ? undefined : this.#split(owners, fallbacks, durationMs);
  }

  #flap(ways: readonly Way[], until: number): void {
    const { network, simulation } = this.#cluster;
    if (this.#isOver || simulation.now >= until) return;
    for (const [from, to] of ways) network.cut(from.machine, to.machine);
    this.#after(this.#prng.skewed(5, 1000), () => {
      for (const [from, to] of ways) network.mend(from.machine, to.machine);
      this.#after(this.#prng.skewed(5, 500), () => this.#flap(ways, until));
    });
  }

  #slowDown(durationMs: number): string {
    const { network, plan } = this.#cluster;
    network.traits = {
      ...network.traits,
      mostDelayMs: this.#prng.pick([100, 400, 2000]),
      spikeChance: 0.05,
      spikeMs: 4000,
    };
    this.#after(durationMs, () => {
      network.traits = plan.link;
    });
    return `for ${durationMs.toFixed(0)} ms`;
  }

  #after(delayMs: number, run: () => void): void {
    this.#cluster.simulation.schedule(delayMs, undefined, run);
  }
}

function bothWays(one: SimMember, other: SimMember): readonly Way[] {
  return [
    [one, other],
    [other, one],
  ];
}
