/**
 * Who belongs to the cluster, event by event: what each change of membership means, and when it means nothing (§4.8.1).
 *
 * Events that were accepted on two sides of a split meet here in one order, and some then contradict each other. What
 * cannot be is void, the same on every node: a join under a name or an id that may not be used, a change of who is no
 * member, and a leave or removal after which nobody would be left to hold anything. A removal is final for its id,
 * whatever else is said of it later.
 */

import type { NodeId } from "../ids.ts";
import type { HistoryEvent, JoinEvent } from "../membership/event.ts";
import { eventName } from "../membership/history.ts";

export interface Member {
  readonly node: NodeId;
  /** For people; no two members have the same. */
  readonly name: string;
  readonly zone: string;
  readonly capacity: number;
  /** The name of the event by which it last became a member: another process under its id is an impostor or a ghost. */
  readonly incarnation: string;
  /** The id that the directory of that incarnation drew. */
  readonly directory: NodeId;
  /** Whether it is to hand over what it holds: it has no seats, and stands in for nobody. */
  readonly isLeaving: boolean;
}

/** Changed in place by one fold, which owns it. */
export interface People {
  /** In the order they joined. */
  readonly members: Map<NodeId, Member>;
  readonly removed: Set<NodeId>;
}

/** Those that may hold seats. */
export function staying(members: ReadonlyMap<NodeId, Member>): readonly Member[] {
  return [...members.values()].filter((member) => !member.isLeaving);
}

/** Does what the event says, unless it is void. Answers whether the seats must be placed anew. */
export function apply(
  { members, removed }: People,
  event: Exclude<HistoryEvent, { kind: "found" | "bucket" }>,
): boolean {
  if (event.kind === "join") return !removed.has(event.node) && join(members, event);
  const { node } = event;
  const member = members.get(node);
  const isNeeded = staying(members).every((other) => other.node === node);
  switch (event.kind) {
    case "leave":
      if (member === undefined || member.isLeaving || isNeeded) return false;
      members.set(node, { ...member, isLeaving: true });
      return true;
    case "stay":
      if (member === undefined || !member.isLeaving) return false;
      members.set(node, { ...member, isLeaving: false });
      return true;
    case "remove":
      if (isNeeded) return false;
      removed.add(node);
      return members.delete(node) && member?.isLeaving === false;
    case "capacity":
      if (member === undefined || member.capacity === event.capacity) return false;
      members.set(node, { ...member, capacity: event.capacity });
      return !member.isLeaving;
    case "zone":
      if (member === undefined || member.zone === event.zone) return false;
      members.set(node, { ...member, zone: event.zone });
      return !member.isLeaving;
  }
}

/**
 * A member that joins again keeps its place and its seats. A join under a name that another member has is void: its
 * sponsor could not know, and two members must not answer to one name.
 */
function join(members: Map<NodeId, Member>, event: JoinEvent): boolean {
  const { node, directory, name, zone, capacity } = event;
  const incarnation = eventName(event);
  const known = members.get(node);
  if (known !== undefined) {
    members.set(node, { ...known, incarnation, directory });
    return false;
  }
  for (const member of members.values()) if (member.name === name) return false;
  members.set(node, { node, name, zone, capacity, incarnation, directory, isLeaving: false });
  return true;
}
