/**
 * The messages in what a node sends: checkers judge what nodes tell each other, and a fault can wait for a message, since
 * a crash just when a hint was handed over is another than a crash at any time.
 */

import type { Checksum } from "../core/hash/crc32.ts";
import { FrameDecoder } from "../wire/frame-decoder.ts";
import { encodePreamble, ownVersions, preambleBytes } from "../wire/hello.ts";
import type { Message } from "../wire/message.ts";

const magic = encodePreamble(ownVersions);

/** The messages; none of what is not whole frames. */
export function messagesIn(bytes: Uint8Array, checksum: Checksum): readonly Message[] {
  const decoder = new FrameDecoder(checksum, Number.MAX_SAFE_INTEGER);
  const messages: Message[] = [];
  try {
    decoder.push(magic.slice());
    if (decoder.next() !== undefined) return messages;
    decoder.push(magic.every((byte, at) => byte === bytes[at]) ? bytes.subarray(preambleBytes) : bytes);
    for (let message = decoder.next(); message !== undefined; message = decoder.next()) messages.push(message);
  } catch {
    // Some test's own bytes: no protocol of ours.
  }
  return messages;
}

/** The message's kind, and of a `replica-put` its purpose too. */
export function nameOf(message: Message): string {
  return message.kind === "replica-put" ? `${message.kind} ${message.purpose}` : message.kind;
}
