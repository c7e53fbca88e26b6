/**
 * What this node holds in some leaves of a hash tree, read from the store a page at a time.
 *
 * Nothing indexes keys by leaf: a partition is small, its keys lie together, and a leaf is told from a key alone, so a
 * scan decodes the records of the wanted leaves only.
 */

import { MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { Checksum } from "../core/hash/crc32.ts";
import { keyDigest, leafOf } from "../core/merkle/key-digest.ts";
import { bucketSettings } from "../core/ring/preference-list.ts";
import type { Ring } from "../core/ring/ring.ts";
import { PageSize } from "../storage/page-size.ts";
import { keyAfter, parseDataKey, partitionRange } from "../storage/store-key.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { ListedKey, TreeName } from "../wire/message.ts";
import { decodeRecord } from "../wire/record.ts";
import type { DamagedRecords } from "./damaged-records.ts";

/** Stored keys looked at in one turn: as many, and as few, whatever their size, as have about so many bytes. */
const pageOptions = { bytes: 512 * 1024, mostRecords: 128, leastRecords: 8 };

export interface LeafPage {
  readonly keys: readonly ListedKey[];
  /** The last stored key that was looked at; undefined where the range is done with. */
  readonly until: Uint8Array | undefined;
}

export class LeafScan {
  readonly #buffer: WriteBuffer;
  readonly #checksum: Checksum;
  readonly #onDamaged: DamagedRecords["found"];
  readonly #pageSize: PageSize = new PageSize(pageOptions);

  constructor(buffer: WriteBuffer, checksum: Checksum, onDamaged: DamagedRecords["found"]) {
    this.#onDamaged = onDamaged;
    this.#buffer = buffer;
    this.#checksum = checksum;
  }

  /**
   * The next page of a tree's keys in these leaves, of the stored keys behind `after`, and up to `last` where that is
   * given. A damaged record is left out, as it is out of the tree. Throws `StorageError`.
   */
  page(
    ring: Ring,
    tree: TreeName,
    leaves: ReadonlySet<number>,
    range: { readonly after: Uint8Array | undefined; readonly last: Uint8Array | undefined },
  ): LeafPage {
    const whole = partitionRange(tree.partition);
    const from = range.after === undefined ? whole.from : keyAfter(range.after);
    const to = range.last === undefined ? whole.to : keyAfter(range.last);
    const asked = this.#pageSize.records;
    const page = this.#buffer.scan({ from, to }, asked);
    this.#pageSize.learn(page);
    const keys: ListedKey[] = [];
    for (const { key: storeKey, value } of page) {
      const listed = this.#listed(ring, tree, leaves, storeKey, value);
      if (listed !== undefined) keys.push(listed);
    }
    const last = page[page.length - 1];
    return { keys, until: last === undefined || page.length < asked ? undefined : last.key.slice() };
  }

  #listed(
    ring: Ring,
    tree: TreeName,
    leaves: ReadonlySet<number>,
    storeKey: Uint8Array,
    record: Uint8Array,
  ): ListedKey | undefined {
    try {
      const { bucket, key } = parseDataKey(storeKey);
      if (!leaves.has(leafOf(bucket, key)) || bucketSettings(ring, bucket).n !== tree.n) return undefined;
      const digest = keyDigest(bucket, key, decodeRecord(record, storeKey, this.#checksum).state);
      return digest.hi === 0 && digest.lo === 0 ? undefined : { bucket, key, digest };
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      this.#onDamaged(storeKey, record, error.message);
      return undefined;
    }
  }
}
