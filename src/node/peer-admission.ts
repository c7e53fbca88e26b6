/** Who may ask this node about data, and what it says where a member is not who it was: sentences for logs and peers. */

import type { Hello } from "../wire/message.ts";
import type { Membership } from "./membership.ts";
import type { NodeOptions } from "./node-options.ts";

export interface PeerRefused {
  readonly code: "not-ready" | "superseded";
  readonly detail: string;
}

/**
 * Data is for members that are who they were when they joined. Undefined: it may ask. `isSeats`: it asks for what makes a
 * seat pass on, in which one that was removed, and is alive, has its part.
 */
export function reasonToRefuse(
  membership: Membership,
  isServing: boolean,
  asker: Hello,
  isSeats: boolean,
): PeerRefused | undefined {
  const { node, incarnation, name } = asker;
  if (!isServing) return { code: "not-ready", detail: `${membership.name} is starting or stopping` };
  if (membership.departed !== undefined && !isSeats) {
    return { code: "superseded", detail: departedAs(membership.departed, membership.name) };
  }
  if (membership.ring.removed.has(node)) {
    return isSeats ? undefined : { code: "superseded", detail: `${name} was removed from the cluster` };
  }
  const member = membership.ring.members.get(node);
  if (member === undefined || member.incarnation === incarnation) return undefined;
  if (!membership.isSuperseded(node, incarnation)) return undefined;
  return { code: "superseded", detail: `another process has taken the place of this ${name}` };
}

/** How this node presents itself on every connection. */
export function helloOf({ isMember, self: node, cluster, incarnation, name }: Membership): Hello {
  return { kind: "hello", id: 0, role: isMember ? "member" : "joiner", cluster, node, incarnation, name };
}

/** Why a node whose engine cannot read what it stored must not go on. */
export function damagedStore(name: string, why: string): string {
  return `the store of ${name} is damaged: ${why}; started again, it sets it aside and is filled by the other members`;
}

/** Why a directory without a member in it must not be used, where it was to have one; undefined where it may. */
export function lostStore({ name, expectCluster: cluster, isEmptied, join }: NodeOptions): string | undefined {
  if (cluster === undefined || (isEmptied && join.length > 0)) return undefined;
  const remedy = `start ${name} with an empty directory and --join, and it takes its place again`;
  return `the store of a member of cluster ${cluster} is gone: ${remedy}`;
}

/** Why a directory that knows less of its own node than others do must not be used. */
export function outdatedBy({ name, incarnation }: Membership): string {
  const what = `others know a newer word of ${name} (${incarnation}) than this data directory`;
  const why = "it is an older copy, a restored backup perhaps, or another process runs on a copy of it";
  return `${what}: ${why}; start ${name} with an empty directory and --join, and it takes its place again`;
}

/** What became of a member that is none any more. */
export function departedAs(departed: "left" | "removed", name: string): string {
  if (departed === "left") return `${name} has left the cluster; its directory can be deleted`;
  return `${name} was removed from the cluster, and stays out; with an empty directory it may join again`;
}

/** Why this directory must not be used any more. */
export function supersededBy({ self, name, incarnation, ring }: Membership): string {
  const now = ring.members.get(self)?.incarnation;
  return `${name} took its place again with another directory (${now}); this one (${incarnation}) must not be used`;
}
