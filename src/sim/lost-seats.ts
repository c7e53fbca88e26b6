/**
 * Which disk may be lost next: what acknowledgements promise survives the loss of one seat of a partition at a time. The
 * next may go when that one's place is taken by a disk that has copied all others. Who was promised help with a seat, or
 * has asked for it (`asked-seats.ts`), counts as its holder, which it may have come to be with nobody knowing, or come to
 * be though it is lost.
 *
 * Nor is the disk lost that took a lost one's place, before all members have heard of it: somebody who has not could
 * have the next one take that place at the same Lamport time, and the dead one's name may be the later.
 */

import type { PartitionId } from "../core/ids.ts";
import { eventName } from "../core/membership/history.ts";
import { neverHeld } from "../core/seats/epoch.ts";
import type { SimCluster, SimMember } from "./cluster.ts";
import type { SimMachine } from "./machine.ts";
import type { Spoken } from "./seat-book.ts";

/** Whether no partition would have lost two of its seats at once, or the only one that has ever had a holder. */
export function maySpare(cluster: SimCluster, machine: SimMachine): boolean {
  void cluster.areAllSound;
  const lost = new Set(cluster.everyone.filter(({ isLost, isHurt }) => isLost || isHurt).map(({ machine }) => machine));
  lost.add(machine);
  for (const [partition, seats] of cluster.book.newest()) {
    const losses = new Set([...promisedTo(cluster, partition, lost), ...cluster.asked.comingTo(partition, lost)]);
    for (const [seat, spoken] of seats) if (!isSound(cluster, partition, spoken, lost)) losses.add(seat);
    if (losses.size > 1 || [...seats.keys()].every((seat) => losses.has(seat))) return false;
  }
  return true;
}

/** The seats that one of the lost was promised help with by one that is not, as far as that one knows. */
function promisedTo(
  { book, everyone }: SimCluster,
  partition: PartitionId,
  lost: ReadonlySet<SimMachine>,
): Set<number> {
  const gone = new Set([...lost].map((machine) => book.identity(machine)?.node));
  const seats = new Set<number>();
  for (const { machine } of everyone) {
    const record = lost.has(machine) ? undefined : book.record(machine, partition);
    for (let grant = record?.grant; grant !== undefined; grant = grant.before) {
      const held = record?.known[grant.seat]?.held ?? neverHeld;
      if (gone.has(grant.by) && held < grant.epoch) seats.add(grant.seat);
    }
  }
  return seats;
}

/** Whether all others know that the member took its place again, if it did. */
export function isHeardOf({ book, members }: SimCluster, member: SimMember): boolean {
  const { incarnation } = book.identity(member.machine) ?? {};
  if (incarnation === undefined || member.wipes === 0) return true;
  return members.every((other) => {
    return other.node?.history().some((event) => eventName(event) === incarnation) === true;
  });
}

/** Whether somebody speaks for the seat, or takes it over from who does. */
function isSound(
  { book, everyone }: SimCluster,
  partition: PartitionId,
  spoken: Spoken,
  lost: ReadonlySet<SimMachine>,
): boolean {
  const { machine, seat, epoch } = spoken;
  if (lost.has(machine) || !book.isThere(spoken)) return false;
  const hold = book.record(machine, partition)?.hold;
  if (hold === undefined || hold.kind === "none" || hold.kind === "former" || hold.seat !== seat) return false;
  if (hold.kind === "active") return hold.epoch === epoch;
  if (hold.kind === "rebuilding") return hold.isHolder && hold.lost === epoch;
  return everyone.some((member) => {
    const { node, incarnation } = book.identity(member.machine) ?? {};
    return node === hold.to.node && incarnation === hold.to.incarnation && !lost.has(member.machine);
  });
}
