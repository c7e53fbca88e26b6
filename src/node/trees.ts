/**
 * The hash trees of all this node holds (§4.7): one for each partition and each number of copies that its buckets ask
 * for, since buckets of other n have other owners, and two nodes compare what both are to hold.
 *
 * A tree changes in place with every state that is stored. At the start the trees are built by a scan of the store, a
 * page at a time between requests. A write at or before the scan's position adds what it changes; one behind it is left
 * for the scan to find. A commit that fails takes its writes back, and nobody knows which: the partitions they lie in
 * are scanned anew. So a tree that is built equals at any moment the one that a scan of the whole partition would make.
 *
 * A tree is made for its first key: `treeBytes` (35 KB) each, 9 MB where a node holds 256 partitions of one n.
 */

import { MalformedBytes } from "../core/bytes/byte-reader.ts";
import { compareBytes } from "../core/bytes/order.ts";
import { type SiblingSet, stateBytes } from "../core/causality/sibling-set.ts";
import type { Checksum } from "../core/hash/crc32.ts";
import type { PartitionId } from "../core/ids.ts";
import { mostCopies } from "../core/limits.ts";
import { emptyHash, HashTree, sameHash, treeBytes } from "../core/merkle/hash-tree.ts";
import { keyDigest, leafOfHash } from "../core/merkle/key-digest.ts";
import { keyHash } from "../core/ring/key-hash.ts";
import { bucketSettings } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import { Pause } from "../runtime/pause.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { type KeyRange, StorageError } from "../storage/engine.ts";
import { PageSize } from "../storage/page-size.ts";
import { bucketRange, dataRange, keyAfter, parseDataKey, partitionRange } from "../storage/store-key.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { TreeName, TreeSize } from "../wire/message.ts";
import { decodeRecord } from "../wire/record.ts";
import type { KeyPlace } from "./key-place.ts";
import type { OnDamaged } from "./replica.ts";

/** Hears of every state that a replica stores, in the turn in which it does. */
export interface StoredStates {
  /** `before` is what was there, undefined or empty where nothing was. */
  stored(place: KeyPlace, before: SiblingSet | undefined, after: SiblingSet): void;
}

/** Tells all of them, in order. */
export function tellAll(listeners: () => readonly StoredStates[]): StoredStates {
  return {
    stored(place, before, after) {
      for (const listener of listeners()) listener.stored(place, before, after);
    },
  };
}

export interface TreesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly checksum: Checksum;
  readonly buffer: WriteBuffer;
  readonly onDamaged: OnDamaged;
  /** All that was stored at the start has been read. */
  readonly onScanned?: () => void;
  readonly ring: () => Ring;
}

/** What is being scanned, and how far that is. */
interface Scan {
  /** Undefined: all of them. */
  readonly partition: PartitionId | undefined;
  readonly range: KeyRange;
  /** The last key scanned. */
  position: Uint8Array | undefined;
}

/** Read in one turn: a page takes about a millisecond. */
const pageOptions = { bytes: 512 * 1024, mostRecords: 64 };
/** Between two pages, in ms: requests come first. */
const pauseMs = 1;
/** After a commit failed or the store could not be read, in ms: a disk that is full fails again and again. */
const troublePauseMs = 1000;

const nothing: TreeSize = { keys: 0, bytes: 0 };

export class Trees implements StoredStates {
  readonly #options: TreesOptions;
  readonly #pause: Pause;
  readonly #tasks: TaskGroup;
  readonly #trees: Map<number, HashTree> = new Map();
  /** Partitions to scan from their beginning; their trees are worth nothing until then. */
  readonly #marked: Set<PartitionId> = new Set();
  #scan: Scan | undefined = wholeScan();
  #ring: Ring | undefined;
  readonly #pageSize: PageSize = new PageSize(pageOptions);
  /** No marked partition is scanned before then: commits failed just now. */
  #quietMs = 0;
  #isBuilding = false;
  #isStopped = false;

  constructor(options: TreesOptions) {
    this.#options = options;
    this.#pause = new Pause(options.clock);
    this.#tasks = new TaskGroup(options.log);
  }

  /** Begins to build; for members only, before the first request is served. */
  start(): void {
    this.#tasks.run("building the hash trees", () => this.#build());
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause.end();
    return this.#tasks.close();
  }

  /** Whether every tree is worth comparing. */
  get areBuilt(): boolean {
    this.#follow();
    return this.#scan === undefined && this.#marked.size === 0;
  }

  /** Memory that the trees take, in bytes. */
  get bytes(): number {
    return this.#trees.size * treeBytes;
  }

  /** The tree, or undefined where it is empty. Means something only while `areBuilt`. */
  tree({ partition, n }: TreeName): HashTree | undefined {
    return this.#trees.get(placeOfTree(partition, n));
  }

  /** Whether no key is in the tree. Means something only while `areBuilt`. */
  isEmpty(tree: TreeName): boolean {
    return sameHash(this.tree(tree)?.hash(0, 0) ?? emptyHash, emptyHash);
  }

  /** What the tree stands for. Means something only while `areBuilt`. */
  size(name: TreeName): TreeSize {
    const { keys, bytes } = this.tree(name) ?? nothing;
    return { keys, bytes };
  }

