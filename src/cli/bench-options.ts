/** The options of `cartwheel bench` (`options.ts` has all the others, and the order in which they are looked for). */

import { parseAddressList } from "./address.ts";
import { matching, type OptionOf, oneOf, wholeNumber } from "./option-shapes.ts";

// Here and not from `bench/run.ts`, which would load the client before every command; `bench-command.ts` compares them.
const workloads = ["get", "put", "a", "b", "c", "d", "e", "f", "cart", "session"] as const;
export type WorkloadName = (typeof workloads)[number];

/** What `--target` names; nodes of the benchmark's own where it is absent. */
export type BenchTarget =
  | { readonly kind: "nodes" | "redis"; readonly addresses: readonly string[] }
  | { readonly kind: "bare"; readonly synced: boolean };

function parseTarget(text: string): BenchTarget | undefined {
  if (text === "bare" || text === "bare-synced") return { kind: "bare", synced: text === "bare-synced" };
  const kind = text.startsWith("redis://") ? "redis" : "nodes";
  const addresses = parseAddressList(text.replaceAll(/(?<=^|,)\s*redis:\/\//g, ""));
  return addresses === undefined ? undefined : { kind, addresses };
}

/** Operations a second, or their share of what a closed loop reaches. */
export type BenchRate = { readonly perSecond: number } | { readonly share: number };

function parseRate(text: string): BenchRate | undefined {
  const percent = text.endsWith("%") ? wholeNumber(1, 100)(text.slice(0, -1)) : undefined;
  if (percent !== undefined) return { share: percent / 100 };
  const perSecond = wholeNumber(1, 1_000_000)(text);
  return perSecond === undefined ? undefined : { perSecond };
}

function parsePids(text: string): readonly number[] | undefined {
  const pids = text.split(",").map((part) => wholeNumber(1, 2 ** 22)(part.trim()));
  return pids.includes(undefined) ? undefined : (pids as number[]);
}

/** The table. */
export const benchOptions: {
  readonly workload: OptionOf<WorkloadName>;
  readonly target: OptionOf<BenchTarget>;
  readonly compare: OptionOf<"bare">;
  readonly durability: OptionOf<"synced" | "buffered">;
  readonly keys: OptionOf<number>;
  readonly size: OptionOf<number>;
  readonly seed: OptionOf<number>;
  readonly "in-flight": OptionOf<number>;
  readonly rate: OptionOf<BenchRate>;
  readonly seconds: OptionOf<number>;
  readonly "warm-up": OptionOf<number>;
  readonly picture: OptionOf<string>;
  readonly pids: OptionOf<readonly number[]>;
  readonly profile: OptionOf<string>;
} = {
  workload: {
    value: "NAME",
    help: "get, put: each key in turn; a to f: YCSB's; cart, session: the paper's",
    otherwise: "get",
    allowed: `one of ${workloads.join(", ")}`,
    parse: (text) => oneOf(workloads)(text.toLowerCase()),
  },
  target: {
    value: "TARGET",
    help: "HOST:PORT,... of running nodes, redis://HOST:PORT,..., bare or bare-synced; --url also tells running nodes' CPU time",
    otherwise: "nodes of its own",
    allowed: "HOST:PORT,..., redis://HOST:PORT,..., bare or bare-synced",
    parse: parseTarget,
  },
  compare: {
    value: "MODEL",
    help: "get, buffered put and synced put beside a bare model of the same job, in one run",
    allowed: "bare",
    parse: oneOf(["bare"] as const),
  },
  durability: {
    value: "WORD",
    help: "synced or buffered writes",
    otherwise: "synced",
    allowed: "synced or buffered",
    parse: oneOf(["synced", "buffered"] as const),
  },
  keys: {
    value: "COUNT",
    help: "keys that are there before",
    otherwise: "10000",
    allowed: "a whole number from 1 to 10000000",
    parse: wholeNumber(1, 10_000_000),
  },
  size: {
    value: "BYTES",
    help: "bytes of a value",
    otherwise: "1000 in YCSB, else 1024",
    allowed: "a whole number from 1 to 1048576",
    parse: wholeNumber(1, 1_048_576),
  },
  seed: {
    value: "NUMBER",
    help: "another seed draws other keys",
    otherwise: "1",
    allowed: "a whole number from 1 to 999999999",
    parse: wholeNumber(1, 999_999_999),
  },
  "in-flight": {
    value: "COUNT",
    help: "operations in flight, where there is no --rate",
    otherwise: "64",
    allowed: "a whole number from 1 to 100000",
    parse: wholeNumber(1, 100_000),
  },
  rate: {
    value: "PER-SECOND",
    help: "begin so many a second, or 50% of what the warm-up reached, whatever the answers do; latencies count from when each was due",
    allowed: "a whole number from 1 to 1000000, or of percent from 1% to 100%",
    parse: parseRate,
  },
  seconds: {
    value: "S",
    help: "how long it is measured; of a comparison, each side of each",
    otherwise: "10",
    allowed: "a whole number from 1 to 86400",
    parse: wholeNumber(1, 86_400),
  },
  "warm-up": {
    value: "S",
    help: "how long the same load runs before, as fast as it goes",
    otherwise: "5; 10 for each side of each comparison",
    allowed: "a whole number from 0 to 3600",
    parse: wholeNumber(0, 3600),
  },
  picture: { value: "FILE", help: "draw latencies into an SVG file", allowed: "a file", parse: matching(/./) },
  pids: {
    value: "PID,...",
    help: "more processes of this machine whose CPU time counts",
    allowed: "process ids, separated by commas",
    parse: parsePids,
  },
  profile: {
    value: "DIR",
    help: "have each process that is started leave a CPU profile",
    allowed: "a directory",
    parse: matching(/./),
  },
};
