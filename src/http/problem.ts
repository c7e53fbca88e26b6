/**
 * What goes wrong, as RFC 9457 has it: one `application/problem+json` body with a stable `type`, a `detail` that
 * names the value and what is allowed, and the status that RFC 9110 gives the case.
 *
 * `type` is the short name itself, which is a relative reference; scripts compare it and nothing else. A status below
 * 500 says that the request cannot succeed as it is, one from 500 on that the same request may succeed later.
 */

import type { Failure, FailureCode } from "../node/api.ts";
import type { HttpAnswer } from "./route.ts";

/** The stable name of a kind of problem. */
export type ProblemType =
  | "bad-request"
  | "bad-context"
  | "forbidden"
  | "not-found"
  | "no-such-route"
  | "no-such-member"
  | "method-not-allowed"
  | "request-timeout"
  | "too-many-siblings"
  | "conflicting-change"
  | "precondition-failed"
  | "value-too-large"
  | "uri-too-long"
  | "unsupported-media-type"
  | "expectation-failed"
  | "headers-too-large"
  | "internal"
  | "storage-failed"
  | "quorum-not-met"
  | "not-ready"
  | "overloaded"
  | "timeout"
  | "disk-full";

const problems: { readonly [Type in ProblemType]: readonly [status: number, title: string] } = {
  "bad-request": [400, "The request is not understood"],
  "bad-context": [400, "The context is not one of this key"],
  forbidden: [403, "A page of another origin may not do this"],
  "not-found": [404, "There is no live version of this key"],
  "no-such-route": [404, "There is nothing at this path"],
  "no-such-member": [404, "There is no member of this name"],
  "method-not-allowed": [405, "This path does not know the method"],
  "request-timeout": [408, "The request took too long to arrive"],
  "too-many-siblings": [409, "The key has too many concurrent versions"],
  "conflicting-change": [409, "The cluster's state does not allow the change"],
  "precondition-failed": [412, "The key has a live version"],
  "value-too-large": [413, "The body is too large"],
  "uri-too-long": [414, "The address is too long"],
  "unsupported-media-type": [415, "The body is of the wrong type"],
  "expectation-failed": [417, "The request expects what this node does not know"],
  "headers-too-large": [431, "The header fields are too large"],
  internal: [500, "The node failed"],
  "storage-failed": [500, "The node's storage failed"],
  "quorum-not-met": [503, "Too few replicas answered"],
  "not-ready": [503, "The node does not serve requests now"],
  overloaded: [503, "The node has too much to do"],
  timeout: [504, "The time of the request is over"],
  "disk-full": [507, "The disk is full"],
};

// Every failure a node can answer with has an entry of its own.
const failureTypes: { readonly [Code in FailureCode]: ProblemType } = {
  "bad-request": "bad-request",
  "bad-context": "bad-context",
  "value-too-large": "value-too-large",
  "too-many-siblings": "too-many-siblings",
  "precondition-failed": "precondition-failed",
  "quorum-not-met": "quorum-not-met",
  timeout: "timeout",
  overloaded: "overloaded",
  "disk-full": "disk-full",
  "storage-failed": "storage-failed",
  "not-ready": "not-ready",
  "conflicting-change": "conflicting-change",
  internal: "internal",
};

/** Seconds after which to ask again, where nothing was done and waiting may help. */
const retryAfterSeconds = "1";

/** Members of the body beyond those of every problem. */
export interface ProblemExtras {
  readonly needed?: number;
  readonly received?: number;
  readonly outcome?: "unknown";
}

/** Every problem type with its status, for the interface's description. */
export function problemTypes(): readonly { readonly type: ProblemType; readonly status: number }[] {
  return Object.entries(problems).map(([type, [status]]) => ({ type: type as ProblemType, status }));
}

/** The status that goes with a type of problem. */
export function problemStatus(type: ProblemType): number {
  return problems[type][0];
}

/** Thrown at this edge alone, by whatever parses what a client sent; the server answers it as it is. */
export class Rejection extends Error {
  override readonly name = "Rejection";
  readonly code: ProblemType;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemType, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.code = code;
    this.headers = headers;
  }
}

/** The answer that tells of a problem. */
export function problemAnswer(
  type: ProblemType,
  detail: string,
  more: { readonly extras?: ProblemExtras; readonly headers?: Readonly<Record<string, string>> } = {},
): HttpAnswer {
  const [status, title] = problems[type];
  // A write that may have happened is not to be sent again by a client that obeys Retry-After on its own.
  const mayRetry = status === 503 && more.extras?.outcome === undefined;
  return {
    status,
    headers: {
      "content-type": "application/problem+json",
      ...(mayRetry && { "retry-after": retryAfterSeconds }),
      ...more.headers,
    },
    body: JSON.stringify({ type, title, status, detail, ...more.extras }),
  };
}

/** The answer for what a node could not do. */
export function failureAnswer(failure: Failure): HttpAnswer {
  const { needed, received, outcome } = failure;
  const extras: ProblemExtras = {
    ...(needed !== undefined && { needed }),
    ...(received !== undefined && { received }),
    ...(outcome !== undefined && { outcome }),
  };
  return problemAnswer(failureTypes[failure.code], failure.detail, { extras });
}
