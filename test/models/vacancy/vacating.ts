/**
 * How a node of the model vacates seats: its own, or one that is lost, in steps that ask one other node each, with the
 * product's decisions (`src/core/seats/vacate.ts`).
 */

import type { Voice } from "../../../src/core/quorum/voice.ts";
import { afterHandOver } from "../../../src/core/seats/epoch.ts";
import { isBeingFilled, knownSeat, withVacancy } from "../../../src/core/seats/known.ts";
import { promises } from "../../../src/core/seats/rebuild.ts";
import { voiceOf } from "../../../src/core/seats/record.ts";
import {
  beginVacating,
  finishVacating,
  giveUpVacating,
  goOn,
  mayVacate,
  type Sight,
  sealForNobody,
  seatsToGive,
  seatToVacate,
  vacate,
} from "../../../src/core/seats/vacate.ts";
import { unseated } from "../../../src/core/seats/wanted.ts";
import type { Dice } from "../single-key/dice.ts";
import type { Member, Outside } from "./member.ts";

/** A lost seat that it vacates. */
export interface Lost {
  readonly seat: number;
  readonly epoch: number;
  readonly taken: Map<number, Voice>;
}

export class Vacating {
  readonly #outside: Outside;
  readonly #member: Member;
  #lost: Lost | undefined;
  #given: Map<number, Voice> = new Map();

  constructor(outside: Outside, member: Member) {
    this.#outside = outside;
    this.#member = member;
  }

  /** What it has had fenced, to vacate it. */
  get lost(): Lost | undefined {
    return this.#lost;
  }

  /** The seat that is to be vacated now. */
  next(): number | undefined {
    const { waitsForNoOwner } = this.#outside.rule;
    if (!waitsForNoOwner && unseated(this.#member.view.owners, this.#member.known).length > 0) return undefined;
    return seatToVacate(this.#member.record, this.#member.id, this.#member.view.owners, this.#sight);
  }

  get #sight(): Sight {
    return {
      isUp: (node) => this.#member.reach(node) !== undefined,
      isLost: (holder) => holder === undefined || this.#member.isGone(holder),
    };
  }

  /** Whether it has begun. */
  begin(seat: number): boolean {
    const { needsAllUsed, keepsPromises, asksWhoFills, passesOverNew } = this.#outside.rule;
    const isBesideNew = this.#member.known.some(
      (_, other) => other !== seat && isBeingFilled(this.#member.known, other),
    );
    if (!passesOverNew && isBesideNew) return false;
    if (needsAllUsed && !mayVacate(this.#member.known, seat, [this.#member.copies])) return false;
    const others = seatsToGive(this.#member.record, seat).map((other) =>
      this.#member.reach(knownSeat(this.#member.known, other).holder),
    );
    if (others.some((other) => other === undefined)) return false;
    this.#given = new Map();
    this.#member.underway = undefined;
    if (voiceOf(this.#member.record)?.seat === seat) {
      const { hold, known } = this.#member.record;
      const sealed = sealForNobody(keepsPromises ? this.#member.record : { hold, known }, this.#member.id);
      if (sealed === undefined) return false;
      this.#member.note(`falls silent to vacate seat ${seat}`);
      this.#member.decide(sealed);
      return true;
    }
    const begun = beginVacating(
      this.#member.record,
      seat,
      this.#member.id,
      asksWhoFills ? this.#sight : { isLost: () => true },
    );
    if (begun?.grant === undefined) return false;
    this.#member.note(`begins to vacate lost seat ${seat}`);
    this.#member.decide(begun);
    this.#lost = { seat, epoch: begun.grant.epoch, taken: new Map() };
    return true;
  }

  /** The copies that count in a decision: under a weaker rule, as if everything were. */
  get #copiesAtEnd(): readonly number[] {
    return this.#outside.rule.checksAtEnd && this.#outside.rule.needsAllUsed ? [this.#member.copies] : [];
  }

  /** It is silent for nobody's sake, and gets on with it, or speaks again. */
  finishOwn(dice: Dice): void {
    const { hold } = this.#member.record;
    if (hold.kind !== "sealed") return;
    const others = seatsToGive(this.#member.record, hold.seat);
    const left = others.filter((seat) => !this.#given.has(seat));
    const isEnough = left.length === 0 || (!this.#outside.rule.givesToAll && left.length < others.length);
    if (!isEnough) {
      const [next] = left as [number];
      const voice = this.#member.giveTo(next);
      if (voice !== undefined) this.#given.set(next, voice);
    } else {
      const given = isEnough && left.length > 0 ? new Map([...this.#given, ...left.map(unheard)]) : this.#given;
      const isLast = others.length === 0 && !this.#outside.rule.keepsLast;
      const vacated = isLast
        ? {
            hold: { kind: "none" } as const,
            known: withVacancy(this.#member.known, hold.seat, afterHandOver(hold.epoch)),
          }
        : vacate(this.#member.record, this.#member.id, given, this.#copiesAtEnd);
      if (vacated !== undefined) {
        this.#member.note(`has vacated seat ${hold.seat}`);
        return this.#member.decide(vacated);
      }
      this.#given = new Map();
    }
    if (!this.#outside.rule.goesOn || !dice.percent(8)) return;
    const on = goOn(this.#member.record, this.#member.id);
    this.#member.note("speaks again");
    this.#member.pauses = dice.below(12);
    if (on !== undefined) this.#member.decide(on);
  }

  goOn(dice: Dice): void {
    const { fences, copiesAll, shares } = this.#outside.rule;
    const vacating = this.#lost as Lost;
    const own = voiceOf(this.#member.record);
    const isOver = !promises(this.#member.record).some(
      ({ by, seat }) => by === this.#member.id && seat === vacating.seat,
    );
    if (own === undefined || isOver || dice.percent(4)) return this.#giveUpVacating(dice);
    const others = seatsToGive(this.#member.record, vacating.seat);
    const toTake = others.filter((seat) => !vacating.taken.has(seat));
    const isCopied = toTake.length === 0 || (!copiesAll && toTake.length < others.length);
    if (!isCopied) {
      const [next] = toTake as [number];
      const holder = this.#member.reach(knownSeat(this.#member.known, next).holder);
      if (holder === undefined || (fences && !holder.beFenced(vacating, this.#member.id)))
        return this.#giveUpVacating(dice);
      const voice = this.#member.copy(next, own.seat, undefined);
      if (voice !== undefined) vacating.taken.set(next, voice);
      return;
    }
    const [toGive] = shares ? others.filter((seat) => !this.#given.has(seat)) : [];
    if (toGive !== undefined) {
      const voice = this.#member.giveTo(toGive);
      if (voice !== undefined) this.#given.set(toGive, voice);
      return;
    }
    const given = shares ? this.#given : new Map(others.map(unheard));
    const done = finishVacating(this.#member.record, this.#member.id, given, this.#copiesAtEnd);
    if (done === undefined) return this.#giveUpVacating(dice);
    this.#member.note(`has vacated lost seat ${vacating.seat}`);
    this.#lost = undefined;
    this.#member.decide(done);
  }

  #giveUpVacating(dice: Dice): void {
    const given = giveUpVacating(this.#member.record, this.#member.id);
    this.#lost = undefined;
    this.#member.pauses = dice.below(12);
    if (given !== undefined) this.#member.decide(given);
  }
}

function unheard(seat: number): readonly [number, Voice] {
  return [seat, { seat, epoch: Number.POSITIVE_INFINITY }];
}
