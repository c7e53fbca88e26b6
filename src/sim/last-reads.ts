/**
 * Liveness and agreement: once all is healed, every node can read a key with all of its owners' voices, and all show the
 * same. Each reads twice: the first round repairs what the second must agree on.
 */

import type { SimCluster, SimMember } from "./cluster.ts";
import { dotName, type KeyJournal, type ReadEntry } from "./journal.ts";
import type { Client } from "./workload.ts";

/** The second round's reads of each key, where they succeeded. */
export async function lastReads(
  cluster: SimCluster,
  client: Client,
  keys: readonly KeyJournal[],
  withinMs: number,
): Promise<ReadonlyMap<KeyJournal, readonly ReadEntry[]>> {
  const found = new Map<KeyJournal, readonly ReadEntry[]>();
  for (let round = 0; round < 2; round++) {
    for (const key of keys) {
      const reads: ReadEntry[] = [];
      for (const member of cluster.members) {
        const read = await readAll(cluster, client, member, { key, withinMs });
        if (read !== undefined) reads.push(read);
      }
      found.set(key, reads);
    }
    await cluster.simulation.run(1000);
  }
  for (const [key, reads] of found) {
    for (const read of reads) read.isLast = true;
    checkAgreement(cluster, key, reads);
  }
  return found;
}

/** A read with all voices, tried until it succeeds. */
async function readAll(
  { simulation }: SimCluster,
  client: Client,
  member: SimMember,
  { key, withinMs }: { readonly key: KeyJournal; readonly withinMs: number },
): Promise<ReadEntry | undefined> {
  const until = simulation.now + withinMs;
  let why = "";
  while (simulation.now < until) {
    const read = await simulation.settle(client.read(member, key, "all", "all"), withinMs, "read");
    if (read !== undefined && !("code" in read)) return read;
    why = read?.detail ?? "no answer";
    await simulation.run(500);
  }
  const what = `${member.machine.name} cannot read ${key.bucket}/${key.key} with all voices: ${why}`;
  simulation.violate("liveness", what);
  return undefined;
}

function checkAgreement({ simulation }: SimCluster, key: KeyJournal, reads: readonly ReadEntry[]): void {
  const shownBy = ({ shown }: ReadEntry): string =>
    shown
      .map(({ dot }) => dotName(dot))
      .sort()
      .join(" ");
  const first = reads[0];
  if (first === undefined) return;
  const other = reads.find((read) => shownBy(read) !== shownBy(first));
  if (other === undefined) return;
  const what = `${first.node} and ${other.node} show different versions of ${key.bucket}/${key.key} after repair`;
  simulation.violate("agreement", `${what}\n${key.story()}`);
}
