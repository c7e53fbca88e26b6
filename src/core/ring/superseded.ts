/**
 * Whether a process under a member's id is that member: its directory may have been lost and another have taken its
 * place, or nobody may have and the member was removed. Then what it holds is out of date and its word counts for
 * nothing.
 */

import type { NodeId } from "../ids.ts";
import type { HistoryEvent } from "../membership/event.ts";
import { compareEventNames, compareEvents, eventName } from "../membership/history.ts";
import type { Ring } from "./ring.ts";

/** Whether the process with this id and incarnation has been replaced or removed, as far as the ring knows. */
export function isSupersededIn(ring: Ring, node: NodeId, incarnation: string): boolean {
  if (ring.removed.has(node)) return true;
  const member = ring.members.get(node);
  if (member === undefined || compareEventNames(member.incarnation, incarnation) <= 0) return false;
  const directory = directoryAt(ring, incarnation);
  // An older join of the same directory, or one that is not known here, replaced nobody.
  return directory !== undefined && directory !== member.directory;
}

/**
 * Whether the member had that incarnation, too, in the directory that it has: who asks two members to let it in, since the
 * first did not answer in time, joins twice.
 */
export function hadIncarnation(ring: Ring, node: NodeId, incarnation: string): boolean {
  const member = ring.members.get(node);
  return member !== undefined && directoryAt(ring, incarnation) === member.directory;
}

function directoryAt({ history }: Ring, incarnation: string): NodeId | undefined {
  const joined = history.find((event) => eventName(event) === incarnation);
  return joined && directoryOf(joined);
}

/**
 * How the node ceased to be a member: it recorded itself that it had handed everything over, or somebody else that it
 * was lost. Undefined while it is one.
 */
export function departureIn({ removed, history }: Ring, node: NodeId): "left" | "removed" | undefined {
  if (!removed.has(node)) return undefined;
  const own = history.filter((event) => event.author === node && event.kind === "remove" && event.node === node);
  const left = history.find((event) => event.kind === "leave" && event.node === node);
  return left !== undefined && own.some((event) => compareEvents(left, event) < 0) ? "left" : "removed";
}

/** The id of the directory that a founding or a join made a member; undefined for an event that is neither. */
function directoryOf(event: HistoryEvent): NodeId | undefined {
  if (event.kind === "found") return event.author;
  return event.kind === "join" ? event.directory : undefined;
}
