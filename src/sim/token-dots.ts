/**
 * A context token read down to its dots, without the secret that seals it: for the journal, which has to know what a
 * client has seen. The tag is not checked here; the nodes do that.
 */

import { fromBase64Url } from "../core/bytes/base64url.ts";
import { ByteReader } from "../core/bytes/byte-reader.ts";
import type { DotSet } from "../core/causality/dot-set.ts";
import { readDotSet } from "../wire/state-codec.ts";

const coordinatorBytes = 8;

export function dotsOfToken(token: string): DotSet {
  const bytes = fromBase64Url(token);
  if (bytes === undefined) throw new Error("a node gave out a token that is no base64url");
  const reader = new ByteReader(bytes);
  reader.u8();
  if (reader.u8() === 1) reader.raw(coordinatorBytes);
  return readDotSet(reader);
}
