/** The hash tree against a naive twin, the digest against `sameState`, and the descent against what differs. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type SiblingSet, sameState } from "../../src/core/causality/sibling-set.ts";
import { childrenOf, differingChildren } from "../../src/core/merkle/exchange.ts";
import { emptyHash, fanOut, HashTree, leafCount, leafLevel, sameHash } from "../../src/core/merkle/hash-tree.ts";
import { keyDigest, leafOf } from "../../src/core/merkle/key-digest.ts";
import { anyState } from "../core/causality-arbitraries.ts";
import { plainRecord } from "../plain-record.ts";

interface Entry {
  readonly leaf: number;
  readonly hi: number;
  readonly lo: number;
}

const anyEntry: fc.Arbitrary<Entry> = plainRecord({
  // Few leaves and far ones, so that entries meet at every level.
  leaf: fc.oneof(fc.nat(20), fc.nat(leafCount - 1)),
  hi: fc.nat(0xffff_ffff),
  lo: fc.nat(0xffff_ffff),
});
const anyEntries = fc.uniqueArray(anyEntry, { maxLength: 60, selector: ({ hi, lo }) => `${hi} ${lo}` });

function treeOf(entries: readonly Entry[]): HashTree {
  const tree = new HashTree();
  for (const { leaf, hi, lo } of entries) tree.apply(leaf, hi, lo);
  return tree;
}

/** The XOR of everything under a node, from the list alone. */
function naiveHash(entries: readonly Entry[], level: number, index: number): { hi: number; lo: number } {
  const leaves = fanOut ** (leafLevel - level);
  const under = entries.filter(({ leaf }) => Math.floor(leaf / leaves) === index);
  return {
    hi: under.reduce((sum, { hi }) => (sum ^ hi) >>> 0, 0),
    lo: under.reduce((sum, { lo }) => (sum ^ lo) >>> 0, 0),
  };
}

/** The leaves that the descent finds between two trees, each side knowing only its own and what it was told. */
function descend(a: HashTree | undefined, b: HashTree | undefined): readonly number[] {
  let nodes: readonly number[] = sameHash(a?.hash(0, 0) ?? emptyHash, b?.hash(0, 0) ?? emptyHash) ? [] : [0];
  for (let level = 0; level < leafLevel; level++) nodes = differingChildren(b, level, childrenOf(a, level, nodes));
  return nodes;
}

test("every node is the XOR of what is below it, whatever was applied and undone", () => {
  fc.assert(
    fc.property(anyEntries, anyEntries, fc.nat(leafCount - 1), (kept, undone, leaf) => {
      const tree = treeOf([...kept, ...undone]);
      for (const { leaf: at, hi, lo } of undone) tree.apply(at, hi, lo);
      for (let level = 0; level <= leafLevel; level++) {
        for (const { leaf: at } of [...kept, ...undone, { leaf }]) {
          const index = at >>> (4 * (leafLevel - level));
          assert.deepEqual(tree.hash(level, index), naiveHash(kept, level, index));
        }
      }
    }),
  );
});

test("a descent finds exactly the leaves that differ", () => {
  fc.assert(
    fc.property(anyEntries, anyEntries, anyEntries, (both, onlyA, onlyB) => {
      const a = treeOf([...both, ...onlyA]);
      const b = treeOf([...both, ...onlyB]);
      const differing = new Set<number>();
      for (const { leaf } of [...onlyA, ...onlyB]) {
        if (!sameHash(a.hash(leafLevel, leaf), b.hash(leafLevel, leaf))) differing.add(leaf);
      }
      assert.deepEqual(new Set(descend(a, b)), differing);
      assert.deepEqual(new Set(descend(b, a)), differing);
    }),
  );
  assert.deepEqual(descend(undefined, undefined), []);
  assert.deepEqual(descend(undefined, treeOf([{ leaf: 4095, hi: 0, lo: 1 }])), [4095]);
});

test("two states have the same digest if and only if they are the same state", () => {
  const digestOf = (state: SiblingSet): string => JSON.stringify(keyDigest("b", "k", state));
  fc.assert(
    fc.property(anyState, anyState, (a, b) => {
      assert.equal(digestOf(a) === digestOf(b), sameState(a, b));
      const removed = { ...a, siblings: a.siblings.slice(1) };
      assert.equal(digestOf(a) === digestOf(removed), sameState(a, removed));
      const later = a.context.map((interval) => ({ ...interval, time: interval.time + 1 }));
      assert.equal(digestOf({ ...a, context: later }), digestOf(a), "times are not part of a state");
      assert.notEqual(
        a.context.length > 0 && JSON.stringify(keyDigest("b", "k2", a)) === digestOf(a),
        true,
        "another key has another digest",
      );
    }),
    { numRuns: 500 },
  );
});

test("a key without a state adds nothing, and leaves are used evenly", () => {
  assert.deepEqual(keyDigest("b", "k", undefined), emptyHash);
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) {
    const sixteenth = leafOf("carts", `user-${i}`) >>> 8;
    counts[sixteenth] = (counts[sixteenth] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(count > 800 && count < 1200, `${counts}`);
});
