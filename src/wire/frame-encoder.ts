/**
 * Collects the messages of one event-loop turn, so that they leave in one write: a system call costs more than
 * everything else that is done for a message.
 *
 * Hot path. Heads are written one behind the other into one growing buffer, which the frame's end completes with the
 * small values; a value over `viewBytes` stays where it is and goes out as a chunk of its own. So a value must not
 * change until its turn has ended, and a large one never.
 */

import { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { Checksum } from "../core/hash/crc32.ts";
import { encodeMessage } from "./codec.ts";
import { frameStartBytes, lengthsCheck } from "./frame.ts";
import type { Message } from "./message.ts";

/** Above this, handing a value over as a view is cheaper than copying it. */
const viewBytes = 4096;
/**
 * A frame that is so long gets no more messages: the other side handles a frame when it has all of it, and one that
 * arrives in pieces is copied.
 */
const fullBytes = 16 * 1024;
/** A buffer that grew beyond this for one busy turn is not kept. */
const keptBytes = 1024 * 1024;

/** A value that goes out as it is, and where in the writer's bytes it belongs. */
interface ViewedValue {
  readonly at: number;
  readonly value: Uint8Array;
}

export class FrameEncoder {
  readonly #checksum: Checksum;
  readonly #frameBytes: number;
  readonly #sentMs: () => number;
  /** Finished frames, and the heads of the open one. */
  #writer: ByteWriter = new ByteWriter();
  /** Holds what was taken last, until it is given back. */
  #lent: ByteWriter | undefined;
  /** Given back, for the next turn but one. */
  #spare: ByteWriter | undefined;
  #views: ViewedValue[] = [];
  #viewedBytes = 0;
  #messages = 0;
  /** Where the open frame starts; below zero while there is none. */
  #frameAt = -1;
  /** The open frame's values. */
  readonly #bodies: Uint8Array[] = [];
  #bodyBytes = 0;

  /** `sentMs` tells the age of the connection, in whole ms modulo 2^32: asked once for each frame. */
  constructor(checksum: Checksum, frameBytes: number, sentMs: () => number = () => 0) {
    this.#checksum = checksum;
    this.#frameBytes = frameBytes;
    this.#sentMs = sentMs;
  }

  /** Bytes that wait for `take`. */
  get pendingBytes(): number {
    return this.#writer.length + this.#viewedBytes + this.#bodyBytes;
  }

  /** Messages that wait for `take`. */
  get pendingMessages(): number {
    return this.#messages;
  }

  /** Adds the message under the id; its own id is ignored. False, and nothing added, if no frame can hold it. */
  add(message: Message, id: number): boolean {
    const writer = this.#writer;
    const bodies = this.#bodies;
    const isFirst = this.#frameAt < 0;
    const frameAt = isFirst ? writer.length : this.#frameAt;
    if (isFirst) {
      for (let at = 0; at < frameStartBytes - 4; at += 4) writer.u32(0);
      writer.u32(this.#sentMs());
    }
    const headAt = writer.length;
    const bodiesBefore = bodies.length;
    encodeMessage(writer, bodies, message, id);
    let bodyBytes = this.#bodyBytes;
    for (let i = bodiesBefore; i < bodies.length; i++) bodyBytes += (bodies[i] as Uint8Array).length;
    const length = writer.length - frameAt + bodyBytes;
    if (length > this.#frameBytes) {
      writer.truncate(isFirst ? frameAt : headAt);
      while (bodies.length > bodiesBefore) bodies.pop();
      if (isFirst) return false;
      this.#endFrame();
      return this.add(message, id);
    }
    this.#frameAt = frameAt;
    this.#bodyBytes = bodyBytes;
    this.#messages++;
    if (length >= fullBytes) this.#endFrame();
    return true;
  }

  /**
   * The frames of all that was added since the last call, as few chunks. They stay as they are, for good or until
   * `giveBack`.
   */
  take(): Uint8Array[] {
    if (this.#messages === 0) return [];
    if (this.#frameAt >= 0) this.#endFrame();
    const lent = this.#writer;
    const bytes = lent.view();
    this.#writer = this.#spare ?? new ByteWriter();
    this.#spare = undefined;
    this.#lent = lent;
    this.#messages = 0;
    if (this.#views.length === 0) return [bytes];
    const chunks = interleave(bytes, this.#views);
    this.#views = [];
    this.#viewedBytes = 0;
    return chunks;
  }

  /** What was taken last has left: its room is used again. */
  giveBack(): void {
    const lent = this.#lent;
    this.#lent = undefined;
    if (lent === undefined || lent.length > keptBytes) return;
    lent.reset();
    this.#spare = lent;
  }

  #endFrame(): void {
    const writer = this.#writer;
    const frameAt = this.#frameAt;
    const headBytes = writer.length - frameAt - frameStartBytes;
    writer.setU32(frameAt + 4, headBytes);
    writer.setU32(frameAt + 8, this.#bodyBytes);
    writer.setU32(frameAt + 12, lengthsCheck(headBytes, this.#bodyBytes));
    writer.setU32(frameAt, this.#checksum(writer.viewFrom(frameAt + 4)));
    const bodies = this.#bodies;
    for (let i = 0; i < bodies.length; i++) this.#addBody(bodies[i] as Uint8Array);
    bodies.length = 0;
    this.#bodyBytes = 0;
    this.#frameAt = -1;
  }

  #addBody(value: Uint8Array): void {
    if (value.length <= viewBytes) {
      this.#writer.raw(value);
      return;
    }
    this.#views.push({ at: this.#writer.length, value });
    this.#viewedBytes += value.length;
  }
}

function interleave(bytes: Uint8Array, views: readonly ViewedValue[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let from = 0;
  for (const { at, value } of views) {
    if (at > from) chunks.push(bytes.subarray(from, at));
    chunks.push(value);
    from = at;
  }
  if (from < bytes.length) chunks.push(bytes.subarray(from));
  return chunks;
}
