/**
 * The messages between whoever has a client's request and the node that coordinates it, and the refusal that any
 * request may get.
 */

import type { ByteReader } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import { contentTypeBytes, writeIdCharacters } from "../core/limits.ts";
import {
  readBucket,
  readFlag,
  readKey,
  readName,
  readNodeId,
  readPresence,
  readQuorum,
  readShortText,
  writeFlag,
  writeKey,
  writeName,
  writeNodeId,
  writeQuorum,
} from "./fields.ts";
import type { CoordinateGet, CoordinateWrite, GetAnswer, Refusal, RefusalCode, WriteAnswer } from "./message.ts";
import { readKnownIfAny, writeKnownIfAny } from "./seats-codec.ts";
import { readDotSet, readState, writeDotSet, writeState } from "./state-codec.ts";

const getHasR = 1;
const getHasPr = 2;
const getAsFallback = 4;

export function writeCoordinateGet(head: ByteWriter, message: CoordinateGet): void {
  head.u8(
    (message.r !== undefined ? getHasR : 0) |
      (message.pr !== undefined ? getHasPr : 0) |
      (message.asFallback === true ? getAsFallback : 0),
  );
  head.u32(message.knownHash);
  writeKey(head, message.bucket, message.key);
  writeBudget(head, message.budgetMs);
  head.varint(message.zones ?? 0);
  if (message.r !== undefined) writeQuorum(head, message.r);
  if (message.pr !== undefined) writeQuorum(head, message.pr);
}

export function readCoordinateGet(head: ByteReader, id: number): CoordinateGet {
  const bits = readPresence(head, getHasR | getHasPr | getAsFallback);
  return {
    kind: "coordinate-get",
    id,
    knownHash: head.u32(),
    bucket: readBucket(head),
    key: readKey(head),
    budgetMs: head.varint(),
    zones: readZones(head),
    r: (bits & getHasR) !== 0 ? readQuorum(head) : undefined,
    pr: (bits & getHasPr) !== 0 ? readQuorum(head) : undefined,
    asFallback: (bits & getAsFallback) !== 0 ? true : undefined,
  };
}

/** Whole milliseconds: a fraction is cut off, so that time never grows on its way. */
function writeBudget(head: ByteWriter, budgetMs: number): void {
  head.varint(Math.max(0, Math.floor(budgetMs)));
}

/** 0: any will do. */
function readZones(head: ByteReader): number | undefined {
  const zones = head.varint();
  return zones === 0 ? undefined : zones;
}

const hasW = 1;
const hasPw = 2;
const hasDw = 4;
const hasContext = 8;
const onlyIfAbsent = 16;
const hasWriteId = 32;
const hasVersion = 64;
const asFallback = 128;

export function writeCoordinateWrite(head: ByteWriter, bodies: Uint8Array[], message: CoordinateWrite): void {
  head.u8(
    (message.w !== undefined ? hasW : 0) |
      (message.pw !== undefined ? hasPw : 0) |
      (message.dw !== undefined ? hasDw : 0) |
      (message.context !== undefined ? hasContext : 0) |
      (message.onlyIfAbsent ? onlyIfAbsent : 0) |
      (message.writeId !== undefined ? hasWriteId : 0) |
      (message.version !== undefined ? hasVersion : 0) |
      (message.asFallback === true ? asFallback : 0),
  );
  head.u32(message.knownHash);
  writeKey(head, message.bucket, message.key);
  writeBudget(head, message.budgetMs);
  head.varint(message.zones ?? 0);
  if (message.w !== undefined) writeQuorum(head, message.w);
  if (message.pw !== undefined) writeQuorum(head, message.pw);
  if (message.dw !== undefined) writeQuorum(head, message.dw);
  if (message.context !== undefined) writeDotSet(head, message.context);
  if (message.writeId !== undefined) head.text(message.writeId);
  if (message.version !== undefined) {
    head.text(message.version.contentType);
    head.u32(message.version.checksum);
    head.varint(message.version.value.length);
    bodies.push(message.version.value);
  }
}

