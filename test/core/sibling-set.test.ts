import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { compareDots, type Dot } from "../../src/core/causality/dot.ts";
import { covers, type DotSet, emptyDotSet, holds, sameDots, unite, withDot } from "../../src/core/causality/dot-set.ts";
import {
  emptySiblingSet,
  foldRetries,
  mergeStates,
  pruneState,
  putVersion,
  removeVersions,
  type Sibling,
  type SiblingSet,
  sameState,
  stateBytes,
  versionOfWrite,
} from "../../src/core/causality/sibling-set.ts";
import type { ActorId } from "../../src/core/ids.ts";
import { anyDotSet, anyState, isNormal, siblingOf, standingOf, timeOf } from "./causality-arbitraries.ts";

const fresh: Dot = { actor: "zz" as ActorId, counter: 1 };

/** A merge, dot by dot: removed beats live beats unknown. */
function naiveMerge(a: SiblingSet, b: SiblingSet): Map<string, "live" | "removed"> {
  const merged = standingOf(a);
  for (const [dot, standing] of standingOf(b))
    if (standing === "removed" || !merged.has(dot)) merged.set(dot, standing);
  return merged;
}

function assertSound(state: SiblingSet): void {
  assert.ok(isNormal(state.context));
  assert.ok(state.siblings.every((sibling) => holds(state.context, sibling.dot)));
  assert.ok(
    state.siblings.every(
      (sibling, i) => i === 0 || compareDots((state.siblings[i - 1] ?? sibling).dot, sibling.dot) < 0,
    ),
  );
}

describe("a merge of states", () => {
  test("is what its naive twin says", () => {
    fc.assert(
      fc.property(anyState, anyState, (a, b) => {
        assert.deepEqual(standingOf(mergeStates(a, b)), naiveMerge(a, b));
        assertSound(mergeStates(a, b));
      }),
    );
  });
  test("is commutative, associative and idempotent", () => {
    fc.assert(
      fc.property(anyState, anyState, anyState, (a, b, c) => {
        assert.deepEqual(mergeStates(a, b), mergeStates(b, a));
        assert.deepEqual(mergeStates(mergeStates(a, b), c), mergeStates(a, mergeStates(b, c)));
        assert.deepEqual(mergeStates(a, { ...a }), a);
      }),
    );
  });
  test("returns the very state that gains nothing", () => {
    fc.assert(
      fc.property(anyState, anyState, (a, b) => {
        const merged = mergeStates(a, b);
        assert.equal(mergeStates(merged, b), merged);
        assert.equal(mergeStates(a, { ...a }), a);
        assert.equal(mergeStates(a, emptySiblingSet), a);
        if (sameState(merged, a)) assert.equal(merged, a);
        else if (sameState(merged, b)) assert.equal(merged, b);
      }),
    );
  });
  test("loses a version only where one side had seen it and no longer holds it", () => {
    fc.assert(
      fc.property(anyState, anyState, (a, b) => {
        const merged = mergeStates(a, b);
        for (const { dot } of [...a.siblings, ...b.siblings]) {
          const stays = merged.siblings.some((sibling) => compareDots(sibling.dot, dot) === 0);
          const gone = [a, b].some(
            (side) => holds(side.context, dot) && !side.siblings.some((sibling) => compareDots(sibling.dot, dot) === 0),
          );
          assert.equal(stays, !gone);
        }
      }),
    );
  });
});

describe("a put", () => {
  test("replaces what its client had seen, keeps the rest, adds itself", () => {
    fc.assert(
      fc.property(anyState, anyDotSet, (state, seen) => {
        const after = putVersion(state, seen, siblingOf(fresh));
        assertSound(after);
        const expected = state.siblings.filter((sibling) => !holds(seen, sibling.dot)).concat(siblingOf(fresh));
        assert.deepEqual(new Set(after.siblings), new Set(expected));
      }),
    );
  });
  test("takes all of the client's context into the state's, dots unknown here included", () => {
    fc.assert(
      fc.property(anyState, anyDotSet, (state, seen) => {
        const expected = unite(unite(state.context, seen), [
          { actor: fresh.actor, from: 1, to: 1, time: timeOf(fresh) },
        ]);
        assert.ok(sameDots(putVersion(state, seen, siblingOf(fresh)).context, expected));
      }),
    );
  });
  test("without a context is a sibling of everything", () => {
    fc.assert(
      fc.property(anyState, (state) =>
        assert.equal(putVersion(state, emptyDotSet, siblingOf(fresh)).siblings.length, state.siblings.length + 1),
      ),
    );
  });
  test("at one replica and a merge at another end in one state, in either order", () => {
    fc.assert(
      fc.property(anyState, anyState, anyDotSet, (here, there, seen) => {
        const written = putVersion(here, seen, siblingOf(fresh));
        assert.ok(sameState(mergeStates(written, there), putVersion(mergeStates(here, there), seen, siblingOf(fresh))));
      }),
    );
  });
});

