/**
 * Dots and integrity where no read looks: every record on a disk decodes, and each version in it is a write's that
 * some client made for this key, under the dot that everybody else knows it by.
 */

import { MalformedBytes } from "../../core/bytes/byte-reader.ts";
import { parseDataKey } from "../../storage/store-key.ts";
import { decodeRecord, type KeyRecord } from "../../wire/record.ts";
import type { SimMember } from "../cluster.ts";
import type { Journal } from "../journal.ts";
import type { Simulation } from "../simulation.ts";

const dataTag = 0x02;
const decoder: TextDecoder = new TextDecoder("utf-8");

/** Answers how many records it read. */
export function checkDisk(simulation: Simulation, journal: Journal, member: SimMember): number {
  const { name, disk } = member.machine;
  let records = 0;
  for (const { key: bytes, value } of disk.contents().values()) {
    if (bytes[0] !== dataTag) continue;
    const { bucket, key } = parseDataKey(bytes);
    const known = journal.keys.get(`${bucket}/${key}`);
    if (known === undefined) continue;
    let record: KeyRecord;
    try {
      record = decodeRecord(value, bytes, simulation.surroundings.checksum);
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      simulation.violate("integrity", `the record of ${bucket}/${key} on the disk of ${name}: ${error.message}`);
      continue;
    }
    records++;
    for (const { dot, value: shown } of record.state.siblings) {
      const write = journal.writeOf(known, Number.parseInt(decoder.decode(shown.subarray(0, 12)), 10));
      if (write === undefined)
        simulation.violate("integrity", `the disk of ${name} has a version of ${bucket}/${key} that nobody wrote`);
      else journal.named(known, dot, write, `on the disk of ${name}`);
    }
  }
  return records;
}
