/**
 * What this node remembers of one partition's seats: the record, what its disk says, and what every request asks of
 * them, worked out once. Records come in many forms, each of which the engine looks up anew: so what requests need lies
 * beside them.
 *
 * Law: a node speaks only while what it holds is what its disk says.
 *
 * Hot path: `voiceOfEntry`.
 */

import type { Voice } from "../core/quorum/voice.ts";
import type { KnownSeats } from "../core/seats/known.ts";
import { hashOfKnown } from "../core/seats/known-hash.ts";
import { isSameHold, type SeatRecord, voiceOf } from "../core/seats/record.ts";

/** One partition. */
export interface SeatEntry {
  /** Set by `setRecord` alone. */
  record: SeatRecord;
  /** The record's. */
  known: KnownSeats;
  /** Of what is known. */
  hash: number;
  /** What the disk says; undefined before the first write. */
  stored: SeatRecord | undefined;
  /** What this node may speak with, and for which record and which stored one that was found. */
  voice: Voice | undefined;
  voiceRecord: SeatRecord | undefined;
  voiceStored: SeatRecord | undefined;
}

/** An entry that nothing was asked of yet. */
export function newEntry(record: SeatRecord, stored: SeatRecord | undefined): SeatEntry {
  const { known } = record;
  const hash = hashOfKnown(known);
  return { record, known, hash, stored, voice: undefined, voiceRecord: undefined, voiceStored: undefined };
}

/** Puts another record in the place of the entry's. */
export function setRecord(entry: SeatEntry, record: SeatRecord): void {
  entry.record = record;
  entry.known = record.known;
  entry.hash = hashOfKnown(record.known);
}

/** What this node may speak with there; undefined where it may not. */
export function voiceOfEntry(entry: SeatEntry): Voice | undefined {
  const { record, stored } = entry;
  if (entry.voiceRecord === record && entry.voiceStored === stored) return entry.voice;
  const voice = isSameHold(record.hold, stored?.hold) ? voiceOf(record) : undefined;
  entry.voice = voice;
  entry.voiceRecord = record;
  entry.voiceStored = stored;
  return voice;
}
