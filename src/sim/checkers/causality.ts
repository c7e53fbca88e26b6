/**
 * Causality: a read shows every version its context knows of and nothing replaced, judged by the true histories.
 *
 * - No sibling lost: a dot in the context whose write is not shown was replaced by a write that had seen it and is in
 *   the context, too. (A dot whose write nobody can name, since its answer was lost, may be that write.)
 * - No false sibling: of two versions shown, neither's client had seen the other, and a write that was sent several
 *   times under one id shows once.
 *
 * Where contexts may be pruned, replaced versions may show again; then only the first half is judged, and by what may
 * have replaced the version at all. So is what was replaced long ago, and may be forgotten. Buckets that keep the newest version have a checker of their own.
 */

import { holds } from "../../core/causality/dot-set.ts";
import { type KeyJournal, knows, type ReadEntry, type WriteEntry } from "../journal.ts";
import type { Simulation } from "../simulation.ts";
import { type Leniency, mayBeForgotten } from "./leniency.ts";

export function checkCausality(simulation: Simulation, key: KeyJournal, leniency: Leniency): void {
  if (key.isLastWriteWins) return;
  for (const read of key.reads) {
    const lost = lostSibling(key, read, leniency);
    if (lost !== undefined) {
      const what = `read ${read.number} of ${key.bucket}/${key.key} knows write ${lost.number}, does not show it and knows nothing that replaced it`;
      simulation.violate("causality", `${what}\n${key.story()}`);
      return;
    }
    const numbers = read.shown.map(({ write }) => write.number);
    const repeated = numbers.find((number, i) => numbers.indexOf(number) < i);
    if (repeated !== undefined) {
      const what = `read ${read.number} of ${key.bucket}/${key.key} shows write ${repeated} twice`;
      simulation.violate("causality", `${what}\n${key.story()}`);
      return;
    }
    const doubled = leniency.prunes ? undefined : falseSibling(read);
    if (doubled !== undefined) {
      const [earlier, later] = doubled;
      const what = `read ${read.number} of ${key.bucket}/${key.key} shows write ${earlier.number} beside write ${later.number}, which had seen it`;
      simulation.violate("causality", `${what}\n${key.story()}`);
      return;
    }
  }
}

function lostSibling(key: KeyJournal, read: ReadEntry, leniency: Leniency): WriteEntry | undefined {
  const shown = new Set(read.shown.map(({ write }) => write));
  const hasStranger = key.hasStranger(read.context);
  return key.writes.find((write) => {
    if (write.kind === "delete" || write.dot === undefined || shown.has(write)) return false;
    if (!holds(read.context, write.dot)) return false;
    return !key
      .replacersOf(write)
      .some((later) => leniency.prunes || mayBeForgotten(later, read, leniency) || mayBeIn(later, read, hasStranger));
  });
}

/** Whether the read's context holds the write, or may hold it under a dot that nobody can name. */
function mayBeIn(later: WriteEntry, read: ReadEntry, hasStranger: boolean): boolean {
  if (later.began > read.ended) return false;
  if (knows(read.context, later)) return true;
  return hasStranger && (later.dot === undefined || later.isRetried);
}

function falseSibling(read: ReadEntry): readonly [WriteEntry, WriteEntry] | undefined {
  for (const { write: earlier, dot } of read.shown) {
    for (const { write: later } of read.shown) {
      if (earlier !== later && holds(later.seen, dot)) return [earlier, later];
    }
  }
  return undefined;
}
