/**
 * What a node knows of all nodes, and how two of them find out where they know something else (§4.8.1).
 *
 * Comparing versions one by one costs each node more with each node there is, as soon as anything differs anywhere. So
 * a table is compared by parts: a part is the records whose nodes' ids begin with certain digits. Of a large part the
 * hashes of its sixteen smaller ones are told, of a small one the versions themselves; whoever hears hashes answers
 * with those smaller parts alone that are different there. One record of thousands is found with three short lists, and
 * what two equal tables cost is one hash.
 *
 * A part's hash is the XOR of its records': it does not matter in which order one came to know them. Two different parts
 * have the same hash once in 2^64; such a pair learns from others, or with the next change.
 *
 * Invariants: `#ids` is ordered, and names what `#records` holds; `#hi` and `#lo` have the hash of each record, at its
 * id's place; `hash` is the XOR of them all.
 */

import type { Hash64 } from "../hash/murmur3.ts";
import type { NodeId } from "../ids.ts";
import { sameHash } from "../merkle/hash-tree.ts";
import { isNewerRecord, type RecordDigest, type RecordVersion } from "./node-record.ts";
import { hashOfName, joinedHash, noHash } from "./summary.ts";

/** A larger part is told of by the hashes of its parts. */
export const mostVersions = 16;

const digits = "0123456789abcdef";

/** What somebody knows of the nodes whose ids begin with `prefix`; an empty one stands for all. */
export type RecordPart =
  /** For each digit that may come next, the hash of the records there. */
  | { readonly kind: "hashes"; readonly prefix: string; readonly hashes: readonly Hash64[] }
  | { readonly kind: "versions"; readonly prefix: string; readonly versions: RecordDigest };

/** Where this table is different from what another's part says. */
export interface PartDifference<R> {
  /** Smaller parts to look into. */
  readonly prefixes: readonly string[];
  /** What the other has not, or only in an older version. */
  readonly newer: readonly R[];
  /** Whose records the other has in a newer version. */
  readonly wanted: readonly NodeId[];
}

/** The table of one node's knowledge. Records are never changed, only replaced. */
export class RecordTable<R extends RecordVersion> {
  readonly #records: Map<NodeId, R> = new Map();
  #ids: NodeId[] = [];
  #hi: Uint32Array = new Uint32Array(16);
  #lo: Uint32Array = new Uint32Array(16);
  #hash: Hash64 = noHash;

  get records(): ReadonlyMap<NodeId, R> {
    return this.#records;
  }

  /** Of all records. */
  get hash(): Hash64 {
    return this.#hash;
  }

  /** Whether it says something that is not known. */
  isNews(version: RecordVersion): boolean {
    const known = this.#records.get(version.node);
    return known === undefined || isNewerRecord(version, known);
  }

  /** Puts the record in the place of the one that is known of its node, if any. */
  put(record: R): void {
    const { node, incarnation, version } = record;
    const at = this.#placeOf(node);
    if (!this.#records.has(node)) this.#open(node, at);
    const hash = hashOfName(`${node} ${incarnation} ${version}`);
    this.#hash = joinedHash(joinedHash(this.#hash, this.#hashAt(at)), hash);
    this.#hi[at] = hash.hi;
    this.#lo[at] = hash.lo;
    this.#records.set(node, record);
  }

  delete(node: NodeId): void {
    if (!this.#records.delete(node)) return;
    const at = this.#placeOf(node);
    this.#hash = joinedHash(this.#hash, this.#hashAt(at));
    this.#ids.splice(at, 1);
    this.#hi.copyWithin(at, at + 1, this.#ids.length + 1);
    this.#lo.copyWithin(at, at + 1, this.#ids.length + 1);
  }

  /** What is known of the part, for another to compare. */
  part(prefix: string): RecordPart {
    const from = this.#placeOf(prefix);
    const to = this.#placeAfter(prefix);
    // All digits of an id: nothing smaller than one node is to be told apart.
    if (to - from <= mostVersions || prefix.length >= 16) {
      const versions = this.#ids.slice(from, to).map((id): RecordVersion => {
        const { node, incarnation, version } = this.#records.get(id) as R;
        return { node, incarnation, version };
      });
      return { kind: "versions", prefix, versions };
    }
    return { kind: "hashes", prefix, hashes: this.#hashesIn(prefix) };
  }

  /** Compares what another told. */
  compare(theirs: RecordPart): PartDifference<R> {
    if (theirs.kind === "versions") return this.#compareVersions(theirs.prefix, theirs.versions);
    const hashes = this.#hashesIn(theirs.prefix);
    const differing = [...digits].filter((_, i) => !sameHash(hashes[i] as Hash64, theirs.hashes[i] ?? noHash));
    return { prefixes: differing.map((digit) => theirs.prefix + digit), newer: [], wanted: [] };
  }

  #compareVersions(prefix: string, versions: RecordDigest): PartDifference<R> {
    const known = new Map(versions.map((version) => [version.node, version]));
    const ours = this.#ids.slice(this.#placeOf(prefix), this.#placeAfter(prefix));
    const newer = ours
      .map((id) => this.#records.get(id) as R)
      .filter((record) => isNews(record, known.get(record.node)));
    const wanted = versions.filter((version) => this.isNews(version));
    return { prefixes: [], newer, wanted: wanted.map(({ node }) => node) };
  }

  #hashesIn(prefix: string): readonly Hash64[] {
    let at = this.#placeOf(prefix);
    return [...digits].map((digit) => {
      const end = this.#placeAfter(prefix + digit);
      let hi = 0;
      let lo = 0;
      for (; at < end; at++) {
        hi ^= this.#hi[at] as number;
        lo ^= this.#lo[at] as number;
      }
      return { hi: hi >>> 0, lo: lo >>> 0 };
    });
  }

  #hashAt(at: number): Hash64 {
    return { hi: this.#hi[at] as number, lo: this.#lo[at] as number };
  }

  /** Makes room for a node's hash, of nothing so far. */
  #open(node: NodeId, at: number): void {
    const count = this.#ids.length;
    if (count === this.#hi.length) {
      this.#hi = withRoom(this.#hi);
      this.#lo = withRoom(this.#lo);
    }
    this.#ids.splice(at, 0, node);
    this.#hi.copyWithin(at + 1, at, count);
    this.#lo.copyWithin(at + 1, at, count);
    this.#hi[at] = 0;
    this.#lo[at] = 0;
  }

  /** Where the first id that is not less begins. */
  #placeOf(least: string): number {
    let from = 0;
    let to = this.#ids.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#ids[middle] as NodeId) < least) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** Where the ids that begin so end: no digit is as great as a "g". */
  #placeAfter(prefix: string): number {
    return this.#placeOf(`${prefix}g`);
  }
}

function withRoom(hashes: Uint32Array): Uint32Array {
  const larger = new Uint32Array(2 * hashes.length);
  larger.set(hashes);
  return larger;
}

function isNews(version: RecordVersion, known: RecordVersion | undefined): boolean {
  return known === undefined || isNewerRecord(version, known);
}
