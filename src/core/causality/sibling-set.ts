/**
 * A key's state: the versions that live side by side, and every dot this state has ever seen (§4.4).
 *
 * Law: only causality removes a version in a merge. A version is absent from a merge only if one side had seen it and
 * no longer holds it: then something that had seen it replaced or deleted it. Expiry, limits and the folding of retries act on what is
 * shown to a reader and never here.
 *
 * The merge is commutative, associative and idempotent, so replicas that have heard of the same writes hold the same
 * state, whatever order, repetition or detour brought them. A state without siblings is a tombstone: it is its
 * context that keeps what was deleted from coming back.
 *
 * A dot names one write for ever (`minting.ts`), so two siblings with one dot are the same version, and its time is
 * the same wherever it is kept.
 *
 * Hot path: a merge that changes nothing returns what it was given, and the caller need not store it again.
 */

import { compareDots, type Dot, sameDot } from "./dot.ts";
import { covers, type DotSet, emptyDotSet, holds, prune, sameDots, unite, withDot } from "./dot-set.ts";

/** One live version. */
export interface Sibling {
  readonly dot: Dot;
  readonly value: Uint8Array;
  /** CRC-32 of `value`, made once where the value entered the cluster. */
  readonly checksum: number;
  /** The Content-Type as it came, at most 255 bytes of printable ASCII. */
  readonly contentType: string;
  /** Wall time of the write in ms since 1970, as its coordinator saw it. */
  readonly modified: number;
  /** The client's name for this write, equal on its retries; at most 64 printable ASCII characters. */
  readonly writeId?: string;
}

export interface SiblingSet {
  readonly context: DotSet;
  /** Ordered by dot; every dot is in `context`. */
  readonly siblings: readonly Sibling[];
}

/** The state of a key that nobody has written. */
export const emptySiblingSet: SiblingSet = { context: emptyDotSet, siblings: [] };

/**
 * What both states together know: a version stays if both hold it, or if the other side's context lacks its dot.
 * Returns `a` itself where `b` adds nothing, else `b` itself where `a` adds nothing.
 */
export function mergeStates(a: SiblingSet, b: SiblingSet): SiblingSet {
  if (a === b) return a;
  const context = unite(a.context, b.context);
  const siblings = mergeSiblings(a, b);
  if (context === a.context && sameVersions(siblings, a.siblings)) return a;
  if (sameVersions(siblings, b.siblings) && unite(b.context, a.context) === b.context) return b;
  return { context, siblings };
}

function mergeSiblings(a: SiblingSet, b: SiblingSet): readonly Sibling[] {
  const merged: Sibling[] = [];
  let atA = 0;
  let atB = 0;
  while (atA < a.siblings.length || atB < b.siblings.length) {
    const left = a.siblings[atA];
    const right = b.siblings[atB];
    const order = left === undefined ? 1 : right === undefined ? -1 : compareDots(left.dot, right.dot);
    if (order <= 0) atA++;
    if (order >= 0) atB++;
    const sibling = (order <= 0 ? left : right) as Sibling;
    if (order === 0 || !holds(order < 0 ? b.context : a.context, sibling.dot)) merged.push(sibling);
  }
  return merged;
}

/** Whether both name the same dots, which makes them the same versions. */
function sameVersions(a: readonly Sibling[], b: readonly Sibling[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (!sameDot((a[i] as Sibling).dot, (b[i] as Sibling).dot)) return false;
  }
  return true;
}

/**
 * A put: the new version takes the place of every version its client had seen. All of what the client had seen goes
 * into the context, dots unknown here included: left out, a version that the client had seen and replaced would come
 * back with the next copy of it.
 *
 * `sibling.dot` must be freshly minted.
 */
export function putVersion(state: SiblingSet, seen: DotSet, sibling: Sibling): SiblingSet {
  const rest = state.siblings.filter((old) => !holds(seen, old.dot));
  const after = rest.findIndex((old) => compareDots(old.dot, sibling.dot) > 0);
  rest.splice(after === -1 ? rest.length : after, 0, sibling);
  return { context: withDot(unite(state.context, seen), sibling.dot, sibling.modified), siblings: rest };
}

/**
 * A delete: a put without a new version. It mints a dot like any write, so that its context differs from every other
 * and its time is known; a version its client had not seen survives it.
 */
export function removeVersions(state: SiblingSet, seen: DotSet, dot: Dot, time: number): SiblingSet {
  const rest = state.siblings.filter((old) => !holds(seen, old.dot));
  return { context: withDot(unite(state.context, seen), dot, time), siblings: rest };
}

/** Whether both hold the same versions and have seen the same dots. */
export function sameState(a: SiblingSet, b: SiblingSet): boolean {
  return a === b || (sameVersions(a.siblings, b.siblings) && sameDots(a.context, b.context));
}

export interface PrunedState {
  readonly state: SiblingSet;
  /** How many intervals of the context went. */
  readonly pruned: number;
}

/** The state with its context bounded by `limit` intervals where its live versions allow: see `prune`. */
export function pruneState(state: SiblingSet, limit: number): PrunedState {
  if (state.context.length <= limit) return { state, pruned: 0 };
  const { set, pruned } = prune(
    state.context,
    limit,
    state.siblings.map((sibling) => sibling.dot),
  );
  return pruned === 0 ? { state, pruned } : { state: { context: set, siblings: state.siblings }, pruned };
}

/** What tells a write and its retries from every other write. */
export type WriteMark = Pick<Sibling, "writeId" | "value" | "checksum" | "contentType">;

/**
 * The live version that this write made, whatever attempt of it came through: then the state is what another attempt
 * would make it. Undefined also where it is not: the write id is on other bytes, or `seen` says more than the attempt
 * before did. That is a client's mistake, and what it asks for is done all the same.
 */
export function versionOfWrite(state: SiblingSet, write: WriteMark, seen: DotSet): Sibling | undefined {
  const made = state.siblings.find((sibling) => isRetryOf(write, sibling));
  if (made === undefined || !covers(state.context, seen)) return undefined;
  return state.siblings.some((other) => other !== made && holds(seen, other.dot)) ? undefined : made;
}

/**
 * The state as a reader should see it: a write and its retries, siblings to the store, are shown once, as the one
 * with the least dot. The context still covers them all, so that the reader's next write replaces them all. Two
 * versions under one write id that are not the same bytes are a client's mistake, and both are shown.
 */
export function foldRetries(state: SiblingSet): SiblingSet {
  const { context, siblings } = state;
  const shown = siblings.filter((sibling, i) => !siblings.slice(0, i).some((earlier) => isRetryOf(sibling, earlier)));
  return shown.length === siblings.length ? state : { context, siblings: shown };
}

function isRetryOf(sibling: WriteMark, earlier: Sibling): boolean {
  return (
    sibling.writeId !== undefined &&
    sibling.writeId === earlier.writeId &&
    sibling.checksum === earlier.checksum &&
    sibling.contentType === earlier.contentType &&
    sibling.value.length === earlier.value.length
  );
}

/** About how many bytes the state takes, stored or sent; for the limit on a key's state. */
export function stateBytes(state: SiblingSet): number {
  let bytes = 16 + 32 * state.context.length;
  for (const { value, contentType, writeId } of state.siblings) {
    bytes += 24 + value.length + contentType.length + (writeId?.length ?? 0);
  }
  return bytes;
}
