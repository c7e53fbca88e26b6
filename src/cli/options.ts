/**
 * Every option of the command line, once: its flag, its environment variable, its key in the config file, its help,
 * and what it may be.
 *
 * An option is text wherever it comes from, and is parsed in one place, so that `--w 0`, `CARTWHEEL_W=0` and
 * `{"w": 0}` are refused in the same words. The command line beats the environment, which beats the file.
 */

import { defaultLimits, mostCapacity, mostPartitions } from "../core/limits.ts";
import type { Quorum } from "../core/settings.ts";
import type { LogLevel } from "../host/log.ts";
import { isAddress, parseAddressList } from "./address.ts";
import { type BenchRate, type BenchTarget, benchOptions, type WorkloadName } from "./bench-options.ts";
import { matching, type OptionOf, oneOf, wholeNumber } from "./option-shapes.ts";
import { UsageError } from "./usage-error.ts";

/** Every option with the type of its value. */
export interface OptionValues {
  readonly name: string;
  readonly data: string;
  readonly listen: string;
  readonly http: string;
  readonly advertise: string;
  readonly join: readonly string[];
  readonly zone: string;
  readonly capacity: number;
  readonly storage: "lmdb" | "log" | "memory";
  readonly config: string;
  readonly partitions: number;
  readonly n: number;
  readonly r: Quorum;
  readonly w: Quorum;
  readonly log: LogLevel;
  readonly insecure: boolean;
  readonly workers: number;
  readonly nodes: number;
  readonly zones: number;
  readonly context: string;
  readonly file: string;
  readonly url: string;
  readonly json: boolean;
  readonly force: boolean;
  readonly yes: boolean;
  readonly "no-wait": boolean;
  readonly watch: boolean;
  readonly each: boolean;
  readonly "transfer-rate": number;
  readonly workload: WorkloadName;
  readonly target: BenchTarget;
  readonly compare: "bare";
  readonly durability: "synced" | "buffered";
  readonly keys: number;
  readonly size: number;
  readonly seed: number;
  readonly "in-flight": number;
  readonly rate: BenchRate;
  readonly seconds: number;
  readonly "warm-up": number;
  readonly picture: string;
  readonly pids: readonly number[];
  readonly profile: string;
}

export type OptionName = keyof OptionValues;

/** Bytes in what `transfer-rate` counts. */
export const mib: number = 1024 * 1024;

const switchWords: Readonly<Record<string, boolean>> = { true: true, "1": true, false: false, "0": false };

// Here and not from `host/log.ts`, which would load a logger before every command.
const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];
const storages = ["lmdb", "log", "memory"] as const;
const quorumAllowed = "a whole number from 1, or one of one, quorum, all";

function parseQuorum(text: string): Quorum | undefined {
  return oneOf(["one", "quorum", "all"] as const)(text) ?? wholeNumber(1, 1000)(text);
}

function parsePartitions(text: string): number | undefined {
  const value = wholeNumber(1, mostPartitions)(text);
  return value !== undefined && Number.isInteger(Math.log2(value)) ? value : undefined;
}

function parseUrl(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Anything behind the origin would be left out in silence.
  return url?.protocol === "http:" && url.href === `${url.origin}/` ? url.origin : undefined;
}

const address = "HOST:PORT, an IPv6 host in square brackets";

