/**
 * What the operator says of a node at its start, held against what its directory knows. A node that is told otherwise
 * does not start, since one of the two is not what its operator thinks; but where it was so once, what the cluster was
 * told since wins (`member-changes.ts`): how a node is started is written down in places that nobody remembers.
 */

import type { NodeId } from "../core/ids.ts";
import type { Member, Ring } from "../core/ring/ring.ts";
import { departureIn } from "../core/ring/superseded.ts";
import { type ClusterSettings, settingsMismatch } from "../core/settings.ts";
import type { Log } from "../runtime/log.ts";
import type { Identity } from "./membership-store.ts";
import { departedAs } from "./peer-admission.ts";

/** What the operator said of this node. What is absent is as the directory or the cluster has it, or the default. */
export interface MemberOptions {
  readonly name: string;
  readonly zone?: string | undefined;
  readonly capacity?: number | undefined;
  readonly settings: Partial<ClusterSettings>;
  /** The software's version. */
  readonly software: string;
  /** The only cluster it may belong to, where its directory remembers one. */
  readonly cluster?: string | undefined;
}

/**
 * What the operator says that is not so, and never was, as a sentence; undefined where there is nothing of the kind. The
 * log is told what was so once.
 */
export function mismatch(options: MemberOptions, identity: Identity, ring: Ring, log: Log): string | undefined {
  const { name, zone, capacity, settings } = options;
  if (identity.name !== name) return `this data directory is that of node ${identity.name}, not of ${name}`;
  const member = ring.members.get(identity.node);
  const departed = departureIn(ring, identity.node);
  if (departed !== undefined) return departedAs(departed, name);
  if (member === undefined) return `this data directory's history does not know its own node ${identity.name}`;
  const past = pastOf(ring, identity.node);
  if (zone !== undefined && zone !== member.zone && !past.zones.has(zone)) {
    return `${name} is in zone "${member.zone}", not "${zone}"; cartwheel zone ${name} ${zone} would change that`;
  }
  if (capacity !== undefined && capacity !== member.capacity && !past.capacities.has(capacity)) {
    const remedy = `cartwheel capacity ${name} ${capacity} would change that`;
    return `${name} has capacity ${member.capacity}, not ${capacity}; ${remedy}`;
  }
  for (const told of overruled(options, member)) log.warn(told);
  return settingsMismatch(ring.settings, settings);
}

/** What the operator says that was changed since, a sentence each. */
function overruled({ name, zone, capacity }: MemberOptions, { zone: is, capacity: has }: Member): string[] {
  const told: string[] = [];
  if (zone !== undefined && zone !== is) told.push(`${name} was moved to zone "${is}": zone "${zone}" is out of date`);
  if (capacity !== undefined && capacity !== has) {
    told.push(`${name} was given capacity ${has}: capacity ${capacity} is out of date`);
  }
  return told;
}

/** All zones and capacities that the member had at any time. */
export function pastOf(
  { history }: Ring,
  node: NodeId,
): { readonly zones: ReadonlySet<string>; readonly capacities: ReadonlySet<number> } {
  const zones = new Set<string>();
  const capacities = new Set<number>();
  for (const event of history) {
    if (event.kind === "bucket" || (event.kind === "found" ? event.author : event.node) !== node) continue;
    if ("zone" in event) zones.add(event.zone);
    if ("capacity" in event) capacities.add(event.capacity);
  }
  return { zones, capacities };
}
