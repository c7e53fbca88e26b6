/**
 * A member, one that is to join, or one that was removed and has not heard of it, that knows nobody who is there still, and
 * whom nobody there knows: all that it was told of went meanwhile, and so did whoever let it in, with that news. No node
 * can end this by itself. Its operator, who misses it among the members, starts it again and names some of them.
 */

import type { SimCluster, SimMember } from "./cluster.ts";

export function isStray({ members }: Pick<SimCluster, "members">, member: SimMember): boolean {
  const { node, machine, named } = member;
  const others = members.filter((other) => other !== member && other.hasJoined && other.node?.isReady === true);
  if (node === undefined || others.length === 0) return false;
  const isKnown = others.some((other) => other.node?.cluster().members.some(({ name }) => name === machine.name));
  const there = new Set(others.map((other) => addressOf(other)));
  const known = [...node.cluster().members.map(({ peer }) => peer), ...named];
  return !isKnown && !known.some((address) => there.has(address));
}

/** Where the member listens to its peers. */
export function addressOf({ hostName }: Pick<SimMember, "hostName">): string {
  return `${hostName}:7400`;
}

/** Ends its process as SIGTERM would, and starts it again with the addresses of the others. */
export function nameOthersTo(cluster: SimCluster, member: SimMember): void {
  const { process } = member.machine;
  if (process === undefined) return;
  cluster.simulation.tell(
    "operator",
    `starts ${member.machine.name} again, which nobody knows, and names others to it`,
  );
  member.isToldOfOthers = true;
  process.onDeath(() => {
    cluster.simulation.schedule(1, undefined, () => {
      if (member.machine.process === undefined && !member.isOut) cluster.start(member);
    });
  });
  cluster.stop(member);
}
