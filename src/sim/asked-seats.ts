/**
 * Whom holders may yet fall silent for: who has asked for a seat may be lost while that is on its way, and be handed the
 * seat all the same. So it is as if it had it, until the seat is seen to have passed on.
 */

import type { PartitionId } from "../core/ids.ts";
import { neverHeld } from "../core/seats/epoch.ts";
import type { Message } from "../wire/message.ts";
import type { SimConnection } from "./connection.ts";
import type { SimMachine } from "./machine.ts";
import type { SeatBook } from "./seat-book.ts";
import type { Simulation } from "./simulation.ts";

/** A request is served or dropped within so long, in ms: cuts and pauses are shorter. */
const underWayMs = 30_000;

/** What a machine's disk of that life asked for, and the seat's newest epoch then. */
interface Asked {
  readonly seat: number;
  readonly epoch: number;
  readonly machine: SimMachine;
  readonly life: number;
  readonly at: number;
}

export class AskedSeats {
  readonly #simulation: Simulation;
  readonly #book: SeatBook;
  readonly #asked: Map<PartitionId, readonly Asked[]> = new Map();

  constructor(simulation: Simulation, book: SeatBook) {
    this.#simulation = simulation;
    this.#book = book;
  }

  /** A message is sent. */
  heard(message: Message, from: Pick<SimConnection, "host">): void {
    if (message.kind !== "take-seat") return;
    const { partition, seat } = message;
    const machine = from.host as SimMachine;
    const life = this.#book.lifeOf(machine);
    const asked = { seat, epoch: this.#epochOf(partition, seat), machine, life, at: this.#simulation.now };
    const others = this.#pending(partition).filter((other) => {
      return other.seat !== seat || other.machine !== machine || other.life !== life;
    });
    this.#asked.set(partition, [...others, asked]);
  }

  /** The partition's seats that may come to be with a disk that is gone, or is one of these machines'. */
  comingTo(partition: PartitionId, lost: ReadonlySet<SimMachine>): ReadonlySet<number> {
    const toLost = this.#pending(partition).filter((asked) => lost.has(asked.machine) || !this.#book.isThere(asked));
    return new Set(toLost.map(({ seat }) => seat));
  }

  #pending(partition: PartitionId): readonly Asked[] {
    const asked = this.#asked.get(partition) ?? [];
    const since = this.#simulation.now - underWayMs;
    return asked.filter(({ seat, epoch, at }) => at >= since && this.#epochOf(partition, seat) === epoch);
  }

  #epochOf(partition: PartitionId, seat: number): number {
    return this.#book.newest().get(partition)?.get(seat)?.epoch ?? neverHeld;
  }
}