describe("a delete", () => {
  test("is a put that leaves no version: a version its client had not seen survives it", () => {
    fc.assert(
      fc.property(anyState, anyDotSet, (state, seen) => {
        const after = removeVersions(state, seen, fresh, timeOf(fresh));
        assertSound(after);
        assert.deepEqual(
          after.siblings,
          state.siblings.filter((sibling) => !holds(seen, sibling.dot)),
        );
        assert.ok(covers(after.context, unite(state.context, seen)) && holds(after.context, fresh));
      }),
    );
  });
  test("of all that was seen leaves a tombstone, and what it removed stays removed in every merge", () => {
    fc.assert(
      fc.property(anyState, anyState, (state, copy) => {
        const tombstone = removeVersions(state, state.context, fresh, timeOf(fresh));
        assert.deepEqual(tombstone.siblings, []);
        for (const { dot } of mergeStates(tombstone, copy).siblings) assert.ok(!holds(state.context, dot));
      }),
    );
  });
});

describe("what a reader sees of retries", () => {
  test("is one version a write id, under a context that covers them all", () => {
    fc.assert(
      fc.property(anyState, fc.constantFrom("same", "other"), (state, content) => {
        const siblings = state.siblings.map((sibling) =>
          content === "same" ? { ...sibling, value: new Uint8Array(3), checksum: 1 } : sibling,
        );
        const shown = foldRetries({ ...state, siblings });
        assert.equal(shown.context, state.context);
        const ids = shown.siblings.flatMap((sibling) => sibling.writeId ?? []);
        if (content === "same") assert.equal(new Set(ids).size, ids.length);
        else assert.equal(shown.siblings.length, state.siblings.length);
        for (const sibling of siblings) {
          assert.ok(
            shown.siblings.some(
              (other) => other === sibling || (sibling.writeId !== undefined && other.writeId === sibling.writeId),
            ),
          );
        }
      }),
    );
  });
  test("an attempt's version is found by its write id, its bytes, and what its client had seen", () => {
    const other: Dot = { actor: fresh.actor, counter: fresh.counter + 1 };
    const write = { ...siblingOf(fresh), writeId: "w7" };
    const state = putVersion(putVersion(emptySiblingSet, emptyDotSet, write), emptyDotSet, siblingOf(other));
    const find = (changed: Partial<Sibling>, seen: DotSet = emptyDotSet): Dot | undefined =>
      versionOfWrite(state, { ...write, ...changed }, seen)?.dot;
    assert.equal(find({}), fresh);
    assert.equal(find({}, withDot(emptyDotSet, fresh, 1)), fresh);
    assert.equal(find({ writeId: "w8" }), undefined);
    assert.equal(find({ checksum: write.checksum + 1 }), undefined, "other bytes");
    assert.equal(find({ contentType: "text/other" }), undefined);
    assert.equal(find({}, withDot(emptyDotSet, other, 1)), undefined, "it would replace a version that lives");
    assert.equal(
      find({}, withDot(emptyDotSet, { ...fresh, counter: 99 }, 1)),
      undefined,
      "it knows a dot unknown here",
    );
  });
});

describe("bounds", () => {
  test("a pruned state keeps its versions and is still sound", () => {
    fc.assert(
      fc.property(anyState, fc.nat(5), (state, limit) => {
        const result = pruneState(state, limit);
        assertSound(result.state);
        assert.equal(result.state.siblings, state.siblings);
        assert.equal(result.pruned, state.context.length - result.state.context.length);
      }),
    );
  });
  test("pruning never costs a write: a merge with a pruned state still shows every version that a merge without shows", () => {
    fc.assert(
      fc.property(anyState, anyState, fc.nat(3), (a, b, limit) => {
        const whole = mergeStates(a, b).siblings.map((sibling) => sibling.dot);
        const context: DotSet = mergeStates(pruneState(a, limit).state, b).context;
        const shown = mergeStates(pruneState(a, limit).state, b).siblings.map((sibling) => sibling.dot);
        for (const dot of whole) assert.ok(shown.some((other) => compareDots(other, dot) === 0) && holds(context, dot));
      }),
    );
  });
  test("a state's size counts its values and its context", () => {
    assert.ok(
      stateBytes(putVersion(emptySiblingSet, emptyDotSet, { ...siblingOf(fresh), value: new Uint8Array(1000) })) > 1000,
    );
    fc.assert(fc.property(anyState, (state) => assert.ok(stateBytes(state) >= state.context.length * 16)));
  });
});
