/** What nodes say of seats, and how they hand them over, as bytes: `core/seats` says what it means. */

import { type ByteReader, MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { PartitionId } from "../core/ids.ts";
import { mostCopies } from "../core/limits.ts";
import type { KnownSeat, KnownSeats } from "../core/seats/known.ts";
import type { Grant, HandOver } from "../core/seats/record.ts";
import {
  readFlag,
  readList,
  readNodeId,
  readPresence,
  readShortText,
  readVoice,
  writeFlag,
  writeList,
  writeNodeId,
  writeVoice,
} from "./fields.ts";
import type {
  CompareSeats,
  FenceSeat,
  FillSeat,
  PartitionSeats,
  RebuildInquiry,
  RebuildState,
  SeatFenced,
  SeatSealed,
  SeatsTold,
  TakeSeat,
} from "./message.ts";

/** A seat, an epoch, and a node. */
const leastGrantBytes = 1 + 1 + 8;

const hasHolder = 1;
const hasFencer = 2;
const isVacated = 4;
const hasMark = 8;

/** Epochs plus one: what was never held has the epoch -1. */
function writeKnownSeat(head: ByteWriter, { held, holder, fence, fencedBy, wasVacated, filled }: KnownSeat): void {
  head.u8(
    (holder !== undefined ? hasHolder : 0) |
      (fencedBy !== undefined ? hasFencer : 0) |
      (wasVacated === true ? isVacated : 0) |
      (filled !== undefined ? hasMark : 0),
  );
  head.varint(held + 1);
  head.varint(fence + 1);
  if (holder !== undefined) writeNodeId(head, holder);
  if (fencedBy !== undefined) writeNodeId(head, fencedBy);
  if (filled !== undefined) {
    head.varint(filled.count);
    head.u32(filled.hash);
  }
}

function readKnownSeat(head: ByteReader): KnownSeat {
  const bits = readPresence(head, hasHolder | hasFencer | isVacated | hasMark);
  const held = head.varint() - 1;
  const fence = head.varint() - 1;
  const holder = (bits & hasHolder) === 0 ? undefined : readNodeId(head);
  const fencedBy = (bits & hasFencer) === 0 ? undefined : readNodeId(head);
  const filled = (bits & hasMark) === 0 ? undefined : { count: head.varint(), hash: head.u32() };
  return {
    held,
    ...(holder && { holder }),
    fence,
    ...(fencedBy && { fencedBy }),
    ...((bits & isVacated) !== 0 && { wasVacated: true as const }),
    ...(filled && { filled }),
  };
}

function writeKnown(head: ByteWriter, known: KnownSeats): void {
  writeList(head, known, writeKnownSeat);
}

function readKnown(head: ByteReader): KnownSeats {
  const known = readList(head, 3, readKnownSeat);
  if (known.length > mostCopies) throw new MalformedBytes(`a partition of ${known.length} seats`);
  return known;
}

/** Knowledge that is told only where it is news: a flag first. */
export function writeKnownIfAny(head: ByteWriter, known: KnownSeats | undefined): void {
  writeFlag(head, known !== undefined);
  if (known !== undefined) writeKnown(head, known);
}

export function readKnownIfAny(head: ByteReader): KnownSeats | undefined {
  return readFlag(head) ? readKnown(head) : undefined;
}

/** The least bytes that a partition's seats take. */
const leastPartitionBytes = 3;

export function writePartitionSeats(head: ByteWriter, { partition, known }: PartitionSeats): void {
  head.u16(partition);
  writeKnown(head, known);
}

export function readPartitionSeats(head: ByteReader): PartitionSeats[] {
  return readList(head, leastPartitionBytes, (from) => ({ partition: readPartition(from), known: readKnown(from) }));
}

function readPartition(head: ByteReader): PartitionId {
  return head.u16() as PartitionId;
}

export function writeTakeSeat(head: ByteWriter, { partition, seat, incarnation }: TakeSeat): void {
  head.u16(partition);
  writeSeat(head, seat);
  head.text(incarnation);
}

export function readTakeSeat(head: ByteReader, id: number): TakeSeat {
  const partition = readPartition(head);
  return { kind: "take-seat", id, partition, seat: readSeat(head), incarnation: readShortText(head) };
}

export function writeSeatSealed(head: ByteWriter, { partition, handOver }: SeatSealed): void {
  const { seat, epoch, to, known, grant } = handOver;
  head.u16(partition);
  writeSeat(head, seat);
  head.varint(epoch);
  writeNodeId(head, to.node);
  head.text(to.incarnation);
  writeKnown(head, known);
  writeGrants(head, grant);
}

export function readSeatSealed(head: ByteReader, id: number): SeatSealed {
  const partition = readPartition(head);
  const seat = readSeat(head);
  const epoch = head.varint();
  const to = { node: readNodeId(head), incarnation: readShortText(head) };
  const known = readKnown(head);
  const grant = readGrants(head);
  const handOver: HandOver = { seat, epoch, to, known, ...(grant && { grant }) };
  return { kind: "seat-sealed", id, partition, handOver };
}

/** The newest first. */
function writeGrants(head: ByteWriter, newest: Grant | undefined): void {
  const grants: Grant[] = [];
  for (let one = newest; one !== undefined; one = one.before) grants.push(one);
  writeList(head, grants, writeGrant);
}

function readGrants(head: ByteReader): Grant | undefined {
  const grants = readList(head, leastGrantBytes, readGrant);
  return grants.reduceRight<Grant | undefined>((before, one) => ({ ...one, ...(before && { before }) }), undefined);
}

function writeGrant(head: ByteWriter, { seat, epoch, by }: Grant): void {
  writeSeat(head, seat);
  head.varint(epoch);
  writeNodeId(head, by);
}

function readGrant(head: ByteReader): Grant {
  return { seat: readSeat(head), epoch: head.varint(), by: readNodeId(head) };
}

export function writeSeatEpoch(head: ByteWriter, { partition, seat, epoch }: FenceSeat | RebuildInquiry): void {
  head.u16(partition);
  writeSeat(head, seat);
  head.varint(epoch);
}

export function readFenceSeat(head: ByteReader, id: number): FenceSeat {
  return { kind: "fence-seat", id, partition: readPartition(head), seat: readSeat(head), epoch: head.varint() };
}

export function readRebuildInquiry(head: ByteReader, id: number): RebuildInquiry {
  return { kind: "rebuild-inquiry", id, partition: readPartition(head), seat: readSeat(head), epoch: head.varint() };
}

export function writeFillSeat(head: ByteWriter, { partition, changes }: FillSeat): void {
  head.u16(partition);
  head.u32(changes);
}

export function readFillSeat(head: ByteReader, id: number): FillSeat {
  return { kind: "fill-seat", id, partition: readPartition(head), changes: head.u32() };
}

export function writeSeatFenced(head: ByteWriter, { voice, known }: SeatFenced): void {
  writeVoice(head, voice);
  writeKnown(head, known);
}

export function readSeatFenced(head: ByteReader, id: number): SeatFenced {
  const voice = readVoice(head);
  if (voice === undefined) throw new MalformedBytes("a seat was fenced by a node without a voice");
  return { kind: "seat-fenced", id, voice, known: readKnown(head) };
}

export function writeRebuildState(head: ByteWriter, { isUnderWay, known }: RebuildState): void {
  writeFlag(head, isUnderWay);
  writeKnown(head, known);
}

export function readRebuildState(head: ByteReader, id: number): RebuildState {
  return { kind: "rebuild-state", id, isUnderWay: readFlag(head), known: readKnown(head) };
}

export function writeCompareSeats(head: ByteWriter, { hashes }: CompareSeats): void {
  writeList(head, hashes, (to, hash) => to.u32(hash));
}

export function readCompareSeats(head: ByteReader, id: number): CompareSeats {
  return { kind: "compare-seats", id, hashes: readList(head, 4, (from) => from.u32()) };
}

export function writeSeatsTold(head: ByteWriter, { seats }: SeatsTold): void {
  writeList(head, seats, writePartitionSeats);
}

export function readSeatsTold(head: ByteReader, id: number): SeatsTold {
  return { kind: "seats-told", id, seats: readPartitionSeats(head) };
}

function writeSeat(head: ByteWriter, seat: number): void {
  head.u8(seat);
}

function readSeat(head: ByteReader): number {
  const seat = head.u8();
  if (seat >= mostCopies) throw new MalformedBytes(`seat ${seat} of a partition`);
  return seat;
}
