/**
 * How large a key's context grows over a long history of restarts and conflicts, with compaction and without (§4.4).
 *
 * One key and its three owners, with the product's own minting, merging, pruning and compaction, and no network: each
 * write is minted by one owner on top of what it holds, under a context of the last read or, in a conflict, of an
 * earlier one, and merged by the others at once. A node that restarts mints under a new actor, which is one more
 * entry. Now and then the key is left alone for longer than the grace time: then the owners compact. Whoever writes
 * after that has read anew: an older context would bring its entries back, as it must.
 */

import { ByteWriter } from "../../../src/core/bytes/byte-writer.ts";
import { compactState, isWorthForgetting } from "../../../src/core/causality/compaction.ts";
import type { DotSet } from "../../../src/core/causality/dot-set.ts";
import { ActorSource, type MintRecord, runBytes } from "../../../src/core/causality/minting.ts";
import {
  emptySiblingSet,
  mergeStates,
  pruneState,
  putVersion,
  type SiblingSet,
} from "../../../src/core/causality/sibling-set.ts";
import { defaultLimits } from "../../../src/core/limits.ts";
import { Prng } from "../../../src/sim/prng.ts";
import { writeDotSet } from "../../../src/wire/state-codec.ts";

/** What happens to the key. */
export interface History {
  readonly name: string;
  /** Writes between two restarts of some owner, on average. */
  readonly restartEvery: number;
  /** How many writes come with the context of an earlier read. */
  readonly conflictShare: number;
  /** Writes between two times of rest, on average. */
  readonly restEvery: number;
}

/** What is done against growth. */
export interface Rule {
  readonly name: string;
  readonly compacts: boolean;
  readonly mostEntries: number;
}

export const histories: readonly History[] = [
  {
    name: "a cart: a restart in 1,000 writes, at rest after 20",
    restartEvery: 1000,
    conflictShare: 0.02,
    restEvery: 20,
  },
  { name: "a restart in 100 writes, at rest after 100", restartEvery: 100, conflictShare: 0.05, restEvery: 100 },
  { name: "the same, half of the writes in conflict", restartEvery: 100, conflictShare: 0.5, restEvery: 100 },
  { name: "a restart in 20 writes, at rest after 1,000", restartEvery: 20, conflictShare: 0.05, restEvery: 1000 },
  {
    name: "a restart in 100 writes, never at rest",
    restartEvery: 100,
    conflictShare: 0.05,
    restEvery: Number.POSITIVE_INFINITY,
  },
];
export const rules: readonly Rule[] = [
  { name: "neither", compacts: false, mostEntries: Number.POSITIVE_INFINITY },
  { name: "pruned at 10, as in §4.4", compacts: false, mostEntries: 10 },
  { name: "pruned at 50", compacts: false, mostEntries: defaultLimits.contextEntries },
  { name: "compacted", compacts: true, mostEntries: Number.POSITIVE_INFINITY },
  { name: "both", compacts: true, mostEntries: defaultLimits.contextEntries },
];

interface Owner {
  source: ActorSource;
  mint: MintRecord | undefined;
  state: SiblingSet;
}

/** Of the context that a read gives after each write. */
export interface Sizes {
  readonly entries: number[];
  readonly bytes: number[];
  /** Entries that were pruned. */
  pruned: number;
}

const noValue = new Uint8Array(0);
const remembered = 20;

function contextBytes(context: DotSet): number {
  const writer = new ByteWriter();
  writeDotSet(writer, context);
  return writer.length;
}

/** One history under one rule. */
export function contextSizes(history: History, rule: Rule, writes: number, seed: number): Sizes {
  const prng = new Prng(seed, history.name);
  const newSource = (): ActorSource => {
    return new ActorSource(Uint8Array.from({ length: runBytes }, () => prng.between(0, 255)));
  };
  const owners: Owner[] = Array.from({ length: 3 }, () => {
    return { source: newSource(), mint: undefined, state: emptySiblingSet };
  });
  const reads: DotSet[] = [];
  const sizes: Sizes = { entries: [], bytes: [], pruned: 0 };
  for (let write = 1; write <= writes; write++) {
    if (prng.chance(1 / history.restartEvery)) prng.pick(owners).source = newSource();
    const owner = prng.pick(owners);
    const isStale = prng.chance(history.conflictShare);
    const seen = (isStale && reads.length > 0 ? prng.pick(reads) : reads[reads.length - 1]) ?? [];
    const { dot, record } = owner.source.mint(owner.mint);
    owner.mint = record;
    const version = { dot, value: noValue, checksum: 0, contentType: "", modified: 1_700_000_000_000 + 1000 * write };
    const { state, pruned } = pruneState(putVersion(owner.state, seen, version), rule.mostEntries);
    sizes.pruned += pruned;
    for (const other of owners) other.state = pruneState(mergeStates(other.state, state), rule.mostEntries).state;
    const isAtRest = prng.chance(1 / history.restEvery);
    if (isAtRest) reads.length = 0;
    if (isAtRest && rule.compacts && isWorthForgetting(owner.state)) {
      const left = compactState(owner.state);
      for (const one of owners) one.state = left;
    }
    const { context } = prng.pick(owners).state;
    reads.push(context);
    if (reads.length > remembered) reads.shift();
    sizes.entries.push(context.length);
    sizes.bytes.push(contextBytes(context));
  }
  return sizes;
}
