/**
 * The core workloads of the Yahoo! Cloud Serving Benchmark, with the parameters of its files `workloads/workloada` to
 * `workloadf`: mixes, zipfian 0.99 (scrambled) or latest, records of ten fields of 100 bytes, hashed key names.
 *
 * What a key-value store makes different: an update writes the whole record, where YCSB writes one field of it; a
 * scan (E) gets the records that were numbered next to each other, of which this load knows the keys. No store that
 * places keys by their hash could find them, and no order of keys is read: E is here for its amount of work only.
 */

import { Prng } from "../sim/prng.ts";
import type { Load, Operation } from "./operation.ts";
import { fnv64, type KeyChooser, latestChooser, scrambledChooser } from "./zipfian.ts";

export type YcsbName = "a" | "b" | "c" | "d" | "e" | "f";

interface Mix {
  readonly read?: number;
  readonly update?: number;
  readonly insert?: number;
  readonly scan?: number;
  readonly modify?: number;
  readonly keys: "zipfian" | "latest";
  readonly like: string;
}

const mixes: Readonly<Record<YcsbName, Mix>> = {
  a: { read: 0.5, update: 0.5, keys: "zipfian", like: "update heavy" },
  b: { read: 0.95, update: 0.05, keys: "zipfian", like: "read mostly" },
  c: { read: 1, keys: "zipfian", like: "read only" },
  d: { read: 0.95, insert: 0.05, keys: "latest", like: "read latest" },
  e: { scan: 0.95, insert: 0.05, keys: "zipfian", like: "short ranges, as gets of keys that are known" },
  f: { read: 0.5, modify: 0.5, keys: "zipfian", like: "read-modify-write" },
};

/** Records of a scan, at most; each number is as likely. */
const longestScan = 100;
/** More inserts than a run has, for the scrambled draw to leave room for: YCSB takes twice what is expected. */
const expectedInserts = 100_000;

export interface YcsbOptions {
  readonly workload: YcsbName;
  readonly records: number;
  /** 1000 in YCSB. */
  readonly valueBytes: number;
  readonly seed: number;
}

/** The workload; every seed has its own order. */
export function ycsbLoad({ workload, records, valueBytes, seed }: YcsbOptions): Load {
  const mix = mixes[workload];
  const prng = new Prng(seed, `ycsb ${workload}`);
  const uniform = (): number => prng.u32() / 2 ** 32;
  const value = prng.bytes(valueBytes);
  const names: string[] = [];
  const nameOf = (i: number): string => (names[i] ??= `user${fnv64(i)}`);
  for (let i = 0; i < records; i++) nameOf(i);
  const room = mix.insert === undefined ? 0 : expectedInserts;
  const choose: KeyChooser =
    mix.keys === "latest" ? latestChooser(uniform, records) : scrambledChooser(uniform, records + room);
  const present = new Insertions(records);
  const change = (): Uint8Array => value;

  const next = (): Operation => {
    let draw = uniform();
    if ((draw -= mix.read ?? 0) < 0) return { kind: "read", key: nameOf(choose(present.count)) };
    if ((draw -= mix.update ?? 0) < 0) return { kind: "update", key: nameOf(choose(present.count)), value };
    if ((draw -= mix.modify ?? 0) < 0) return { kind: "modify", key: nameOf(choose(present.count)), change };
    if ((draw -= mix.scan ?? 0) < 0) {
      const first = choose(present.count);
      const length = Math.min(1 + prng.below(longestScan), present.count - first);
      return { kind: "scan", keys: Array.from({ length }, (_, i) => nameOf(first + i)) };
    }
    return { kind: "insert", key: nameOf(present.begin()), value };
  };
  return {
    name: `ycsb-${workload}`,
    description: `YCSB ${workload.toUpperCase()}, ${mix.like}: ${records} records of ${valueBytes} bytes, ${mix.keys}`,
    keys: records,
    first: (i) => ({ key: nameOf(i), value }),
    next,
    ended: (operation) => {
      if (operation.kind === "insert") present.end(operation.key, nameOf);
    },
  };
}

/** Which of the keys are there: inserts end in any order, and only what lies below all that are under way may be read. */
class Insertions {
  /** Keys 0 up to this one are there. */
  count: number;
  #next: number;
  readonly #ended = new Set<string>();

  constructor(count: number) {
    this.count = count;
    this.#next = count;
  }

  begin(): number {
    return this.#next++;
  }

  end(key: string, nameOf: (i: number) => string): void {
    this.#ended.add(key);
    while (this.#ended.delete(nameOf(this.count))) this.count += 1;
  }
}
