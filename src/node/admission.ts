/**
 * How much of its full speed work in the background may go at: foreground first (§6.5).
 *
 * Copies of seats, exchanges, hints and what clears up behind them use the disks, sockets and turns that requests use.
 * So this node watches what requests take, by kind, and knows what is ordinary while nothing runs beside
 * (`ordinary-latency.ts`). While background work runs, each request that is slow takes a tenth of its speed away, and
 * each that is not gives a 99th of that back: it rests where one request in a hundred is slow, so where their 99th
 * percentile has come to what is just borne. Time in which no request was under way gives, too.
 *
 * Every node judges by its own requests, the one that copies and the one that is copied from: the slower of the two
 * rules. Nothing about it travels.
 *
 * - It never stops: at the slowest it goes at a sixth, which is a promise of when a copy ends.
 * - Nothing is learned while something runs that would be taken for ordinary, but at the slowest, for long: what requests
 *   take then no slowness would better, be it that a disk is old or a member away. From there it may grow by an eighth.
 * - Whoever has nothing to compare with goes at the slowest until it has.
 */

import type { Clock } from "../runtime/clock.ts";
import { OrdinaryLatency } from "./ordinary-latency.ts";

/** `get` and `write` are requests that this node coordinates, `copy` those to its own copies that wait for its disk. */
export type Served = "get" | "write" | "copy";

/** The share of full speed at the slowest, at which it also begins after a rest. */
const slowest = 1 / 6;
/** A slow request takes this part of the share, any other gives a 99th of that. */
const taken = 1 / 10;
const given = taken / 99;
/** So many ms without a request give this part. */
const idleMs = 100;
const idleGiven = 1 / 20;
/** After so long without background work, in ms, requests are as they are without it. */
const restMs = 1000;
/** After so long at the slowest, in ms, what requests take is as ordinary as it gets: so many times what is meant by it. */
const longMs = 30_000;
const longTimes = 4 / 3;
/** Whether seats move anywhere is asked so often at most, in ms. */
const lookMs = 1000;
/** The longest a slice of work rests after, in ms. */
const longestRestMs = 1000;

export class Admission {
  readonly #clock: Clock;
  readonly #areSeatsMoving: () => boolean;
  readonly #ordinary: Readonly<Record<Served, OrdinaryLatency>> = {
    get: new OrdinaryLatency(),
    write: new OrdinaryLatency(),
    copy: new OrdinaryLatency(),
  };
  #share: number = slowest;
  #slowestSinceMs: number | undefined;
  /** Requests that this node coordinates now. */
  #underWay = 0;
  /** Until when idle time has been counted. */
  #countedMs = 0;
  /** When background work last did something here. */
  #workedMs: number = Number.NEGATIVE_INFINITY;
  #mayLearn = false;
  #lookedMs: number = Number.NEGATIVE_INFINITY;

  /** `areSeatsMoving`: others may copy, whom this node's requests meet. */
  constructor(clock: Clock, areSeatsMoving: () => boolean) {
    this.#clock = clock;
    this.#areSeatsMoving = areSeatsMoving;
  }

  /** The share of its full speed that background work may go at now. */
  get share(): number {
    this.#countIdle(this.#clock.monotonicMs());
    return this.#share;
  }

  /** What is ordinary for a kind of request, in ms; undefined while that is not known. */
  ordinaryMs(served: Served): number | undefined {
    return this.#ordinary[served].ms;
  }

  /** A request that this node coordinates begins; to be followed by `ended`. Answers with the time. */
  began(): number {
    const nowMs = this.#clock.monotonicMs();
    this.#countIdle(nowMs);
    this.#underWay += 1;
    return nowMs;
  }

  ended(served: Served, beganMs: number): void {
    this.#underWay -= 1;
    this.took(served, beganMs);
  }

  /** A request that began then is answered. */
  took(served: Served, beganMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const tookMs = nowMs - beganMs;
    const ordinary = this.#ordinary[served];
    this.#countedMs = nowMs;
    if (nowMs - this.#workedMs > restMs) {
      if (this.#mayLearnNow(nowMs)) ordinary.learn(tookMs, nowMs);
      return;
    }
    const isLong = this.#slowestSinceMs !== undefined && nowMs - this.#slowestSinceMs > longMs;
    if (this.#share === slowest && (isLong || ordinary.ms === undefined)) ordinary.learn(tookMs / longTimes, nowMs);
    this.#change(ordinary.isSlow(tookMs) ? 1 - taken : 1 + given, nowMs);
  }

  /** Background work does something here, now. */
  works(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#workedMs > longMs) this.#change(slowest / this.#share, nowMs);
    this.#workedMs = nowMs;
  }

  /** For how long work without a speed of its own is to rest after a slice that took so long, in ms. */
  restAfter(tookMs: number): number {
    this.works();
    return Math.min(longestRestMs, tookMs * (1 / this.share - 1));
  }

  #countIdle(nowMs: number): void {
    const slices = this.#underWay > 0 ? 0 : Math.floor((nowMs - this.#countedMs) / idleMs);
    if (slices === 0) return;
    this.#countedMs += slices * idleMs;
    this.#change((1 + idleGiven) ** slices, nowMs);
  }

  #change(times: number, nowMs: number): void {
    this.#share = Math.min(1, Math.max(slowest, this.#share * times));
    if (this.#share > slowest) this.#slowestSinceMs = undefined;
    else this.#slowestSinceMs ??= nowMs;
  }

  #mayLearnNow(nowMs: number): boolean {
    if (nowMs - this.#lookedMs > lookMs) {
      this.#lookedMs = nowMs;
      this.#mayLearn = !this.#areSeatsMoving();
    }
    return this.#mayLearn;
  }
}
