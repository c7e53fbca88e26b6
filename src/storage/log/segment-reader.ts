/**
 * Walks over the groups of a segment, half a mebibyte at a time, without reading large values.
 *
 * Where a group should begin and none does, the log has ended there, or is damaged: `hasGroupAfter` tells which. The
 * disk may have lost or torn only the very last group, so a good group behind a bad one means damage.
 */

import type { Checksum } from "../../core/hash/crc32.ts";
import { findGroupMagic, type GroupHead, groupHeadBytes, groupHeadsBytes, readGroupHead } from "./group-format.ts";
import type { LogFile } from "./log-disk.ts";

/** What is read at once: small groups with all their values, of large ones little but the heads. */
const wideWindowBytes: number = 512 * 1024;
const narrowWindowBytes: number = 32 * 1024;
const smallGroupBytes: number = 128 * 1024;
/** Heads of a group are longer only if the length is nonsense. */
const longestHeadsBytes: number = 256 * 1024 * 1024;

export interface ReadGroup {
  readonly head: GroupHead;
  /** The group's head and heads. */
  readonly heads: Uint8Array;
}

export class SegmentReader {
  readonly #file: LogFile;
  readonly #number: number;
  readonly #salt: number;
  readonly #checksum: Checksum;
  /** The window's memory, where it is used again and again: what it held is gone once something else is read. */
  readonly #memory: Uint8Array | undefined;
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;
  #nextWindowBytes: number = narrowWindowBytes;

  constructor(
    file: LogFile,
    segment: { readonly number: number; readonly salt: number },
    checksum: Checksum,
    options: { readonly reusesMemory: boolean },
  ) {
    this.#file = file;
    this.#number = segment.number;
    this.#salt = segment.salt;
    this.#checksum = checksum;
    this.#memory = options.reusesMemory ? new Uint8Array(wideWindowBytes) : undefined;
  }

  /** The group that begins at the offset; undefined where none does, whole as to its heads. */
  async groupAt(offset: number): Promise<ReadGroup | undefined> {
    const start = await this.#bytesAt(offset, groupHeadBytes);
    const length = groupHeadsBytes(start);
    if (length === undefined || length > longestHeadsBytes || offset + length > this.#file.sizeBytes) return undefined;
    const heads = await this.#bytesAt(offset, length);
    const head = readGroupHead(heads, { salt: this.#salt, segment: this.#number, offset }, this.#checksum);
    if (head === undefined) return undefined;
    const isSmall = head.endOffset - offset <= smallGroupBytes;
    this.#nextWindowBytes = isSmall ? wideWindowBytes : narrowWindowBytes;
    if (!isSmall || this.#memory === undefined) return { head, heads };
    // Its values are likely to be asked for: they come with it.
    return { head, heads: (await this.#bytesAt(offset, head.endOffset - offset)).subarray(0, length) };
  }

  /** The bytes if they have been read with the last group: a view that is good until the next one is read. */
  readBytes(offset: number, length: number): Uint8Array | undefined {
    const from = offset - this.#windowAt;
    return from < 0 || from + length > this.#window.length ? undefined : this.#window.subarray(from, from + length);
  }

  /** Whether the group's values are what was written. */
  async hasGoodValues({ head }: ReadGroup): Promise<boolean> {
    let checksum = 0;
    for (let at = head.valuesOffset; at < head.endOffset; ) {
      const piece = await this.#read(at, Math.min(1024 * 1024, head.endOffset - at));
      if (piece.length === 0) return false;
      checksum = this.#checksum(piece, checksum);
      at += piece.length;
    }
    return checksum === head.valuesChecksum;
  }

  /** Whether a group begins anywhere from the offset on. */
  async hasGroupAfter(offset: number): Promise<boolean> {
    for (let from = offset; from < this.#file.sizeBytes; ) {
      const piece = await this.#read(from, 1024 * 1024);
      for (let at = findGroupMagic(piece, 0); at >= 0; at = findGroupMagic(piece, at + 1)) {
        if ((await this.groupAt(from + at)) !== undefined) return true;
      }
      if (piece.length === 0) return false;
      from += piece.length;
    }
    return false;
  }

  async #bytesAt(offset: number, length: number): Promise<Uint8Array> {
    const from = offset - this.#windowAt;
    if (from < 0 || from + length > this.#window.length) {
      this.#window = await this.#read(offset, Math.max(length, this.#nextWindowBytes), this.#memory);
      this.#windowAt = offset;
      return this.#window.subarray(0, length);
    }
    return this.#window.subarray(from, from + length);
  }

  async #read(offset: number, length: number, memory?: Uint8Array): Promise<Uint8Array> {
    const bytesLeft = Math.max(0, Math.min(length, this.#file.sizeBytes - offset));
    const isRoomy = memory !== undefined && memory.length >= bytesLeft;
    const bytes = isRoomy ? memory.subarray(0, bytesLeft) : new Uint8Array(bytesLeft);
    return bytes.subarray(0, await this.#file.read(bytes, offset));
  }
}
