/** Seats that pass on: what of it a random history rarely meets (the others are in `test/models/seat.test.ts`). */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { NodeId } from "../../src/core/ids.ts";
import { afterHandOver, generationOf, neverHeld, nextGeneration } from "../../src/core/seats/epoch.ts";
import {
  firstHolders,
  isOutdated,
  type KnownSeats,
  knownSeat,
  uniteKnown,
  withFence,
  withHolder,
  withoutHolder,
} from "../../src/core/seats/known.ts";
import {
  beginRebuild,
  finishRebuild,
  giveUpRebuild,
  grantRebuild,
  isAnothers,
  lostBeside,
  nextToCopy,
  promises,
  releaseGrant,
  withCopied,
} from "../../src/core/seats/rebuild.ts";
import {
  decline,
  handOverOf,
  learn,
  type Rebuilding,
  type SeatRecord,
  seal,
  successorIsLost,
  takeOver,
  voiceOf,
} from "../../src/core/seats/record.ts";
import { sealForNobody, vacate } from "../../src/core/seats/vacate.ts";
import { seatToTake } from "../../src/core/seats/wanted.ts";

const [a, b, c, d, e] = ["a", "b", "c", "d", "e"] as [NodeId, NodeId, NodeId, NodeId, NodeId];
const known = firstHolders([a, b, c]);
const none: SeatRecord = { hold: { kind: "none" }, known };

function active(seat: number): SeatRecord {
  return { hold: { kind: "active", seat, epoch: 0 }, known };
}

function present<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}

describe("knowledge of seats", () => {
  const nodes = fc.constantFrom(a, b, c, d);
  const step = fc.oneof(
    fc.tuple(fc.constant("holder" as const), fc.nat(2), fc.nat(6), nodes),
    fc.tuple(fc.constant("fence" as const), fc.nat(2), fc.nat(6), nodes),
    fc.tuple(fc.constant("lost" as const), fc.nat(2), fc.nat(6), nodes),
  );
  // One epoch of a seat is one holder's, as it is in truth; several may try to rebuild it at the same one.
  const ownerOf = (seat: number, epoch: number): NodeId => [a, b, c, d][(3 * seat + epoch) % 4] as NodeId;
  const anyKnown = fc.array(step, { maxLength: 5 }).map((steps) =>
    steps.reduce<KnownSeats>((all, [what, seat, epoch, node]) => {
      if (what === "lost") return withoutHolder(all, node, undefined);
      return what === "holder" ? withHolder(all, seat, epoch, ownerOf(seat, epoch)) : withFence(all, seat, epoch, node);
    }, []),
  );
  const told = (it: KnownSeats): string => {
    return JSON.stringify(
      [0, 1, 2].map((seat) => {
        const { held, holder, fence, fencedBy } = knownSeat(it, seat);
        return [held, holder, fence, fencedBy];
      }),
    );
  };

  test("unites in any order, however often", () => {
    fc.assert(
      fc.property(anyKnown, anyKnown, anyKnown, (x, y, z) => {
        assert.equal(told(uniteKnown(x, y)), told(uniteKnown(y, x)));
        assert.equal(told(uniteKnown(uniteKnown(x, y), z)), told(uniteKnown(x, uniteKnown(y, z))));
        assert.equal(uniteKnown(x, x), x);
        assert.equal(told(uniteKnown(uniteKnown(x, y), y)), told(uniteKnown(x, y)));
      }),
    );
  });

  test("a rebuild is above all hand-overs of the generation before", () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), (generation, handOvers) => {
        let epoch = nextGeneration(neverHeld);
        for (let i = 0; i < generation % 5; i++) epoch = nextGeneration(epoch);
        const lost = epoch;
        for (let i = 0; i < handOvers; i++) epoch = afterHandOver(epoch);
        assert.equal(generationOf(epoch), generationOf(lost));
        assert.ok(nextGeneration(lost) > epoch);
      }),
    );
  });
});

