/**
 * One node of the model: holds a seat, or is to take one, and fills it for the changes of n that it knows.
 *
 * How seats pass on has a model of its own (`../seat`), with every message; here a node takes one over, or rebuilds it,
 * in a few steps that ask another node each, with the product's decisions. A copy is the set of writes it holds.
 */

import type { NodeId } from "../../../src/core/ids.ts";
import type { Voice } from "../../../src/core/quorum/voice.ts";
import { neverHeld } from "../../../src/core/seats/epoch.ts";
import { allChanges, isFilledForAll, leftToCopy } from "../../../src/core/seats/filled.ts";
import { isBeingRebuilt, type KnownSeats, knownSeat, withFilled } from "../../../src/core/seats/known.ts";
import { beginRebuild, finishRebuild, grantRebuild, nextToCopy, withCopied } from "../../../src/core/seats/rebuild.ts";
import { handOverOf, learn, type SeatRecord, seal, takeOver, voiceOf } from "../../../src/core/seats/record.ts";
import type { Writes } from "../single-key/oracle.ts";
import { type ChangeSet, type Changes, seatCount } from "./changes.ts";
import type { CopiesRule } from "./rules.ts";

export interface Copy {
  readonly record: SeatRecord;
  readonly data: Writes;
  readonly changes: ChangeSet;
}

/** What one holder tells another that copies it. */
export interface Told {
  readonly voice: Voice;
  readonly known: KnownSeats;
  readonly data: Writes;
  readonly changes: ChangeSet;
}

export class Keeper {
  readonly id: NodeId;
  isUp = true;
  isDead = false;
  memory: Copy;
  disk: Copy;
  readonly #rule: CopiesRule;
  readonly #changes: Changes;
  /** Whom it has copied to fill its seat for all changes it knows; void when it learns of another. */
  #copied: Map<number, Voice> = new Map();
  /** What those knew that its rebuild copied, by seat; a crash forgets it. */
  readonly #rebuiltFrom: Map<number, ChangeSet> = new Map();

  constructor(rule: CopiesRule, changes: Changes, id: NodeId, record: SeatRecord) {
    this.#rule = rule;
    this.#changes = changes;
    this.id = id;
    this.memory = { record, data: 0, changes: 0 };
    this.disk = this.memory;
  }

  get record(): SeatRecord {
    return this.memory.record;
  }

  get known(): KnownSeats {
    return this.memory.record.known;
  }

  get voice(): Voice | undefined {
    return this.isUp && !this.isDead ? voiceOf(this.record) : undefined;
  }

  sync(): void {
    this.disk = { ...this.memory, changes: this.disk.changes | this.memory.changes };
  }

  crash(): void {
    this.memory = this.disk;
    this.#copied = new Map();
    this.#rebuiltFrom.clear();
  }

  store(write: Writes): void {
    this.memory = { ...this.memory, data: this.memory.data | write };
  }

  learn(known: KnownSeats): void {
    const record = learn(this.record, known, this.id);
    if (record.hold === this.record.hold) this.memory = { ...this.memory, record };
    else this.#decide(record);
  }

