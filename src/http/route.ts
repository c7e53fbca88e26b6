/**
 * One call of the web interface, in plain terms: a request in, an answer out, and its description for people and
 * tools beside it. `server.ts` binds routes to the HTTP server; they do not know which one it is.
 */

import type { NodeApi } from "../node/api.ts";
import type { Operation } from "./openapi.ts";

export interface HttpRequest {
  readonly method: string;
  /** The path's parameters, percent-decoded, by name. */
  readonly params: Readonly<Record<string, string>>;
  /** What follows the `?`, as it came; empty where nothing does. */
  readonly query: string;
  /** Header fields by lower-case name; a field that came more than once is joined by commas. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface Route {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** With `{name}` for each parameter, as OpenAPI writes it. GET answers HEAD, too. */
  readonly path: string;
  readonly operation: Operation;
  /** Largest body, in bytes; a route without it takes none. */
  readonly bodyBytes?: number;
  /** Whether it answers while the node is not ready, too; then it must not use `node`. */
  readonly isAlwaysServed?: boolean;
  /** May throw a `Rejection`. */
  handle(request: HttpRequest, node: NodeApi): HttpAnswer | Promise<HttpAnswer>;
}

/** An answer in JSON. */
export function jsonAnswer(value: unknown, status = 200): HttpAnswer {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}
