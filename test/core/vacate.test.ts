/** Seats that are vacated, and who is to do it: what of it a random history rarely meets. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodeId } from "../../src/core/ids.ts";
import type { Voice } from "../../src/core/quorum/voice.ts";
import { nextGeneration } from "../../src/core/seats/epoch.ts";
import {
  firstHolders,
  isVacant,
  type KnownSeats,
  withFence,
  withoutHolder,
  withVacancy,
} from "../../src/core/seats/known.ts";
import { grantRebuild, releaseGrant } from "../../src/core/seats/rebuild.ts";
import { learn, type SeatRecord, seal, voiceOf } from "../../src/core/seats/record.ts";
import {
  beginVacating,
  finishVacating,
  type Given,
  mayVacate,
  sealForNobody,
  seatsToGive,
  seatToVacate,
  vacate,
} from "../../src/core/seats/vacate.ts";
import { seatToTake, surplusSeats } from "../../src/core/seats/wanted.ts";

const [a, b, c, d] = ["a", "b", "c", "d"] as [NodeId, NodeId, NodeId, NodeId];

function present<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}

function active(seat: number, known: KnownSeats): SeatRecord {
  return { hold: { kind: "active", seat, epoch: 0 }, known };
}

/** As all of these spoke when they were given all. */
function givenTo(...voices: readonly Voice[]): Given {
  return new Map(voices.map((voice) => [voice.seat, voice]));
}

describe("a seat whose holder leaves", () => {
  const known = firstHolders([a, b, c]);
  const sealed = present(sealForNobody(active(2, known), c));
  const both = givenTo({ seat: 0, epoch: 0 }, { seat: 1, epoch: 0 });

  test("is vacated once every other seat's holder, as it speaks now, has all", () => {
    assert.deepEqual(seatsToGive(sealed, 2), [0, 1]);
    assert.equal(vacate(sealed, c, givenTo({ seat: 0, epoch: 0 }), [3]), undefined);
    assert.ok(isVacant(present(vacate(sealed, c, both, [3])).known, 2));
  });

  test("is not while another has passed on, or been fenced, since it was given all", () => {
    const fenced = learn(sealed, withFence(known, 1, nextGeneration(0), d), c);
    assert.equal(vacate(fenced, c, both, [3]), undefined);
  });

  test("is not where it is the last one, or a bucket has come to keep fewer copies", () => {
    const last = learn(sealed, withVacancy(withVacancy(known, 0, 1), 1, 1), c);
    assert.equal(vacate(last, c, both, [3]), undefined);
    assert.equal(vacate(sealed, c, both, [3, 2]), undefined);
    assert.ok(mayVacate(last.known, 2, [1]));
  });

  test("is not sealed while its holder has promised itself to a rebuild, which may have copied it already", () => {
    const promised = present(grantRebuild(active(2, known), 3, nextGeneration(-1), d));
    assert.equal(sealForNobody(promised, c), undefined);
  });

  test("waits for none that is only being filled", () => {
    const filling = learn(sealed, withFence(known, 3, nextGeneration(-1), d), c);
    assert.deepEqual(seatsToGive(filling, 2), [0, 1]);
    assert.ok(vacate(filling, c, both, [4]));
  });

  test("is not while nobody has sealed it, or for somebody's sake", () => {
    assert.equal(vacate(active(2, known), c, both, [3]), undefined);
    const forHim = present(seal(active(2, known), 2, { node: d, incarnation: "1" }));
    assert.equal(vacate(forHim, c, both, [3]), undefined);
  });
});

describe("a lost seat", () => {
  const known = withoutHolder(firstHolders([a, b, c]), c, undefined);
  const begun = present(beginVacating(active(0, known), 2, a, { isLost: () => false }));

  test("is vacated once every other seat's holder has what all had", () => {
    assert.equal(finishVacating(begun, a, givenTo(), [3]), undefined);
    const done = present(finishVacating(begun, a, givenTo({ seat: 1, epoch: 0 }), [3]));
    assert.ok(isVacant(done.known, 2));
    assert.deepEqual(voiceOf(done), { seat: 0, epoch: 0 });
  });

  test("is vacated without those who are gone where an operator says so", () => {
    assert.ok(finishVacating(begun, a, givenTo(), [3], [1]));
    assert.equal(finishVacating(begun, a, givenTo(), [3, 2], [1]), undefined);
  });

  test("is not once another seat has been fenced meanwhile, or somebody else began", () => {
    const epoch = nextGeneration(0);
    const given = givenTo({ seat: 1, epoch: 0 });
    assert.equal(finishVacating(learn(begun, withFence(known, 1, epoch, d), a), a, given, [3]), undefined);
    const later = present(grantRebuild(begun, 2, nextGeneration(epoch), b));
    assert.equal(finishVacating(later, a, given, [3]), undefined);
  });
});

describe("a seat that was only begun to be filled", () => {
  const epoch = nextGeneration(-1);
  const known = withFence(firstHolders([a, b]), 2, epoch, d);
  const promised = present(grantRebuild(active(0, firstHolders([a, b])), 2, epoch, d));

  test("is vacated by one that has promised itself to nobody for it, or to one that is gone", () => {
    assert.equal(beginVacating(promised, 2, a, { isLost: () => false }), undefined);
    assert.ok(beginVacating(promised, 2, a, { isLost: (node) => node === d }));
    assert.ok(beginVacating(releaseGrant(promised, { seat: 2, epoch, by: d }), 2, a, { isLost: () => false }));
  });

  test("is so whatever n buckets have: it was counted for nothing", () => {
    const begun = present(beginVacating(active(0, known), 2, a, { isLost: () => false }));
    assert.ok(isVacant(present(finishVacating(begun, a, givenTo({ seat: 1, epoch: 0 }), [1])).known, 2));
  });

  test("is for the first holder that is up, owners before those who leave", () => {
    const sight = { isUp: () => true, isLost: (node: NodeId | undefined) => node === undefined };
    const next = (seat: number, self: NodeId, owners: readonly NodeId[]): number | undefined =>
      seatToVacate(active(seat, known), self, owners, sight);
    assert.deepEqual([next(0, a, [a, b]), next(1, b, [a, b])], [2, undefined]);
    assert.deepEqual([next(0, a, [b]), next(1, b, [b])], [0, 2]);
    assert.deepEqual([next(0, a, [c]), next(1, b, [c])], [2, undefined]);
  });
});

describe("seats that nobody is to have", () => {
  test("are those that no owner holds, nor is to take", () => {
    assert.deepEqual(surplusSeats([a, b], firstHolders([a, b, c])), [2]);
    assert.deepEqual(surplusSeats([a, b, d], firstHolders([a, b, c])), []);
  });

  test("are lost ones beside a vacant seat that an owner has yet to fill: he waits for them", () => {
    const known = withVacancy(firstHolders([a, b, c]), 1, 1);
    const owners = [a, d];
    assert.equal(seatToTake(d, { kind: "none" }, owners, known), 1);
    assert.deepEqual(surplusSeats(owners, known), [2]);
  });
});
