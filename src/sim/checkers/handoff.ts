/**
 * Handoff (§4.6): once all is healed, hints go to whom they are for; and where exchanges are switched off and nothing
 * happened that may cost a hint, that alone has brought every acknowledged write to every owner.
 */

import { MalformedBytes } from "../../core/bytes/byte-reader.ts";
import { partitionOf } from "../../core/ring/key-hash.ts";
import { dataKey } from "../../storage/store-key.ts";
import { decodeRecord } from "../../wire/record.ts";
import type { SimCluster, SimMember } from "../cluster.ts";
import type { Journal, KeyJournal, WriteEntry } from "../journal.ts";
import type { SimMachine } from "../machine.ts";
import { leniencyOf } from "../plan.ts";
import { accountsFor, type Seen } from "./accounts-for.ts";

const hintTag = 0x03;

/** How many hints are on the disks of all members. */
export function hintsOnDisks({ members }: SimCluster): number {
  return members.reduce((sum, { machine }) => sum + hintsOn(machine), 0);
}

export function hintsOn({ disk }: SimMachine): number {
  let hints = 0;
  for (const { key } of disk.contents().values()) if (key[0] === hintTag) hints++;
  return hints;
}

/** Every acknowledged write is at every owner. Answers how many such pairs it looked at. */
export function checkHandoff(cluster: SimCluster, journal: Journal): number {
  const node = cluster.members.find((member) => member.node !== undefined)?.node;
  let looked = 0;
  for (const key of journal.keys.values()) {
    const place = node?.locate(key.bucket, key.key);
    const names = new Set(place?.preferenceList.slice(0, place.n).map(({ name }) => name));
    const writes = key.writes.filter(({ fate }) => fate === "acknowledged");
    for (const member of cluster.members) {
      if (!names.has(member.machine.name)) continue;
      looked += writes.length;
      const lacking = firstLacking(cluster, key, member, writes);
      if (lacking === undefined) continue;
      const what = `write ${lacking.number} of ${key.bucket}/${key.key} was acknowledged, and no hint has brought it to its owner ${member.machine.name}`;
      cluster.simulation.violate("handoff", `${what}\n${key.story()}`);
      return looked;
    }
  }
  return looked;
}

function firstLacking(
  { simulation, plan }: SimCluster,
  key: KeyJournal,
  { machine }: SimMember,
  writes: readonly WriteEntry[],
): WriteEntry | undefined {
  const partition = partitionOf(key.bucket, key.key, plan.settings.partitions);
  const storeKey = dataKey(partition, key.bucket, key.key).bytes;
  const bytes = machine.disk.get(storeKey);
  let seen: Seen = { context: [], ended: simulation.now };
  try {
    if (bytes !== undefined) {
      const { context } = decodeRecord(bytes, storeKey, simulation.surroundings.checksum).state;
      seen = { context, ended: simulation.now };
    }
  } catch (error) {
    // The checker of disks tells of damage.
    if (!(error instanceof MalformedBytes)) throw error;
    return undefined;
  }
  return writes.find((write) => !accountsFor(key, seen, write, leniencyOf(plan)));
}
