/**
 * Opens a log: finds its segments, fills the key directory from a checkpoint and from what was written since, and cuts
 * the tail that a crash tore (`log-walk.ts`).
 *
 * What has been read is made durable before anything of it is served: a process that was killed may have left its last
 * group in the machine's memory only, and who is told of it now must find it after the loss of power as well. To sync is
 * not enough: where an earlier sync failed, the machine takes for written what it holds and could not write. So the last
 * group, the only one that can be meant, is written once more.
 */

import type { Checksum } from "../../core/hash/crc32.ts";
import { StorageError } from "../engine.ts";
import { type CheckpointPlace, CheckpointReader } from "./checkpoint.ts";
import { encodeFileHead, type FileKind, fileHeadBytes, fileName, parseFileName, readFileHead } from "./file-head.ts";
import { type GroupHead, groupHeadBytes, groupOperations } from "./group-format.ts";
import { KeyDirectory } from "./key-directory.ts";
import type { LogDisk, LogFile } from "./log-disk.ts";
import { type FoundSegment, type LogEnd, type LogPlace, LogWalk } from "./log-walk.ts";
import type { ReadGroup } from "./segment-reader.ts";
import { Segments } from "./segments.ts";

/** Operations that are replayed before others get a turn. */
const turnOperations = 5000;

export interface RecoveryOptions {
  readonly disk: LogDisk;
  readonly checksum: Checksum;
  /** For the directory's hashes. */
  readonly seed: number;
  /** The salt of a store that is made now. */
  readonly newSalt: number;
  /** Awaited now and then, so that opening holds nobody up. */
  readonly turn: () => Promise<void>;
}

export interface OpenedLog {
  readonly segments: Segments;
  readonly directory: KeyDirectory;
  /** Bytes of the log that no checkpoint knows. */
  readonly replayedBytes: number;
  /** Whether the last group stores nothing: it shows that the one before it is whole. */
  readonly isConfirmed: boolean;
  /** Bytes behind the log's end: of a group that was never acknowledged. */
  readonly tornBytes: number;
}

interface Start {
  readonly place: CheckpointPlace;
  /** All before it was durable once: a checkpoint said so, though it may be of no other use. */
  readonly durableUntil: LogPlace;
  readonly directory: KeyDirectory;
}

interface Replayed {
  readonly first: number;
  readonly bytes: number;
  /** Undefined where nothing was replayed. */
  readonly last: GroupHead | undefined;
}

/** Rejects with `StorageError`: `corrupt`, or `io` where the disk fails or a newer version wrote the log. */
export async function openLog(options: RecoveryOptions): Promise<OpenedLog> {
  const found = new Map<number, FoundSegment>();
  try {
    return await recover(options, found);
  } catch (error) {
    for (const { file } of found.values()) file.close();
    throw error;
  }
}

async function recover(options: RecoveryOptions, found: Map<number, FoundSegment>): Promise<OpenedLog> {
  const { disk, checksum, newSalt, seed } = options;
  const numbers = numbersOf("segment", await disk.list());
  const checkpoints = numbersOf("checkpoint", await disk.list()).toReversed();
  for (const number of numbers) found.set(number, await findSegment(options, number));
  const salt = await saltOf(options, found, checkpoints);
  if (salt === undefined) {
    const segments = new Segments(disk, checksum, newSalt);
    for (const { file } of found.values()) file.close();
    return { segments, directory: new KeyDirectory(seed), replayedBytes: 0, isConfirmed: true, tornBytes: 0 };
  }
  const walk = new LogWalk(found, salt, checksum);
  const { place, durableUntil, directory } = await startOf(options, checkpoints, found, walk);
  const replayed = await replay(options, walk, place, directory);
  if (isBefore(walk.nextPlace, durableUntil))
    throw corrupt(`${fileAt(options, walk.end.segment)} ends at byte ${walk.end.offset}, and a checkpoint knows more`);
  const segments = neededSegments({ options, found, salt, first: replayed.first, end: walk.end });
  const oldest = directory.oldestSegment;
  if (oldest !== undefined && oldest < replayed.first) throw corrupt(`${fileAt(options, oldest)} is needed and gone`);
  await mendHeads(options, found, segments);
  const newest = segments.newest;
  if (newest !== undefined) {
    const { last } = replayed;
    const isHere = last?.place.segment === newest.number;
    await writeAgain(newest.file, isHere ? last.place.offset : newest.endBytes, newest.endBytes);
  }
  const tornBytes = newest === undefined ? 0 : newest.file.sizeBytes - newest.endBytes;
  // What the last group says is not needed may go only once that group cannot be lost any more.
  await removeLeftovers(options, found, segments);
  await disk.syncNames();
  const isConfirmed = (replayed.last?.operations ?? 0) === 0;
  return { segments, directory, replayedBytes: replayed.bytes, isConfirmed, tornBytes };
}

