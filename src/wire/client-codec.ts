/**
 * What clients ask and are answered, as bytes (`client-message.ts`). Hot path.
 */

import { type ByteReader, MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import { contentTypeBytes, mostCopies, mostPartitions, writeIdCharacters } from "../core/limits.ts";
import {
  type CarriedValue,
  type ClientAnswer,
  type ClientFailed,
  type ClientFound,
  type ClientGet,
  type ClientMember,
  type ClientOwners,
  type ClientRequest,
  type ClientRing,
  type ClientWrite,
  type ClientWritten,
  type FoundVersion,
  failureCodes,
  type RingTold,
} from "./client-message.ts";
import { tokenBytes } from "./context-token.ts";
import {
  readBucket,
  readFlag,
  readHash,
  readKey,
  readList,
  readName,
  readNodeId,
  readPresence,
  readQuorum,
  readShortText,
  writeFlag,
  writeHash,
  writeKey,
  writeList,
  writeName,
  writeNodeId,
  writeQuorum,
} from "./fields.ts";

/** The byte that stands for each kind (`codec.ts`). */
export const clientKindBytes = {
  "client-get": 128,
  "client-write": 129,
  "client-found": 130,
  "client-written": 131,
  "client-failed": 132,
  "ring-inquiry": 133,
  "ring-told": 134,
} as const;

export function writeClientMessage(
  head: ByteWriter,
  bodies: Uint8Array[],
  message: ClientRequest | ClientAnswer,
): void {
  switch (message.kind) {
    case "client-get":
      return writeClientGet(head, message);
    case "client-write":
      return writeClientWrite(head, bodies, message);
    case "client-found":
      return writeClientFound(head, bodies, message);
    case "client-written":
      return writeClientWritten(head, message);
    case "client-failed":
      return writeClientFailed(head, message);
    case "ring-inquiry":
      return writeHash(head, message.hash);
    case "ring-told":
      return writeRingTold(head, message);
  }
}

/** Undefined where the kind is none of these. */
export function readClientMessage(
  head: ByteReader,
  bodies: ByteReader,
  kind: number,
  id: number,
): ClientRequest | ClientAnswer | undefined {
  switch (kind) {
    case clientKindBytes["client-get"]:
      return readClientGet(head, id);
    case clientKindBytes["client-write"]:
      return readClientWrite(head, bodies, id);
    case clientKindBytes["client-found"]:
      return readClientFound(head, bodies, id);
    case clientKindBytes["client-written"]:
      return readClientWritten(head, id);
    case clientKindBytes["client-failed"]:
      return readClientFailed(head, id);
    case clientKindBytes["ring-inquiry"]:
      return { kind: "ring-inquiry", id, hash: readHash(head) };
    case clientKindBytes["ring-told"]:
      return readRingTold(head, id);
    default:
      return undefined;
  }
}

const hasR = 1;
const hasPr = 2;
const hasZones = 4;

function writeClientGet(head: ByteWriter, { bucket, key, budgetMs, r, pr, zones }: ClientGet): void {
  head.u8((r !== undefined ? hasR : 0) | (pr !== undefined ? hasPr : 0) | (zones !== undefined ? hasZones : 0));
  writeKey(head, bucket, key);
  writeBudget(head, budgetMs);
  if (r !== undefined) writeQuorum(head, r);
  if (pr !== undefined) writeQuorum(head, pr);
  if (zones !== undefined) head.varint(zones);
}

function readClientGet(head: ByteReader, id: number): ClientGet {
  const bits = readPresence(head, hasR | hasPr | hasZones);
  return {
    kind: "client-get",
    id,
    bucket: readBucket(head),
    key: readKey(head),
    budgetMs: head.varint(),
    r: (bits & hasR) !== 0 ? readQuorum(head) : undefined,
    pr: (bits & hasPr) !== 0 ? readQuorum(head) : undefined,
    zones: (bits & hasZones) !== 0 ? head.varint() : undefined,
  };
}

/** Whole milliseconds: a fraction is cut off, so that time never grows on its way. */
function writeBudget(head: ByteWriter, budgetMs: number): void {
  head.varint(Math.max(0, Math.floor(budgetMs)));
}

const hasW = 1;
const hasPw = 2;
const hasDw = 4;
const writeHasZones = 8;
const hasContext = 16;
const onlyIfAbsent = 32;
const hasWriteId = 64;
const hasVersion = 128;

function writeClientWrite(head: ByteWriter, bodies: Uint8Array[], message: ClientWrite): void {
  const { w, pw, dw, zones, context, writeId, version } = message;
  head.u8(
    (w !== undefined ? hasW : 0) |
      (pw !== undefined ? hasPw : 0) |
      (dw !== undefined ? hasDw : 0) |
      (zones !== undefined ? writeHasZones : 0) |
      (context !== undefined ? hasContext : 0) |
      (message.onlyIfAbsent ? onlyIfAbsent : 0) |
      (writeId !== undefined ? hasWriteId : 0) |
      (version !== undefined ? hasVersion : 0),
  );
  writeKey(head, message.bucket, message.key);
  writeBudget(head, message.budgetMs);
  if (w !== undefined) writeQuorum(head, w);
  if (pw !== undefined) writeQuorum(head, pw);
  if (dw !== undefined) writeQuorum(head, dw);
  if (zones !== undefined) head.varint(zones);
  if (context !== undefined) head.bytes(context);
  if (writeId !== undefined) head.text(writeId);
  if (version !== undefined) writeValue(head, bodies, version);
}

function readClientWrite(head: ByteReader, bodies: ByteReader, id: number): ClientWrite {
  const bits = head.u8();
  return {
    kind: "client-write",
    id,
    bucket: readBucket(head),
    key: readKey(head),
    budgetMs: head.varint(),
    w: (bits & hasW) !== 0 ? readQuorum(head) : undefined,
    pw: (bits & hasPw) !== 0 ? readQuorum(head) : undefined,
    dw: (bits & hasDw) !== 0 ? readQuorum(head) : undefined,
    zones: (bits & writeHasZones) !== 0 ? head.varint() : undefined,
    context: (bits & hasContext) !== 0 ? readToken(head) : undefined,
    onlyIfAbsent: (bits & onlyIfAbsent) !== 0,
    writeId: (bits & hasWriteId) !== 0 ? readShortText(head, writeIdCharacters) : undefined,
    version: (bits & hasVersion) !== 0 ? readValue(head, bodies) : undefined,
  };
}

function readToken(head: ByteReader): Uint8Array {
  const token = head.bytes();
  if (token.length > tokenBytes) throw new MalformedBytes(`a context of ${token.length} bytes; ${tokenBytes} at most`);
  return token;
}

function readContentType(head: ByteReader): string {
  const text = head.name();
  if (text.length > contentTypeBytes) throw new MalformedBytes(`a content type is over ${contentTypeBytes} bytes long`);
  return text;
}

function writeValue(head: ByteWriter, bodies: Uint8Array[], { value, checksum, contentType }: CarriedValue): void {
  head.text(contentType);
  head.u32(checksum);
  head.varint(value.length);
  bodies.push(value);
}

function readValue(head: ByteReader, bodies: ByteReader): CarriedValue {
  const contentType = readContentType(head);
  const checksum = head.u32();
  return { value: bodies.raw(head.varint()), checksum, contentType };
}

const foundIsStray = 1;
const foundHasContext = 2;
/** Content type, checksum, length, time. */
const leastVersionBytes = 7;

function writeClientFound(head: ByteWriter, bodies: Uint8Array[], message: ClientFound): void {
  const { context, versions } = message;
  head.u8((message.isStray ? foundIsStray : 0) | (context !== undefined ? foundHasContext : 0));
  head.varint(message.voices);
  head.varint(message.seats);
  if (context !== undefined) head.bytes(context);
  head.varint(versions.length);
  for (let i = 0; i < versions.length; i++) {
    const version = versions[i] as FoundVersion;
    writeValue(head, bodies, version);
    head.varint(version.modified);
  }
}

function readClientFound(head: ByteReader, bodies: ByteReader, id: number): ClientFound {
  const bits = readPresence(head, foundIsStray | foundHasContext);
  const voices = head.varint();
  const seats = head.varint();
  const context = (bits & foundHasContext) !== 0 ? readToken(head) : undefined;
  const count = head.count(leastVersionBytes);
  const versions: FoundVersion[] = [];
  for (let i = 0; i < count; i++) {
    const contentType = readContentType(head);
    const checksum = head.u32();
    const value = bodies.raw(head.varint());
    versions.push({ value, checksum, contentType, modified: head.varint() });
  }
  return { kind: "client-found", id, isStray: (bits & foundIsStray) !== 0, context, versions, voices, seats };
}

function writeClientWritten(head: ByteWriter, message: ClientWritten): void {
  writeFlag(head, message.isStray);
  head.bytes(message.context);
  head.varint(message.siblings);
  head.varint(message.voices);
  head.varint(message.seats);
}

function readClientWritten(head: ByteReader, id: number): ClientWritten {
  return {
    kind: "client-written",
    id,
    isStray: readFlag(head),
    context: readToken(head),
    siblings: head.varint(),
    voices: head.varint(),
    seats: head.varint(),
  };
}

const failedIsStray = 1;
const failedIsUnknown = 2;
const hasNeeded = 4;
const hasReceived = 8;

function writeClientFailed(head: ByteWriter, message: ClientFailed): void {
  const { needed, received } = message;
  head.u8(
    (message.isStray ? failedIsStray : 0) |
      (message.isUnknown ? failedIsUnknown : 0) |
      (needed !== undefined ? hasNeeded : 0) |
      (received !== undefined ? hasReceived : 0),
  );
  writeName(head, failureCodes, message.code);
  head.text(message.detail);
  if (needed !== undefined) head.varint(needed);
  if (received !== undefined) head.varint(received);
}

function readClientFailed(head: ByteReader, id: number): ClientFailed {
  const bits = readPresence(head, failedIsStray | failedIsUnknown | hasNeeded | hasReceived);
  return {
    kind: "client-failed",
    id,
    isStray: (bits & failedIsStray) !== 0,
    code: readName(head, failureCodes, "failure"),
    detail: head.text(),
    needed: (bits & hasNeeded) !== 0 ? head.varint() : undefined,
    received: (bits & hasReceived) !== 0 ? head.varint() : undefined,
    isUnknown: (bits & failedIsUnknown) !== 0,
  };
}

function writeRingTold(head: ByteWriter, { hash, ring }: RingTold): void {
  writeHash(head, hash);
  writeFlag(head, ring !== undefined);
  if (ring !== undefined) writeClientRing(head, ring);
}

function readRingTold(head: ByteReader, id: number): RingTold {
  const hash = readHash(head);
  return { kind: "ring-told", id, hash, ring: readFlag(head) ? readClientRing(head) : undefined };
}

/** An id and three texts. */
const leastMemberBytes = 11;

export function writeClientRing(head: ByteWriter, ring: ClientRing): void {
  head.varint(ring.version);
  head.text(ring.cluster);
  head.varint(ring.valueBytes);
  writeList(head, ring.members, (to, { node, name, zone, address }) => {
    writeNodeId(to, node);
    to.text(name);
    to.text(zone);
    to.text(address);
  });
  head.varint(ring.n);
  writeList(head, ring.buckets, (to, { bucket, n }) => {
    to.text(bucket);
    to.varint(n);
  });
  writeList(head, ring.owners, (to, { n, partitions }) => {
    to.varint(n);
    writeList(to, partitions, (each, owners) => writeList(each, owners, (one, owner) => one.varint(owner)));
  });
}

function readClientRing(head: ByteReader): ClientRing {
  const version = head.varint();
  const cluster = readShortText(head);
  const valueBytes = head.varint();
  const members = readList(head, leastMemberBytes, readClientMember);
  const n = readCopies(head);
  const buckets = readList(head, 3, (from) => ({ bucket: readBucket(from), n: readCopies(from) }));
  const owners = readList(head, 2, (from) => readClientOwners(from, members.length));
  return { version, cluster, valueBytes, members, n, buckets, owners };
}

function readClientMember(head: ByteReader): ClientMember {
  return { node: readNodeId(head), name: readShortText(head), zone: readShortText(head), address: readShortText(head) };
}

function readClientOwners(head: ByteReader, members: number): ClientOwners {
  const n = readCopies(head);
  const partitions = readList(head, 1, (from) => readList(from, 1, (one) => readOwner(one, members)));
  if (partitions.length > mostPartitions || !Number.isInteger(Math.log2(partitions.length))) {
    throw new MalformedBytes(`${partitions.length} partitions are no power of two up to ${mostPartitions}`);
  }
  return { n, partitions };
}

function readOwner(head: ByteReader, members: number): number {
  const owner = head.varint();
  if (owner >= members) throw new MalformedBytes(`owner ${owner} is none of the ${members} members`);
  return owner;
}

function readCopies(head: ByteReader): number {
  const n = head.varint();
  if (n < 1 || n > mostCopies) throw new MalformedBytes(`${n} copies are not 1 to ${mostCopies}`);
  return n;
}
