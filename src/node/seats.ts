/**
 * What this node remembers of every partition's seats: which it holds, and what it knows of the others.
 *
 * The decisions are `core/seats`; this keeps their results, in memory and on disk. A decision that forbids something
 * (`change`) is in force in the turn it is made, and resolves once it is on disk: nothing that rests on it may be said
 * before. One that allows something (`commit`) is in force only once it is on disk: nobody may hear that this node
 * speaks for a seat, and drop what it had, while a crash could undo that. What is merely learned is written now and
 * then, since it is learned again.
 *
 * Invariant: a node answers with a voice only while that very hold is what its disk says.
 */

import type { Hash64 } from "../core/hash/murmur3.ts";
import type { NodeId, PartitionId } from "../core/ids.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { Era } from "../core/ring/eras.ts";
import { preferenceOrder } from "../core/ring/preference-list.ts";
import { type SeatOwner, wantedOwners } from "../core/seats/bucket-seats.ts";
import { firstEpoch } from "../core/seats/epoch.ts";
import { firstHolders, type KnownSeats } from "../core/seats/known.ts";
import { hashOfTable } from "../core/seats/known-hash.ts";
import { disown, type Hold, isSameHold, isVoiceless, learn, type SeatRecord } from "../core/seats/record.ts";
import { seatToTake } from "../core/seats/wanted.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import { Pause } from "../runtime/pause.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { isDiskFull, StorageError } from "../storage/engine.ts";
import type { MetaStore } from "../storage/meta-store.ts";
import type { PartitionSeats } from "../wire/message.ts";
import type { Membership } from "./membership.ts";
import { asJson, readJson } from "./membership-store.ts";
import { newEntry, type SeatEntry, setRecord, voiceOfEntry } from "./seat-entry.ts";
import { type BucketPart, type BucketPlace, SeatPlaces } from "./seat-places.ts";

type Decide = (record: SeatRecord) => SeatRecord | undefined;

/** A change that waits for the disk. */
interface Waiting {
  readonly partition: PartitionId;
  /** What is to be decided, where it is not yet in force. */
  readonly decide: Decide | undefined;
  readonly settle: (isStored: boolean) => void;
}

/** What is only known, and not decided, is written after so long, in ms; so is what a full disk did not take. */
const lazyMs = 1000;

const nothing: SeatRecord = { hold: { kind: "none" }, known: [] };

export class Seats {
  readonly #membership: Membership;
  readonly #meta: MetaStore;
  readonly #log: Log;
  readonly #tasks: TaskGroup;
  readonly #pause: Pause;
  readonly #places: SeatPlaces;
  readonly #listeners: ((partition: PartitionId) => void)[] = [];
  #entries: SeatEntry[] = [];
  /** Of the entries' hashes, until one changes: gossip asks for it each second. */
  #tableHash: Hash64 | undefined;
  #waiting: Waiting[] = [];
  readonly #unstored: Set<PartitionId> = new Set();
  #isFlushing = false;
  #isLazy = false;
  #isStopped = false;

