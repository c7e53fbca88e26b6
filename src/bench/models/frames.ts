/**
 * The bare model's frames: a fixed head, a key, a value, one after the other as they left in a turn.
 *
 *     u32 length of all | u8 kind | u8 flag | u16 key bytes | u32 slot | u32 checksum of the value | f64 version | key | value
 *
 * What is written within one turn of the event loop leaves with one write, out of a buffer that is used again as soon
 * as the kernel has taken it. Nothing is made for a message: who receives one is given the place where it begins. Heads
 * have no checksum, and there is no back-pressure: a model pays only for what the job cannot do without. Hot path.
 */

import type { Socket } from "node:net";
import type { Readable } from "node:stream";

/** What a message is. */
export const kinds = {
  get: 1,
  put: 2,
  found: 3,
  stored: 4,
  peerGet: 5,
  peerPut: 6,
  peerFound: 7,
  peerStored: 8,
} as const;

export const headBytes = 24;
const startBytes = 65_536;
/** Of no value. */
export const nothing: Buffer = Buffer.alloc(0);

/** Messages on their way to one socket, sent at the end of the turn. */
export class Outbox {
  readonly #socket: Socket;
  readonly #flush: () => void = () => this.#send();
  #buffer: Buffer = Buffer.allocUnsafeSlow(startBytes);
  #length = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  add(kind: number, slot: number, key: string, version: number, checksum: number, value: Uint8Array): void {
    const length = headBytes + key.length + value.length;
    if (this.#length === 0) setImmediate(this.#flush);
    if (this.#length + length > this.#buffer.length) this.#grow(length);
    this.#length = writeMessage(this.#buffer, this.#length, kind, slot, key, version, checksum, value);
  }

  #grow(by: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#buffer.length, this.#length + by));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  #send(): void {
    const socket = this.#socket;
    const length = this.#length;
    this.#length = 0;
    if (socket.destroyed) return;
    socket.write(this.#buffer.subarray(0, length));
    // What the kernel has not taken at once is still in the buffer.
    if (socket.writableLength > 0) this.#buffer = Buffer.allocUnsafeSlow(startBytes);
  }
}

/** Writes a message at the place, and answers where it ends. Keys are one byte a letter. */
export function writeMessage(
  buffer: Buffer,
  at: number,
  kind: number,
  slot: number,
  key: string,
  version: number,
  checksum: number,
  value: Uint8Array,
): number {
  const end = at + headBytes + key.length + value.length;
  buffer.writeUInt32LE(end - at, at);
  buffer[at + 4] = kind;
  buffer[at + 5] = 0;
  buffer.writeUInt16LE(key.length, at + 6);
  buffer.writeUInt32LE(slot, at + 8);
  buffer.writeUInt32LE(checksum, at + 12);
  buffer.writeDoubleLE(version, at + 16);
  buffer.write(key, at + headBytes, "latin1");
  buffer.set(value, at + headBytes + key.length);
  return end;
}

/** Has the listener called with each message that arrives, and where it begins. The bytes are its own to keep. */
export function readMessages(stream: Readable, onMessage: (bytes: Buffer, at: number) => void): void {
  let rest: Buffer = nothing;
  stream.on("data", (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32LE(at);
      if (bytes.length - at < length) break;
      onMessage(bytes, at);
      at += length;
    }
    rest = bytes.subarray(at);
  });
}

export const kindAt = (bytes: Buffer, at: number): number => bytes[at + 4] as number;
export const slotAt = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 8);
export const checksumAt = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 12);
export const versionAt = (bytes: Buffer, at: number): number => bytes.readDoubleLE(at + 16);

export function keyAt(bytes: Buffer, at: number): string {
  return bytes.toString("latin1", at + headBytes, at + headBytes + bytes.readUInt16LE(at + 6));
}

/** A view of the value, not a copy. */
export function valueAt(bytes: Buffer, at: number): Buffer {
  return bytes.subarray(at + headBytes + bytes.readUInt16LE(at + 6), at + bytes.readUInt32LE(at));
}