describe("a hand-over", () => {
  const to = { node: d, incarnation: "1" };
  const sealed = present(seal(active(2), 2, to));
  const handOver = present(handOverOf(sealed));

  test("silences the holder and makes the successor one epoch later", () => {
    assert.equal(voiceOf(sealed), undefined);
    const taken = present(takeOver(none, handOver));
    assert.deepEqual(voiceOf(taken), { seat: 2, epoch: 1 });
    assert.equal(learn(sealed, taken.known, c).hold.kind, "none");
  });

  test("is sealed for one directory, and told again to none but it", () => {
    assert.equal(seal(sealed, 2, to), sealed);
    assert.equal(seal(sealed, 2, { node: d, incarnation: "2" }), undefined);
    assert.equal(seal(sealed, 2, { node: e, incarnation: "1" }), undefined);
  });

  test("that was declined can never be taken, and the old holder goes on", () => {
    const declined = present(decline(none, handOver));
    assert.equal(takeOver(declined, handOver), undefined);
    assert.deepEqual(voiceOf(learn(sealed, declined.known, c)), { seat: 2, epoch: 2 });
  });

  test("that was taken cannot be declined, nor taken again once the seat went on", () => {
    const taken = present(takeOver(none, handOver));
    assert.equal(decline(taken, handOver), undefined);
    const on = present(seal(taken, 2, { node: e, incarnation: "1" }));
    const further = present(takeOver(none, present(handOverOf(on))));
    const former = learn(on, further.known, d);
    assert.equal(former.hold.kind, "none");
    assert.equal(takeOver(former, handOver), undefined);
  });

  test("passes fences and promises on", () => {
    const granted = present(grantRebuild(active(2), 0, nextGeneration(0), e));
    const taken = present(takeOver(none, present(handOverOf(present(seal(granted, 2, to))))));
    assert.ok(isOutdated({ seat: 0, epoch: 0 }, taken.known));
    assert.equal(grantRebuild(taken, 1, nextGeneration(0), a), undefined);
  });

  test("to a directory that is gone leaves a seat that all know to be lost", () => {
    const lost = successorIsLost(sealed, c);
    assert.equal(lost.hold.kind, "former");
    const heard = learn(none, lost.known, d);
    assert.equal(knownSeat(heard.known, 2).holder, undefined);
    // It may be there after all, as one that has joined once more, and know of the seal: that ends nobody's silence.
    assert.equal(takeOver(heard, handOver), undefined);
    assert.equal(decline(heard, handOver), undefined);
    assert.equal(lostBeside(heard.known, 0, 3), 2);
  });
});