  constructor(membership: Membership, meta: MetaStore, clock: Clock, log: Log) {
    this.#membership = membership;
    this.#meta = meta;
    this.#log = log;
    this.#tasks = new TaskGroup(log);
    this.#pause = new Pause(clock);
    this.#places = new SeatPlaces(
      () => membership.ring,
      (partition) => this.known(partition),
    );
  }

  /**
   * Reads what is stored; for members only. The founder of a cluster holds the first seat of every partition. `told` is
   * what a new member's sponsor knew. Rejects with `StorageError`.
   */
  async open(told: readonly PartitionSeats[]): Promise<void> {
    const { ring, self, incarnation, history } = this.#membership;
    const stored = readJson(this.#meta, "seats") as { readonly incarnation: string } | undefined;
    for (let partition = 0; partition < ring.settings.partitions; partition++) {
      const record = readJson(this.#meta, `seat/${partition}`) as SeatRecord | undefined;
      this.#entries.push(newEntry(record ?? nothing, record));
    }
    const founded = history[0];
    const isFounder = founded?.author === self && incarnation === `${founded.lamport}-${founded.author}`;
    if (isFounder && stored === undefined) {
      const known = firstHolders([self]);
      const first: SeatRecord = { hold: { kind: "active", seat: 0, epoch: firstEpoch }, known };
      for (const entry of this.#entries) setRecord(entry, first);
    }
    for (const { partition, known } of told) {
      const entry = this.#entries[partition];
      if (entry !== undefined) setRecord(entry, learn(entry.record, known, self));
    }
    this.#tableHash = undefined;
    const changes = this.#entries.map((entry, partition) => {
      setRecord(entry, disown(entry.record, self));
      return { entry, partition };
    });
    const news = changes.filter(({ entry }) => entry.record !== entry.stored && entry.record !== nothing);
    if (news.length > 0 || stored === undefined) {
      const written = news.map(({ entry, partition }) => asJson(`seat/${partition}`, entry.record));
      try {
        await this.#meta.put([asJson("seats", { incarnation }), ...written]);
        for (const { entry } of news) entry.stored = entry.record;
      } catch (error) {
        // What is new is stored once there is room; until then it vouches for nothing.
        if (stored === undefined || !isDiskFull(error)) throw error;
        for (const { partition } of news) this.#unstored.add(partition as PartitionId);
        this.#storeSoon();
      }
    }
  }

  /** Calls the listener each time what this node holds or knows of a partition has changed. */
  onChange(listener: (partition: PartitionId) => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves when nothing is being stored any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause.end();
    await this.#tasks.close();
  }

  /** The partitions, once the seats are open. */
  get partitions(): readonly PartitionId[] {
    return this.#entries.map((_, partition) => partition as PartitionId);
  }

  record(partition: PartitionId): SeatRecord {
    return this.#entries[partition]?.record ?? nothing;
  }

  hold(partition: PartitionId): Hold {
    return this.record(partition).hold;
  }

  known(partition: PartitionId): KnownSeats {
    return (this.#entries[partition] ?? nothing).known;
  }

  /** Of what is known of the partition. */
  hash(partition: PartitionId): number {
    return this.#entries[partition]?.hash ?? 0;
  }

  /** Of what is known of every partition, in their order, and of all of them together. */
  hashes(): readonly number[] {
    return this.#entries.map(({ hash }) => hash);
  }

  tableHash(): Hash64 {
    this.#tableHash ??= hashOfTable(this.hashes());
    return this.#tableHash;
  }

  /** What is known of all partitions. */
  table(): readonly PartitionSeats[] {
    return this.#entries.map(({ record: { known } }, partition) => ({ partition: partition as PartitionId, known }));
  }

  /** How many seats this node speaks for, and how many the ring wants it to hold. */
  get count(): { readonly voices: number; readonly seats: number } {
    if (!this.#membership.isMember) return { voices: 0, seats: 0 };
    const { ring, self } = this.#membership;
    const wanted = this.partitions.filter((partition) => wantedOwners(ring, partition).includes(self));
    return { voices: this.voices, seats: wanted.length };
  }

  /** How many seats it speaks for. */
  get voices(): number {
    return this.#entries.filter((_, partition) => this.voiceIn(partition as PartitionId) !== undefined).length;
  }

  /** Its voice for a bucket's keys; undefined if it keeps none, or has nothing to vouch for. Each request asks for it. */
  voice(place: BucketPlace): Voice | undefined {
    const voice = this.voiceIn(place.partition);
    return voice !== undefined && this.part(place).seats.includes(voice.seat) ? voice : undefined;
  }

  /** Its voice for whatever the partition's seat keeps. */
  voiceIn(partition: PartitionId): Voice | undefined {
    const entry = this.#entries[partition];
    return entry && voiceOfEntry(entry);
  }

  /** Whether this node may merge something into its own copy: it speaks for a seat, or is to. */
  mayStore(partition: PartitionId): boolean {
    return this.hold(partition).kind === "active" || this.mayKeep(partition);
  }

  /** Whether it may do so for others though it does not speak yet: it is to take a seat, and whoever speaks will hear. */
  mayKeep(partition: PartitionId): boolean {
    const { kind } = this.hold(partition);
    // Once its disk says so, too: a start drops what it says is nobody's.
    if (!isVoiceless(this.#entries[partition]?.stored?.hold)) return false;
    return kind === "rebuilding" || (kind === "former" && this.seatToTake(partition) !== undefined);
  }

  /** The seat that it is to take and does not hold, as far as it knows. */
  seatToTake(partition: PartitionId): number | undefined {
    const { hold, known } = this.record(partition);
    const { ring, self } = this.#membership;
    return seatToTake(self, hold, wantedOwners(ring, partition), known);
  }

  /** Whether the seat keeps keys of buckets of n copies, or would if it were the next to be filled. */
  keeps(partition: PartitionId, n: number, seat: number): boolean {
    return this.#places.keeps(partition, n, seat);
  }

  /** The first n seats of the partition that there are. */
  seatsFor(partition: PartitionId, n: number): readonly number[] {
    return this.#places.seatsOf(partition, n);
  }

  /** The same, and those of the n seats that nobody holds yet, each with whom to ask for it. */
  askedFor(partition: PartitionId, n: number): readonly SeatOwner[] {
    return this.#places.asked(partition, n);
  }

  /** The bucket's eras whose quorums a request must meet there, the oldest first: one where its n has not changed. */
  openEras(place: BucketPlace): readonly Era[] {
    return this.#places.openEras(place);
  }

  /** What a request for the bucket's keys asks. */
  part(place: BucketPlace): BucketPart {
    return this.#places.part(place);
  }

  /** The seats that keep the bucket's keys. */
  seatsOf(place: BucketPlace): readonly number[] {
    return this.part(place).seats;
  }

  /** The same, with whom to ask for each. */
  owners(place: BucketPlace): readonly SeatOwner[] {
    return this.part(place).owners;
  }

  /** Every member in the order in which they are to be asked: those of `owners` first. */
  order(place: BucketPlace): readonly NodeId[] {
    const owners = [...new Set(this.owners(place).map(({ node }) => node))];
    const all = preferenceOrder(this.#membership.ring, place.partition);
    return [...owners, ...all.filter((node) => !owners.includes(node))];
  }

  /** Takes in what another node knows; the record is another one where that is news. */
  learn(partition: PartitionId, known: KnownSeats): void {
    const entry = this.#entries[partition];
    if (entry === undefined) return;
    const after = learn(entry.record, known, this.#membership.self);
    if (after === entry.record) return;
    const isDecision = after.hold !== entry.record.hold;
    this.#use(partition, entry, after);
    if (isDecision) void this.#write(partition, undefined);
  }

  /** Makes a decision that forbids something. Resolves with what came of it once that is on disk; never rejects. */
  async change(partition: PartitionId, decide: Decide): Promise<SeatRecord | undefined> {
    const entry = this.#entries[partition];
    const after = entry === undefined ? undefined : decide(entry.record);
    if (entry === undefined || after === undefined) return undefined;
    if (after !== entry.record) this.#use(partition, entry, after);
    else if (entry.stored === after) return after;
    return (await this.#write(partition, undefined)) ? after : undefined;
  }

  /**
   * Makes a decision that allows something. Resolves once it is on disk and in force; never rejects. What else is decided
   * until then is not overruled by it: it is made anew, and may come to nothing.
   */
  async commit(partition: PartitionId, decide: Decide): Promise<SeatRecord | undefined> {
    const entry = this.#entries[partition];
    if (entry === undefined || decide(entry.record) === undefined) return undefined;
    return (await this.#write(partition, decide)) ? this.record(partition) : undefined;
  }

  /** What the disk says that this node holds, as far as is known: what is decided may not be there yet. */
  storedHold(partition: PartitionId): Hold | undefined {
    return this.#entries[partition]?.stored?.hold;
  }

  #use(partition: PartitionId, entry: SeatEntry, record: SeatRecord): void {
    setRecord(entry, record);
    this.#tableHash = undefined;
    this.#unstored.add(partition);
    this.#storeSoon();
    for (const listener of this.#listeners) listener(partition);
  }

  #storeSoon(): void {
    if (this.#isLazy) return;
    this.#isLazy = true;
    this.#tasks.run("storing what is known of seats", () => this.#storeLazily());
  }

  async #storeLazily(): Promise<void> {
    while (this.#unstored.size > 0 && !this.#isStopped) {
      await this.#pause.wait(lazyMs);
      if (!this.#isFlushing) await this.#flush();
    }
    this.#isLazy = false;
  }

  #write(partition: PartitionId, decide: Decide | undefined): Promise<boolean> {
    return new Promise((settle) => {
      this.#waiting.push({ partition, decide, settle });
      this.#flushSoon();
    });
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#tasks.run("storing seats", async () => {
      // What this turn decides goes with one write.
      await Promise.resolve();
      this.#isFlushing = false;
      await this.#flush();
    });
  }

  /** Writes all that waits, one write at a time. */
  async #flush(): Promise<void> {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    try {
      do {
        const waiting = this.#waiting.splice(0);
        await this.#flushOnce(waiting);
      } while (this.#waiting.length > 0);
    } finally {
      this.#isFlushing = false;
    }
  }

  async #flushOnce(waiting: readonly Waiting[]): Promise<void> {
    const written = new Map<PartitionId, SeatRecord>();
    for (const partition of this.#unstored) written.set(partition, this.record(partition));
    for (const { partition, decide } of waiting) {
      const before = written.get(partition) ?? this.record(partition);
      written.set(partition, decide?.(before) ?? before);
    }
    this.#unstored.clear();
    let isStored = true;
    try {
      await this.#meta.put([...written].map(([partition, record]) => asJson(`seat/${partition}`, record)));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#log.warn("seats cannot be stored", { error: error.message });
      isStored = false;
    }
    if (isStored) for (const [partition, record] of written) (this.#entries[partition] as SeatEntry).stored = record;
    for (const { partition, decide, settle } of waiting) {
      settle(isStored && (decide === undefined || this.#enforce(partition, decide)));
    }
    for (const [partition, record] of written) {
      if (!isStored || this.record(partition) !== record) this.#unstored.add(partition);
    }
  }

  /** What was decided is on disk, and is decided again if something else was meanwhile. Whether it holds. */
  #enforce(partition: PartitionId, decide: Decide): boolean {
    const entry = this.#entries[partition] as SeatEntry;
    const after = decide(entry.record);
    if (after === undefined) {
      void this.#write(partition, undefined);
      return false;
    }
    const { stored } = entry;
    const isSame = stored !== undefined && JSON.stringify(stored) === JSON.stringify(after);
    this.#use(partition, entry, isSame ? stored : after);
    if (isSame) this.#unstored.delete(partition);
    else if (!isSameHold(after.hold, stored?.hold)) void this.#write(partition, undefined);
    return true;
  }
}