/** The table. */
export const options: { readonly [Name in OptionName]: OptionOf<OptionValues[Name]> } = {
  name: {
    value: "NAME",
    help: "the node's name, for people",
    allowed: "1 to 64 letters, digits, dots, dashes or underscores, a letter or digit first",
    parse: matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
  },
  data: { value: "DIR", help: "where the data lives", allowed: "a directory", parse: matching(/./) },
  listen: {
    value: "HOST:PORT",
    help: "peers and native clients",
    otherwise: "127.0.0.1:7400",
    allowed: address,
    parse: (text) => (isAddress(text) ? text : undefined),
  },
  http: {
    value: "HOST:PORT",
    help: "HTTP interface",
    otherwise: "127.0.0.1:7480",
    allowed: address,
    parse: (text) => (isAddress(text) ? text : undefined),
  },
  advertise: {
    value: "HOST:PORT",
    help: "where others reach --listen, if it differs",
    allowed: address,
    parse: (text) => (isAddress(text) ? text : undefined),
  },
  join: {
    value: "HOST:PORT,...",
    help: "first start only: ask any of these to add this node; retried until one answers",
    allowed: `one or more of ${address}, separated by commas`,
    parse: parseAddressList,
  },
  zone: {
    value: "ZONE",
    help: "where copies of one key should not be together",
    allowed: "up to 64 letters, digits, dots, dashes or underscores",
    parse: matching(/^[A-Za-z0-9._-]{0,64}$/),
  },
  capacity: {
    value: "WEIGHT",
    help: "this node's share, relative to the others'",
    otherwise: "1",
    allowed: `a whole number from 1 to ${mostCapacity}`,
    parse: wholeNumber(1, mostCapacity),
  },
  "transfer-rate": {
    value: "MIB",
    help: "the most MiB a second that this node copies for seats it is to take; requests go first anyhow",
    otherwise: String(defaultLimits.transferBytesPerSecond / mib),
    allowed: "a whole number from 1 to 10000",
    parse: wholeNumber(1, 10_000),
  },
  storage: {
    value: "ENGINE",
    help: "log: all keys in memory; lmdb: for more keys than that; memory: may forget all",
    otherwise: "log",
    allowed: `one of ${storages.join(", ")} in this version`,
    parse: oneOf(storages),
  },
  config: { value: "FILE", help: "a JSON file with any of these options", allowed: "a file", parse: matching(/./) },
  partitions: {
    value: "Q",
    help: "partitions of the ring; fixed by the first node",
    otherwise: "256",
    allowed: `a power of two from 1 to ${mostPartitions}`,
    parse: parsePartitions,
  },
  n: {
    value: "N",
    help: "copies of each key; fixed by the first node",
    otherwise: "3",
    allowed: "a whole number from 1 to 16",
    parse: wholeNumber(1, 16),
  },
  r: { value: "R", help: "answers a read waits for", otherwise: "2", allowed: quorumAllowed, parse: parseQuorum },
  w: { value: "W", help: "answers a write waits for", otherwise: "2", allowed: quorumAllowed, parse: parseQuorum },
  log: {
    value: "LEVEL",
    help: "least level that is logged",
    otherwise: "info",
    allowed: `one of ${logLevels.join(", ")}`,
    parse: oneOf(logLevels),
  },
  workers: {
    value: "COUNT",
    help: "so many nodes, each with a core, at consecutive ports; together they are one zone unless --zone is given",
    otherwise: "1",
    allowed: "a whole number from 1 to 64",
    parse: wholeNumber(1, 64),
  },
  insecure: {
    help: "listen beyond loopback, although anybody who reaches it may do anything",
    allowed: "true or false",
    parse: (text) => switchWords[text],
  },
  nodes: {
    value: "COUNT",
    help: "processes to start",
    otherwise: "6",
    allowed: "a whole number from 1 to 32",
    parse: wholeNumber(1, 32),
  },
  zones: {
    value: "COUNT",
    help: "how many zones answers must come from",
    otherwise: "any",
    allowed: "a whole number from 1 to 32",
    parse: wholeNumber(1, 32),
  },
  context: {
    value: "CONTEXT",
    help: "the context of the read this write builds on; without it, the command reads first",
    allowed: "what a read gave",
    parse: (text) => text,
  },
  file: { value: "FILE", help: "take the value from a file", allowed: "a file", parse: matching(/./) },
  url: {
    value: "URL",
    help: "any node's HTTP interface",
    otherwise: "http://127.0.0.1:7480",
    allowed: "http://HOST:PORT",
    parse: parseUrl,
  },
  force: {
    help: "go on without what cannot be had; says what may be lost",
    allowed: "true or false",
    parse: (text) => switchWords[text],
  },
  yes: { help: "do it without asking", allowed: "true or false", parse: (text) => switchWords[text] },
  "no-wait": {
    help: "return once it is written down, and not only once it is done",
    allowed: "true or false",
    parse: (text) => switchWords[text],
  },
  watch: {
    help: "say it again every two seconds, until there is nothing more to say",
    allowed: "true or false",
    parse: (text) => switchWords[text],
  },
  each: { help: "a line for each seat", allowed: "true or false", parse: (text) => switchWords[text] },
  ...benchOptions,
  json: { help: "JSON instead of text for people", allowed: "true or false", parse: (text) => switchWords[text] },
};

/** Where options came from, as text, the strongest first. */
export interface OptionSource {
  /** How an error names one: `--w`, `CARTWHEEL_W`, `w in cartwheel.json`. */
  label(name: OptionName): string;
  text(name: OptionName): string | undefined;
}

/** The values of the named options that some source has. Throws a `UsageError`. */
export function readOptions(names: readonly OptionName[], sources: readonly OptionSource[]): Partial<OptionValues> {
  const values: Partial<Record<OptionName, unknown>> = {};
  for (const name of names) {
    for (const source of sources) {
      const text = source.text(name);
      if (text === undefined) continue;
      const { allowed, parse } = options[name];
      values[name] = parse(text);
      if (values[name] === undefined) {
        throw new UsageError(`${source.label(name)} is "${text.slice(0, 100)}", and must be ${allowed}`);
      }
      break;
    }
  }
  return values as Partial<OptionValues>; // Each was parsed by its own entry.
}
