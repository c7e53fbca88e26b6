/**
 * Checkpoints: the key directory in a file, so that a store is opened without reading all of its log.
 *
 * Behind the file's head (`file-head.ts`) stand blocks, each with its length and checksum: first the place in the log
 * that the checkpoint is of, then keys in order with the places of their values, at last their number. It is a help and
 * nothing else: one that is damaged is ignored, and the log is read from its beginning.
 *
 * It is written in the background while writes go on, so what it says of a key may be newer than its place. That is
 * right all the same: opening replays the log from that place on, and the last operation on each key decides. A key
 * that no operation behind the place touches stays as it was all the time, and is found whenever it is looked at.
 *
 *     block  u32 length | u32 CRC-32 | u8 kind | ...
 *     1      u32 segment | u32 offset | u32 first segment that is needed | u32 keys, about
 *     2      per key u16 length | u32 segment | u32 offset | u32 length of the value | key
 *     3      u32 keys, two words
 */

import type { Checksum } from "../../core/hash/crc32.ts";
import { keyAfter } from "../store-key.ts";
import { encodeFileHead, fileHeadBytes, fileName, readFileHead } from "./file-head.ts";
import { readU32, writeU32 } from "./group-format.ts";
import { longestKeyBytes } from "./key-arena.ts";
import type { KeyDirectory } from "./key-directory.ts";
import type { LogDisk, LogFile } from "./log-disk.ts";

const blockHeadBytes = 8;
const entryHeadBytes = 14;
const placeKind = 1;
const keysKind = 2;
const endKind = 3;
/** Keys of a block: what is done in one turn of the event loop. */
const blockKeys = 512;
const longestBlockBytes: number = 1 + blockKeys * (entryHeadBytes + longestKeyBytes);
const readBytes: number = 1024 * 1024;

/** The place in the log that a checkpoint is of: all before it is in the checkpoint. */
export interface CheckpointPlace {
  readonly segment: number;
  readonly offset: number;
  readonly firstSegment: number;
}

/**
 * Writes a checkpoint; it takes the place of an earlier one of the same segment once it is whole and durable. `pace`
 * is awaited after each block. Answers with its size in bytes. Rejects with `StorageError`, or as `pace` does.
 */
export async function writeCheckpoint(options: {
  readonly disk: LogDisk;
  readonly directory: KeyDirectory;
  readonly place: CheckpointPlace;
  readonly salt: number;
  readonly checksum: Checksum;
  readonly pace: () => Promise<void>;
}): Promise<number> {
  const { disk, directory, place, salt, checksum, pace } = options;
  const unfinished = fileName("checkpoint-new", place.segment);
  const file = await disk.open(unfinished);
  try {
    let at = fileHeadBytes;
    const add = async (block: Uint8Array): Promise<void> => {
      writeU32(block, 0, block.length - blockHeadBytes);
      writeU32(block, 4, checksum(block.subarray(blockHeadBytes)));
      await file.write(block, at);
      at += block.length;
    };
    await file.write(encodeFileHead("checkpoint", { number: place.segment, salt }, checksum), 0);
    const keysAbout = Math.min(directory.keys, 2 ** 32 - 1);
    await add(blockOf(placeKind, [place.segment, place.offset, place.firstSegment, keysAbout]));
    let keys = 0;
    for (let from: Uint8Array = new Uint8Array(0); ; ) {
      const refs = directory.page(from, undefined, blockKeys);
      const last = refs[refs.length - 1];
      if (last === undefined) break;
      keys += refs.length;
      from = keyAfter(directory.keyView(last));
      await add(keysBlock(directory, refs));
      await pace();
    }
    await add(blockOf(endKind, [Math.floor(keys / 2 ** 32), keys >>> 0]));
    await file.sync();
    file.close();
    await disk.rename(unfinished, fileName("checkpoint", place.segment));
    await disk.syncNames();
    return at;
  } catch (error) {
    file.close();
    await disk.remove(unfinished).catch(() => {});
    throw error;
  }
}

/** Reads a checkpoint, block by block, each checked before any of it is used. */
export class CheckpointReader {
  readonly #file: LogFile;
  readonly #checksum: Checksum;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = fileHeadBytes;
  #keysAbout = 0;

