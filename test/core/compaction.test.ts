/** What is left of a state that forgets: its versions, and nothing that merges differently with what all others hold. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { compactState, isWorthForgetting } from "../../src/core/causality/compaction.ts";
import { dotCount, holds } from "../../src/core/causality/dot-set.ts";
import { ActorSource, runBytes } from "../../src/core/causality/minting.ts";
import {
  emptySiblingSet,
  mergeStates,
  putVersion,
  removeVersions,
  type Sibling,
  type SiblingSet,
  sameState,
} from "../../src/core/causality/sibling-set.ts";
import { plainRecord } from "../plain-record.ts";

/** A state after some writes: each a put or a delete that had seen the state after one of the writes before it. */
const anyState = fc
  .array(plainRecord({ actor: fc.nat(5), saw: fc.nat(10), isPut: fc.boolean() }), {
    maxLength: 12,
  })
  .map((writes) => {
    const sources = Array.from({ length: 6 }, (_, i) => new ActorSource(new Uint8Array(runBytes).fill(i)));
    const mints = sources.map((source) => source.mint(undefined).record);
    const states: SiblingSet[] = [emptySiblingSet];
    for (const [i, { actor, saw, isPut }] of writes.entries()) {
      const { dot, record } = (sources[actor] as ActorSource).mint(mints[actor]);
      mints[actor] = record;
      const before = states[states.length - 1] as SiblingSet;
      const { context } = states[Math.min(saw, states.length - 1)] as SiblingSet;
      const sibling: Sibling = { dot, value: new Uint8Array(0), checksum: 0, contentType: "", modified: i };
      states.push(isPut ? putVersion(before, context, sibling) : removeVersions(before, context, dot, i));
    }
    return states[states.length - 1] as SiblingSet;
  });

describe("a state that forgets", () => {
  test("keeps its versions and of its context their dots alone", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const left = compactState(state);
        assert.deepEqual(left.siblings, state.siblings);
        assert.equal(dotCount(left.context), state.siblings.length);
        assert.ok(left.siblings.every(({ dot }) => holds(left.context, dot)));
        assert.ok(sameState(compactState(left), left));
      }),
    );
  });

  test("gets all of it back from an owner that did not forget, and adds nothing to it", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        assert.ok(sameState(mergeStates(compactState(state), state), state));
        assert.ok(sameState(mergeStates(state, compactState(state)), state));
      }),
    );
  });

  test("is worth asking for only where it becomes smaller, and never twice", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const left = compactState(state);
        if (isWorthForgetting(state)) assert.ok(left.context.length < state.context.length);
        assert.equal(isWorthForgetting(left), false);
      }),
    );
    assert.equal(isWorthForgetting(emptySiblingSet), false);
  });
});
