/**
 * Copies of keys that a holder's seat keeps no more (§4.9). Which seats keep a bucket's keys follows from which exist:
 * a bucket of one copy begins with the founder's seat, and belongs to another one once that is filled; and a bucket's n
 * may become less (`fillings.ts`). What the first has then serves nobody, and stands in the way of forgetting
 * (`reaper.ts`).
 *
 * Law: it goes only once every seat that keeps the keys has a holder, is filled for all changes of n, as is the seat
 * here, and one of them has merged it on disk. Nothing new comes meanwhile: without a voice for the bucket a holder takes
 * no writes.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import { bucketSettings } from "../core/ring/preference-list.ts";
import { isFilledForAll } from "../core/seats/filled.ts";
import { isBeingRebuilt, knownSeat } from "../core/seats/known.ts";
import { Pause } from "../runtime/pause.ts";
import { PageSize } from "../storage/page-size.ts";
import { keyAfter, parseDataKey, partitionRange } from "../storage/store-key.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { Coordination } from "./coordination.ts";
import { dropRecord } from "./drop-record.ts";
import type { Delay } from "./hand-over.ts";
import type { PartitionCopies } from "./partition-copies.ts";
import type { StoredStates, Trees } from "./trees.ts";

/** Records looked at in one turn, and the pause after it at full speed, in ms: requests come first. */
const pageOptions = { bytes: 256 * 1024, mostRecords: 16 };
const pauseMs = 2;

export class Surplus {
  readonly #node: Coordination;
  readonly #copies: PartitionCopies;
  readonly #buffer: WriteBuffer;
  readonly #states: StoredStates;
  readonly #trees: Trees;
  readonly #pageSize: PageSize = new PageSize(pageOptions);
  #isStopped = false;

  constructor(node: Coordination, copies: PartitionCopies, buffer: WriteBuffer, states: StoredStates, trees: Trees) {
    this.#node = node;
    this.#copies = copies;
    this.#buffer = buffer;
    this.#states = states;
    this.#trees = trees;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** A number of copies whose buckets have keys here that are for others to keep by now; undefined where there is none. */
  find(partition: PartitionId): number | undefined {
    if (this.#node.seats.hold(partition).kind !== "active" || !this.#trees.areBuilt) return undefined;
    return this.#node.ring().copies.find((n) => this.#isSurplus(partition, n));
  }

  /** Has one of those who keep the keys merge what is here, and deletes it here. Rejects with `StorageError`. */
  async shed(partition: PartitionId, n: number): Promise<Delay | undefined> {
    const keepers = this.#keepers(partition, n);
    const keeper = keepers.find((node) => this.#node.isUp(node)) ?? keepers[0];
    if (keeper === undefined || !this.#node.isUp(keeper)) return { peer: keeper, why: "cannot be reached" };
    const isMerged = await this.#copies.push(partition, keeper, [{ partition, n }]);
    if (!isMerged) return { peer: keeper, why: "has not merged all of it" };
    await this.#drop(partition, n);
    return undefined;
  }

  #isSurplus(partition: PartitionId, n: number): boolean {
    const { seats } = this.#node;
    const { hold } = seats.record(partition);
    const kept = seats.seatsFor(partition, n);
    if (hold.kind !== "active" || kept.includes(hold.seat) || this.#trees.isEmpty({ partition, n })) return false;
    return this.#keepers(partition, n).length === kept.length && this.#isSettled(partition, hold.seat, n);
  }

  /** Whether no earlier n counts any more where these buckets' was changed: until then the seat may be asked for them. */
  #isSettled(partition: PartitionId, seat: number, n: number): boolean {
    const { seats, ring } = this.#node;
    const { eras, buckets } = ring();
    if (!isFilledForAll(eras, seats.known(partition), seat)) return false;
    return [...eras.buckets.keys()].every((bucket) => {
      return buckets.get(bucket)?.n !== n || seats.openEras({ partition, bucket }).length === 1;
    });
  }

  /** The holders of the seats that keep the keys. */
  #keepers(partition: PartitionId, n: number): readonly NodeId[] {
    const { seats } = this.#node;
    const known = seats.known(partition);
    return seats.seatsFor(partition, n).flatMap((seat) => {
      const { holder } = knownSeat(known, seat);
      return holder === undefined || isBeingRebuilt(known, seat) ? [] : [holder];
    });
  }

  async #drop(partition: PartitionId, n: number): Promise<void> {
    const { ring, runtime } = this.#node;
    const { from, to } = partitionRange(partition);
    const pause = new Pause(runtime.clock);
    let dropped = 0;
    let after: Uint8Array | undefined;
    // Whether it is to go is asked before each page: other changes may have come while it was given away.
    while (!this.#isStopped && this.#isSurplus(partition, n)) {
      const { records } = this.#pageSize;
      const page = this.#buffer.scan({ from: after === undefined ? from : keyAfter(after), to }, records);
      this.#pageSize.learn(page);
      for (const { key, value } of page) {
        if (bucketSettings(ring(), parseDataKey(key).bucket).n !== n) continue;
        dropRecord({ node: this.#node, buffer: this.#buffer, states: this.#states }, key, value);
        dropped += 1;
      }
      if (page.length < records) break;
      after = page.at(-1)?.key.slice();
      await pause.wait(pauseMs + this.#node.admission.restAfter(pauseMs));
    }
    runtime.log.debug("dropped copies that other seats keep", { partition, copies: n, keys: dropped });
  }
}
