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
import type { Ring } from "./ring.ts";

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
  /** Copies of each partition, and in how many zones they are, before and after. */
  readonly copies: Spread;
  readonly zones: Spread;
  /** Mean load for a capacity as part of the greatest: 1 is even (§6.2, Figure 8). */
  readonly balance: Spread;
}

export interface Spread {
  readonly before: number;
  readonly after: number;
}

export type PlanOutcome = Plan | { readonly kind: "void"; readonly why: string };

/** No node's: ids are drawn at random. */
const newcomer = "ffffffffffffffff" as NodeId;

/** What would come of the change; `void` where it cannot be, and why. */
export function planChange(ring: Ring, change: ProposedChange): PlanOutcome {
  const before = staying(ring.members);
  const changed = membersAfter(before, ring, change);
  if (typeof changed === "string") return { kind: "void", why: changed };
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
    copies: { before: ring.seats[0]?.length ?? 0, after: seats[0]?.length ?? 0 },
    zones: { before: zonesCovered(ring.seats, before), after: zonesCovered(seats, changed) },
    balance: { before: balance(ring.seats, before), after: balance(seats, changed) },
  };
}

/** The members as they would be, or why the change would be void. */
function membersAfter(before: readonly Member[], ring: Ring, change: ProposedChange): readonly Member[] | string {
  const { name } = change;
  const known = [...ring.members.values()].find((member) => member.name === name);
  if (change.kind === "join") {
    if (known !== undefined) return `the name ${name} is taken by a member`;
    const { zone, capacity } = change;
    const who = { node: newcomer, directory: newcomer, name, zone, capacity };
    return [...before, { ...who, incarnation: "", founding: false, isLeaving: false }];
  }
  if (known === undefined) return `there is no member ${name}`;
  const { node } = known;
  switch (change.kind) {
    case "leave":
    case "remove":
      if (change.kind === "leave" && known.isLeaving) return `${name} is leaving already`;
      if (before.every((member) => member.node === node)) return `${name} is the last member`;
      return before.filter((member) => member.node !== node);
    case "capacity":
      return before.map((member) => (member.node === node ? { ...member, capacity: change.capacity } : member));
    case "zone":
      return before.map((member) => (member.node === node ? { ...member, zone: change.zone } : member));
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

function balance(seats: readonly Seats[], members: readonly Member[]): number {
  const held = new Map<NodeId, number>();
  for (const holders of seats) for (const node of holders) held.set(node, (held.get(node) ?? 0) + 1);
  const total = members.reduce((sum, { capacity }) => sum + capacity, 0);
  const all = [...held.values()].reduce((sum, each) => sum + each, 0);
  const greatest = Math.max(...members.map(({ node, capacity }) => (held.get(node) ?? 0) / capacity));
  return all / total / greatest;
}
