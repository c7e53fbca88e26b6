/**
 * The first 32 bytes of each file of the log engine, and the names of the files.
 *
 *     0  8 bytes "cartwlog" for a segment, "cartwkey" for a checkpoint
 *     8  u32 format version
 *    12  u32 CRC-32 of the 12 bytes before: in this place in every version, so that a newer one can be told from damage
 *    16  u32 number of the segment, or of the segment that the checkpoint belongs to
 *    20  u32 salt of the store, drawn when it was made
 *    24  u32 CRC-32 of the 24 bytes before
 *    28  u32 0
 *
 *     <number>.segment           groups (`group-format.ts`), appended until the segment is full
 *     <number>.checkpoint        the key directory as of a place in that segment (`checkpoint.ts`)
 *     <number>.checkpoint-new    one that is being written
 *
 * Numbers of files are 8 hexadecimal digits, so that names sort as numbers do.
 */

import type { Checksum } from "../../core/hash/crc32.ts";
import { StorageError } from "../engine.ts";
import { readU32, writeU32 } from "./group-format.ts";

export const fileHeadBytes = 32;
/** What this version writes, and the newest it reads. */
const formatVersion = 1;

export type FileKind = "segment" | "checkpoint" | "checkpoint-new";

export interface FileHead {
  readonly number: number;
  readonly salt: number;
}

const encoder: TextEncoder = new TextEncoder();

/** The head of a file of this kind. */
export function encodeFileHead(kind: FileKind, { number, salt }: FileHead, checksum: Checksum): Uint8Array {
  const bytes = new Uint8Array(fileHeadBytes);
  bytes.set(magicOf(kind));
  writeU32(bytes, 8, formatVersion);
  writeU32(bytes, 12, checksum(bytes.subarray(0, 12)));
  writeU32(bytes, 16, number);
  writeU32(bytes, 20, salt);
  writeU32(bytes, 24, checksum(bytes.subarray(0, 24)));
  return bytes;
}

/**
 * What the head says; undefined where it is damaged or was never finished. Throws `StorageError` with code `io` where
 * a newer version wrote it: nothing is wrong with such a store, and it must not be replaced.
 */
export function readFileHead(
  kind: FileKind,
  file: { readonly name: string },
  bytes: Uint8Array,
  checksum: Checksum,
): FileHead | undefined {
  if (bytes.length < fileHeadBytes || magicOf(kind).some((byte, i) => bytes[i] !== byte)) return undefined;
  if (checksum(bytes.subarray(0, 12)) !== readU32(bytes, 12)) return undefined;
  const version = readU32(bytes, 8);
  if (version > formatVersion) {
    const known = `this version of the log engine knows formats up to ${formatVersion}`;
    throw new StorageError("io", `${file.name} has format ${version}, ${known}: start a newer one`);
  }
  if (checksum(bytes.subarray(0, 24)) !== readU32(bytes, 24)) return undefined;
  return { number: readU32(bytes, 16), salt: readU32(bytes, 20) };
}

export function fileName(kind: FileKind, number: number): string {
  return `${number.toString(16).padStart(8, "0")}.${kind}`;
}

/** Undoes `fileName`; undefined for a file that is none of the engine's. */
export function parseFileName(name: string): { readonly kind: FileKind; readonly number: number } | undefined {
  const [, digits, kind] = /^([0-9a-f]{8})\.(segment|checkpoint|checkpoint-new)$/.exec(name) ?? [];
  return digits === undefined ? undefined : { kind: kind as FileKind, number: Number.parseInt(digits, 16) };
}

function magicOf(kind: FileKind): Uint8Array {
  return encoder.encode(kind === "segment" ? "cartwlog" : "cartwkey");
}