describe("a rebuild", () => {
  /** Copies the holder of a seat once it has granted it; both records afterwards. */
  function copy(rebuilder: SeatRecord, by: NodeId, holder: SeatRecord): readonly [SeatRecord, SeatRecord] | undefined {
    assert.ok(rebuilder.hold.kind === "rebuilding");
    const granted = grantRebuild(holder, rebuilder.hold.seat, rebuilder.hold.epoch, by);
    if (granted === undefined) return undefined;
    return [withCopied(learn(rebuilder, granted.known, by), present(voiceOf(granted))), granted];
  }

  test("speaks once every other seat was copied under its fence", () => {
    const [one, atA] = present(copy(present(beginRebuild(none, 1, d)), d, active(0)));
    assert.equal(finishRebuild(one, 3, d), undefined);
    assert.equal(nextToCopy(one, 3), 2);
    const [both] = present(copy(one, d, active(2)));
    const done = present(finishRebuild(both, 3, d));
    assert.ok(isOutdated({ seat: 1, epoch: 0 }, atA.known));
    assert.ok(!isOutdated(present(voiceOf(done)), atA.known));
  });

  test("of another seat waits: otherwise each would finish without the other's writes", () => {
    // b and c were removed and are alive: d rebuilds the seat of the one, e of the other.
    const [d1, atA] = present(copy(present(beginRebuild(none, 1, d)), d, active(0)));
    const [d2] = present(copy(d1, d, active(2)));
    const e0 = present(beginRebuild(none, 2, e));
    assert.equal(copy(e0, e, atA), undefined);
    // What would come of it: e copies a, and b, whose seat d speaks for already; then a and e miss what d and c hold.
    const { grant: _, ...unpromised } = atA;
    const [e1] = present(copy(e0, e, unpromised));
    const [e2] = present(copy(e1, e, active(1)));
    assert.ok(present(finishRebuild(d2, 3, d)) && present(finishRebuild(e2, 3, e)));
    // With the promise, a helps e once it knows d to speak, and says so: then b is no source any more.
    const aware = learn(atA, present(finishRebuild(d2, 3, d)).known, a);
    const [later] = present(copy(e0, e, aware));
    assert.equal(nextToCopy(present(copy(later, e, active(1)))[0], 3), 1);
  });

  test("that is given up frees whoever was promised to it, and never speaks", () => {
    const begun = present(beginRebuild(none, 1, d));
    const [, atA] = present(copy(begun, d, active(0)));
    assert.ok(begun.hold.kind === "rebuilding");
    const released = releaseGrant(atA, { seat: 1, epoch: begun.hold.epoch, by: d });
    assert.ok(grantRebuild(released, 2, nextGeneration(0), e) !== undefined);
    const again = present(beginRebuild(giveUpRebuild(begun), 1, d));
    assert.ok(again.hold.kind === "rebuilding" && again.hold.epoch > begun.hold.epoch);
  });

  test("taken up by another one still binds whoever was promised to the first, which may be at its end unheard of", () => {
    const [first, second] = [nextGeneration(0), 2 * nextGeneration(0)];
    const toFirst = present(grantRebuild(active(0), 1, first, d));
    const toBoth = present(grantRebuild(toFirst, 1, second, e));
    assert.deepEqual(
      promises(toBoth).map(({ by }) => by),
      [e, d],
    );
    const secondGaveUp = releaseGrant(toBoth, { seat: 1, epoch: second, by: e });
    assert.equal(grantRebuild(secondGaveUp, 2, nextGeneration(0), e), undefined);
    const bothGaveUp = releaseGrant(secondGaveUp, { seat: 1, epoch: first, by: d });
    assert.ok(grantRebuild(bothGaveUp, 2, nextGeneration(0), e) !== undefined);
    const isHeld = learn(toBoth, withHolder(toBoth.known, 1, second, e), a);
    assert.ok(grantRebuild(isHeld, 2, nextGeneration(0), e) !== undefined);
    // Whoever begins anew has given up what it began before.
    assert.equal(promises(present(grantRebuild(toFirst, 1, second, d))).length, 1);
  });

  test("of a seat is promised to one node at a time, unless that one is gone", () => {
    const epoch = nextGeneration(0);
    const granted = present(grantRebuild(active(0), 2, epoch, d));
    assert.ok(isAnothers(granted, 2, e, () => false));
    assert.ok(!isAnothers(granted, 2, e, (node) => node === d));
    assert.ok(!isAnothers(granted, 2, d, () => false));
    assert.ok(!isAnothers(releaseGrant(granted, { seat: 2, epoch, by: d }), 2, e, () => false));
  });

  test("begun by two at once is promised to one, and all come to name the same one", () => {
    const begunBy = (node: NodeId): SeatRecord => present(beginRebuild(none, 1, node));
    const [, atA] = present(copy(begunBy(e), e, active(0)));
    const heard = learn(atA, begunBy(d).known, a);
    assert.deepEqual(heard.known, learn(begunBy(d), atA.known, d).known);
    assert.equal(knownSeat(heard.known, 1).fencedBy, d);
    assert.equal(copy(begunBy(d), d, heard), undefined);
    const promised = { seat: 1, epoch: nextGeneration(0), by: e };
    assert.equal(
      releaseGrant(heard, { ...promised, by: d }),
      heard,
      "what the other one says of its own, late, frees nobody",
    );
    const free = releaseGrant(heard, promised);
    assert.ok(copy(begunBy(d), d, free) !== undefined);
    assert.equal(knownSeat(withHolder(heard.known, 1, nextGeneration(0), d), 1).fencedBy, undefined);
  });

  test("is given up when its seat turns out not to be lost", () => {
    const begun = present(beginRebuild(none, 1, d));
    assert.equal(learn(begun, withHolder(known, 1, 1, e), d).hold.kind, "former");
  });

  test("leaves out seats that nobody has held yet", () => {
    const first: SeatRecord = { hold: { kind: "active", seat: 0, epoch: 0 }, known: firstHolders([a]) };
    const begun = present(beginRebuild({ hold: { kind: "none" }, known: firstHolders([a]) }, 1, b));
    assert.equal(lostBeside(begun.known, 1, 3), undefined);
    const [copied] = present(copy(begun, b, first));
    assert.deepEqual(voiceOf(present(finishRebuild(copied, 3, b))), { seat: 1, epoch: 0 });
  });
});