async function findSegment({ disk, checksum }: RecoveryOptions, number: number): Promise<FoundSegment> {
  const file = await disk.open(fileName("segment", number));
  try {
    const bytes = new Uint8Array(fileHeadBytes);
    const head = readFileHead("segment", file, bytes.subarray(0, await file.read(bytes, 0)), checksum);
    return { number, file, head: head?.number === number ? head : undefined };
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * The store's salt: all its files have the same, and one that can be read is enough. Undefined where nothing was ever
 * stored: a first segment whose head was not finished.
 */
async function saltOf(
  { disk, checksum }: RecoveryOptions,
  found: ReadonlyMap<number, FoundSegment>,
  checkpoints: readonly number[],
): Promise<number | undefined> {
  for (const { head } of found.values()) if (head !== undefined) return head.salt;
  for (const number of checkpoints) {
    const file = await disk.open(fileName("checkpoint", number));
    const place = await new CheckpointReader(file, checksum).place().finally(() => file.close());
    if (place !== undefined) return place.salt;
  }
  const isNew = checkpoints.length === 0 && [...found.values()].every(({ file }) => file.sizeBytes <= fileHeadBytes);
  if (!isNew) throw corrupt(`no head of the files in ${disk.name} can be read`);
  return undefined;
}

/** Where replay begins: at the newest checkpoint that can be used, or at the log's beginning. */
async function startOf(
  options: RecoveryOptions,
  checkpoints: readonly number[],
  found: ReadonlyMap<number, FoundSegment>,
  walk: LogWalk,
): Promise<Start> {
  let durableUntil: LogPlace = { segment: 0, offset: 0 };
  for (const number of checkpoints) {
    const { place, directory } = await readCheckpoint(options, number, walk);
    if (place === undefined) continue;
    if (isBefore(durableUntil, place)) durableUntil = place;
    if (directory !== undefined) return { place, durableUntil, directory };
  }
  const segment = (await walk.firstNeeded(undefined)) ?? Math.min(...found.keys());
  const place = { segment, offset: fileHeadBytes, firstSegment: segment };
  return { place, durableUntil, directory: new KeyDirectory(options.seed) };
}

/** What can be had of a checkpoint: its place, and the directory where it is whole and can be replayed from. */
async function readCheckpoint(
  { disk, checksum, seed, turn }: RecoveryOptions,
  number: number,
  walk: LogWalk,
): Promise<{ readonly place: CheckpointPlace | undefined; readonly directory: KeyDirectory | undefined }> {
  const file = await disk.open(fileName("checkpoint", number));
  try {
    const reader = new CheckpointReader(file, checksum);
    const place = await reader.place();
    if (place === undefined) return { place, directory: undefined };
    // Deletes between its place and the log's beginning are gone with their segments.
    if (place.segment < ((await walk.firstNeeded(place)) ?? place.firstSegment)) return { place, directory: undefined };
    const directory = new KeyDirectory(seed);
    return { place, directory: (await reader.load(directory, turn)) ? directory : undefined };
  } finally {
    file.close();
  }
}

async function replay(
  { turn }: RecoveryOptions,
  walk: LogWalk,
  place: CheckpointPlace,
  directory: KeyDirectory,
): Promise<Replayed> {
  let first = place.firstSegment;
  let bytes = 0;
  let last: GroupHead | undefined;
  for await (const group of walk.groups(place)) {
    first = Math.max(first, group.head.firstSegment);
    bytes += group.head.endOffset - group.head.place.offset;
    last = group.head;
    await apply(group, directory, turn);
  }
  return { first, bytes, last };
}

async function apply({ head, heads }: ReadGroup, directory: KeyDirectory, turn: () => Promise<void>): Promise<void> {
  let operations = 0;
  for (const { key, offset, valueBytes } of groupOperations(head, heads)) {
    if (offset === undefined) directory.remove(key);
    else directory.set(key, head.place.segment, offset, valueBytes);
    if (++operations % turnOperations === 0) await turn();
  }
}

/** The segments from the first that is needed to the log's end. Throws `StorageError` where one is missing. */
function neededSegments(log: {
  readonly options: RecoveryOptions;
  readonly found: ReadonlyMap<number, FoundSegment>;
  readonly salt: number;
  readonly first: number;
  readonly end: LogEnd;
}): Segments {
  const segments = new Segments(log.options.disk, log.options.checksum, log.salt);
  const { end } = log;
  for (let number = log.first; number <= end.segment; number++) {
    const file = log.found.get(number)?.file;
    if (file === undefined) throw corrupt(`${fileAt(log.options, number)} is missing`);
    const isNewest = number === end.segment;
    const endBytes = isNewest ? end.offset : file.sizeBytes;
    segments.found({ number, file, endBytes, isFull: isNewest ? end.isFull : true });
  }
  return segments;
}

/**
 * Makes durable what lies between the offsets, and all before it that only waits to be. What a torn group has left behind
 * them loses its head: the next group may be torn, too, and its end could make that one whole again, long after others
 * were told that it is not there.
 */
async function writeAgain(file: LogFile, from: number, to: number): Promise<void> {
  const bytes = new Uint8Array(to - from + Math.max(0, Math.min(groupHeadBytes, file.sizeBytes - to)));
  await file.read(bytes.subarray(0, to - from), from);
  if (bytes.length > 0) await file.write(bytes, from);
  await file.sync();
}

/** Writes the heads again that are damaged: while one is left that can be read, all are known. */
async function mendHeads(
  { checksum }: RecoveryOptions,
  found: ReadonlyMap<number, FoundSegment>,
  segments: Segments,
): Promise<void> {
  for (const { number, file, head } of found.values()) {
    if (head !== undefined || segments.get(number) === undefined) continue;
    await file.write(encodeFileHead("segment", { number, salt: segments.salt }, checksum), 0);
    await file.sync();
  }
}

/** Closes and removes what the log does not need. A segment that was made in advance is made again when it is needed. */
async function removeLeftovers(
  { disk }: RecoveryOptions,
  found: ReadonlyMap<number, FoundSegment>,
  segments: Segments,
): Promise<void> {
  for (const { number, file } of found.values()) {
    if (segments.get(number) !== undefined) continue;
    file.close();
    await disk.remove(fileName("segment", number));
  }
  for (const number of numbersOf("checkpoint-new", await disk.list())) {
    await disk.remove(fileName("checkpoint-new", number));
  }
}

/** The numbers of the files of that kind, in order. */
function numbersOf(kind: FileKind, names: readonly string[]): readonly number[] {
  const numbers = names.flatMap((name) => {
    const file = parseFileName(name);
    return file?.kind === kind ? [file.number] : [];
  });
  return numbers.sort((a, b) => a - b);
}

function isBefore(a: LogPlace, b: LogPlace): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset);
}

/** For people: where the segment is, or should be. */
function fileAt({ disk }: RecoveryOptions, segment: number): string {
  return `${disk.name}/${fileName("segment", segment)}`;
}

function corrupt(why: string): StorageError {
  return new StorageError("corrupt", `the log is damaged: ${why}`);
}
