/** Answers to what reaches no route: wrong paths, wrong methods, and messages that are not HTTP. */

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { type ProblemType, problemAnswer, problemStatus, Rejection } from "./problem.ts";
import { percentDecode, printable, splitTarget, targetCharacters } from "./raw-path.ts";
import type { HttpAnswer, Route } from "./route.ts";

/** Paths of the interface that this version does not serve yet. */
const later: readonly RegExp[] = [/^\/buckets\/[^/]+\/keys$/];

/** The answer for a path that has no route with this method. */
export function unroutedAnswer(method: string, target: string, routes: readonly Route[]): HttpAnswer {
  const { path } = splitTarget(target);
  const methods = routes.filter((route) => hasShape(path, route.path)).map((route) => route.method);
  if (methods.length > 0) {
    const allow = (methods.includes("GET") ? ["HEAD", ...methods] : methods).join(", ");
    return problemAnswer("method-not-allowed", `${printable(path)} knows ${allow}, and not ${method}`, {
      headers: { allow },
    });
  }
  return problemAnswer("no-such-route", `nothing at ${printable(path)}${hint(path)}`);
}

function hint(path: string): string {
  if (later.some((shape) => shape.test(path))) return ": this version does not have it";
  if (path.startsWith("/kv")) return ": a key is at /kv/{bucket}/{key}, with each / of the two written as %2F";
  return ": /openapi.json lists what there is";
}

function hasShape(path: string, template: string): boolean {
  const segments = path.split("/");
  const parts = template.split("/");
  return segments.length === parts.length && parts.every((part, i) => part.startsWith("{") || part === segments[i]);
}

/** The answer for a path that the router could not take apart. */
export function badTargetAnswer(target: string): HttpAnswer {
  if (target.length > targetCharacters) return tooLongAnswer(target);
  try {
    for (const segment of splitTarget(target).path.split("/")) percentDecode("path", segment);
  } catch (error) {
    if (error instanceof Rejection) return problemAnswer(error.code, error.message);
    throw error;
  }
  return problemAnswer("bad-request", `the path ${printable(target)} is not understood`);
}

/** The answer for an address beyond the limit. */
export function tooLongAnswer(target: string): HttpAnswer {
  const detail = `the address is ${target.length} characters long, and may have ${targetCharacters}`;
  return problemAnswer("uri-too-long", detail);
}

const malformed: Readonly<Record<string, readonly [ProblemType, string]>> = {
  HPE_HEADER_OVERFLOW: ["headers-too-large", "the header fields are more than this node takes"],
  ERR_HTTP_REQUEST_TIMEOUT: ["request-timeout", "the request did not arrive in time"],
};

/** Answers a request that expects anything but 100-continue, which Node would do in no format of ours. */
export function answerExpectation(request: IncomingMessage, response: ServerResponse): void {
  const detail = `Expect is "${printable(request.headers.expect ?? "")}", and may only be 100-continue`;
  const { status, headers, body } = problemAnswer("expectation-failed", detail, { headers: { connection: "close" } });
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(String(body)) }).end(body);
}

/** Answers bytes that are no HTTP request, and closes their connection. */
export function answerMalformed(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  if (socket.writable) {
    const [type, detail] = malformed[error.code ?? ""] ?? (["bad-request", "the request is not HTTP/1.1"] as const);
    const answer = problemAnswer(type, detail);
    const body = String(answer.body);
    const status = problemStatus(type);
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      ...Object.entries(answer.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
      `content-length: ${Buffer.byteLength(body)}`,
      "connection: close",
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  }
  socket.destroySoon();
}
