/**
 * Collects the messages of one event-loop turn, so that they leave in one write: a system call costs more than
 * everything else that is done for a message.
 *
 * Hot path. Heads and small values are copied into one growing buffer; a value over `viewBytes` stays where it is
 * and goes out as a chunk of its own. So its owner must leave it unchanged for good.
 */

import { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { Checksum } from "../core/hash/crc32.ts";
import { encodeMessage } from "./codec.ts";
import { frameStartBytes } from "./frame.ts";
import type { Message } from "./message.ts";

/** Above this, handing a value over as a view is cheaper than copying it. */
const viewBytes = 4096;
/** A buffer that grew beyond this for one busy turn is not kept. */
const keptBytes = 1024 * 1024;

export class FrameEncoder {
  readonly #checksum: Checksum;
  readonly #frameBytes: number;
  #writer: ByteWriter = new ByteWriter();
  readonly #bodies: Uint8Array[] = [];
  /** Values that go out as they are, and where in the writer's bytes each belongs. */
  #views: { readonly at: number; readonly value: Uint8Array }[] = [];
  #viewedBytes = 0;
  #frames = 0;

  constructor(checksum: Checksum, frameBytes: number) {
    this.#checksum = checksum;
    this.#frameBytes = frameBytes;
  }

  /** Bytes that wait for `take`. */
  get pendingBytes(): number {
    return this.#writer.length + this.#viewedBytes;
  }

  /** Frames that wait for `take`. */
  get pendingFrames(): number {
    return this.#frames;
  }

  /** Adds the message under the id; its own id is ignored. False, and nothing added, if its frame would be too long. */
  add(message: Message, id: number): boolean {
    const writer = this.#writer;
    const bodies = this.#bodies;
    const start = writer.length;
    bodies.length = 0;
    writer.u32(0);
    writer.u32(0);
    writer.u32(0);
    encodeMessage(writer, bodies, message, id);
    const headEnd = writer.length;
    let bodyBytes = 0;
    for (let i = 0; i < bodies.length; i++) bodyBytes += (bodies[i] as Uint8Array).length;
    if (headEnd - start + bodyBytes > this.#frameBytes) {
      writer.truncate(start);
      return false;
    }
    writer.setU32(start + 4, headEnd - start - frameStartBytes);
    writer.setU32(start + 8, bodyBytes);
    writer.setU32(start, this.#checksum(writer.viewFrom(start + 4)));
    for (let i = 0; i < bodies.length; i++) this.#addBody(bodies[i] as Uint8Array);
    this.#frames++;
    return true;
  }

  /** The frames of all that was added since the last call, as few chunks, which are the caller's for good. */
  take(): Uint8Array[] {
    if (this.#frames === 0) return [];
    const bytes = this.#writer.copy();
    if (this.#writer.length > keptBytes) this.#writer = new ByteWriter();
    else this.#writer.reset();
    this.#frames = 0;
    if (this.#views.length === 0) return [bytes];
    const chunks = interleave(bytes, this.#views);
    this.#views = [];
    this.#viewedBytes = 0;
    return chunks;
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

function interleave(
  bytes: Uint8Array,
  views: readonly { readonly at: number; readonly value: Uint8Array }[],
): Uint8Array[] {
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
