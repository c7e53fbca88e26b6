/**
 * How messages lie in a stream of bytes.
 *
 *     frame := u32 checksum | u32 head bytes | u32 body bytes | head | bodies
 *
 * A frame holds one message or several that left in the same turn: the head is their heads one after the other, the
 * bodies are the values they carry, in the same order. The checksum is the CRC-32 of everything between itself and
 * the bodies; each value is covered by the checksum it got where it entered the cluster. So a frame's checksum never
 * runs over value bytes, a value damaged anywhere between its first node and its reader is found by one and the same
 * check, and the price of a checksum's call is shared by all messages of a frame. Big-endian throughout.
 *
 * A connection begins, from both sides, with a preamble and a frame that holds a `hello` (`hello.ts`).
 */

/** Bytes before a frame's head. */
export const frameStartBytes = 12;

/**
 * - `too-long`: the frame says it is longer than this side takes.
 * - `bad-checksum`: what arrived is not what was sent.
 * - `malformed`: the frame is whole, but holds no messages that this version knows.
 * - `bad-version`: the other side speaks no version that this side speaks.
 */
export type FrameErrorCode = "too-long" | "bad-checksum" | "malformed" | "bad-version";

/** What arrived makes no sense; nothing after it can be trusted, so its connection has to go. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly code: FrameErrorCode;

  constructor(code: FrameErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
