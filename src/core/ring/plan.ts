/**
 * What a change of membership would move, before anybody decides on it: who gains and who loses how many partitions.
 *
 * It is the claim itself that is asked, on the members as they would be, so that a plan is what will happen if nothing
 * else changes first. One thing is not known in advance: a joining node's id, by which ties are broken. So the plan
 * says how many partitions go where, and not which.
 */

import type { NodeId } from "../ids.ts";
import { claim, type Seats } from "./claim.ts";
import { type Member, staying } from "./members.ts";
import { memberNamed, type Ring } from "./ring.ts";

/** A change of one member, by its name. */
export type ProposedChange =
  | { readonly kind: "join"; readonly name: string; readonly zone: string; readonly capacity: number }
  | { readonly kind: "leave" | "remove"; readonly name: string }
  | { readonly kind: "capacity"; readonly name: string; readonly capacity: number }
  | { readonly kind: "zone"; readonly name: string; readonly zone: string };

/** One member's part. */
export interface PlannedMember {
  readonly name: string;
  readonly zone: string;
  readonly capacity: number;
  /** Partitions of which it holds a seat, before and after. */
  readonly before: number;
  readonly after: number;
  /** Partitions whose data comes to it, and those whose data goes. */
  readonly gains: number;
  readonly loses: number;
}

export interface Plan {
  readonly kind: "plan";
  /** Who is a member before or after, in the order they joined. */
  readonly members: readonly PlannedMember[];
  /** Copies of partitions that must be moved to another node. */
  readonly moves: number;
  /** What members would hold more than now, in all: so many copies move at least, whoever holds which. */
  readonly fewest: number;
  /** Copies of each partition, and in how many zones they are, before and after. */
  readonly copies: Spread;
  readonly zones: Spread;
  /** Mean load for a capacity as part of the greatest: 1 is even (§6.2, Figure 8). */
  readonly efficiency: Spread;
}

export interface Spread {
  readonly before: number;
  readonly after: number;
}

/** Why a change would do nothing: it cannot be, or its member is not known. */
export interface NoPlan {
  readonly kind: "void" | "no-such-member";
  /** A sentence that names what is in the way. */
  readonly why: string;
}

export type PlanOutcome = Plan | NoPlan;

/** No node's: ids are drawn at random. */
const newcomer = "ffffffffffffffff" as NodeId;

/** What would come of the change, or why nothing would. */
export function planChange(ring: Ring, change: ProposedChange): PlanOutcome {
  const before = staying(ring.members);
  const known = memberNamed(ring, change.name);
  if (known === undefined && change.kind !== "join") {
    return { kind: "no-such-member", why: `there is no member ${change.name}` };
  }
  const why = whyVoid(before, known, change);
  if (why !== undefined) return { kind: "void", why };
  const changed = membersAfter(before, change);
  const size = { partitions: ring.settings.partitions, copies: ring.settings.n };
  const seats = claim(ring.seats, changed, size);
  const now = new Map(changed.map((member) => [member.node, member]));
  const everybody = [
    ...before.map((member) => now.get(member.node) ?? member),
    ...changed.filter(({ node }) => node === newcomer),
  ];
  const members = everybody.map((member) => plannedMember(member, ring.seats, seats));
  return {
    kind: "plan",
    members,
    moves: members.reduce((sum, { gains }) => sum + gains, 0),
    fewest: members.reduce((sum, { before, after }) => sum + Math.max(0, after - before), 0),
    copies: { before: ring.seats[0]?.length ?? 0, after: seats[0]?.length ?? 0 },
    zones: { before: zonesCovered(ring.seats, before), after: zonesCovered(seats, changed) },
    efficiency: { before: efficiency(ring.seats, before), after: efficiency(seats, changed) },
  };
}

/** Why the change would do nothing; undefined where it would do something. */
function whyVoid(before: readonly Member[], known: Member | undefined, change: ProposedChange): string | undefined {
  const { name } = change;
  if (change.kind === "join") return known === undefined ? undefined : `the name ${name} is taken by a member`;
  switch (change.kind) {
    case "leave":
    case "remove":
      if (change.kind === "leave" && known?.isLeaving) return `${name} is leaving already`;
      return before.every((member) => member === known) ? `${name} is the last member` : undefined;
    case "capacity":
      return known?.capacity === change.capacity ? `${name} has capacity ${change.capacity} already` : undefined;
    case "zone":
      return known?.zone === change.zone ? `${name} is in zone "${change.zone}" already` : undefined;
  }
}

/** The members as they would be. */
function membersAfter(before: readonly Member[], change: ProposedChange): readonly Member[] {
  const { name } = change;
  switch (change.kind) {
    case "join": {
      const { zone, capacity } = change;
      const who = { node: newcomer, directory: newcomer, name, zone, capacity };
      return [...before, { ...who, incarnation: "", isLeaving: false }];
    }
    case "leave":
    case "remove":
      return before.filter((member) => member.name !== name);
    case "capacity":
      return before.map((member) => (member.name === name ? { ...member, capacity: change.capacity } : member));
    case "zone":
      return before.map((member) => (member.name === name ? { ...member, zone: change.zone } : member));
  }
}

function plannedMember(
  { node, name, zone, capacity }: Member,
  before: readonly Seats[],
  after: readonly Seats[],
): PlannedMember {
  let [held, holds, gains] = [0, 0, 0];
  for (const [partition, holders] of after.entries()) {
    const had = before[partition]?.includes(node) === true;
    const has = holders.includes(node);
    if (had) held++;
    if (has) holds++;
    if (has && !had) gains++;
  }
  return { name, zone, capacity, before: held, after: holds, gains, loses: held + gains - holds };
}

function zonesCovered(seats: readonly Seats[], members: readonly Member[]): number {
  const zones = new Map(members.map(({ node, zone }) => [node, zone]));
  return seats.reduce((least, holders) => {
    return Math.min(least, new Set(holders.map((node) => zones.get(node))).size);
  }, Number.POSITIVE_INFINITY);
}

function efficiency(seats: readonly Seats[], members: readonly Member[]): number {
  const held = new Map<NodeId, number>();
  for (const holders of seats) for (const node of holders) held.set(node, (held.get(node) ?? 0) + 1);
  const total = members.reduce((sum, { capacity }) => sum + capacity, 0);
  const all = [...held.values()].reduce((sum, each) => sum + each, 0);
  const greatest = Math.max(...members.map(({ node, capacity }) => (held.get(node) ?? 0) / capacity));
  return all / total / greatest;
}
