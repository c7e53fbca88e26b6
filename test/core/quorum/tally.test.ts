import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Needed, Tally } from "../../../src/core/quorum/tally.ts";
import { plainRecord } from "../../plain-record.ts";

type Step = { readonly seat: number; readonly holds: boolean } & (
  | { readonly kind: "voice" | "no voice" | "owner failed" }
  | { readonly kind: "asked" | "stands in" | "stand-in failed" }
  | { readonly kind: "hurry" }
);

/** The same with plain sets, written from the definition. */
class NaiveTally {
  readonly #needed: Needed;
  readonly voices = new Set<number>();
  readonly #copies = new Set<number>();
  readonly #owners: Set<number>;
  readonly #standIns = new Set<number>();
  #isHurried = false;

  constructor(needed: Needed, seats: readonly number[]) {
    this.#needed = needed;
    this.#owners = new Set(seats);
  }

  take({ kind, seat, holds }: Step): void {
    if (kind === "voice" || kind === "no voice" || kind === "owner failed") this.#owners.delete(seat);
    if (kind === "voice") this.voices.add(seat);
    if (kind === "no voice" && holds) this.#copies.add(seat);
    if (kind === "asked") this.#standIns.add(seat);
    if (kind === "stands in" || kind === "stand-in failed") this.#standIns.delete(seat);
    if (kind === "stands in" && holds) this.#copies.add(seat);
    if (kind === "hurry") this.#isHurried = true;
  }

  get received(): number {
    return new Set([...this.voices, ...this.#copies]).size;
  }

  get isMet(): boolean {
    if (this.voices.size < this.#needed.owners) return false;
    if (this.voices.size >= this.#needed.answers) return true;
    const waitsFor = [...this.#owners].filter((seat) => !this.voices.has(seat));
    const standInsCount = this.#isHurried || waitsFor.length === 0;
    return standInsCount && this.received >= this.#needed.answers;
  }

  get isLost(): boolean {
    const mostVoices = new Set([...this.voices, ...this.#owners]).size;
    const most = new Set([...this.voices, ...this.#copies, ...this.#owners, ...this.#standIns]).size;
    return mostVoices < this.#needed.owners || most < this.#needed.answers;
  }

  get isOver(): boolean {
    return this.#owners.size + this.#standIns.size === 0;
  }
}

function tell(tally: Tally, { kind, seat, holds }: Step): void {
  switch (kind) {
    case "voice":
      return tally.ownerHeard(seat, { seat, epoch: 1 }, holds);
    case "no voice":
      return tally.ownerHeard(seat, undefined, holds);
    case "owner failed":
      return tally.ownerFailed(seat);
    case "asked":
      return tally.standInAsked(seat);
    case "stands in":
      return tally.standInHeard(seat, holds);
    case "stand-in failed":
      return tally.standInFailed(seat);
    case "hurry":
      return tally.hurry();
  }
}

const kinds = ["voice", "no voice", "owner failed", "asked", "stands in", "stand-in failed", "hurry"] as const;

const histories = fc.integer({ min: 1, max: 16 }).chain((n) =>
  fc.tuple(
    fc.constant(Array.from({ length: n }, (_, seat) => seat)),
    plainRecord({ answers: fc.integer({ min: 1, max: n }), owners: fc.integer({ min: 0, max: n }) }),
    fc.array(plainRecord({ kind: fc.constantFrom(...kinds), seat: fc.nat(n - 1), holds: fc.boolean() }), {
      maxLength: 3 * n,
    }),
  ),
);

test("a tally says after every step what sets of seats say", () => {
  fc.assert(
    fc.property(histories, ([seats, needed, steps]) => {
      const tally = new Tally([{ ...needed, seats: seats }]);
      const naive = new NaiveTally(needed, seats);
      for (const step of steps as readonly Step[]) {
        tell(tally, step);
        naive.take(step);
        assert.deepEqual(
          [tally.voices, tally.received, tally.isMet, tally.isLost, tally.isOver],
          [naive.voices.size, naive.received, naive.isMet, naive.isLost, naive.isOver],
        );
      }
    }),
  );
});

test("a request that is met is not lost, and one in which nobody is asked any more is one or the other", () => {
  fc.assert(
    fc.property(histories, ([seats, needed, steps]) => {
      const tally = new Tally([{ ...needed, seats: seats }]);
      for (const step of steps as readonly Step[]) {
        tell(tally, step);
        assert.ok(!(tally.isMet && tally.isLost));
        if (tally.isOver) assert.ok(tally.isMet || tally.isLost);
      }
    }),
  );
});

const two: Needed = { answers: 2, owners: 0 };
const voiceOf = (seat: number) => ({ seat, epoch: 7 });

test("nothing, said without a voice, counts for nothing, whoever says it", () => {
  const tally = new Tally([{ answers: 1, owners: 0, seats: [0, 1] }]);
  tally.ownerHeard(0, undefined, false);
  tally.ownerFailed(1);
  tally.standInAsked(1);
  tally.standInHeard(1, false);
  assert.equal(tally.received, 0);
  assert.ok(tally.isLost);
});

test("a stand-in counts once no owner is left to wait for, and not before", () => {
  const tally = new Tally([{ ...two, seats: [0, 1, 2] }]);
  tally.ownerHeard(0, voiceOf(0), true);
  tally.ownerFailed(1);
  tally.standInAsked(1);
  tally.standInHeard(1, true);
  assert.ok(!tally.isMet, "the third owner may still speak");
  tally.ownerFailed(2);
  assert.ok(tally.isMet);
  assert.equal(tally.voices, 1);
});

test("a request that has waited long enough takes stand-ins for what they are", () => {
  const tally = new Tally([{ ...two, seats: [0, 1, 2] }]);
  tally.ownerHeard(0, voiceOf(0), true);
  tally.standInAsked(1);
  tally.standInHeard(1, true);
  assert.ok(!tally.isMet);
  tally.hurry();
  assert.ok(tally.isMet);
});

test("nobody stands in where voices are asked for", () => {
  const tally = new Tally([{ answers: 2, owners: 2, seats: [0, 1, 2] }]);
  tally.ownerHeard(0, voiceOf(0), true);
  tally.ownerFailed(1);
  tally.standInAsked(1);
  tally.standInHeard(1, true);
  tally.hurry();
  assert.ok(!tally.isMet && !tally.isLost);
  tally.ownerHeard(2, undefined, true);
  assert.ok(tally.isLost, "an owner without a voice is no owner");
});

test("a read rests on no voices while one of its quorums has none", () => {
  const tally = new Tally([
    { answers: 1, owners: 0, seats: [0, 1] },
    { answers: 1, owners: 0, seats: [0] },
  ]);
  tally.ownerFailed(0);
  tally.standInAsked(0);
  tally.ownerHeard(1, voiceOf(1), false);
  tally.standInHeard(0, true);
  assert.ok(tally.isMet);
  assert.deepEqual([tally.voices, tally.voicesRead], [1, 0]);
  tally.voiceHeard(voiceOf(0));
  assert.deepEqual([tally.voices, tally.voicesRead], [2, 2]);
});

test("a seat that speaks twice, or speaks and is stood in for, is one answer", () => {
  const tally = new Tally([{ ...two, seats: [0, 1, 2] }]);
  tally.ownerHeard(0, voiceOf(0), true);
  tally.ownerHeard(1, voiceOf(0), true);
  tally.standInAsked(0);
  tally.standInHeard(0, true);
  tally.hurry();
  assert.equal(tally.received, 1);
  assert.ok(!tally.isMet);
});