describe("the seat to take", () => {
  test("is the own number's where that is free", () => {
    assert.equal(seatToTake(d, { kind: "none" }, [a, d, c], known), 1);
    assert.equal(seatToTake(d, { kind: "none" }, [a, b, c], known), undefined);
  });

  test("is another where owners have only changed places: nobody waits for anybody", () => {
    assert.equal(seatToTake(a, active(0).hold, [b, a, d], known), undefined);
    assert.equal(seatToTake(b, active(1).hold, [b, a, d], known), undefined);
    assert.equal(seatToTake(d, { kind: "none" }, [b, d, a], known), 2);
  });

  test("is a different one for each owner without a seat", () => {
    const owners = [d, e, a];
    const taken = [d, e].map((node) => seatToTake(node, { kind: "none" }, owners, known));
    assert.deepEqual(taken.toSorted(), [1, 2]);
  });

  test("is its own again for a holder that others have fenced", () => {
    const fenced = withFence(known, 1, nextGeneration(0), d);
    assert.equal(seatToTake(b, active(1).hold, [a, b, c], fenced), 1);
    // Also where another is to have the seat: it cannot be given to anybody before.
    assert.equal(seatToTake(b, active(1).hold, [a, d, c], fenced), 1);
    assert.equal(seal({ ...active(1), known: fenced }, 1, { node: d, incarnation: "1" }), undefined);
  });
});

describe("a seat that is filled while another one is vacated", () => {
  test("copies the others anew: they were given what the vacated one had, and the seat may keep more from then on", () => {
    const filler = present(beginRebuild({ hold: { kind: "former" }, known }, 3, d));
    const { epoch } = filler.hold as Rebuilding;
    const granted = [active(0), active(1)].map((record) => present(grantRebuild(record, 3, epoch, d)));
    const copied = granted.reduce(
      (record, from) => withCopied(learn(record, from.known, d), present(voiceOf(from))),
      filler,
    );
    assert.equal(nextToCopy(copied, 4), 2);
    // Its holder has not heard of the seat that is filled.
    const given = new Map([0, 1].map((seat) => [seat, { seat, epoch: 0 }]));
    const vacated = present(vacate(present(sealForNobody(active(2), c)), c, given, [3]));
    const heard = learn(copied, vacated.known, d);
    assert.equal(finishRebuild(heard, 4, d), undefined);
    assert.equal(nextToCopy(heard, 4), 0);
    const again = granted.reduce((record, from) => withCopied(record, present(voiceOf(from))), heard);
    assert.deepEqual(present(finishRebuild(again, 4, d)).hold, { kind: "active", seat: 3, epoch });
  });
});
