/**
 * What a node has to do for seats that are not, or no more, its own (`core/seats/record.ts`): remind the successor for
 * which it is silent, have a copy merged that it cannot vouch for, drop what others hold, and ask whether rebuilds go on
 * to which it is promised.
 *
 * Law: a copy is dropped only once its successor was seen to speak, or somebody with a voice has merged it on disk.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import { isSupersededIn } from "../core/ring/superseded.ts";
import { wantedOwners } from "../core/seats/bucket-seats.ts";
import { knownSeat } from "../core/seats/known.ts";
import { promises, releaseGrant } from "../core/seats/rebuild.ts";
import { type Grant, handOverOf, successorIsLost } from "../core/seats/record.ts";
import { giveUpVacating } from "../core/seats/vacate.ts";
import { seatToTake } from "../core/seats/wanted.ts";
import { Pause } from "../runtime/pause.ts";
import { PageSize } from "../storage/page-size.ts";
import { partitionRange } from "../storage/store-key.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { Coordination } from "./coordination.ts";
import { dropRecord } from "./drop-record.ts";
import type { EmptyPartitions } from "./empty-partitions.ts";
import type { Delay } from "./hand-over.ts";
import type { PartitionCopies } from "./partition-copies.ts";
import type { StoredStates } from "./trees.ts";

const callTimeoutMs = 2000;
/** Records dropped in one turn, and the pause after it at full speed, in ms: requests come first. */
const pageOptions = { bytes: 256 * 1024, mostRecords: 16 };
const pauseMs = 2;

/** What it works on. */
export interface UpkeepParts {
  readonly node: Coordination;
  readonly copies: PartitionCopies;
  readonly buffer: WriteBuffer;
  /** Hears of every record that is dropped. */
  readonly states: StoredStates;
  readonly empty: EmptyPartitions;
}

export class SeatUpkeep {
  readonly #node: Coordination;
  readonly #copies: PartitionCopies;
  readonly #buffer: WriteBuffer;
  readonly #states: StoredStates;
  readonly #empty: EmptyPartitions;
  readonly #pageSize: PageSize = new PageSize(pageOptions);
  #isStopped = false;

  constructor({ node, copies, buffer, states, empty }: UpkeepParts) {
    this.#node = node;
    this.#copies = copies;
    this.#buffer = buffer;
    this.#states = states;
    this.#empty = empty;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Whether a copy that is nobody's may be left. */
  mayHold(partition: PartitionId): boolean {
    return !this.#empty.has(partition);
  }

  /** Tells the successor of a sealed seat, or finds out that it is gone for good. */
  async remind(partition: PartitionId): Promise<Delay | undefined> {
    const { seats, ring, peers, self } = this.#node;
    // The successor counts on it, so it is on disk first: one that forgot it would hold the seat that another waits for.
    const record = await seats.change(partition, (current) => current);
    if (record === undefined) return { peer: undefined, why: "this node cannot store it" };
    const handOver = handOverOf(record);
    if (handOver === undefined) return undefined;
    const { node, incarnation } = handOver.to;
    const isReplaced = ring().members.has(node) && isSupersededIn(ring(), node, incarnation);
    if (isReplaced || this.#node.isGone(node)) {
      await seats.change(partition, (current) => successorIsLost(current, self));
      return undefined;
    }
    await peers.ask(node, { kind: "seat-sealed", id: 0, partition, handOver }, callTimeoutMs);
    const isOver = seats.hold(partition).kind !== "sealed";
    return isOver ? undefined : { peer: node, why: "has not taken it yet" };
  }

  /** Has those who speak for the keys merge this node's copy of them. Rejects with `StorageError`. */
  async handBack(partition: PartitionId): Promise<Delay | undefined> {
    const { seats, isUp, ring } = this.#node;
    // If it was to take a seat for a while, it may have kept more since it was compared.
    const [ringBefore, knownBefore] = [ring(), seats.known(partition)];
    const isAsBefore = (): boolean => ring() === ringBefore && seats.known(partition) === knownBefore;
    for (const holder of this.#speakers(partition)) {
      if (holder === undefined || !isUp(holder)) return { peer: holder, why: "cannot be reached" };
      if (!(await this.#copies.push(partition, holder))) return { peer: holder, why: "has not merged all of it" };
    }
    const gone = await seats.change(partition, (record) => {
      return record.hold.kind === "former" && isAsBefore() && !this.#isWanted(partition)
        ? { ...record, hold: { kind: "none" } }
        : undefined;
    });
    return gone === undefined ? { peer: undefined, why: "this node is, or was, to take a seat" } : undefined;
  }

  /** One holder for each number of copies that buckets ask for, that is up if one is; undefined where there is none. */
  #speakers(partition: PartitionId): ReadonlySet<NodeId | undefined> {
    const { seats, ring, self, isUp } = this.#node;
    const known = seats.known(partition);
    const speakers = ring().copies.map((n) => {
      const holders = seats.seatsFor(partition, n).flatMap((seat) => knownSeat(known, seat).holder ?? []);
      const others = holders.filter((holder) => holder !== self);
      return others.find((holder) => isUp(holder)) ?? others[0];
    });
    return new Set(speakers);
  }

  #isWanted(partition: PartitionId): boolean {
    const { seats, ring, self } = this.#node;
    const { hold, known } = seats.record(partition);
    return seatToTake(self, hold, wantedOwners(ring(), partition), known) !== undefined;
  }

  /** Deletes this node's copy, which is nobody's. Rejects with `StorageError`. */
  async drop(partition: PartitionId): Promise<undefined> {
    const { seats, runtime, admission } = this.#node;
    const parts = { node: this.#node, buffer: this.#buffer, states: this.#states };
    let dropped = 0;
    const pause = new Pause(runtime.clock);
    while (seats.hold(partition).kind === "none" && !this.#isStopped) {
      const { records } = this.#pageSize;
      const page = this.#buffer.scan(partitionRange(partition), records);
      this.#pageSize.learn(page);
      this.#buffer.later(() => {
        for (const { key, value } of page) dropRecord(parts, key, value);
      });
      dropped += page.length;
      if (page.length < records) this.#empty.add(partition);
      // What is dropped next waits for this, too.
      if (page.length > 0) await pause.wait(pauseMs + admission.restAfter(pauseMs));
      if (page.length < records) break;
    }
    if (dropped > 0) runtime.log.debug("dropped a copy that others hold", { partition, keys: dropped });
    return undefined;
  }

  /** Asks whether the rebuilds go on to which this node is promised in the partition, if there are any. */
  async inquire(partition: PartitionId): Promise<void> {
    for (const promise of promises(this.#node.seats.record(partition))) await this.#inquire(partition, promise);
  }

  async #inquire(partition: PartitionId, promise: Grant): Promise<void> {
    const { seats, peers, self } = this.#node;
    const { seat, epoch, by } = promise;
    // It was this node's own, before it was started anew (`vacating.ts`).
    if (by === self) return void (await seats.change(partition, (current) => giveUpVacating(current, self)));
    const answer = await peers.ask(by, { kind: "rebuild-inquiry", id: 0, partition, seat, epoch }, callTimeoutMs);
    if (answer.kind !== "rebuild-state") return;
    seats.learn(partition, answer.known);
    if (!answer.isUnderWay) await seats.change(partition, (current) => releaseGrant(current, promise));
  }
}