  learnChanges(changes: ChangeSet): void {
    const all = this.memory.changes | changes;
    if (all === this.memory.changes) return;
    this.#copied = new Map();
    this.memory = { ...this.memory, changes: all };
    if (this.#rule.keepsChanges) this.disk = { ...this.disk, changes: all };
  }

  /** Its own seat is filled for all that it knows. */
  get isFilled(): boolean {
    const voice = voiceOf(this.record);
    return voice === undefined || isFilledForAll(this.#changes.eras(this.memory.changes), this.known, voice.seat);
  }

  /** The seats whose holders it has yet to copy. */
  toCopy(): readonly number[] {
    const own = voiceOf(this.record)?.seat;
    const { known } = this;
    const used = new Set(
      this.#changes.open(this.memory.changes, known).flatMap((era) => this.#changes.seats(era, known)),
    );
    return leftToCopy(known, own ?? -1, this.#copied).filter((seat) => {
      if (!this.#rule.waitsForNewSeats && knownSeat(known, seat).held === neverHeld) return false;
      if (!this.#rule.copiesOutsiders && !used.has(seat)) return false;
      return this.#rule.voidsCopies || !this.#copied.has(seat);
    });
  }

  /** What it tells one that fills its seat and knows these changes; undefined if it must not. */
  beCopied(changes: ChangeSet): Told | undefined {
    const { voice, known } = this;
    const { data, changes: own } = this.memory;
    if (voice === undefined || (this.#rule.copyNamesVersion && own !== changes)) return undefined;
    return { voice, known, data, changes };
  }

  /** It has copied another holder. */
  hearCopy({ voice, known, data, changes }: Told): void {
    if (changes !== this.memory.changes || voiceOf(this.record) === undefined) return;
    this.store(data);
    this.#copied.set(voice.seat, voice);
    this.learn(known);
  }

  /** Marks its seat, if it has copied all; whether it did. */
  mark(): boolean {
    const voice = this.voice;
    const left = this.toCopy();
    const isEnough = left.length === 0 || (!this.#rule.copiesAll && left.length === 1 && this.#copied.size > 0);
    if (voice === undefined || this.isFilled || !isEnough) return false;
    const known = withFilled(this.known, voice.seat, allChanges(this.#changes.eras(this.memory.changes)));
    this.memory = { ...this.memory, record: { ...this.record, known } };
    if (this.#rule.syncsCopies) this.sync();
    else this.disk = { ...this.disk, record: this.memory.record };
    return true;
  }

  /** It drops what no open era has it keep; whether it did. */
  drop(): boolean {
    const voice = this.voice;
    if (voice === undefined || this.memory.data === 0 || !this.isFilled) return false;
    const isWaiting = this.known.some((_, seat) => isBeingRebuilt(this.known, seat));
    if (isWaiting && this.#rule.waitsForNewSeats) return false;
    const open = this.#changes.open(this.memory.changes, this.known);
    const kept = this.#rule.waitsForAll ? open : open.slice(-1);
    if (kept.some((era) => this.#changes.seats(era, this.known).includes(voice.seat))) return false;
    this.memory = { ...this.memory, data: 0 };
    return true;
  }

  /** It falls silent for the successor's sake. */
  seal(to: NodeId): boolean {
    const voice = this.voice;
    const sealed =
      voice && this.record.hold.kind === "active" && seal(this.record, voice.seat, { node: to, incarnation: "" });
    if (!sealed) return false;
    this.#decide(sealed);
    return true;
  }

  /** It takes over from one that is sealed for it; whether it did. */
  take(from: Keeper): boolean {
    const handOver = handOverOf(from.record);
    const taken = handOver?.to.node === this.id ? takeOver(this.record, handOver) : undefined;
    if (taken === undefined) return false;
    this.store(from.memory.data);
    if (this.#rule.handsChangesOn) this.learnChanges(from.memory.changes);
    this.#decide(taken);
    return true;
  }

  /** It begins to rebuild the seat, or goes on with one other holder; whether it is active after that. */
  rebuild(seat: number, holderOf: (seat: number) => Keeper | undefined): boolean {
    if (this.record.hold.kind === "none" || this.record.hold.kind === "former") {
      const begun = beginRebuild(this.record, seat, this.id);
      if (begun !== undefined) this.#decide(begun);
      this.#rebuiltFrom.clear();
      return false;
    }
    const { hold } = this.record;
    const next = nextToCopy(this.record, seatCount);
    if (hold.kind !== "rebuilding") return false;
    if (next === undefined) return this.#finish();
    const holder = holderOf(next);
    const voice = holder?.voice;
    const granted = holder && grantRebuild(holder.record, hold.seat, hold.epoch, this.id);
    if (holder === undefined || voice === undefined || granted === undefined) return false;
    holder.#decide(granted);
    const { changes } = holder.memory;
    this.#rebuiltFrom.set(voice.seat, changes);
    this.store(holder.memory.data);
    if (this.#rule.rebuildsWithChanges) this.learnChanges(changes);
    this.learn(holder.known);
    this.#decide(withCopied(this.record, voice));
    return false;
  }

  #finish(): boolean {
    const { hold } = this.record;
    if (hold.kind !== "rebuilding") return false;
    const { changes } = this.memory;
    const copied = hold.copied.filter(({ seat }) => this.#rebuiltFrom.get(seat) === changes);
    const isWhole = leftToCopy(this.known, hold.seat, new Map(copied.map((voice) => [voice.seat, voice]))).length === 0;
    const filled = isWhole ? allChanges(this.#changes.eras(changes)) : undefined;
    const done = finishRebuild(this.record, seatCount, this.id, filled);
    if (done === undefined) return false;
    this.#decide(done);
    return true;
  }

  /** A decision is on disk at once, and all that was stored before it. */
  #decide(record: SeatRecord): void {
    this.memory = { ...this.memory, record };
    this.sync();
  }
}
