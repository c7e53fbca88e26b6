/**
 * Every record of a seat that was ever on a disk (`core/seats/record.ts`): who could speak for a seat, at which epoch and
 * from when to when.
 *
 * A node answers with a voice only while its disk says that it holds it. So the disks together tell every voice there
 * can have been, those of coordinators that asked nobody but themselves included.
 */

import type { PartitionId } from "../core/ids.ts";
import type { Voice } from "../core/quorum/voice.ts";
import { neverHeld } from "../core/seats/epoch.ts";
import type { Hold, SeatRecord } from "../core/seats/record.ts";
import type { SimMachine } from "./machine.ts";
import type { Simulation } from "./simulation.ts";

/** One voice, and the disk that has it. */
export interface Spoken extends Voice {
  readonly partition: PartitionId;
  readonly machine: SimMachine;
  /** How often the machine's disk had been lost before. */
  readonly life: number;
  /** Virtual ms: from when to when it was on the disk; as long as it is, there is no end. */
  readonly from: number;
  until: number;
  /** Its writer has not spoken with it: it was told that this is not on the disk, or knew better before that was done. */
  isUnsaid: boolean;
}

/** Which directory of which member a disk holds. */
interface Identity {
  readonly node: string;
  readonly incarnation: string | undefined;
}

/** What takes the place of a rebuild's end that was withdrawn while it was being written follows it within so long, in ms. */
const withdrawnWithinMs = 500;

const metaTag = 0x01;
/** Before every small record stands its checksum. */
const checksumBytes = 4;
const decoder: TextDecoder = new TextDecoder();

export class SeatBook {
  /** Hears of each voice that comes to be on a disk. */
  onVoice: ((voice: Spoken, record: SeatRecord) => void) | undefined;
  readonly #simulation: Simulation;
  readonly #records: Map<SimMachine, Map<PartitionId, SeatRecord>> = new Map();
  readonly #lives: Map<SimMachine, number> = new Map();
  readonly #speaks: Map<SimMachine, Map<PartitionId, Spoken>> = new Map();
  /** By partition and seat: the voice of the newest epoch. */
  readonly #newest: Map<PartitionId, Map<number, Spoken>> = new Map();
  readonly #identities: Map<SimMachine, Identity> = new Map();
  readonly #fenced: Map<PartitionId, Set<number>> = new Map();
  readonly #all: Map<string, Spoken> = new Map();
  /** Voices by the very bytes with which each came to be on a disk. */
  readonly #byValue: WeakMap<Uint8Array, Spoken> = new WeakMap();
  /** The newest voice of the seat when a newer one began. */
  readonly #before: WeakMap<Spoken, Spoken> = new WeakMap();

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Follows what comes to be on the machine's disk. */
  follow(machine: SimMachine): void {
    machine.disk.onChange = (key, value) => {
      if (key === undefined) this.#diskLost(machine);
      else if (key[0] === metaTag && value !== undefined) this.#stored(machine, key, value);
    };
    machine.disk.onRefused = (value) => {
      const voice = this.#byValue.get(value);
      if (voice !== undefined) voice.isUnsaid = true;
    };
  }

  /** What the machine's disk says. */
  record(machine: SimMachine, partition: PartitionId): SeatRecord | undefined {
    return this.#records.get(machine)?.get(partition);
  }

  recordsOf(machine: SimMachine): ReadonlyMap<PartitionId, SeatRecord> {
    return this.#records.get(machine) ?? new Map();
  }

  /** The voice that is on the machine's disk. */
  speaks(machine: SimMachine, partition: PartitionId): Spoken | undefined {
    return this.#speaks.get(machine)?.get(partition);
  }

  /** Every partition with the newest voice of each seat that was ever held. */
  newest(): ReadonlyMap<PartitionId, ReadonlyMap<number, Spoken>> {
    return this.#newest;
  }

  /** The voice of this name, if there ever was one. */
  spoken(partition: PartitionId, { seat, epoch }: Voice): Spoken | undefined {
    return this.#all.get(`${partition}/${seat}/${epoch}`);
  }

  /** The seats that anybody has fenced or held. */
  seatsOf(partition: PartitionId): ReadonlySet<number> {
    return this.#fenced.get(partition) ?? new Set();
  }

  identity(machine: SimMachine): Identity | undefined {
    return this.#identities.get(machine);
  }

  /** Whether the disk on which the voice was is still there. */
  isThere({ machine, life }: Pick<Spoken, "machine" | "life">): boolean {
    return this.lifeOf(machine) === life;
  }

  /** How often the machine's disk was lost. */
  lifeOf(machine: SimMachine): number {
    return this.#lives.get(machine) ?? 0;
  }

