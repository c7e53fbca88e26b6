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

/** Answers how many copies it compared. */
export function checkConvergence(cluster: SimCluster, journal: Journal): number {
  const { simulation, members } = cluster;
  const held = new Map(members.map((member) => [member.machine.name, digestsOn(cluster, member)]));
  const node = members.find((member) => member.node !== undefined)?.node;
  let copies = 0;
  for (const { bucket, key } of journal.keys.values()) {
    const place = node?.locate(bucket, key);
    const owners = place?.preferenceList.slice(0, place.n).map(({ name }) => name) ?? [];
    const digests = owners.map((name) => held.get(name)?.get(`${bucket}/${key}`) ?? nothing);
    copies += digests.length;
    if (new Set(digests).size <= 1) continue;
    const told = owners.map((name, i) => `${name} ${digests[i]}`).join(", ");
    simulation.violate("convergence", `the owners of ${bucket}/${key} hold different states after exchanges: ${told}`);
  }
  return copies;
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
