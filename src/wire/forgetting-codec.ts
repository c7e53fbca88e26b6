/** The messages by which members agree to forget: `node/reaper.ts` says what they mean. */

import type { ByteReader } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import { readListedKeys, writeListedKeys } from "./exchange-codec.ts";
import { readList, readName, writeList, writeName } from "./fields.ts";
import type { AskForgetting, Forget, ForgettingView, ForgettingViews } from "./message.ts";

/** By their bytes, from 0. */
const viewNames: readonly ForgettingView[] = ["ready", "watched", "kept", "other-state", "no-voice", "busy"];

export function writeAskForgetting(head: ByteWriter, message: AskForgetting): void {
  head.varint(message.ringVersion);
  writeListedKeys(head, message.keys);
}

export function readAskForgetting(head: ByteReader, id: number): AskForgetting {
  return { kind: "ask-forgetting", id, ringVersion: head.varint(), keys: readListedKeys(head) };
}

export function writeForgettingViews(head: ByteWriter, message: ForgettingViews): void {
  writeList(head, message.views, (to, view) => writeName(to, viewNames, view));
}

export function readForgettingViews(head: ByteReader, id: number): ForgettingViews {
  return { kind: "forgetting-views", id, views: readList(head, 1, (from) => readName(from, viewNames, "view")) };
}

export function writeForget(head: ByteWriter, message: Forget): void {
  head.varint(message.ringVersion);
  writeListedKeys(head, message.keys);
}

export function readForget(head: ByteReader, id: number): Forget {
  return { kind: "forget", id, ringVersion: head.varint(), keys: readListedKeys(head) };
}
