/**
 * What the clients did and saw: all that the checkers may judge by.
 *
 * Every value is written once and names its write, and contexts are read down to their dots. So for each read it is
 * known which writes it shows, and for each write which others its client had seen: the true causal history, kept by
 * somebody who never looked into a node.
 */

import type { Dot } from "../core/causality/dot.ts";
import { type DotSet, holds } from "../core/causality/dot-set.ts";
import type { BucketSettings } from "../core/settings.ts";
import type { Simulation } from "./simulation.ts";

/**
 * - `acknowledged`: the client was told that it happened.
 * - `refused`: the client was told that it did not and will not.
 * - `unknown`: nobody told, or the answer said so.
 */
export type WriteFate = "pending" | "acknowledged" | "refused" | "unknown";

export interface WriteEntry {
  readonly number: number;
  readonly kind: "put" | "delete";
  readonly client: string;
  readonly node: string;
  /** What the client had seen, by the context it sent. */
  readonly seen: DotSet;
  /** A delete without a context removes what its own read finds, which the client is not told. */
  readonly readsFirst: boolean;
  /** It carries a write id and may be sent several times: then it may have several dots. */
  readonly isRetried: boolean;
  /** Asked to happen only where a quorum read finds no live version. */
  readonly onlyIfAbsent: boolean;
  /** Copies that had to answer, stand-ins' among them. */
  readonly copies: number;
  /** How many of them had to be owners'. */
  readonly owners: number;
  /** In how many zones. */
  readonly zones: number;
  /** Whether each of them had to be on disk. */
  readonly synced: boolean;
  readonly began: number;
  ended: number;
  fate: WriteFate;
  why: string;
  /** Its name, once an answer or a read gave it away; of several, the one that was acknowledged first. */
  dot: Dot | undefined;
  /** All its names: of a write that was sent several times, one for each attempt that came through. */
  readonly dots: Dot[];
  /** The wall time of its dot, from the answer. */
  time: number | undefined;
  /** Owners with a voice that held it when it was acknowledged first, as the answer says. */
  voices: number;
  /** Of how many seats, as the answer says. */
  seats: number;
}

export interface ShownVersion {
  readonly write: WriteEntry;
  readonly dot: Dot;
}

export interface ReadEntry {
  readonly number: number;
  readonly client: string;
  readonly node: string;
  /** Answers that it had to have, stand-ins' among them. */
  readonly answers: number;
  /** Owners with a voice that had answered, as the answer says. */
  readonly voices: number;
  /** Of how many seats, as the answer says. */
  readonly seats: number;
  readonly began: number;
  readonly ended: number;
  readonly context: DotSet;
  readonly shown: readonly ShownVersion[];
  /** Read with all voices once all was healed and repaired. */
  isLast: boolean;
}

/** All of one key. */
export class KeyJournal {
  readonly bucket: string;
  readonly key: string;
  /** The bucket's properties while the clients ran; n capped by the members. */
  readonly settings: BucketSettings;
  readonly writes: WriteEntry[] = [];
  readonly reads: ReadEntry[] = [];
  /** Writes by `actor:counter`. */
  readonly byDot: Map<string, WriteEntry> = new Map();
  readonly #replacers: Map<WriteEntry, readonly WriteEntry[]> = new Map();
  /** How much was known when `#replacers` was asked: more writes, or more of their names, may answer otherwise. */
  #replacersKnew = 0;

  constructor(bucket: string, key: string, settings: BucketSettings) {
    this.bucket = bucket;
    this.key = key;
    this.settings = settings;
  }

  get isLastWriteWins(): boolean {
    return this.settings.reconcile === "last-write-wins";
  }

  /** The writes that may have replaced this one: their clients had seen it, or nobody can know. No write is under way. */
  replacersOf(write: WriteEntry): readonly WriteEntry[] {
    const knows = this.writes.length + this.byDot.size;
    if (knows !== this.#replacersKnew) this.#replacers.clear();
    this.#replacersKnew = knows;
    let replacers = this.#replacers.get(write);
    if (replacers === undefined) {
      replacers = this.writes.filter(
        (later) => later !== write && later.fate !== "refused" && hadSeen(later, write) !== false,
      );
      this.#replacers.set(write, replacers);
    }
    return replacers;
  }

  /** Whether something in the context has no known write: a lost answer's dot. */
  hasStranger(context: DotSet): boolean {
    return context.some(({ actor, from, to }) => {
      for (let counter = from; counter <= to; counter++) if (!this.byDot.has(dotName({ actor, counter }))) return true;
      return false;
    });
  }

  /** Every write and read of the key in the order in which they began, for people. */
  story(): string {
    const lines = [
      ...this.writes.map((write) => ({ at: write.began, line: describeWrite(write) })),
      ...this.reads.map((read) => ({ at: read.began, line: describeRead(read) })),
    ];
    lines.sort((a, b) => a.at - b.at);
    return lines.map(({ line }) => `    ${line}`).join("\n");
  }
}

export class Journal {
  readonly simulation: Simulation;
  readonly keys: Map<string, KeyJournal> = new Map();
  /** The writes by their values' first word. */
  readonly #byNumber: Map<number, { readonly key: KeyJournal; readonly write: WriteEntry }> = new Map();
  #numbers = 0;

