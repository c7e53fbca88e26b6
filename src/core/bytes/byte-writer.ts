/**
 * Grows a byte string from numbers and texts: the writing half of every format the project has.
 *
 * Hot path. One writer is kept and reset for many messages, so that encoding allocates only when the buffer grows;
 * short texts, nearly all of them ASCII, are written by a loop, since calling the platform's encoder costs more than
 * the loop for keys of a few dozen bytes. Its naive twin is in the tests.
 */

const encoder: TextEncoder = new TextEncoder();
const longestLoopedText = 64;

export class ByteWriter {
  #bytes: Uint8Array;
  /** Of `#bytes`, made when the first float is written. */
  #floats: DataView | undefined;
  #length = 0;

  constructor(initialBytes = 1024) {
    this.#bytes = new Uint8Array(initialBytes);
  }

  /** How many bytes are written. */
  get length(): number {
    return this.#length;
  }

  /** Forgets what was written, and keeps the room for it. */
  reset(): void {
    this.#length = 0;
  }

  /** What was written, as a view that the next write or reset may overwrite. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** What was written from `offset` on, as `view` has it. */
  viewFrom(offset: number): Uint8Array {
    return this.#bytes.subarray(offset, this.#length);
  }

  /** Forgets what was written after the first `length` bytes. */
  truncate(length: number): void {
    if (length > this.#length) throw new RangeError(`cannot cut ${this.#length} bytes to ${length}`);
    this.#length = length;
  }

  /** What was written, as bytes of its own. */
  copy(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  u16(value: number): void {
    this.#room(2);
    this.#bytes[this.#length++] = value >>> 8;
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    this.#room(4);
    this.#length += 4;
    this.setU32(this.#length - 4, value);
  }

  /** Overwrites four bytes written before, at `offset`: for lengths and checksums known only at the end. */
  setU32(offset: number, value: number): void {
    if (offset + 4 > this.#length) throw new RangeError(`no four bytes at offset ${offset} of ${this.#length}`);
    const bytes = this.#bytes;
    bytes[offset] = value >>> 24;
    bytes[offset + 1] = value >>> 16;
    bytes[offset + 2] = value >>> 8;
    bytes[offset + 3] = value;
  }

  f64(value: number): void {
    this.#room(8);
    this.#floats ??= new DataView(this.#bytes.buffer);
    this.#floats.setFloat64(this.#length, value);
    this.#length += 8;
  }

  /** A whole number from 0 to 2^53-1, seven bits a byte, low bits first. */
  varint(value: number): void {
    this.#room(8);
    const bytes = this.#bytes;
    let at = this.#length;
    let rest = value;
    if (value >= 0x1000_0000) {
      // The low 28 bits at once, so that what is left is a small integer.
      const low = value % 0x1000_0000;
      bytes[at++] = low | 0x80;
      bytes[at++] = (low >>> 7) | 0x80;
      bytes[at++] = (low >>> 14) | 0x80;
      bytes[at++] = (low >>> 21) | 0x80;
      rest = (value - low) / 0x1000_0000;
    }
    for (; rest >= 0x80; rest >>>= 7) bytes[at++] = rest | 0x80;
    bytes[at++] = rest;
    this.#length = at;
  }

  /** Bytes as they are, without their length. */
  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Bytes behind their length. */
  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** A text as UTF-8 behind its length in bytes. A lone surrogate becomes U+FFFD, as the platform's encoder has it. */
  text(text: string): void {
    if (text.length > longestLoopedText || !this.#ascii(text)) this.bytes(encoder.encode(text));
  }

  #ascii(text: string): boolean {
    const length = text.length;
    this.#room(length + 1);
    const bytes = this.#bytes;
    const start = this.#length;
    bytes[start] = length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[start + 1 + i] = code;
    }
    this.#length = start + 1 + length;
    return true;
  }

  #room(more: number): void {
    const need = this.#length + more;
    if (need <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#floats = undefined;
  }
}
