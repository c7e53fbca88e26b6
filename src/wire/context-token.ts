/**
 * The opaque text by which a client gives back what it has seen (§4.4, the paper's "context").
 *
 * A token is good for one bucket and key. Given back with another key, its dots would say that the client had seen,
 * and its write replaces, versions it knows nothing of: in the model, one history in three then loses a write. So the
 * token ends with a checksum, keyed by the cluster's secret, over the bucket, the key and its content; whatever
 * fails it is refused and never ignored.
 *
 *     u8 version | u8 flags | coordinator's id, 8 bytes, where flagged | dot set | SipHash, 8 bytes    as base64url
 *
 * The coordinator is the owner that answered a read fastest, so the best one for the write that follows (§5). It is
 * advice: nothing but speed depends on it.
 */

import { fromBase64Url, toBase64Url } from "../core/bytes/base64url.ts";
import { ByteReader } from "../core/bytes/byte-reader.ts";
import { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { DotSet } from "../core/causality/dot-set.ts";
import { sipHash } from "../core/hash/siphash.ts";
import { type NodeId, parseNodeId } from "../core/ids.ts";
import { writeNodeId } from "./fields.ts";
import { readDotSet, writeDotSet } from "./state-codec.ts";

export interface Token {
  /** The dots the client has seen. */
  readonly seen: DotSet;
  /** The owner that answered fastest, as advice. */
  readonly coordinator?: NodeId | undefined;
}

export type OpenedToken =
  | { readonly kind: "token"; readonly seen: DotSet; readonly coordinator?: NodeId }
  /** `why` is the rest of a sentence that begins with "the context". */
  | { readonly kind: "invalid"; readonly why: string };

/** Longest token, in characters: with every default limit at its worst one has about 6,000; headers hold 16 KiB. */
export const tokenCharacters: number = 12_000;
/** The same before it is text. */
export const tokenBytes: number = (tokenCharacters / 4) * 3;

/** Room that every token reuses; nothing of one call is left for the next. */
const scratch: ByteWriter = new ByteWriter(2048);

const version = 1;
const hasCoordinator = 1;
const tagBytes = 8;

/** The token for `bucket` and `key`. `secret` is the cluster's, at least 16 bytes, of which the first 16 are used. */
export function sealToken(token: Token, bucket: string, key: string, secret: Uint8Array): string {
  return toBase64Url(sealedBytes(token, bucket, key, secret));
}

/** The same before it is text, as a native client gets it. */
export function sealedBytes(token: Token, bucket: string, key: string, secret: Uint8Array): Uint8Array {
  const writer = scratch;
  writer.reset();
  writePlace(writer, bucket, key);
  const start = writer.length;
  writer.u8(version);
  writer.u8(token.coordinator === undefined ? 0 : hasCoordinator);
  if (token.coordinator !== undefined) writeNodeId(writer, token.coordinator);
  writeDotSet(writer, token.seen);
  const { hi, lo } = sipHash(secret.subarray(0, 16), writer.view());
  writer.u32(hi);
  writer.u32(lo);
  return writer.viewFrom(start).slice();
}

/** What the text says, if the cluster made it for this bucket and key. Never throws on what a client can send. */
export function openToken(text: string, bucket: string, key: string, secret: Uint8Array): OpenedToken {
  if (text.length > tokenCharacters) {
    return { kind: "invalid", why: `is ${text.length} characters long, the limit is ${tokenCharacters}` };
  }
  const bytes = fromBase64Url(text);
  if (bytes === undefined) return { kind: "invalid", why: "is not a context token" };
  return openBytes(bytes, bucket, key, secret);
}

/** The same of what `sealedBytes` made. */
export function openBytes(bytes: Uint8Array, bucket: string, key: string, secret: Uint8Array): OpenedToken {
  if (bytes.length < 2 + tagBytes) return { kind: "invalid", why: "is not a context token" };
  if (bytes[0] !== version) return { kind: "invalid", why: `has version ${bytes[0]}, this node reads ${version}` };
  const payload = bytes.subarray(0, bytes.length - tagBytes);
  const writer = scratch;
  writer.reset();
  writePlace(writer, bucket, key);
  writer.raw(payload);
  const { hi, lo } = sipHash(secret.subarray(0, 16), writer.view());
  const tag = new ByteReader(bytes.subarray(payload.length));
  if (tag.u32() !== hi || tag.u32() !== lo) {
    return { kind: "invalid", why: "was not made by this cluster for this bucket and key" };
  }
  try {
    return readPayload(payload);
  } catch (error) {
    // Sealed by this cluster and yet unreadable: a newer version's content under the same version number.
    return { kind: "invalid", why: `cannot be read: ${error instanceof Error ? error.message : "malformed"}` };
  }
}

function readPayload(payload: Uint8Array): OpenedToken {
  const reader = new ByteReader(payload);
  reader.u8();
  const flags = reader.u8();
  if (flags > hasCoordinator) return { kind: "invalid", why: `has unknown flags ${flags}` };
  let coordinator: NodeId | undefined;
  if (flags === hasCoordinator) {
    let id = "";
    for (const byte of reader.raw(8)) id += byte.toString(16).padStart(2, "0");
    coordinator = parseNodeId(id);
  }
  const seen = readDotSet(reader);
  reader.end();
  return coordinator === undefined ? { kind: "token", seen } : { kind: "token", seen, coordinator };
}

/**
 * What the checksum covers before the payload. Bucket and key stand behind their lengths and the payload runs to the
 * end, so no other three parts give the same bytes.
 */
function writePlace(writer: ByteWriter, bucket: string, key: string): void {
  writer.text("context");
  writer.text(bucket);
  writer.text(key);
}
