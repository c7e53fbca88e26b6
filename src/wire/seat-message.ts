/** What nodes say to each other of who speaks for which seat: `core/seats` says what it means. A part of `message.ts`. */

import type { PartitionId } from "../core/ids.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { Epoch } from "../core/seats/epoch.ts";
import type { KnownSeats } from "../core/seats/known.ts";
import type { HandOver } from "../core/seats/record.ts";

/** What somebody knows of one partition's seats. */
export interface PartitionSeats {
  readonly partition: PartitionId;
  readonly known: KnownSeats;
}

/** Asks a holder to hand a seat over to the sender (`core/seats/record.ts`). Answered with `seat-sealed`. */
export interface TakeSeat {
  readonly kind: "take-seat";
  readonly id: number;
  readonly partition: PartitionId;
  readonly seat: number;
  /** The sender's. */
  readonly incarnation: string;
}

/** The holder says nothing more in the seat's name: the successor is to finish its copy. Answered with `done`. */
export interface SeatSealed {
  readonly kind: "seat-sealed";
  readonly id: number;
  readonly partition: PartitionId;
  readonly handOver: HandOver;
}

/** Asks the holder of another seat for its help in rebuilding one (`core/seats/rebuild.ts`). */
export interface FenceSeat {
  readonly kind: "fence-seat";
  readonly id: number;
  readonly partition: PartitionId;
  readonly seat: number;
  readonly epoch: Epoch;
}

/**
 * The sender is about to copy the receiver, to fill its seat for all changes of n that it knows (`core/seats/filled.ts`).
 * Answered with `seat-fenced` by a holder that knows the very same ones, on its disk: it answers nobody any more who
 * knows less.
 */
export interface FillSeat {
  readonly kind: "fill-seat";
  readonly id: number;
  readonly partition: PartitionId;
  /** Names them. */
  readonly changes: number;
}

/** Granted, on disk; or it knows the very same changes of n. `voice` is the answerer's. */
export interface SeatFenced {
  readonly kind: "seat-fenced";
  readonly id: number;
  readonly voice: Voice;
  readonly known: KnownSeats;
}

/** A holder asks whether the rebuild that it is promised to goes on. */
export interface RebuildInquiry {
  readonly kind: "rebuild-inquiry";
  readonly id: number;
  readonly partition: PartitionId;
  readonly seat: number;
  readonly epoch: Epoch;
}

export interface RebuildState {
  readonly kind: "rebuild-state";
  readonly id: number;
  readonly isUnderWay: boolean;
  readonly known: KnownSeats;
}

/** What the sender knows of all seats, by the hash of each partition. Answered with `seats-told`: what differs. */
export interface CompareSeats {
  readonly kind: "compare-seats";
  readonly id: number;
  readonly hashes: readonly number[];
}

/** What the sender knows of some partitions' seats. Answered with `done`. */
export interface SeatsTold {
  readonly kind: "seats-told";
  readonly id: number;
  readonly seats: readonly PartitionSeats[];
}
