/**
 * The query of a data call: how many answers it waits for, and how long. What is not known is refused, since a
 * misspelt `pw` that is ignored is a promise not kept.
 */

import type { Quorum } from "../core/settings.ts";
import { Rejection } from "./problem.ts";
import { percentDecode, printable } from "./raw-path.ts";

/** The parameters that are numbers of answers or copies. */
export type QuorumName = "r" | "w" | "pr" | "pw" | "dw";

/** The least each may be: `r` and `w` wait for at least one answer. */
const leastQuorum: { readonly [Name in QuorumName]: number } = { r: 1, w: 1, pr: 0, pw: 0, dw: 0 };

export type QuorumQuery = { readonly [Name in QuorumName]?: Quorum } & {
  readonly zones?: number;
  readonly timeoutMs?: number;
};

/** The words for a number of answers. */
export const quorumWords: readonly ["one", "quorum", "all"] = ["one", "quorum", "all"];

/** Queries that are remembered: clients have few, and say the same with every request. */
const mostRemembered = 100;
const longestRemembered = 64;

/** Reads queries that may have these parameters, `zones` and `timeout`. What it gives throws a `Rejection`. */
export function quorumQueries(names: readonly QuorumName[], longestTimeoutMs: number): (query: string) => QuorumQuery {
  const remembered = new Map<string, QuorumQuery>();
  return (query) => {
    const known = remembered.get(query);
    if (known !== undefined) return known;
    const read = readQuorumQuery(query, names, longestTimeoutMs);
    if (remembered.size >= mostRemembered) remembered.clear();
    if (query.length <= longestRemembered) remembered.set(query, read);
    return read;
  };
}

function readQuorumQuery(query: string, names: readonly QuorumName[], longestTimeoutMs: number): QuorumQuery {
  const read: { -readonly [Name in keyof QuorumQuery]: QuorumQuery[Name] } = {};
  for (const [name, value] of queryParameters(query, [...names, "zones", "timeout"])) {
    if (name === "zones") read.zones = zones(value);
    else if (name === "timeout") read.timeoutMs = timeout(value, longestTimeoutMs);
    else read[name as QuorumName] = quorum(name as QuorumName, value);
  }
  return read;
}

/** Reads a query that may have this switch, `true` or `false`, and nothing else. Throws a `Rejection`. */
export function readSwitch(query: string, name: string): boolean {
  const value = queryParameters(query, [name]).get(name);
  if (value === undefined || value === "true" || value === "false") return value === "true";
  throw new Rejection("bad-request", `${name} is "${printable(value)}", and must be true or false`);
}

/** Refuses any query at all. */
export function refuseQuery(query: string): void {
  queryParameters(query, []);
}

/** The query's parameters by name, each of them one of `allowed` and given once. Throws a `Rejection`. */
export function queryParameters(query: string, allowed: readonly string[]): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = percentDecode("a query parameter's name", equals < 0 ? pair : pair.slice(0, equals));
    if (!allowed.includes(name)) {
      const known = allowed.length === 0 ? "this call takes none" : `known here: ${allowed.join(", ")}`;
      throw new Rejection("bad-request", `unknown query parameter "${printable(name)}": ${known}`);
    }
    if (parameters.has(name)) throw new Rejection("bad-request", `query parameter "${name}" is given twice`);
    parameters.set(name, equals < 0 ? "" : percentDecode(name, pair.slice(equals + 1)));
  }
  return parameters;
}

function quorum(name: QuorumName, text: string): Quorum {
  const value = parseQuorum(name, /^\d{1,6}$/.test(text) ? Number(text) : text);
  if (value === undefined) throw new Rejection("bad-request", `${name} is "${printable(text)}", ${quorumRule(name)}`);
  return value;
}

/** The value as a quorum, or undefined if it is none. That it is at most n is the node's to check. */
export function parseQuorum(name: QuorumName, value: unknown): Quorum | undefined {
  if (typeof value === "number") return Number.isInteger(value) && value >= leastQuorum[name] ? value : undefined;
  return quorumWords.find((word) => word === value);
}

/** What is allowed, for a refusal. */
export function quorumRule(name: QuorumName): string {
  return `and must be a whole number from ${leastQuorum[name]} to n, or one of ${quorumWords.join(", ")}`;
}

/** That there are so many is the node's to check. */
function zones(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count >= 1) return count;
  throw new Rejection("bad-request", `zones is "${printable(text)}", and must be a whole number from 1 to n`);
}

function timeout(text: string, longestMs: number): number {
  const ms = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (ms >= 1 && ms <= longestMs) return ms;
  throw new Rejection("bad-request", `timeout is "${printable(text)}", and must be 1 to ${longestMs} milliseconds`);
}
