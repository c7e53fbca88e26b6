/**
 * A seat has one voice. What follows from `core/seats` and can be seen from outside:
 *
 * - A voice (partition, seat, epoch) comes to be on one disk, once: nobody else ever has it, and one that fell silent
 *   never speaks at that epoch again.
 * - An answer carries a voice only if its node's disk said so at some moment between the request and the answer: so
 *   nobody answers with a voice who has sealed it, handed it on or lost it before he was asked.
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
import { type Epoch, firstEpoch, nextGeneration } from "../../core/seats/epoch.ts";
import { type KnownSeats, knownSeat } from "../../core/seats/known.ts";
import type { SeatRecord } from "../../core/seats/record.ts";
import type { Message } from "../../wire/message.ts";
import type { SimConnection } from "../connection.ts";
import type { SeatBook, Spoken } from "../seat-book.ts";
import type { Simulation } from "../simulation.ts";

/** A request that may be answered with a voice. */
interface Asked {
  readonly partition: PartitionId;
  readonly at: number;
}

export class OneVoice {
  /** Voices that began, and answers with a voice. */
  readonly counts: { voices: number; answers: number } = { voices: 0, answers: 0 };
  readonly #simulation: Simulation;
  readonly #book: SeatBook;
  readonly #partitions: number;
  /** Requests by the side of the connection on which they arrive. */
  readonly #asked: WeakMap<SimConnection, Map<number, Asked>> = new WeakMap();

  constructor(simulation: Simulation, book: SeatBook, partitions: number) {
    this.#simulation = simulation;
    this.#book = book;
    this.#partitions = partitions;
    book.onVoice = (voice, record) => this.#begins(voice, record);
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
        return this.#answers(message.id, message.voice, from);
      case "refusal":
        this.#asked.get(from)?.delete(message.id);
    }
  }

  #asks(to: SimConnection, id: number, partition: PartitionId): void {
    const asked = this.#asked.get(to) ?? new Map<number, Asked>();
    this.#asked.set(to, asked.set(id, { partition, at: this.#simulation.now }));
  }

  #answers(id: number, voice: Voice | undefined, from: SimConnection): void {
    const asked = this.#asked.get(from)?.get(id);
    if (asked === undefined) return;
    this.#asked.get(from)?.delete(id);
    if (voice === undefined) return;
    this.counts.answers++;
    const { partition, at } = asked;
    const spoken = this.#book.spoken(partition, voice);
    if (spoken?.machine === from.host && spoken.until >= at) return;
    const name = describe({ partition, ...voice });
    const why =
      spoken === undefined
        ? "which no disk says that anybody has"
        : spoken.machine !== from.host
          ? `which is ${spoken.machine.name}'s`
          : `silent since ${spoken.until.toFixed(1)} ms, to a request of ${at.toFixed(1)} ms`;
    this.#violate(`${from.process.name} answers with ${name}, ${why}`);
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
  return nextGeneration(epoch) - nextGeneration(firstEpoch);
}

function describe({ partition, seat, epoch }: Voice & { readonly partition: PartitionId }): string {
  return `the voice of seat ${seat} of partition ${partition} at epoch ${epoch}`;
}
