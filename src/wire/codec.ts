/**
 * Messages as bytes and back. A message is a *head*, which holds every field, and *bodies*, the values it carries:
 * the head has its own checksum in the frame, and each value the one it was given where it entered the cluster, so
 * no byte is checked twice and values travel as views (`frame.ts`).
 *
 * Head := u8 kind | varint id | the kind's fields, as the family's codec has them. Kind numbers are for ever.
 *
 * Hot path.
 */

import { type ByteReader, MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import { clientKindBytes, readClientMessage, writeClientMessage } from "./client-codec.ts";
import {
  readCoordinateGet,
  readCoordinateWrite,
  readGetAnswer,
  readRefusal,
  readWriteAnswer,
  writeCoordinateGet,
  writeCoordinateWrite,
  writeGetAnswer,
  writeRefusal,
  writeWriteAnswer,
} from "./coordinate-codec.ts";
import {
  readAllStored,
  readCompareNodes,
  readCompareTrees,
  readCopyStates,
  readHashesCompared,
  readKeysListed,
  readListKeys,
  readStatesCopied,
  writeAllStored,
  writeCompareNodes,
  writeCompareTrees,
  writeCopyStates,
  writeHashesCompared,
  writeKeysListed,
  writeListKeys,
  writeStatesCopied,
} from "./exchange-codec.ts";
import {
  readAskForgetting,
  readForget,
  readForgettingViews,
  writeAskForgetting,
  writeForget,
  writeForgettingViews,
} from "./forgetting-codec.ts";
import {
  readGossip,
  readGossipAnswer,
  readGossipDelta,
  readGossipDigest,
  writeGossip,
  writeGossipAnswer,
  writeGossipDelta,
  writeGossipDigest,
} from "./gossip-codec.ts";
import {
  readHello,
  readJoinAnswer,
  readJoinRequest,
  writeHello,
  writeJoinAnswer,
  writeJoinRequest,
} from "./membership-codec.ts";
import type { Message } from "./message.ts";
import {
  readReplicaGet,
  readReplicaPut,
  readReplicaState,
  readReplicaStored,
  writeReplicaGet,
  writeReplicaPut,
  writeReplicaState,
  writeReplicaStored,
} from "./replica-codec.ts";

import {
  readCompareSeats,
  readFenceSeat,
  readFillSeat,
  readRebuildInquiry,
  readRebuildState,
  readSeatFenced,
  readSeatSealed,
  readSeatsTold,
  readTakeSeat,
  writeCompareSeats,
  writeFillSeat,
  writeRebuildState,
  writeSeatEpoch,
  writeSeatFenced,
  writeSeatSealed,
  writeSeatsTold,
  writeTakeSeat,
} from "./seats-codec.ts";

/** The byte that stands for each kind. */
export const kindBytes: Readonly<Record<Message["kind"], number>> = {
  hello: 1,
  ping: 2,
  done: 3,
  refusal: 4,
  "replica-get": 16,
  "replica-put": 17,
  "replica-state": 18,
  "replica-stored": 19,
  "coordinate-get": 32,
  "coordinate-write": 33,
  "get-answer": 34,
  "write-answer": 35,
  gossip: 48,
  "gossip-answer": 49,
  "gossip-delta": 50,
  "gossip-digest": 51,
  "join-request": 64,
  "join-answer": 65,
  "compare-trees": 80,
  "compare-nodes": 81,
  "hashes-compared": 82,
  "list-keys": 83,
  "keys-listed": 84,
  "copy-states": 85,
  "states-copied": 86,
  "when-stored": 87,
  "all-stored": 88,
  "ask-forgetting": 96,
  "forgetting-views": 97,
  forget: 98,
  "take-seat": 112,
  "seat-sealed": 113,
  "fence-seat": 114,
  "seat-fenced": 115,
  "rebuild-inquiry": 116,
  "rebuild-state": 117,
  "compare-seats": 118,
  "seats-told": 119,
  "fill-seat": 120,
  ...clientKindBytes,
};

/**
 * Writes the message's head and adds its values to `bodies`. The id on the wire is the argument: the message's own
 * is ignored, so that one object can be sent to many.
 */
export function encodeMessage(head: ByteWriter, bodies: Uint8Array[], message: Message, id: number): void {
  head.u8(kindBytes[message.kind]);
  head.varint(id);
  switch (message.kind) {
    case "replica-put":
      writeReplicaPut(head, bodies, message);
      return;
    case "replica-stored":
      writeReplicaStored(head, message);
      return;
    case "replica-get":
      writeReplicaGet(head, message);
      return;
    case "replica-state":
      writeReplicaState(head, bodies, message);
      return;
    case "coordinate-get":
      writeCoordinateGet(head, message);
      return;
    case "coordinate-write":
      writeCoordinateWrite(head, bodies, message);
      return;
    case "get-answer":
      writeGetAnswer(head, bodies, message);
      return;
    case "write-answer":
      writeWriteAnswer(head, message);
      return;
    case "client-get":
    case "client-write":
    case "client-found":
    case "client-written":
    case "client-failed":
    case "ring-inquiry":
    case "ring-told":
      writeClientMessage(head, bodies, message);
      return;
    case "refusal":
      writeRefusal(head, message);
      return;
    case "hello":
      writeHello(head, message);
      return;
    case "gossip":
      writeGossip(head, message);
      return;
    case "gossip-digest":
      writeGossipDigest(head, message);
      return;
    case "gossip-answer":
      writeGossipAnswer(head, message);
      return;
    case "gossip-delta":
      writeGossipDelta(head, message);
      return;
    case "join-request":
      writeJoinRequest(head, message);
      return;
    case "join-answer":
      writeJoinAnswer(head, message);
      return;
    case "compare-trees":
      writeCompareTrees(head, message);
      return;
    case "compare-nodes":
      writeCompareNodes(head, message);
      return;
    case "hashes-compared":
      writeHashesCompared(head, message);
      return;
    case "list-keys":
      writeListKeys(head, message);
      return;
    case "keys-listed":
      writeKeysListed(head, message);
      return;
    case "copy-states":
      writeCopyStates(head, message);
      return;
    case "states-copied":
      writeStatesCopied(head, bodies, message);
      return;
    case "all-stored":
      writeAllStored(head, message);
      return;
    case "ask-forgetting":
      writeAskForgetting(head, message);
      return;
    case "forgetting-views":
      writeForgettingViews(head, message);
      return;
    case "forget":
      writeForget(head, message);
      return;
    case "take-seat":
      writeTakeSeat(head, message);
      return;
    case "seat-sealed":
      writeSeatSealed(head, message);
      return;
    case "fence-seat":
    case "rebuild-inquiry":
      writeSeatEpoch(head, message);
      return;
    case "seat-fenced":
      writeSeatFenced(head, message);
      return;
    case "fill-seat":
      writeFillSeat(head, message);
      return;
    case "rebuild-state":
      writeRebuildState(head, message);
      return;
    case "compare-seats":
      writeCompareSeats(head, message);
      return;
    case "seats-told":
      writeSeatsTold(head, message);
      return;
    case "when-stored":
    case "ping":
    case "done":
      return;
    default:
      unknownKind(message);
  }
}

function unknownKind(message: never): never {
  throw new TypeError(`no codec for ${JSON.stringify(message)}`);
}

/** Reads the next message, and its values from `bodies` as views. Throws `MalformedBytes`. */
export function decodeMessage(head: ByteReader, bodies: ByteReader): Message {
  const kind = head.u8();
  const id = head.varint();
  switch (kind) {
    case kindBytes["replica-put"]:
      return readReplicaPut(head, bodies, id);
    case kindBytes["replica-stored"]:
      return readReplicaStored(head, id);
    case kindBytes["replica-get"]:
      return readReplicaGet(head, id);
    case kindBytes["replica-state"]:
      return readReplicaState(head, bodies, id);
    case kindBytes["coordinate-get"]:
      return readCoordinateGet(head, id);
    case kindBytes["coordinate-write"]:
      return readCoordinateWrite(head, bodies, id);
    case kindBytes["get-answer"]:
      return readGetAnswer(head, bodies, id);
    case kindBytes["write-answer"]:
      return readWriteAnswer(head, id);
    case kindBytes.refusal:
      return readRefusal(head, id);
    case kindBytes.hello:
      return readHello(head, id);
    case kindBytes.gossip:
      return readGossip(head, id);
    case kindBytes["gossip-digest"]:
      return readGossipDigest(head, id);
    case kindBytes["gossip-answer"]:
      return readGossipAnswer(head, id);
    case kindBytes["gossip-delta"]:
      return readGossipDelta(head, id);
    case kindBytes["join-request"]:
      return readJoinRequest(head, id);
    case kindBytes["join-answer"]:
      return readJoinAnswer(head, id);
    case kindBytes["compare-trees"]:
      return readCompareTrees(head, id);
    case kindBytes["compare-nodes"]:
      return readCompareNodes(head, id);
    case kindBytes["hashes-compared"]:
      return readHashesCompared(head, id);
    case kindBytes["list-keys"]:
      return readListKeys(head, id);
    case kindBytes["keys-listed"]:
      return readKeysListed(head, id);
    case kindBytes["copy-states"]:
      return readCopyStates(head, id);
    case kindBytes["states-copied"]:
      return readStatesCopied(head, bodies, id);
    case kindBytes["when-stored"]:
      return { kind: "when-stored", id };
    case kindBytes["all-stored"]:
      return readAllStored(head, id);
    case kindBytes["ask-forgetting"]:
      return readAskForgetting(head, id);
    case kindBytes["forgetting-views"]:
      return readForgettingViews(head, id);
    case kindBytes.forget:
      return readForget(head, id);
    case kindBytes["take-seat"]:
      return readTakeSeat(head, id);
    case kindBytes["seat-sealed"]:
      return readSeatSealed(head, id);
    case kindBytes["fence-seat"]:
      return readFenceSeat(head, id);
    case kindBytes["fill-seat"]:
      return readFillSeat(head, id);
    case kindBytes["seat-fenced"]:
      return readSeatFenced(head, id);
    case kindBytes["rebuild-inquiry"]:
      return readRebuildInquiry(head, id);
    case kindBytes["rebuild-state"]:
      return readRebuildState(head, id);
    case kindBytes["compare-seats"]:
      return readCompareSeats(head, id);
    case kindBytes["seats-told"]:
      return readSeatsTold(head, id);
    case kindBytes.ping:
      return { kind: "ping", id };
    case kindBytes.done:
      return { kind: "done", id };
    default: {
      const message = readClientMessage(head, bodies, kind, id);
      if (message !== undefined) return message;
      throw new MalformedBytes(`message kind ${kind} is not known`);
    }
  }
}
