/**
 * The rules a history is run under: the product's own, and plausible weaker ones, each of which the model must
 * show to break. A weaker rule differs from the product's in what it says here and in nothing else.
 */

import { type DotSet, unite, withDot } from "../../../src/core/causality/dot-set.ts";
import {
  keepNewest,
  mergeNewest,
  nextModified,
  soleTombstone,
  soleVersion,
} from "../../../src/core/causality/last-write-wins.ts";
import type { ActorSource, Minted, MintRecord } from "../../../src/core/causality/minting.ts";
import {
  mergeStates,
  putVersion,
  removeVersions,
  type Sibling,
  type SiblingSet,
} from "../../../src/core/causality/sibling-set.ts";
import type { ActorId } from "../../../src/core/ids.ts";

/** Who mints, as the rules may ask. */
export interface Minter {
  /** The running process's source of actors. */
  readonly source: ActorSource;
  /** What every actor of this run begins with. */
  readonly run: string;
  /** The id kept on the disk, the same over restarts, another after the disk was wiped. */
  readonly durableId: ActorId;
}

export interface Rule {
  readonly name: string;
  mint(minter: Minter, record: MintRecord | undefined, state: SiblingSet): Minted;
  merge(a: SiblingSet, b: SiblingSet): SiblingSet;
  put(state: SiblingSet, seen: DotSet, sibling: Sibling): SiblingSet;
  remove(state: SiblingSet, seen: DotSet, minted: Minted, time: number): SiblingSet;
  /** The context a write answers with. */
  answer(seen: DotSet, minted: Minted, time: number, state: SiblingSet): DotSet;
  modified(nowMs: number, state: SiblingSet, seen: DotSet): number;
  /** Whether the local copy is on disk before the state is sent. */
  readonly syncFirst: boolean;
  /** Whether backups are restored. */
  readonly restores: boolean;
  /** 2 where tokens of one key may be used on another. */
  readonly keys: 1 | 2;
  /** Contexts are cut to so many intervals; 0: never. */
  readonly prunedTo: number;
  readonly lastWriteWins: boolean;
}

export const productRule: Rule = {
  name: "the product's rule",
  mint: ({ source }, record) => source.mint(record),
  merge: mergeStates,
  put: putVersion,
  remove: (state, seen, { dot }, time) => removeVersions(state, seen, dot, time),
  answer: (seen, { dot }, time) => withDot(seen, dot, time),
  modified: (nowMs) => nowMs,
  syncFirst: false,
  restores: true,
  keys: 1,
  prunedTo: 0,
  lastWriteWins: false,
};

export const prunedRule: Rule = { ...productRule, name: "the product's rule, pruned hard", prunedTo: 3 };

export const newestRule: Rule = {
  ...productRule,
  name: "last write wins",
  merge: mergeNewest,
  put: (state, _seen, sibling) => mergeNewest(keepNewest(state), soleVersion(sibling)),
  remove: (state, _seen, { dot }, time) => mergeNewest(keepNewest(state), soleTombstone(dot, time)),
  modified: nextModified,
  lastWriteWins: true,
};

function next(actor: ActorId, counter: number): Minted {
  const dot = { actor, counter: counter + 1 };
  return { dot, record: dot };
}

/** The last counter of the actor in the set, or 0. */
function lastOf(actor: ActorId, set: DotSet): number {
  return set.findLast((interval) => interval.actor === actor)?.to ?? 0;
}

/** Records are good for ever, whichever run made them. */
const durable: Rule = {
  ...productRule,
  name: "durable ids",
  mint: ({ source }, record) => (record === undefined ? source.mint(undefined) : next(record.actor, record.counter)),
};

/** Four weaker ways to mint, and three other plausible mistakes. */
export const weakerRules: readonly Rule[] = [
  { ...durable, name: "durable ids, the state sent before the local sync", restores: false },
  { ...durable, name: "ids restored from a backup", syncFirst: true },
  {
    ...productRule,
    name: "the actor recognised in a merged state",
    mint: ({ source, run }, record, { context }) => {
      const own = context.findLast((interval) => interval.actor.startsWith(run));
      return record === undefined && own !== undefined ? next(own.actor, own.to) : source.mint(record);
    },
  },
  {
    ...productRule,
    name: "the counter read from a context",
    mint: ({ durableId }, _record, { context }) => next(durableId, lastOf(durableId, context)),
  },
  {
    ...productRule,
    name: "a write that leaves out its client's context",
    put: (state, seen, sibling) => withoutSeen(state, putVersion(state, seen, sibling), sibling),
    remove: (state, seen, { dot }, time) => {
      const after = removeVersions(state, seen, dot, time);
      return { ...after, context: withDot(state.context, dot, time) };
    },
  },
  {
    ...productRule,
    name: "a write that answers with all its coordinator knows",
    answer: (seen, _minted, _time, state) => unite(seen, state.context),
  },
  { ...newestRule, name: "last write wins by the clock alone", modified: (nowMs) => nowMs },
];

function withoutSeen(before: SiblingSet, after: SiblingSet, { dot, modified }: Sibling): SiblingSet {
  return { ...after, context: withDot(before.context, dot, modified) };
}

/** Tokens that are good for every key: with the product's actors, and with one actor a process. */
export const foreignTokenRules: readonly Rule[] = [
  { ...productRule, name: "tokens of another key accepted, actors per key", keys: 2 },
  {
    ...productRule,
    name: "tokens of another key accepted, one actor a run",
    mint: ({ run }, record) => {
      const actor = `${run}-` as ActorId;
      return next(actor, record?.actor === actor ? record.counter : 0);
    },
    keys: 2,
  },
];
