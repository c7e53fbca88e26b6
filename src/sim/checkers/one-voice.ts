/**
 * A seat has one voice. What follows from `core/seats` and can be seen from outside:
 *
 * - A voice (partition, seat, epoch) comes to be on one disk, once: nobody else ever has it, and one that fell silent
 *   never speaks at that epoch again.
 * - An answer carries a voice only if its node's disk said so at some moment between the request and the answer, or says
 *   that the node has the seat at a later epoch: so nobody answers with a voice who has sealed it, handed it on or lost it before he was asked.
 * - Nor does a node that knows that it is no member any more.
 * - A hand-over's successor begins only when the one before it has fallen silent, on disk.
 * - When a rebuilt seat begins to speak, every other seat's newest voice knows, on disk, that older ones are void; and
 *   whoever begins to speak, for whatever seat, knows as much of every other. So of two answers that come together, one
 *   of which is older than a rebuild of its seat, one tells so (`core/seats/known.ts`).
 *
 * The last is what keeps a node that was taken for dead, and lives, from being counted beside anybody else. Alone it may
 * still be believed: that is for `regular-reads.ts` to say.
 */

import type { PartitionId } from "../../core/ids.ts";
import type { Voice } from "../../core/quorum/voice.ts";
import { partitionOf } from "../../core/ring/key-hash.ts";
import type { Epoch } from "../../core/seats/epoch.ts";
import { type KnownSeats, knownSeat } from "../../core/seats/known.ts";
import type { SeatRecord } from "../../core/seats/record.ts";
import type { Message } from "../../wire/message.ts";
import type { RunningNode, SimCluster } from "../cluster.ts";
import type { SimConnection } from "../connection.ts";
import type { SeatBook, Spoken } from "../seat-book.ts";
import type { Simulation } from "../simulation.ts";

/** As `core/seats/epoch.ts` has it. */
const handOversAGeneration = 2 ** 20;

/** A request that may be answered with a voice. */
interface Asked {
  readonly partition: PartitionId;
  readonly at: number;
}

export class OneVoice {
  /** Voices that began, and answers with a voice. */
  readonly counts: { voices: number; answers: number } = { voices: 0, answers: 0 };
  readonly #simulation: Simulation;
  readonly #cluster: SimCluster;
  readonly #book: SeatBook;
  readonly #partitions: number;
  /** Who knows that it is no member any more, and from when on that was seen. */
  readonly #departed: WeakMap<RunningNode, number> = new WeakMap();
  /** Requests by the side of the connection on which they arrive. */
  readonly #asked: WeakMap<SimConnection, Map<number, Asked>> = new WeakMap();

  constructor(cluster: SimCluster) {
    this.#simulation = cluster.simulation;
    this.#cluster = cluster;
    this.#book = cluster.book;
    this.#partitions = cluster.plan.settings.partitions;
    this.#book.onVoice = (voice, record) => this.#begins(voice, record);
  }

  /** A message was sent. */
  heard(message: Message, from: SimConnection, to: SimConnection): void {
    switch (message.kind) {
      case "replica-get":
      case "replica-put":
        return this.#asks(to, message.id, partitionOf(message.bucket, message.key, this.#partitions));
      case "fence-seat":
        return this.#asks(to, message.id, message.partition);
      case "replica-state":
      case "replica-stored":
      case "seat-fenced":
        return this.#answers(message, message.voice, from);
      case "refusal":
        this.#asked.get(from)?.delete(message.id);
    }
  }

