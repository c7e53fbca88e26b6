/**
 * How many answers a request can have at best, before anything is asked: what cannot succeed as things stand must not
 * half happen (§4.6).
 */

import type { NodeId } from "../core/ids.ts";
import { type Coordination, zoneOf } from "./coordination.ts";
import { mayAnswer, type Seat, type Wanted } from "./seat.ts";

export interface Reach {
  readonly node: Coordination;
  readonly seats: readonly Seat[];
  /** The seat in which this node stands in, if it is no owner. */
  readonly standsIn: Seat | undefined;
  /** Who could stand in for others, in their order. */
  readonly free: () => readonly NodeId[];
  /** Whether the request asks for answers from several zones. */
  readonly countsZones: boolean;
}

/** The answers, those of owners, and their zones that can come at best, as far as this node knows. */
export function reachable({ node, seats, standsIn, free: freeNow, countsZones }: Reach): Wanted {
  const mayCome = ({ owner }: Seat): boolean => owner === node.self || mayAnswer(node, owner);
  // Nearly always all of them can.
  if (!countsZones && seats.every(mayCome)) {
    let owners = 0;
    for (const { isVacant } of seats) if (!isVacant) owners++;
    return { answers: seats.length, owners, zones: 1 };
  }
  const reached = seats.filter(mayCome);
  const missing = seats.length - reached.length;
  const here = missing > 0 && standsIn !== undefined && !mayCome(standsIn) ? [node.self] : [];
  const free = missing > 0 ? freeNow() : [];
  const standIns = Math.min(missing - here.length, free.length);
  const answers = reached.length + here.length + standIns;
  const owners = reached.filter(({ isVacant }) => !isVacant).length;
  if (!countsZones) return { answers, owners, zones: 1 };
  const zonesOf = (members: readonly NodeId[]): Set<string> =>
    new Set(members.flatMap((member) => zoneOf(node.ring(), member) ?? []));
  const zones = zonesOf([...reached.map(({ owner }) => owner), ...here]);
  const others = new Set([...zonesOf(free)].filter((zone) => !zones.has(zone)));
  return { answers, owners, zones: zones.size + Math.min(missing - here.length, others.size) };
}
