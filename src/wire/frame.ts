/**
 * How messages lie in a stream of bytes.
 *
 *     frame := u32 checksum | u32 head bytes | u32 body bytes | head | bodies
 *
 * The checksum is the CRC-32 of everything between itself and the bodies. The bodies are the message's values one
 * after the other, and each is covered by the checksum it got where it entered the cluster: a frame's checksum never
 * runs over value bytes, and a value damaged anywhere between its first node and its reader is found by the same
 * check. Big-endian throughout.
 *
 * A connection begins, from both sides, with a preamble and a frame that holds a `hello` (`hello.ts`).
 */

/** Bytes before a frame's head. */
export const frameStartBytes = 12;

/**
 * - `too-long`: the frame says it is longer than this side takes.
 * - `bad-checksum`: what arrived is not what was sent.
 * - `malformed`: the frame is whole, but is no message this version knows.
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
