/**
 * The messages between a coordinator and its replicas: nearly all the traffic there is.
 *
 * Hot path. The values of a state travel behind the head (`frame.ts`); everything else is here.
 */

import { type ByteReader, MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import {
  readBucket,
  readFlag,
  readKey,
  readNodeId,
  readPresence,
  readVoice,
  writeFlag,
  writeKey,
  writeNodeId,
  writeVoice,
} from "./fields.ts";
import type { ReplicaGet, ReplicaPut, ReplicaState, ReplicaStored } from "./message.ts";
import { readKnownIfAny, writeKnownIfAny } from "./seats-codec.ts";
import { readState, writeState } from "./state-codec.ts";

const hasStandIn = 1;
const hasUnless = 2;

export function writeReplicaGet(head: ByteWriter, message: ReplicaGet): void {
  head.u8((message.standInFor !== undefined ? hasStandIn : 0) | (message.unless !== undefined ? hasUnless : 0));
  head.u32(message.knownHash);
  head.varint(message.changes);
  writeKey(head, message.bucket, message.key);
  if (message.standInFor !== undefined) writeNodeId(head, message.standInFor);
  if (message.unless !== undefined) head.bytes(message.unless);
}

export function readReplicaGet(head: ByteReader, id: number): ReplicaGet {
  const bits = readPresence(head, hasStandIn | hasUnless);
  return {
    kind: "replica-get",
    id,
    knownHash: head.u32(),
    changes: head.varint(),
    bucket: readBucket(head),
    key: readKey(head),
    standInFor: (bits & hasStandIn) !== 0 ? readNodeId(head) : undefined,
    unless: (bits & hasUnless) !== 0 ? head.bytes() : undefined,
  };
}

const isRepair = 1;
const isSynced = 2;
const isLastWriteWins = 4;
const hasHint = 8;
const isDelivery = 16;

export function writeReplicaPut(head: ByteWriter, bodies: Uint8Array[], message: ReplicaPut): void {
  head.u8(
    (message.purpose === "repair" ? isRepair : 0) |
      (message.purpose === "hint" ? isDelivery : 0) |
      (message.synced ? isSynced : 0) |
      (message.lastWriteWins ? isLastWriteWins : 0) |
      (message.hintFor !== undefined ? hasHint : 0),
  );
  head.u32(message.knownHash);
  head.varint(message.changes);
  writeKey(head, message.bucket, message.key);
  if (message.hintFor !== undefined) writeNodeId(head, message.hintFor);
  writeState(head, bodies, message.state);
}

export function readReplicaPut(head: ByteReader, bodies: ByteReader, id: number): ReplicaPut {
  const bits = readPresence(head, isRepair | isSynced | isLastWriteWins | hasHint | isDelivery);
  const knownHash = head.u32();
  const changes = head.varint();
  const bucket = readBucket(head);
  const key = readKey(head);
  const purpose = purposeOf(bits);
  const synced = (bits & isSynced) !== 0;
  const lastWriteWins = (bits & isLastWriteWins) !== 0;
  const hintFor = (bits & hasHint) !== 0 ? readNodeId(head) : undefined;
  const state = readState(head, bodies);
  return {
    kind: "replica-put",
    id,
    knownHash,
    changes,
    bucket,
    key,
    purpose,
    synced,
    lastWriteWins,
    hintFor,
    state,
  };
}

function purposeOf(bits: number): ReplicaPut["purpose"] {
  const isRepaired = (bits & isRepair) !== 0;
  if ((bits & isDelivery) === 0) return isRepaired ? "repair" : "write";
  if (isRepaired) throw new MalformedBytes("a replica-put that is both a repair and a hint");
  return "hint";
}

const noState = 0;
const stateFollows = 1;
const sameState = 2;

export function writeReplicaState(head: ByteWriter, bodies: Uint8Array[], message: ReplicaState): void {
  writeKnownIfAny(head, message.known);
  writeVoice(head, message.voice);
  head.u8(message.isSame === true ? sameState : message.state !== undefined ? stateFollows : noState);
  if (message.state !== undefined) writeState(head, bodies, message.state);
}

export function readReplicaState(head: ByteReader, bodies: ByteReader, id: number): ReplicaState {
  const known = readKnownIfAny(head);
  const voice = readVoice(head);
  const has = head.u8();
  if (has > sameState) throw new MalformedBytes(`a replica's state has the unknown mark ${has}`);
  const state = has === stateFollows ? readState(head, bodies) : undefined;
  return { kind: "replica-state", id, known, voice, state, isSame: has === sameState ? true : undefined };
}

export function writeReplicaStored(head: ByteWriter, message: ReplicaStored): void {
  writeKnownIfAny(head, message.known);
  writeVoice(head, message.voice);
  writeFlag(head, message.synced);
}

export function readReplicaStored(head: ByteReader, id: number): ReplicaStored {
  const known = readKnownIfAny(head);
  const voice = readVoice(head);
  const synced = readFlag(head);
  return { kind: "replica-stored", id, known, voice, synced };
}
