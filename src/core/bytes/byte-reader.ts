/**
 * Reads what `ByteWriter` wrote, from bytes that nobody vouches for.
 *
 * Every read checks that the bytes are there before it takes them, and a length is checked against what is left
 * before anything is allocated for it, so that nonsense costs an error and never memory. Byte strings come out as
 * views into the source, not copies.
 *
 * Hot path, like its counterpart.
 */

import type { TextMemo } from "./text-memo.ts";

/** The bytes do not hold what their reader expects: too short, too long, or a value out of its range. */
export class MalformedBytes extends Error {
  override readonly name = "MalformedBytes";
  readonly code = "malformed-bytes";
}

const decoder: TextDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Up to here a loop is faster than the platform's decoder. */
const longestLoopedText = 20;

export class ByteReader {
  #bytes: Uint8Array;
  #at = 0;
  #end: number;
  readonly #memo: TextMemo | undefined;

  /** `memo` is for the texts that come again, and may be shared by readers. */
  constructor(bytes: Uint8Array, memo?: TextMemo) {
    this.#bytes = bytes;
    this.#end = bytes.length;
    this.#memo = memo;
  }

  /** Reads `bytes` from `from` to before `to` next, so that one reader can serve for many messages. */
  aim(bytes: Uint8Array, from: number, to: number): void {
    if (from > to || to > bytes.length) throw new RangeError(`no bytes ${from} to ${to} of ${bytes.length}`);
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** The offset of the next byte. */
  get offset(): number {
    return this.#at;
  }

  u8(): number {
    this.#need(1);
    return this.#bytes[this.#at++] as number;
  }

  u16(): number {
    this.#need(2);
    const high = this.#bytes[this.#at++] as number;
    return (high << 8) | (this.#bytes[this.#at++] as number);
  }

  u32(): number {
    this.#need(4);
    const bytes = this.#bytes;
    const at = this.#at;
    this.#at += 4;
    const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    return ((high << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0;
  }

  f64(): number {
    this.#need(8);
    this.#at += 8;
    const { buffer, byteOffset } = this.#bytes;
    return new DataView(buffer, byteOffset + this.#at - 8, 8).getFloat64(0);
  }

  /** A whole number from 0 to 2^53-1. */
  varint(): number {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return low;
    }
    let high = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      high |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      if (high >= 0x200_0000) break;
      return high * 0x1000_0000 + low;
    }
    throw new MalformedBytes(`number at offset ${this.#at} is over 2^53-1`);
  }

  /** A varint that counts things of which each takes at least `bytesEach` of what is left. */
  count(bytesEach: number): number {
    const count = this.varint();
    if (count * bytesEach > this.left) {
      throw new MalformedBytes(`count ${count} at offset ${this.#at} is more than ${this.left} bytes can hold`);
    }
    return count;
  }

  /** The next `length` bytes, as a view. */
  raw(length: number): Uint8Array {
    this.#need(length);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Passes over the next `length` bytes. */
  skip(length: number): void {
    this.#need(length);
    this.#at += length;
  }

  /** A byte string behind its length, as a view. */
  bytes(): Uint8Array {
    return this.raw(this.varint());
  }

  /** UTF-8 text behind its length in bytes. */
  text(): string {
    const length = this.varint();
    this.#need(length);
    return this.#text(length);
  }

  /** The same, of a text that has likely come before. */
  name(): string {
    const length = this.varint();
    this.#need(length);
    const memo = this.#memo;
    if (memo === undefined) return this.#text(length);
    const at = this.#at;
    const known = memo.find(this.#bytes, at, length);
    if (known !== undefined) {
      this.#at += length;
      return known;
    }
    const text = this.#text(length);
    memo.keep(this.#bytes, at, length, text);
    return text;
  }

  #text(length: number): string {
    if (length <= longestLoopedText) {
      const text = asciiOf(this.#bytes, this.#at, this.#at + length);
      if (text !== undefined) {
        this.#at += length;
        return text;
      }
    }
    const bytes = this.raw(length);
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new MalformedBytes(`text at offset ${this.#at - length} is not UTF-8`, { cause });
    }
  }

  /** Fails unless everything was read: what follows would be something this version does not know. */
  end(): void {
    if (this.left > 0) throw new MalformedBytes(`${this.left} bytes too many`);
  }

  #need(length: number): void {
    if (length > this.#end - this.#at) {
      throw new MalformedBytes(`${length} bytes wanted at offset ${this.#at}, ${this.#end - this.#at} left`);
    }
  }
}

/** The text of these bytes where all are ASCII. Eight at a time: to join texts costs more than to read bytes. */
function asciiOf(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = "";
  let at = from;
  for (; at + 8 <= to; at += 8) {
    const a = bytes[at] as number;
    const b = bytes[at + 1] as number;
    const c = bytes[at + 2] as number;
    const d = bytes[at + 3] as number;
    const e = bytes[at + 4] as number;
    const f = bytes[at + 5] as number;
    const g = bytes[at + 6] as number;
    const h = bytes[at + 7] as number;
    if ((a | b | c | d | e | f | g | h) > 0x7f) return undefined;
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  for (; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}