  constructor(file: LogFile, checksum: Checksum) {
    this.#file = file;
    this.#checksum = checksum;
  }

  /** The salt of its store, and the place it is of; undefined where it is damaged. Throws as `readFileHead` does. */
  async place(): Promise<(CheckpointPlace & { readonly salt: number }) | undefined> {
    const bytes = new Uint8Array(fileHeadBytes);
    const found = await this.#file.read(bytes, 0);
    const head = readFileHead("checkpoint", this.#file, bytes.subarray(0, found), this.#checksum);
    const block = head && (await this.#block());
    if (head === undefined || block?.[0] !== placeKind || block.length !== 17) return undefined;
    this.#keysAbout = readU32(block, 13);
    return { salt: head.salt, segment: readU32(block, 1), offset: readU32(block, 5), firstSegment: readU32(block, 9) };
  }

  /** Fills the directory, which is empty; false where the checkpoint is damaged. For after `place`. */
  async load(directory: KeyDirectory, turn: () => Promise<void>): Promise<boolean> {
    // No more than there can be, whatever the number says.
    directory.reserve(Math.min(this.#keysAbout, this.#file.sizeBytes / entryHeadBytes));
    for (;;) {
      await turn();
      const block = await this.#block();
      if (block === undefined) return false;
      if (block[0] === endKind) return readU32(block, 1) * 2 ** 32 + readU32(block, 5) === directory.keys;
      if (block[0] !== keysKind) return false;
      for (let at = 1; at < block.length; ) {
        const keyLength = ((block[at] as number) << 8) | (block[at + 1] as number);
        const key = block.subarray(at + entryHeadBytes, at + entryHeadBytes + keyLength);
        directory.set(key, readU32(block, at + 2), readU32(block, at + 6), readU32(block, at + 10));
        at += entryHeadBytes + keyLength;
      }
    }
  }

  /** The next block without its head; undefined where it is not what was written. */
  async #block(): Promise<Uint8Array | undefined> {
    await this.#fill(blockHeadBytes);
    if (this.#bytes.length < blockHeadBytes) return undefined;
    const length = readU32(this.#bytes, 0);
    if (length === 0 || length > longestBlockBytes) return undefined;
    await this.#fill(blockHeadBytes + length);
    const block = this.#bytes.subarray(blockHeadBytes, blockHeadBytes + length);
    if (block.length < length || this.#checksum(block) !== readU32(this.#bytes, 4)) return undefined;
    this.#bytes = this.#bytes.subarray(blockHeadBytes + length);
    return block;
  }

  /** Reads on until there are so many bytes, or the file is over. */
  async #fill(length: number): Promise<void> {
    if (this.#bytes.length >= length) return;
    const more = new Uint8Array(Math.max(readBytes, length));
    more.set(this.#bytes);
    const found = await this.#file.read(more.subarray(this.#bytes.length), this.#at);
    this.#at += found;
    this.#bytes = more.subarray(0, this.#bytes.length + found);
  }
}

function blockOf(kind: number, words: readonly number[]): Uint8Array {
  const block = new Uint8Array(blockHeadBytes + 1 + 4 * words.length);
  block[blockHeadBytes] = kind;
  for (const [i, word] of words.entries()) writeU32(block, blockHeadBytes + 1 + 4 * i, word);
  return block;
}

function keysBlock(directory: KeyDirectory, refs: readonly number[]): Uint8Array {
  let length = blockHeadBytes + 1;
  for (const ref of refs) length += entryHeadBytes + directory.keyLength(ref);
  const block = new Uint8Array(length);
  block[blockHeadBytes] = keysKind;
  let at = blockHeadBytes + 1;
  for (const ref of refs) {
    const key = directory.keyView(ref);
    block[at] = key.length >>> 8;
    block[at + 1] = key.length;
    writeU32(block, at + 2, directory.segment(ref));
    writeU32(block, at + 6, directory.offset(ref));
    writeU32(block, at + 10, directory.valueBytes(ref));
    block.set(key, at + entryHeadBytes);
    at += entryHeadBytes + key.length;
  }
  return block;
}
