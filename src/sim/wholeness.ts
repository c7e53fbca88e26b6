/**
 * When a cluster is whole, and when every change of its members is complete: what a healed cluster must come to by
 * itself, within bounded time.
 */

import type { PartitionId } from "../core/ids.ts";
import { hashOfKnown } from "../core/seats/known-hash.ts";
import { hintsOn } from "./checkers/handoff.ts";
import type { SimCluster } from "./cluster.ts";

/**
 * Every node is a ready member, all know the same ring, and each has been up for each other since `seenUp` was begun:
 * not all at one moment, where the links hold packets back for longer than anybody waits before suspecting.
 */
export function isWhole({ members }: SimCluster, seenUp: Set<string>): boolean {
  const events = new Set<number>();
  for (const { node } of members) {
    if (node?.isReady !== true) return false;
    const cluster = node.cluster();
    if (cluster.members.length !== members.length) return false;
    for (const { name, status } of cluster.members)
      if (status === "up" || status === "joining") seenUp.add(`${node.name}>${name}`);
    events.add(node.history().length);
  }
  const names = members.map(({ machine }) => machine.name);
  return events.size === 1 && names.every((one) => names.every((other) => seenUp.has(`${one}>${other}`)));
}

export function describeMembers({ members }: SimCluster): string {
  return members
    .map(({ machine, node }) => {
      if (node === undefined) return `${machine.name} down`;
      const others = node.cluster().members.map(({ name, status }) => `${name} ${status}`);
      return `${machine.name} ${node.isReady ? "ready" : "not ready"} at ring ${node.cluster().ringVersion} (${others.join(", ")})`;
    })
    .join("; ");
}

/** How many seats are on their way, as the one knows it that knows of most. */
export function seatsPending({ members }: SimCluster): number {
  return Math.max(0, ...members.map(({ node }) => node?.transfers().pending ?? 0));
}

/** What is still to be done for changes of members: seats under way, copies to drop, news of seats to spread. */
export function whatIsPending(cluster: SimCluster): string | undefined {
  for (const { machine, node } of cluster.members) {
    const { pending, transfers } = node?.transfers() ?? { pending: 0, transfers: [] };
    const [first] = transfers;
    if (first !== undefined) {
      const waits = first.why === "" ? "" : `: waits for ${first.waitsFor}, ${first.why}`;
      return `${machine.name} has a ${first.kind} of partition ${first.partition} to do${waits}`;
    }
    if (pending > 0) return `${machine.name} knows of ${pending} seats that are not with those who shall hold them`;
  }
  return differingTables(cluster) ?? leftovers(cluster);
}

/** What is no member any more does not run, and who left holds nothing. */
function leftovers({ departed, members, book }: SimCluster): string | undefined {
  const leaving = members.find(({ isLeaving }) => isLeaving);
  if (leaving !== undefined) return `${leaving.machine.name} is still leaving`;
  for (const { machine, standing } of departed) {
    if (machine.process !== undefined)
      return `${machine.name} ${standing === "left" ? "has left" : "was removed"} and runs`;
    if (standing === "removed") continue;
    for (const [partition, { hold }] of book.recordsOf(machine)) {
      if (hold.kind !== "none") return `${machine.name} has left and is ${hold.kind} in partition ${partition}`;
    }
    const hints = hintsOn(machine);
    if (hints > 0) return `${machine.name} has left and keeps ${hints} hints`;
  }
  return undefined;
}

/** One table of seats, on every disk. */
function differingTables({ members, book, plan }: SimCluster): string | undefined {
  for (let partition = 0; partition < plan.settings.partitions; partition++) {
    const known = members.map(({ machine }) => book.record(machine, partition as PartitionId)?.known ?? []);
    const hashes = known.map(hashOfKnown);
    const other = hashes.findIndex((hash) => hash !== hashes[0]);
    if (other < 0) continue;
    const told = `${JSON.stringify(known[0])} and ${JSON.stringify(known[other])}`;
    const names = `${members[0]?.machine.name} and ${members[other]?.machine.name}`;
    return `the disks of ${names} differ about the seats of partition ${partition}: ${told}`;
  }
  return undefined;
}
