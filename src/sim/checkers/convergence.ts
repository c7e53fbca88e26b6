/**
 * Convergence where nobody reads: once exchanges have run, every owner of a key holds the same state of it on its disk,
 * whatever was lost, cut off, refused or wiped before.
 */

import { MalformedBytes } from "../../core/bytes/byte-reader.ts";
import { keyDigest } from "../../core/merkle/key-digest.ts";
import { parseDataKey } from "../../storage/store-key.ts";
import { decodeRecord } from "../../wire/record.ts";
import type { SimCluster, SimMember } from "../cluster.ts";
import type { Journal } from "../journal.ts";

const dataTag = 0x02;
const nothing = "nothing";

export interface Compared {
  /** How many copies were held against each other. */
  readonly copies: number;
  /** A sentence for each key whose owners differ. */
  readonly differences: readonly string[];
}

export function compareOwners(cluster: SimCluster, journal: Journal): Compared {
  const { members } = cluster;
  const held = new Map(members.map((member) => [member.machine.name, digestsOn(cluster, member)]));
  const node = members.find((member) => member.node !== undefined)?.node;
  const differences: string[] = [];
  let copies = 0;
  for (const { bucket, key } of journal.keys.values()) {
    const place = node?.locate(bucket, key);
    const owners = place?.preferenceList.slice(0, place.n).map(({ name }) => name) ?? [];
    const digests = owners.map((name) => held.get(name)?.get(`${bucket}/${key}`) ?? nothing);
    copies += digests.length;
    if (new Set(digests).size <= 1) continue;
    const told = owners.map((name, i) => `${name} ${digests[i]}`).join(", ");
    differences.push(`the owners of ${bucket}/${key} hold different states after exchanges: ${told}`);
  }
  return { copies, differences };
}

function digestsOn({ simulation }: SimCluster, { machine }: SimMember): ReadonlyMap<string, string> {
  const digests = new Map<string, string>();
  for (const { key: bytes, value } of machine.disk.contents().values()) {
    if (bytes[0] !== dataTag) continue;
    const { bucket, key } = parseDataKey(bytes);
    try {
      const { state } = decodeRecord(value, bytes, simulation.surroundings.checksum);
      const { hi, lo } = keyDigest(bucket, key, state);
      if (hi !== 0 || lo !== 0) digests.set(`${bucket}/${key}`, `${hi.toString(16)}.${lo.toString(16)}`);
    } catch (error) {
      // The checker of disks tells of damage.
      if (!(error instanceof MalformedBytes)) throw error;
    }
  }
  return digests;
}
