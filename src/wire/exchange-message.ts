/** What nodes say to each other to compare their copies (§4.7): `core/merkle` says what it means. A part of `message.ts`. */

import type { SiblingSet } from "../core/causality/sibling-set.ts";
import type { Hash64 } from "../core/hash/murmur3.ts";
import type { PartitionId } from "../core/ids.ts";
import type { NodeChildren } from "../core/merkle/exchange.ts";

/** Names one hash tree: a partition's keys of all buckets of n copies, which have the same owners. */
export interface TreeName {
  readonly partition: PartitionId;
  readonly n: number;
}

/** Asks which of these hash trees differ from the answerer's own (§4.7). Answered with `hashes-compared`. */
export interface CompareTrees {
  readonly kind: "compare-trees";
  readonly id: number;
  /** Names all changes of n that the sender knows: it decides which keys are in which tree (`Eras.hashes`). */
  readonly changes: number;
  readonly trees: readonly (TreeName & { readonly root: Hash64 })[];
  /** Whether the answer is to say what each of them stands for. */
  readonly wantsSizes: boolean;
}

/** Asks which children of these nodes of one tree differ. Answered with `hashes-compared`. */
export interface CompareNodes {
  readonly kind: "compare-nodes";
  readonly id: number;
  readonly tree: TreeName;
  /** The nodes' level, 0 for the root to 2 above the leaves. */
  readonly level: number;
  readonly nodes: readonly NodeChildren[];
}

/** What a tree stands for at its holder. */
export interface TreeSize {
  readonly keys: number;
  /** Of keys and values, as far as they are counted in memory. */
  readonly bytes: number;
}

/** What differs, and of trees those where the answerer has no voice: places in their list, or of children in their level. */
export interface HashesCompared {
  readonly kind: "hashes-compared";
  readonly id: number;
  readonly differing: readonly number[];
  readonly unvouched: readonly number[];
  /** Of the trees that were asked about, in their order; none where that was not asked. */
  readonly sizes: readonly TreeSize[];
}

/** Asks what the answerer holds in these leaves of a tree, in the order of the store. Answered with `keys-listed`. */
export interface ListKeys {
  readonly kind: "list-keys";
  readonly id: number;
  readonly tree: TreeName;
  readonly leaves: readonly number[];
  /** The stored key after which to begin, as an answer gave it; empty to begin at the partition's start. */
  readonly after: Uint8Array;
}

/** A key with the digest of its state. */
export interface ListedKey {
  readonly bucket: string;
  readonly key: string;
  readonly digest: Hash64;
}

/** A part of what was asked for. */
export interface KeysListed {
  readonly kind: "keys-listed";
  readonly id: number;
  readonly keys: readonly ListedKey[];
  /** The last stored key this part covers; absent where it reaches the partition's end. */
  readonly until?: Uint8Array;
}

/** Asks to hear once all that the answerer holds now is on its disk. Answered with `all-stored`. */
export interface WhenStored {
  readonly kind: "when-stored";
  readonly id: number;
}

/** It is. */
export interface AllStored {
  readonly kind: "all-stored";
  readonly id: number;
  /**
   * Names a time in which the answerer lost nothing that it held, on disk or not: the name is another one after a
   * restart, and after a commit that failed.
   */
  readonly run: string;
}

/** Asks for the states of these keys of a tree, to copy them: whether the answerer has a voice does not matter. */
export interface CopyStates {
  readonly kind: "copy-states";
  readonly id: number;
  readonly tree: TreeName;
  readonly keys: readonly { readonly bucket: string; readonly key: string }[];
}

/** A key's state, undefined where there is none any more, or why it cannot be had. */
export type CopiedState = SiblingSet | "refused" | undefined;

/** The states of the first of the keys that were asked for, at least one: an answer ends where it is large enough. */
export interface StatesCopied {
  readonly kind: "states-copied";
  readonly id: number;
  readonly states: readonly CopiedState[];
}
