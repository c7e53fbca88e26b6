/**
 * What balance N, zones and capacities allow, found without `claim` and `shares`: by trying how much load for its
 * capacity the most loaded member must have.
 */

import type { Placed } from "../../src/core/ring/claim.ts";

interface Cluster {
  readonly members: readonly Placed[];
  readonly partitions: number;
  /** Seats a partition. */
  readonly copies: number;
}

const byZone = (members: readonly Placed[]): readonly (readonly Placed[])[] => {
  const zones = new Map<string, Placed[]>();
  for (const member of members) zones.set(member.zone, [...(zones.get(member.zone) ?? []), member]);
  return [...zones.values()];
};

/** Seats that find room if each member takes what `room` says, within the rules; undefined where a zone cannot fill its part. */
function seatsWithin({ members, partitions, copies }: Cluster, room: (member: Placed) => number): number | undefined {
  const zones = byZone(members);
  let seats = 0;
  for (const zone of zones) {
    const sum = zone.reduce((total, member) => total + Math.min(partitions, room(member)), 0);
    if (zones.length < copies && sum < partitions) return undefined;
    seats += zones.length < copies ? sum : Math.min(partitions, sum);
  }
  return seats;
}

/** The least that the greatest load for a member's capacity can be, in whole seats. */
export function leastGreatestLoad(cluster: Cluster): number {
  const { members, partitions, copies } = cluster;
  const capacities = [...new Set(members.map(({ capacity }) => capacity))];
  const levels = capacities.flatMap((capacity) => Array.from({ length: partitions }, (_, i) => (i + 1) / capacity));
  levels.sort((a, b) => a - b);
  let low = 0;
  let high = levels.length - 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const level = levels[middle] as number;
    const seats = seatsWithin(cluster, ({ capacity }) => Math.floor(level * capacity + 1e-9));
    if (seats !== undefined && seats >= partitions * copies) high = middle;
    else low = middle + 1;
  }
  return levels[low] as number;
}

/**
 * Each member's share if seats could be cut into parts: the same level of load for all, where a member, a zone or the
 * need of a zone does not set another. `isFree` says whether none of these had to.
 */
export function idealShares({ members, partitions, copies }: Cluster): {
  readonly shares: readonly number[];
  readonly isFree: boolean;
} {
  const zones = byZone(members);
  const sumAt = (zone: readonly Placed[], level: number): number =>
    zone.reduce((sum, { capacity }) => sum + Math.min(partitions, level * capacity), 0);
  const solve = (sum: (level: number) => number, wanted: number): number => {
    let [low, high] = [0, partitions];
    for (let i = 0; i < 80; i++) {
      const middle = (low + high) / 2;
      if (sum(middle) < wanted) low = middle;
      else high = middle;
    }
    return high;
  };
  const isFewZones = zones.length < copies;
  // Of a zone: the level at which it has one copy of every partition, its most or its least.
  const limits = zones.map((zone) =>
    sumAt(zone, partitions) < partitions ? partitions : solve((l) => sumAt(zone, l), partitions),
  );
  const levelOf = (zone: number, level: number): number =>
    isFewZones ? Math.max(level, limits[zone] as number) : Math.min(level, limits[zone] as number);
  const total = (level: number): number => zones.reduce((sum, zone, i) => sum + sumAt(zone, levelOf(i, level)), 0);
  const level = solve(total, partitions * copies);
  const shares = members.map((member) => {
    const zone = zones.findIndex((members) => members.includes(member));
    return Math.min(partitions, levelOf(zone, level) * member.capacity);
  });
  const plain = (partitions * copies) / members.reduce((sum, { capacity }) => sum + capacity, 0);
  const isFree = shares.every((share, i) => Math.abs(share - plain * (members[i] as Placed).capacity) < 1e-6);
  return { shares, isFree };
}
