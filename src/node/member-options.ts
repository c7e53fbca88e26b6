/**
 * What the operator says of a node at its start, held against what its directory knows: a node that is told otherwise
 * does not start, since one of the two is not what its operator thinks.
 */

import type { Ring } from "../core/ring/ring.ts";
import { departureIn } from "../core/ring/superseded.ts";
import { type ClusterSettings, settingsMismatch } from "../core/settings.ts";
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

/** What the operator says that is not so, as a sentence; undefined where all of it is. */
export function mismatch(options: MemberOptions, identity: Identity, ring: Ring): string | undefined {
  const { name, zone, capacity, settings } = options;
  if (identity.name !== name) return `this data directory is that of node ${identity.name}, not of ${name}`;
  const member = ring.members.get(identity.node);
  const departed = departureIn(ring, identity.node);
  if (departed !== undefined) return departedAs(departed, name);
  if (member === undefined) return `this data directory's history does not know its own node ${identity.name}`;
  if (zone !== undefined && zone !== member.zone) return `${name} joined in zone "${member.zone}", not "${zone}"`;
  if (capacity !== undefined && capacity !== member.capacity) {
    return `${name} joined with capacity ${member.capacity}, not ${capacity}`;
  }
  return settingsMismatch(ring.settings, settings);
}
