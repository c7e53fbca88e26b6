/**
 * The descent of an exchange (§4.7), step by step, without the messages between: one side tells the hashes of the
 * children of the nodes that differ, the other answers which of them differ, and those are the nodes of the next step.
 *
 * Invariant: a key whose digests differ is in a leaf that the descent finds, as long as no two of the hashes that were
 * compared collide; and it goes nowhere where both sides are equal.
 */

import type { Hash64 } from "../hash/murmur3.ts";
import { emptyHash, fanOut, type HashTree, sameHash } from "./hash-tree.ts";

/** A node of a tree with the hashes of its children, all sixteen of them. */
export interface NodeChildren {
  /** Within its level, from 0. */
  readonly index: number;
  readonly children: readonly Hash64[];
}

/** The children of these nodes. A tree that does not exist is an empty one. */
export function childrenOf(tree: HashTree | undefined, level: number, nodes: readonly number[]): NodeChildren[] {
  return nodes.map((index) => ({
    index,
    children: Array.from({ length: fanOut }, (_, i) => tree?.hash(level + 1, index * fanOut + i) ?? emptyHash),
  }));
}

/** Which of the told children differ from this tree's: their places in the level below. */
export function differingChildren(
  tree: HashTree | undefined,
  level: number,
  told: readonly NodeChildren[],
): readonly number[] {
  const differing: number[] = [];
  for (const { index, children } of told) {
    for (const [i, theirs] of children.entries()) {
      const own = tree?.hash(level + 1, index * fanOut + i) ?? emptyHash;
      if (!sameHash(own, theirs)) differing.push(index * fanOut + i);
    }
  }
  return differing;
}

/** Whether an answer names only children of the nodes that were told, each once and in order. */
export function areChildrenOf(nodes: readonly number[], answer: readonly number[]): boolean {
  const parents = new Set(nodes);
  return answer.every((child, i) => {
    const previous = answer[i - 1];
    return parents.has(Math.floor(child / fanOut)) && (previous === undefined || previous < child);
  });
}