  #asks(to: SimConnection, id: number, partition: PartitionId): void {
    const asked = this.#asked.get(to) ?? new Map<number, Asked>();
    this.#asked.set(to, asked.set(id, { partition, at: this.#simulation.now }));
  }

  #answers({ kind, id }: Message, voice: Voice | undefined, from: SimConnection): void {
    const asked = this.#asked.get(from)?.get(id);
    if (asked === undefined) return;
    this.#asked.get(from)?.delete(id);
    if (voice === undefined) return;
    this.counts.answers++;
    const { partition, at } = asked;
    // It may still help others to take what it holds.
    const departedMs = kind === "seat-fenced" ? Number.POSITIVE_INFINITY : this.#departedMs(from);
    if (departedMs < at) {
      const since = `and knew at ${departedMs.toFixed(1)} ms that it is no member`;
      this.#violate(`${from.process.name} answers with a voice, ${since}`);
    }
    const spoken = this.#book.spoken(partition, voice);
    if (spoken?.machine === from.host && (spoken.until >= at || this.#goesOn(spoken))) return;
    const name = describe({ partition, ...voice });
    const why =
      spoken === undefined
        ? "which no disk says that anybody has"
        : spoken.machine !== from.host
          ? `which is ${spoken.machine.name}'s`
          : `silent since ${spoken.until.toFixed(1)} ms, to a request of ${at.toFixed(1)} ms`;
    this.#violate(`${from.process.name} answers with ${name}, ${why}`);
  }

  /** Whether the same disk has the seat's voice at a later epoch: that is not in force before the disk has said so. */
  #goesOn({ machine, partition, seat, epoch, life }: Spoken): boolean {
    const now = this.#book.speaks(machine, partition);
    return now?.seat === seat && now.epoch > epoch && now.life === life;
  }

  /** Since when the sender is known to know that it is no member any more. */
  #departedMs({ host }: SimConnection): number {
    const node = this.#cluster.departed.find(({ machine }) => machine === host)?.node;
    if (node?.departed === undefined) return Number.POSITIVE_INFINITY;
    const sinceMs = this.#departed.get(node) ?? this.#simulation.now;
    this.#departed.set(node, sinceMs);
    return sinceMs;
  }

  #begins(voice: Spoken, record: SeatRecord): void {
    this.counts.voices++;
    const before = this.#book.spoken(voice.partition, voice);
    if (before !== undefined) {
      const until = Number.isFinite(before.until) ? `until ${before.until.toFixed(1)} ms` : "still";
      const since = `from ${before.from.toFixed(1)} ms, ${until}`;
      return this.#violate(`${voice.machine.name} has ${describe(voice)}, which ${before.machine.name} had ${since}`);
    }
    const newest = this.#book.newest().get(voice.partition);
    // Void already: a seat that is handed on by one who was taken for dead.
    if ((newest?.get(voice.seat)?.epoch ?? voice.epoch) > voice.epoch) return;
    const last = newest?.get(voice.seat);
    if (last !== undefined && beginOf(last.epoch) === beginOf(voice.epoch) && !Number.isFinite(last.until)) {
      this.#violate(`${voice.machine.name} has ${describe(voice)} before ${last.machine.name} has sealed its own`);
    }
    for (const other of newest?.values() ?? []) {
      if (other.seat === voice.seat || !this.#book.isThere(other)) continue;
      const { known } = this.#book.record(other.machine, voice.partition) ?? { known: [] };
      this.#mustKnow(other, known, voice);
      this.#mustKnow(voice, record.known, other);
    }
  }

  #mustKnow(voice: Spoken, known: KnownSeats, other: Spoken): void {
    if (knownSeat(known, other.seat).fence >= beginOf(other.epoch)) return;
    const told = `${voice.machine.name} with ${describe(voice)} does not know that ${describe(other)}`;
    this.#violate(`${told} of ${other.machine.name} has made older ones void`);
  }

  #violate(what: string): void {
    this.#simulation.violate("one seat, one voice", what);
  }
}

/** The first epoch of its generation. */
function beginOf(epoch: Epoch): Epoch {
  return epoch - (epoch % handOversAGeneration);
}

function describe({ partition, seat, epoch }: Voice & { readonly partition: PartitionId }): string {
  return `the voice of seat ${seat} of partition ${partition} at epoch ${epoch}`;
}
