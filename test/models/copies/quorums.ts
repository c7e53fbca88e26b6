/** The least sets of nodes whose answers, were they given now, would be enough for a request of the model's bucket. */

import type { Voice } from "../../../src/core/quorum/voice.ts";
import { isOutdated, type KnownSeats, uniteKnown } from "../../../src/core/seats/known.ts";
import type { ChangeSet, Changes } from "./changes.ts";
import type { CopiesRule } from "./rules.ts";

/** A node that may answer. */
export interface Speaker {
  readonly voice: Voice | undefined;
  readonly known: KnownSeats;
  readonly memory: { readonly changes: ChangeSet };
}

export interface Asker {
  readonly rule: Pick<CopiesRule, "comparesVersions">;
  readonly all: Changes;
  /** The changes that it knows, ... */
  readonly changes: ChangeSet;
  /** ... and what it has seen of seats; it learns what answers tell. */
  readonly seen: KnownSeats;
}

export function quorumsOf<Kind extends Speaker>(
  kind: "read" | "write",
  speakers: readonly Kind[],
  { rule, all, changes, seen }: Asker,
): readonly (readonly Kind[])[] {
  const isAnswer = ({ memory }: Kind): boolean => !rule.comparesVersions || memory.changes === changes;
  const group = speakers.filter((keeper) => isAnswer(keeper) && !isOutdated(keeper.voice as Voice, seen));
  const found: number[] = [];
  const sets = Array.from({ length: 2 ** group.length - 1 }, (_, i) => i + 1);
  for (const set of sets.sort((a, b) => ones(a) - ones(b))) {
    if (found.some((other) => (other & ~set) === 0)) continue;
    const members = group.filter((_, i) => set & (1 << i));
    const known = members.reduce((sum, member) => uniteKnown(sum, member.known), seen);
    if (members.some(({ voice }) => voice === undefined || isOutdated(voice, known))) continue;
    const seats = new Set(members.map(({ voice }) => (voice as Voice).seat));
    if (all.isMet(kind, seats, changes, known)) found.push(set);
  }
  return found.map((set) => group.filter((_, i) => set & (1 << i)));
}

function ones(set: number): number {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count++;
  return count;
}
