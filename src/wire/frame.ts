/**
 * How messages lie in a stream of bytes.
 *
 *     frame := u32 checksum | u32 head bytes | u32 body bytes | u32 check of both | u32 sent | head | bodies
 *
 * A frame holds one message or several that left in the same turn: the head is their heads one after the other, the
 * bodies are the values they carry, in the same order. The checksum is the CRC-32 of everything between itself and
 * the bodies; each value is covered by the checksum it got where it entered the cluster. So a frame's checksum never
 * runs over value bytes, a value damaged anywhere between its first node and its reader is found by one and the same
 * check, and the price of a checksum's call is shared by all messages of a frame. Big-endian throughout.
 *
 * The lengths have a check of their own, since they are believed before the checksum can be compared: one flipped bit
 * in them, and the reader would wait for megabytes that nobody sends, while every answer that still comes goes into
 * the frame that never ends.
 *
 * `sent` says how old the connection was when the frame's first message was added, in ms of the sender's monotonic
 * clock, modulo 2^32: whoever reads it can tell what has lain somewhere for too long (`rpc/frame-age.ts`).
 *
 * A connection begins, from both sides, with a preamble and a frame that holds a `hello` (`hello.ts`).
 */

/** Bytes before a frame's head. */
export const frameStartBytes = 20;

/** The check of a frame's two lengths: any one bit flipped in either changes it. */
export function lengthsCheck(headBytes: number, bodyBytes: number): number {
  return (Math.imul(headBytes ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(bodyBytes ^ 0x7f4a7c15, 0xc2b2ae35)) >>> 0;
}

/**
 * - `too-long`: the frame says it is longer than this side takes.
 * - `bad-checksum`: what arrived is not what was sent.
 * - `malformed`: the frame is whole, but holds no messages that this version knows.
 * - `too-old`: the frame was sent longer ago than a message may live.
 * - `bad-version`: the other side speaks no version that this side speaks.
 */
export type FrameErrorCode = "too-long" | "bad-checksum" | "malformed" | "too-old" | "bad-version";

/** What arrived makes no sense; nothing after it can be trusted, so its connection has to go. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly code: FrameErrorCode;

  constructor(code: FrameErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
