/**
 * Counts the answers to one request until enough have come, or enough cannot come any more (§4.5, §4.6).
 *
 * Every seat is asked of its owner, and, where the owner does not answer, of a stand-in. A seat counts once: by its
 * voice, or by a stand-in that holds a copy while no voice has spoken for it. An owner without a voice counts like a
 * stand-in for its own seat. Laws:
 *
 * - Whoever holds nothing and has no voice counts for nothing: it says nothing about what was acknowledged.
 * - Where voices alone must answer (`owners`), nobody stands in.
 * - Stand-ins count only once no owner is left to wait for, or the request has waited long enough (`hurry`): a sloppy
 *   quorum promises less than voices do, and is taken only where it must be.
 *
 * - A voice that turns out to be outdated counts no more, and where there turn out to be more seats, more must answer:
 *   `follow` says what is known by now (`core/seats/known.ts`).
 *
 * Seats are told apart by their numbers, at most `mostCopies` of them: sets of seats are bits of one number.
 */

import type { Epoch } from "../seats/epoch.ts";
import type { Voice } from "./voice.ts";

export interface Needed {
  /** Seats that must answer. */
  readonly answers: number;
  /** Of those, seats that must answer by their voice. */
  readonly owners: number;
}

/** Some seats, and how many of them must answer. */
export interface SeatQuorum extends Needed {
  readonly seats: readonly number[];
}

/** The same, the seats as bits. */
interface Quorum extends Needed {
  readonly seats: number;
}

export class Tally {
  /** Each of them must be met. The first is the newest, and the one that is told of. */
  #quorums: readonly Quorum[] = [];
  /** The seats that count: those of any. */
  #seats = 0;
  /** Seats whose voice has spoken, and, by their numbers, since when it has had that voice. */
  #voices = 0;
  readonly #epochs: Epoch[] = [];
  /** Seats for which somebody else holds a copy. */
  #standIns = 0;
  /** Seats whose owner has not answered yet, and seats for which somebody is asked to stand in. */
  #ownersToCome = 0;
  #standInsToCome = 0;
  #takesAny = false;

  /**
   * Seats go by their numbers; each is asked of its owner. While a bucket's n changes, the quorums of earlier times must
   * be met besides: the first is the newest.
   */
  constructor(quorums: readonly SeatQuorum[]) {
    this.#take(quorums);
    this.#ownersToCome = this.#seats;
  }

  /** How many seats the request needs: of the first quorum that lacks some, or of the newest. */
  get needed(): number {
    return this.#told.answers;
  }

