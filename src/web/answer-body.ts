/** The bodies that answers come with: siblings as JSON, problems as RFC 9457 has them. Trusted no more than any input. */

import { CartwheelError, codesOfNodes, type ErrorCode, type ErrorFields } from "../client/cartwheel-error.ts";
import type { StoredVersion } from "../client/transport.ts";

const decoder = new TextDecoder();

/** The versions of a `300`. Throws `CartwheelError`, `internal`, where the body is none. */
export function siblingsOf(body: Uint8Array, what: string): readonly StoredVersion[] {
  const parsed = parse(body);
  const siblings = fieldOf(parsed, "siblings");
  if (!Array.isArray(siblings)) throw unreadable(what);
  return siblings.map((sibling: unknown) => {
    const value = fieldOf(sibling, "value");
    const contentType = fieldOf(sibling, "contentType");
    if (typeof value !== "string" || typeof contentType !== "string") throw unreadable(what);
    const modified = Date.parse(String(fieldOf(sibling, "modified")));
    return { value: fromBase64(value, what), contentType, modified: Number.isNaN(modified) ? undefined : modified };
  });
}

/** What a node says went wrong. */
export function problemOf(status: number, body: Uint8Array, what: string): ErrorFields {
  const problem = parse(body);
  const type = fieldOf(problem, "type");
  const detail = fieldOf(problem, "detail");
  return {
    code: typeof type === "string" ? (codes.get(type) ?? "internal") : "internal",
    message: `${what}: ${typeof detail === "string" ? detail : `the node answered ${status}`}`,
    needed: numberOf(problem, "needed"),
    received: numberOf(problem, "received"),
    isUnknown: fieldOf(problem, "outcome") === "unknown",
  };
}

const codes: ReadonlyMap<string, ErrorCode> = new Map(codesOfNodes.map((code) => [code, code]));

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body));
  } catch {
    return undefined;
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function numberOf(value: unknown, name: string): number | undefined {
  const field = fieldOf(value, name);
  return typeof field === "number" ? field : undefined;
}

function fromBase64(text: string, what: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw unreadable(what);
  }
}

function unreadable(what: string): CartwheelError {
  return new CartwheelError({ code: "internal", message: `${what}: the node's answer cannot be read` });
}