  stored(place: KeyPlace, before: SiblingSet | undefined, after: SiblingSet): void {
    this.#follow();
    if (this.#isScanned(place.partition, place.storeKey.bytes)) this.#apply(place, before, after);
  }

  /** Has the partition's trees built anew by a scan. */
  scanAnew(partition: PartitionId): void {
    this.#marked.add(partition);
    this.start();
  }

  /** These stored keys may have gone back to what they were: their partitions are built anew. */
  mayHaveReverted(keys: readonly Uint8Array[]): void {
    for (const key of keys) {
      try {
        this.#marked.add(parseDataKey(key).partition);
      } catch (error) {
        // One of the node's own records.
        if (!(error instanceof MalformedBytes)) throw error;
      }
    }
    this.#quietMs = this.#options.clock.monotonicMs() + troublePauseMs;
    if (this.#marked.size > 0) this.start();
  }

  /** Scans the next page; false where nothing is left to scan. Throws `StorageError`. */
  advance(): boolean {
    this.#follow();
    const scan = (this.#scan ??= this.#nextScan());
    if (scan === undefined) return false;
    const { range, position } = scan;
    const from = position === undefined ? range.from : keyAfter(position);
    const limit = this.#pageSize.records;
    const page = this.#options.buffer.scan({ from, to: range.to }, limit);
    this.#pageSize.learn(page);
    for (const { key, value } of page) this.#add(key, value);
    const last = page[page.length - 1];
    if (last === undefined || page.length < limit) {
      this.#scan = undefined;
      if (scan.partition === undefined) this.#options.onScanned?.();
    } else scan.position = last.key.slice();
    return this.#scan !== undefined || this.#marked.size > 0;
  }

  async #build(): Promise<void> {
    // One loop at a time: a later task ends at once where an earlier one still has work to do.
    if (this.#isBuilding) return;
    this.#isBuilding = true;
    try {
      // Not in the same step: a write that set this off is stored already and not yet told of, and would be added twice.
      await Promise.resolve();
      while (!this.#isStopped) {
        const wait = this.#tryPage();
        if (wait === undefined) return;
        await this.#pause.wait(wait);
      }
    } finally {
      this.#isBuilding = false;
    }
  }

  /** How long to wait for the next page, in ms, or undefined where there is none. */
  #tryPage(): number | undefined {
    const quietInMs = this.#quietMs - this.#options.clock.monotonicMs();
    if (this.#scan === undefined && this.#marked.size > 0 && quietInMs > 0) return quietInMs;
    try {
      return this.advance() ? pauseMs : undefined;
    } catch (error) {
      this.#options.log.warn("the store cannot be scanned for the hash trees", { error: String(error) });
      return troublePauseMs;
    }
  }

  #nextScan(): Scan | undefined {
    const [partition] = this.#marked;
    if (partition === undefined) return undefined;
    this.#marked.delete(partition);
    for (let n = 1; n <= mostCopies; n++) this.#trees.delete(placeOfTree(partition, n));
    return { partition, range: partitionRange(partition), position: undefined };
  }

  /** Whether the key's part of its tree is there already, so that a change of it must be told. */
  #isScanned(partition: PartitionId, storeKey: Uint8Array): boolean {
    if (this.#marked.has(partition)) return false;
    const scan = this.#scan;
    if (scan === undefined || (scan.partition !== undefined && scan.partition !== partition)) return true;
    return scan.position !== undefined && compareBytes(storeKey, scan.position) <= 0;
  }

  #add(storeKey: Uint8Array, record: Uint8Array): void {
    try {
      const { partition, bucket, key } = parseDataKey(storeKey);
      const { state } = decodeRecord(record, storeKey, this.#options.checksum);
      this.#apply({ partition, bucket, key, hash: keyHash(bucket, key) }, undefined, state);
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      // It is left out of its tree.
      this.#options.onDamaged(storeKey, record, error.message);
    }
  }

  #apply(
    { partition, bucket, key, hash }: Omit<KeyPlace, "storeKey">,
    before: SiblingSet | undefined,
    after: SiblingSet,
  ): void {
    const was = keyDigest(bucket, key, before);
    const is = keyDigest(bucket, key, after);
    if (sameHash(was, is)) return;
    const place = placeOfTree(partition, bucketSettings(this.#options.ring(), bucket).n);
    let tree = this.#trees.get(place);
    if (tree === undefined) {
      tree = new HashTree();
      this.#trees.set(place, tree);
    }
    tree.apply(leafOfHash(hash), was.hi ^ is.hi, was.lo ^ is.lo);
    const wasThere = before !== undefined && !sameHash(was, emptyHash);
    const isThere = !sameHash(is, emptyHash);
    tree.keys += Number(isThere) - Number(wasThere);
    tree.bytes += (isThere ? key.length + stateBytes(after) : 0) - (wasThere ? key.length + stateBytes(before) : 0);
  }

  /** A bucket whose n is another now has its keys in other trees: those are built anew where it has any here. */
  #follow(): void {
    const ring = this.#options.ring();
    const known = this.#ring;
    if (ring === known) return;
    this.#ring = ring;
    if (known === undefined || known.buckets === ring.buckets) return;
    const names = [...new Set([...known.buckets.keys(), ...ring.buckets.keys()])];
    const moved = names.filter((name) => bucketSettings(known, name).n !== bucketSettings(ring, name).n);
    for (let partition = 0; partition < ring.settings.partitions && moved.length > 0; partition++) {
      if (moved.some((name) => this.#holds(partition as PartitionId, name))) this.#marked.add(partition as PartitionId);
    }
    if (this.#marked.size > 0) this.start();
  }

  /** A store that cannot be read is taken to hold it. */
  #holds(partition: PartitionId, bucket: string): boolean {
    try {
      return this.#options.buffer.scan(bucketRange(partition, bucket), 1).length > 0;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return true;
    }
  }
}

function wholeScan(): Scan {
  return { partition: undefined, range: dataRange(), position: undefined };
}

function placeOfTree(partition: PartitionId, n: number): number {
  return partition * (mostCopies + 1) + n;
}