  /** More is known: these seats count, so many are needed, and some voices are void. */
  follow(quorums: readonly SeatQuorum[], isVoid: (voice: Voice) => boolean): void {
    this.#take(quorums);
    this.#epochs.forEach((epoch, seat) => {
      if (this.hasVoice(seat) && isVoid({ seat, epoch })) this.#voices &= ~(1 << seat);
    });
  }

  #take(quorums: readonly SeatQuorum[]): void {
    this.#seats = 0;
    const taken: Quorum[] = [];
    for (const { answers, owners, seats } of quorums) {
      const quorum = { answers, owners, seats: bitsOf(seats) };
      taken.push(quorum);
      this.#seats |= quorum.seats;
    }
    this.#quorums = taken;
  }

  /** Another node is asked as the seat's owner. */
  ownerAsked(seat: number): void {
    this.#ownersToCome |= 1 << seat;
  }

  /** Whether the seat's voice has spoken. */
  hasVoice(seat: number): boolean {
    return (this.#voices & (1 << seat)) !== 0;
  }

  /** The seat's owner answered; `holdsCopy` says whether it holds anything of the key. */
  ownerHeard(seat: number, voice: Voice | undefined, holdsCopy: boolean): void {
    this.#ownersToCome &= ~(1 << seat);
    if (voice !== undefined) this.voiceHeard(voice);
    else if (holdsCopy) this.#standIns |= 1 << seat;
  }

  /** A voice spoke that nobody waited for any more. */
  voiceHeard({ seat, epoch }: Voice): void {
    this.#epochs[seat] = this.hasVoice(seat) ? Math.max(epoch, this.#epochs[seat] ?? epoch) : epoch;
    this.#voices |= 1 << seat;
  }

  /** The seat's owner will not answer. */
  ownerFailed(seat: number): void {
    this.#ownersToCome &= ~(1 << seat);
  }

  /** Somebody is asked to stand in for the seat. */
  standInAsked(seat: number): void {
    this.#standInsToCome |= 1 << seat;
  }

  standInHeard(seat: number, holdsCopy: boolean): void {
    this.#standInsToCome &= ~(1 << seat);
    if (holdsCopy) this.#standIns |= 1 << seat;
  }

  /** The copy that counted for the seat counts for another one. */
  withdrawCopy(seat: number): void {
    this.#standIns &= ~(1 << seat);
  }

  /** Whoever was asked to stand in will not answer. */
  standInFailed(seat: number): void {
    this.#standInsToCome &= ~(1 << seat);
  }

  /** Voices have been waited for long enough. */
  hurry(): void {
    this.#takesAny = true;
  }

  /** Voices heard so far. */
  get voices(): number {
    return bitsIn(this.#voices & this.#told.seats);
  }

  /**
   * Those that a read rests on: none while any quorum has none. What was acknowledged before the time of the fewest seats lies
   * in those, and the others that the newest counts may have nothing of it.
   */
  get voicesRead(): number {
    for (const { seats } of this.#quorums) if ((this.#voices & seats) === 0) return 0;
    return this.voices;
  }

  /** Seats that have answered so far, one way or the other. */
  get received(): number {
    return bitsIn((this.#voices | this.#standIns) & this.#told.seats);
  }

  get isMet(): boolean {
    for (const quorum of this.#quorums) if (!this.#isMet(quorum)) return false;
    return true;
  }

  /** What is to come cannot make up for what is missing. */
  get isLost(): boolean {
    if (this.lacksVoices) return true;
    for (const quorum of this.#quorums) if (this.#most(quorum, this.#ownersToCome) < quorum.answers) return true;
    return false;
  }

  /** Too few voices can come where voices alone count. */
  get lacksVoices(): boolean {
    const toCome = this.#voices | this.#ownersToCome;
    for (const { seats, owners } of this.#quorums) if (bitsIn(toCome & seats) < owners) return true;
    return false;
  }

  /** How many seats somebody else must yet answer for; none (or less) while those asked may do, in time. */
  get missing(): number {
    const owners = this.#takesAny ? 0 : this.#ownersToCome;
    return Math.max(...this.#quorums.map((quorum) => quorum.answers - this.#most(quorum, owners)));
  }

  /** Whether nobody is asked any more. */
  get isOver(): boolean {
    return (this.#ownersToCome | this.#standInsToCome) === 0;
  }

  /** What a client is told about: what lacks something. */
  get #told(): Quorum {
    const newest = this.#quorums[0] as Quorum;
    return this.#quorums.length === 1 ? newest : (this.#quorums.find((quorum) => !this.#isMet(quorum)) ?? newest);
  }

  #isMet({ seats, answers, owners }: Quorum): boolean {
    const voices = bitsIn(this.#voices & seats);
    if (voices < owners) return false;
    if (voices >= answers) return true;
    const mayWait = (this.#ownersToCome & seats & ~this.#voices) !== 0;
    const received = bitsIn((this.#voices | this.#standIns) & seats);
    return received >= answers && (this.#takesAny || !mayWait);
  }

  #most({ seats }: Quorum, owners: number): number {
    return bitsIn((this.#voices | this.#standIns | this.#standInsToCome | owners) & seats);
  }
}

function bitsOf(seats: readonly number[]): number {
  let bits = 0;
  for (const seat of seats) bits |= 1 << seat;
  return bits;
}

function bitsIn(set: number): number {
  let bits = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
