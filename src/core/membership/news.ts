/**
 * What two members say to each other in an exchange of gossip, and what the one answers to the other (§4.8.1).
 *
 * Both sides do the same: take in what was sent, compare what was described, and say what follows from that: what the
 * other lacks, what it has and this side lacks, and a closer description of where they differ. Each saying is shorter
 * than what it answers, or names less, until one has nothing left to say; so a history or a table of any size is compared
 * with a few short messages.
 */

import type { NodeId } from "../ids.ts";
import { sameHash } from "../merkle/hash-tree.ts";
import type { HistoryEvent } from "./event.ts";
import {
  compareEvents,
  digestOf,
  type EventId,
  type History,
  type HistoryDigest,
  isBehind,
  missingFrom,
} from "./history.ts";
import type { NodeRecord } from "./node-record.ts";
import { compareRecent, eventsNamed, type RecentEvents, recentOf } from "./recent-events.ts";
import type { RecordPart, RecordTable } from "./record-table.ts";
import type { Summary } from "./summary.ts";

export interface News {
  /** What the other lacks, in the history's order. */
  readonly events: readonly HistoryEvent[];
  readonly records: readonly NodeRecord[];
  /** What the other has and this side lacks. */
  readonly wantedEvents: readonly EventId[];
  readonly wantedRecords: readonly NodeId[];
  /** What this side knows of the history, where that is different: its end, or, if that is not enough, all of it. */
  readonly recent?: RecentEvents;
  readonly history?: HistoryDigest;
  /** What it knows of those records that differ. */
  readonly parts: readonly RecordPart[];
}

/** What a part's hashes weigh, and one version, about, in bytes. */
const hashesBytes = 130;
const versionBytes = 40;

const noNews: News = { events: [], records: [], wantedEvents: [], wantedRecords: [], parts: [] };

/** What a member knows. */
export interface Knowledge {
  readonly history: History;
  readonly summary: Summary;
  readonly table: RecordTable<NodeRecord>;
}

export interface NewsLimits {
  /** Most events, and most records, in one message. */
  readonly mostEntries: number;
  /** What the descriptions of records in one message may weigh, about, in bytes. */
  readonly partBytes: number;
  /** A number from 0 to one less than the argument, another each time. */
  readonly below: (end: number) => number;
}

/** The first description of what this side knows, to one whose summary is another. */
export function firstNews({ history, summary, table }: Knowledge, theirs: Summary): News {
  const isSameHistory = sameHash(summary.history, theirs.history);
  const isSameTable = sameHash(summary.records, theirs.records);
  return {
    ...noNews,
    ...(isSameHistory ? {} : { recent: recentOf(history, summary.history) }),
    parts: isSameTable ? [] : [table.part("")],
  };
}

/** What this side says to `heard`, whose events and records it has taken in. */
export function replyTo(known: Knowledge, heard: News, limits: NewsLimits): News {
  const { mostEntries } = limits;
  const ofHistory = replyOfHistory(known, heard);
  const ofRecords = replyOfRecords(known, heard, limits);
  return {
    ...ofRecords,
    ...ofHistory,
    events: ofHistory.events.slice(0, mostEntries),
    wantedEvents: ofHistory.wantedEvents.slice(0, mostEntries),
    records: ofRecords.records.slice(0, mostEntries),
    wantedRecords: ofRecords.wantedRecords.slice(0, mostEntries),
  };
}

/** Whether there is nothing to say. */
export function isSilent(news: News): boolean {
  const { events, records, wantedEvents, wantedRecords, parts } = news;
  const entries = events.length + records.length + wantedEvents.length + wantedRecords.length + parts.length;
  return entries === 0 && news.recent === undefined && news.history === undefined;
}

type OfHistory = Pick<News, "events" | "wantedEvents" | "history">;

function replyOfHistory({ history, summary }: Knowledge, heard: News): OfHistory {
  const named = eventsNamed(history, heard.wantedEvents);
  if (heard.recent !== undefined) {
    const difference = compareRecent(history, summary.history, heard.recent);
    if (difference.kind === "deeper") return { events: named, wantedEvents: [], history: digestOf(history) };
    return { events: [...named, ...difference.news].sort(compareEvents), wantedEvents: difference.missing };
  }
  if (heard.history === undefined) return { events: named, wantedEvents: [] };
  const events = [...named, ...missingFrom(history, heard.history)].sort(compareEvents);
  return { events, wantedEvents: [], ...(isBehind(history, heard.history) ? { history: digestOf(history) } : {}) };
}

function replyOfRecords({ table }: Knowledge, heard: News, limits: NewsLimits): News {
  const differences = heard.parts.map((part) => table.compare(part));
  const prefixes = differences.flatMap((difference) => difference.prefixes);
  const asked = heard.wantedRecords.flatMap((node) => table.records.get(node) ?? []);
  return {
    ...noNews,
    records: [...asked, ...differences.flatMap(({ newer }) => newer)],
    wantedRecords: differences.flatMap(({ wanted }) => wanted),
    parts: someParts(table, prefixes, limits),
  };
}

/** As many of the parts as one message takes, one at least; where more differ, others each time, so that none waits for ever. */
function someParts(table: Knowledge["table"], prefixes: readonly string[], limits: NewsLimits): readonly RecordPart[] {
  if (prefixes.length === 0) return [];
  const from = limits.below(prefixes.length);
  const parts: RecordPart[] = [];
  let bytes = 0;
  for (const prefix of [...prefixes.slice(from), ...prefixes.slice(0, from)]) {
    const part = table.part(prefix);
    bytes += part.kind === "hashes" ? hashesBytes : versionBytes * part.versions.length;
    if (parts.length > 0 && bytes > limits.partBytes) break;
    parts.push(part);
  }
  return parts;
}