  constructor(simulation: Simulation) {
    this.simulation = simulation;
  }

  key(bucket: string, key: string, settings: BucketSettings): KeyJournal {
    const name = `${bucket}/${key}`;
    let journal = this.keys.get(name);
    if (journal === undefined) {
      journal = new KeyJournal(bucket, key, settings);
      this.keys.set(name, journal);
    }
    return journal;
  }

  nextNumber(): number {
    return ++this.#numbers;
  }

  began(key: KeyJournal, write: WriteEntry): void {
    key.writes.push(write);
    this.#byNumber.set(write.number, { key, write });
  }

  /** The write of this number, if it is this key's. */
  writeOf(key: KeyJournal, number: number): WriteEntry | undefined {
    const found = this.#byNumber.get(number);
    return found?.key === key ? found.write : undefined;
  }

  /**
   * A dot and a write were seen together. Law: a dot names one write, ever, and a write has one dot, or one for each
   * of its attempts.
   */
  named(key: KeyJournal, dot: Dot, write: WriteEntry, where: string): void {
    const name = dotName(dot);
    const other = key.byDot.get(name);
    if (other !== undefined && other !== write) {
      const what = `dot ${name} of ${key.bucket}/${key.key} names write ${other.number} and, ${where}, write ${write.number}`;
      this.simulation.violate("dots", `${what}\n${key.story()}`);
      return;
    }
    if (write.dot !== undefined && dotName(write.dot) !== name && !write.isRetried) {
      const what = `write ${write.number} of ${key.bucket}/${key.key} has dot ${dotName(write.dot)} and, ${where}, ${name}`;
      this.simulation.violate("dots", `${what}\n${key.story()}`);
      return;
    }
    write.dot ??= dot;
    if (other === undefined) write.dots.push(dot);
    key.byDot.set(name, write);
  }
}

export function dotName(dot: Dot): string {
  return `${dot.actor}:${dot.counter}`;
}

/** Whether the context holds the write, under any of its names. */
export function knows(context: DotSet, write: WriteEntry): boolean {
  return write.dots.some((dot) => holds(context, dot));
}

/** Whether the client of `later` had seen `earlier`; undefined where nobody can know. */
export function hadSeen(later: WriteEntry, earlier: WriteEntry): boolean | undefined {
  if (later.readsFirst) return later.fate === "unknown" || earlier.began <= later.ended ? undefined : false;
  return earlier.dot === undefined ? undefined : holds(later.seen, earlier.dot);
}

export function describeSet(set: DotSet): string {
  return `{${set.map(({ actor, from, to }) => `${actor}:${from === to ? from : `${from}-${to}`}`).join(" ")}}`;
}

function describeWrite(write: WriteEntry): string {
  const { number, kind, client, node, began, ended, fate, why, dot, copies, voices, seats, synced, seen, readsFirst } =
    write;
  const name = dot === undefined ? "?" : dotName(dot);
  const saw = readsFirst ? "what it reads" : describeSet(seen);
  const copiesText = `${copies} cop${copies === 1 ? "y" : "ies"}${synced ? " synced" : ""}, ${voices} of ${seats} voices`;
  return `${times(began, ended)} ${client}@${node} ${kind} ${number} dot ${name} ${copiesText} seen ${saw}: ${fate}${why === "" ? "" : ` (${why})`}`;
}

function describeRead(read: ReadEntry): string {
  const shown = read.shown.map(({ write }) => write.number).join(" ");
  return `${times(read.began, read.ended)} ${read.client}@${read.node} read ${read.number} r=${read.answers}, ${read.voices} of ${read.seats} voices, shows [${shown}] of ${describeSet(read.context)}`;
}

function times(began: number, ended: number): string {
  return `${began.toFixed(1)}-${Number.isFinite(ended) ? ended.toFixed(1) : "..."}`;
}