  #diskLost(machine: SimMachine): void {
    for (const partition of this.recordsOf(machine).keys()) this.#falls(machine, partition);
    this.#records.delete(machine);
    this.#identities.delete(machine);
    this.#lives.set(machine, this.lifeOf(machine) + 1);
  }

  #stored(machine: SimMachine, key: Uint8Array, value: Uint8Array): void {
    const name = decoder.decode(key.subarray(1));
    if (name === "identity") this.#identities.set(machine, identityIn(value));
    const [, partitionText] = /^seat\/(\d+)$/.exec(name) ?? [];
    if (partitionText === undefined) return;
    const partition = Number(partitionText) as PartitionId;
    const record = jsonIn(value) as SeatRecord;
    const records = this.#records.get(machine) ?? new Map<PartitionId, SeatRecord>();
    this.#records.set(machine, records.set(partition, record));
    this.#note(partition, record);
    const before = this.#speaks.get(machine)?.get(partition);
    const voice = voiceIn(record.hold);
    if (before !== undefined && before.seat === voice?.seat && before.epoch === voice.epoch) {
      if (before.isUnsaid) this.#byValue.set(value, before);
      before.isUnsaid = false;
      return;
    }
    const goesOn = before !== undefined && this.#isWithdrawn(before, record);
    if (goesOn) this.#withdraw(before);
    this.#falls(machine, partition);
    if (voice !== undefined) this.#byValue.set(value, this.#rises(machine, partition, voice, record, goesOn));
  }

  /**
   * Whether a rebuild learned that it was not at its end while that was being written: it goes on, or it is given up by a
   * node that knows nothing of its having ended.
   */
  #isWithdrawn({ seat, epoch, from }: Spoken, { hold, known }: SeatRecord): boolean {
    if (hold.kind === "rebuilding") return hold.epoch === epoch;
    return (known[seat]?.held ?? neverHeld) < epoch && this.#simulation.now - from <= withdrawnWithinMs;
  }

  #withdraw(end: Spoken): void {
    end.isUnsaid = true;
    const newest = this.#newest.get(end.partition);
    if (newest?.get(end.seat) !== end) return;
    const before = this.#before.get(end);
    if (before === undefined) newest.delete(end.seat);
    else newest.set(end.seat, before);
  }

  #note(partition: PartitionId, { known }: SeatRecord): void {
    const fenced = this.#fenced.get(partition) ?? new Set<number>();
    for (const [seat, { fence }] of known.entries()) if (fence !== neverHeld) fenced.add(seat);
    this.#fenced.set(partition, fenced);
  }

  #falls(machine: SimMachine, partition: PartitionId): void {
    const speaks = this.#speaks.get(machine);
    const spoken = speaks?.get(partition);
    if (spoken === undefined) return;
    spoken.until = this.#simulation.now;
    speaks?.delete(partition);
  }

  /** `goesOn`: what was to end its voice was withdrawn, and it has it as before. */
  #rises(
    machine: SimMachine,
    partition: PartitionId,
    { seat, epoch }: Voice,
    record: SeatRecord,
    goesOn: boolean,
  ): Spoken {
    const life = this.lifeOf(machine);
    const from = this.#simulation.now;
    const fresh = { partition, seat, epoch, machine, life, from, until: Number.POSITIVE_INFINITY, isUnsaid: false };
    const name = `${partition}/${seat}/${epoch}`;
    const before = this.#all.get(name);
    const isAgain = before?.machine === machine && before.life === life && (before.isUnsaid || goesOn);
    const voice: Spoken = isAgain ? before : fresh;
    voice.until = Number.POSITIVE_INFINITY;
    voice.isUnsaid = false;
    const speaks = this.#speaks.get(machine) ?? new Map<PartitionId, Spoken>();
    this.#speaks.set(machine, speaks.set(partition, voice));
    if (!isAgain) this.onVoice?.(voice, record);
    if (!this.#all.has(name)) this.#all.set(name, voice);
    const newest = this.#newest.get(partition) ?? new Map<number, Spoken>();
    this.#newest.set(partition, newest);
    const last = newest.get(seat);
    if ((last?.epoch ?? neverHeld) >= epoch) return voice;
    if (last !== undefined) this.#before.set(voice, last);
    newest.set(seat, voice);
    return voice;
  }
}

/** What may be said with it: the book's own reading, since it must not borrow it from what is judged by it. */
function voiceIn(hold: Hold): Voice | undefined {
  if (hold.kind === "active") return { seat: hold.seat, epoch: hold.epoch };
  return hold.kind === "rebuilding" && hold.isHolder ? { seat: hold.seat, epoch: hold.lost } : undefined;
}

function identityIn(value: Uint8Array): Identity {
  const { node, member } = jsonIn(value) as { readonly node: string; readonly member?: { incarnation: string } };
  return { node, incarnation: member?.incarnation };
}

function jsonIn(value: Uint8Array): unknown {
  return JSON.parse(decoder.decode(value.subarray(checksumBytes)));
}
