/**
 * Takes a stream of bytes apart into messages, however the stream was cut.
 *
 * Hot path. A frame that lies whole in what arrived is read where it lies, and its values are views into it. Only a
 * frame that is cut is gathered in a buffer of its own: that buffer grows with what has arrived, not with what the
 * frame claims, so that a claim costs nothing, and each byte is copied a bounded number of times.
 *
 * Invariant: a frame's lengths are believed once their check holds and they are within the limit, and nothing of its
 * head before the checksum was compared. After a `FrameError` the stream is lost.
 */

import { ByteReader, MalformedBytes } from "../core/bytes/byte-reader.ts";
import { TextMemo } from "../core/bytes/text-memo.ts";
import type { Checksum } from "../core/hash/crc32.ts";
import { decodeMessage } from "./codec.ts";
import { FrameError, frameStartBytes, lengthsCheck } from "./frame.ts";
import { agreeOnVersion, decodePreamble, ownVersions, preambleBytes, type VersionRange } from "./hello.ts";
import type { Message } from "./message.ts";

/** Gathered frames up to this length get all their room at once. */
const smallBytes = 64 * 1024;
const noBytes: Uint8Array = new Uint8Array(0);

export class FrameDecoder {
  /** Longest frame taken. Kept small until the other side has said who it is. */
  frameBytes: number;

  readonly #checksum: Checksum;
  readonly #versions: VersionRange;
  #version: number | undefined;
  #sentMs = 0;
  /** What arrived last, and how much of it is used up. */
  #chunk: Uint8Array = noBytes;
  #at = 0;
  /** The start of a cut frame, or of the preamble: its first `#gatheredBytes` bytes count. */
  #gathered: Uint8Array = noBytes;
  #gatheredBytes = 0;
  /** What is left of the frame that is being read. */
  readonly #head: ByteReader = new ByteReader(noBytes, new TextMemo());
  readonly #bodies: ByteReader = new ByteReader(noBytes);

  constructor(checksum: Checksum, frameBytes: number, versions: VersionRange = ownVersions) {
    this.#checksum = checksum;
    this.frameBytes = frameBytes;
    this.#versions = versions;
  }

  /** The protocol version both sides speak, once the preamble has been read. */
  get version(): number | undefined {
    return this.#version;
  }

  /** The `sent` of the frame of which the last message came. */
  get sentMs(): number {
    return this.#sentMs;
  }

  /** Gives the decoder the next bytes of the stream, which it may keep. Only after `next` has found no more. */
  push(bytes: Uint8Array): void {
    if (this.#at < this.#chunk.length || this.#head.left > 0)
      throw new Error("bytes pushed before the last ones were taken");
    this.#chunk = bytes;
    this.#at = 0;
  }

  /** The next message, or undefined if more bytes are needed. Throws `FrameError`. */
  next(): Message | undefined {
    if (this.#head.left === 0 && !this.#nextFrame()) return undefined;
    try {
      const message = decodeMessage(this.#head, this.#bodies);
      if (this.#head.left === 0) this.#bodies.end();
      return message;
    } catch (cause) {
      if (!(cause instanceof MalformedBytes)) throw cause;
      throw new FrameError("malformed", `a frame holds no message: ${cause.message}`, { cause });
    }
  }

  /** Whether a whole frame was there, whose messages can be read now. */
  #nextFrame(): boolean {
    if (this.#version === undefined && !this.#readPreamble()) return false;
    if (this.#gatheredBytes > 0) return this.#finishGathered();
    const left = this.#chunk.length - this.#at;
    if (left === 0) {
      this.#letGo();
      return false;
    }
    if (left >= frameStartBytes) {
      const length = this.#lengthOf(this.#chunk, this.#at);
      if (left >= length) {
        const at = this.#at;
        this.#at += length;
        return this.#open(this.#chunk, at, length);
      }
    }
    this.#gather(left, left);
    return false;
  }

  /** Keeps nothing alive that has been read. */
  #letGo(): void {
    this.#chunk = noBytes;
    this.#at = 0;
    this.#head.aim(noBytes, 0, 0);
    this.#bodies.aim(noBytes, 0, 0);
  }

  #readPreamble(): boolean {
    if (!this.#gatherUpTo(preambleBytes)) return false;
    const preamble = this.#takeGathered().subarray(0, preambleBytes);
    this.#version = agreeOnVersion(this.#versions, decodePreamble(preamble));
    return true;
  }

  #finishGathered(): boolean {
    if (!this.#gatherUpTo(frameStartBytes)) return false;
    const length = this.#lengthOf(this.#gathered, 0);
    if (!this.#gatherUpTo(length)) return false;
    return this.#open(this.#takeGathered(), 0, length);
  }

  #takeGathered(): Uint8Array {
    const gathered = this.#gathered;
    this.#gathered = noBytes;
    this.#gatheredBytes = 0;
    return gathered;
  }

  /** Whether `length` bytes are gathered now. */
  #gatherUpTo(length: number): boolean {
    const missing = length - this.#gatheredBytes;
    if (missing > 0) this.#gather(Math.min(missing, this.#chunk.length - this.#at), length);
    return this.#gatheredBytes >= length;
  }

  /** Moves `count` bytes of the chunk to the gathered ones, of which `expected` will be needed. */
  #gather(count: number, expected: number): void {
    const need = this.#gatheredBytes + count;
    if (need > this.#gathered.length) {
      const room = expected <= smallBytes ? expected : Math.min(expected, Math.max(smallBytes, need * 2));
      const grown = new Uint8Array(room);
      grown.set(this.#gathered.subarray(0, this.#gatheredBytes));
      this.#gathered = grown;
    }
    this.#gathered.set(this.#chunk.subarray(this.#at, this.#at + count), this.#gatheredBytes);
    this.#gatheredBytes = need;
    this.#at += count;
  }

  /** The whole length of the frame that starts there, which must be within the limit. */
  #lengthOf(bytes: Uint8Array, at: number): number {
    const headBytes = u32(bytes, at + 4);
    const bodyBytes = u32(bytes, at + 8);
    if (lengthsCheck(headBytes, bodyBytes) !== u32(bytes, at + 12)) {
      throw new FrameError("bad-checksum", "a frame's lengths do not match their check");
    }
    const length = frameStartBytes + headBytes + bodyBytes;
    if (length > this.frameBytes) {
      throw new FrameError("too-long", `a frame of ${length} bytes; the limit is ${this.frameBytes}`);
    }
    return length;
  }

  #open(bytes: Uint8Array, at: number, length: number): true {
    const headAt = at + frameStartBytes;
    const bodiesAt = headAt + u32(bytes, at + 4);
    if (this.#checksum(bytes.subarray(at + 4, bodiesAt)) !== u32(bytes, at)) {
      throw new FrameError("bad-checksum", "a frame's head does not match its checksum");
    }
    if (bodiesAt === headAt) throw new FrameError("malformed", "a frame holds no message: its head is empty");
    this.#sentMs = u32(bytes, at + 16);
    this.#head.aim(bytes, headAt, bodiesAt);
    this.#bodies.aim(bytes, bodiesAt, at + length);
    return true;
  }
}

function u32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}