export function readCoordinateWrite(head: ByteReader, bodies: ByteReader, id: number): CoordinateWrite {
  const bits = readPresence(head, 255);
  return {
    kind: "coordinate-write",
    id,
    knownHash: head.u32(),
    bucket: readBucket(head),
    key: readKey(head),
    budgetMs: head.varint(),
    zones: readZones(head),
    w: (bits & hasW) !== 0 ? readQuorum(head) : undefined,
    pw: (bits & hasPw) !== 0 ? readQuorum(head) : undefined,
    dw: (bits & hasDw) !== 0 ? readQuorum(head) : undefined,
    context: (bits & hasContext) !== 0 ? readDotSet(head) : undefined,
    onlyIfAbsent: (bits & onlyIfAbsent) !== 0,
    writeId: (bits & hasWriteId) !== 0 ? readShortText(head, writeIdCharacters) : undefined,
    version: (bits & hasVersion) !== 0 ? readVersion(head, bodies) : undefined,
    asFallback: (bits & asFallback) !== 0 ? true : undefined,
  };
}

function readVersion(head: ByteReader, bodies: ByteReader): NonNullable<CoordinateWrite["version"]> {
  const contentType = readShortText(head, contentTypeBytes);
  const checksum = head.u32();
  return { value: bodies.raw(head.varint()), checksum, contentType };
}

const answerHasState = 1;
const answerHasFastest = 2;

export function writeGetAnswer(head: ByteWriter, bodies: Uint8Array[], message: GetAnswer): void {
  head.u8((message.state !== undefined ? answerHasState : 0) | (message.fastest !== undefined ? answerHasFastest : 0));
  if (message.state !== undefined) writeState(head, bodies, message.state);
  if (message.fastest !== undefined) writeNodeId(head, message.fastest);
  head.varint(message.voices);
  head.varint(message.seats);
}

export function readGetAnswer(head: ByteReader, bodies: ByteReader, id: number): GetAnswer {
  const bits = readPresence(head, answerHasState | answerHasFastest);
  return {
    kind: "get-answer",
    id,
    state: (bits & answerHasState) !== 0 ? readState(head, bodies) : undefined,
    fastest: (bits & answerHasFastest) !== 0 ? readNodeId(head) : undefined,
    voices: head.varint(),
    seats: head.varint(),
  };
}

export function writeWriteAnswer(head: ByteWriter, message: WriteAnswer): void {
  writeDotSet(head, message.context);
  head.varint(message.siblings);
  head.varint(message.voices);
  head.varint(message.seats);
}

export function readWriteAnswer(head: ByteReader, id: number): WriteAnswer {
  return {
    kind: "write-answer",
    id,
    context: readDotSet(head),
    siblings: head.varint(),
    voices: head.varint(),
    seats: head.varint(),
  };
}

const refusalCodes: readonly RefusalCode[] = [
  "stale-ring",
  "not-ready",
  "no-owner",
  "quorum-not-met",
  "deadline-passed",
  "precondition-failed",
  "too-many-siblings",
  "value-too-large",
  "bad-request",
  "overloaded",
  "disk-full",
  "corrupt",
  "storage-failed",
  "join-refused",
  "superseded",
  "unknown-request",
];
const hasNeeded = 1;
const hasReceived = 2;

export function writeRefusal(head: ByteWriter, message: Refusal): void {
  head.varint(message.ringVersion);
  writeName(head, refusalCodes, message.code);
  head.text(message.detail);
  writeFlag(head, message.mayHaveHappened);
  head.u8((message.needed !== undefined ? hasNeeded : 0) | (message.received !== undefined ? hasReceived : 0));
  if (message.needed !== undefined) head.varint(message.needed);
  if (message.received !== undefined) head.varint(message.received);
  writeKnownIfAny(head, message.known);
}

export function readRefusal(head: ByteReader, id: number): Refusal {
  const ringVersion = head.varint();
  const code = readName(head, refusalCodes, "refusal");
  const detail = head.text();
  const mayHaveHappened = readFlag(head);
  const bits = readPresence(head, hasNeeded | hasReceived);
  const needed = (bits & hasNeeded) === 0 ? undefined : head.varint();
  const received = (bits & hasReceived) === 0 ? undefined : head.varint();
  const known = readKnownIfAny(head);
  return { kind: "refusal", id, ringVersion, code, detail, needed, received, mayHaveHappened, known };
}
