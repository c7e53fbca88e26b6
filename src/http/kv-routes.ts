/**
 * Reading and writing keys over HTTP (§4.2: get and put are the whole interface).
 *
 * The context travels in the `Cartwheel-Context` header, both ways, as the opaque text it is. Every answer that knows
 * the key carries it; a write without it is concurrent with everything. Nothing here decides anything about versions:
 * this file says in HTTP what `node/api.ts` says in TypeScript.
 */

import { contentTypeBytes, type Limits } from "../core/limits.ts";
import type { GetFound, WriteOutcome } from "../node/api.ts";
import { headersOf, type Operation, parameters, problemResponse, readResponses, writeResponses } from "./openapi.ts";
import { failureAnswer, problemAnswer, Rejection } from "./problem.ts";
import { quorumQueries } from "./quorum-query.ts";
import { printable } from "./raw-path.ts";
import type { HttpAnswer, HttpRequest, Route } from "./route.ts";
import { httpDate, siblingsAnswer } from "./siblings-body.ts";

const path = "/kv/{bucket}/{key}";
const contextHeader = "cartwheel-context";
const siblingsHeader = "cartwheel-siblings";

/**
 * A stored page must not act for this origin, so whatever is stored is served as if in a sandbox; and what was read a
 * moment ago says nothing of what a quorum says now, so nobody may keep it.
 */
const sandboxed = "sandbox; default-src 'none'";

/** The routes of `/kv`. */
export function kvRoutes(limits: Limits): readonly Route[] {
  const readQuery = quorumQueries(["r", "pr"], limits.longestTimeoutMs);
  const writeQuery = quorumQueries(["w", "pw", "dw"], limits.longestTimeoutMs);

  return [
    {
      method: "GET",
      path,
      operation: getOperation,
      async handle(request, node) {
        const { bucket, key } = keyOf(request);
        const { r, pr, zones, timeoutMs } = readQuery(request.query);
        const found = await node.get({ bucket, key, r, pr, zones, timeoutMs });
        return found.kind === "failure" ? failureAnswer(found) : foundAnswer(found, request);
      },
    },
    {
      method: "PUT",
      path,
      operation: putOperation,
      bodyBytes: limits.valueBytes,
      async handle(request, node) {
        refuseConditions(request, ["if-match"]);
        const { bucket, key } = keyOf(request);
        const { w, pw, dw, zones, timeoutMs } = writeQuery(request.query);
        const outcome = await node.put({
          bucket,
          key,
          w,
          pw,
          dw,
          zones,
          timeoutMs,
          context: contextOf(request),
          onlyIfAbsent: isOnlyIfAbsent(request),
          value: request.body,
          contentType: contentTypeOf(request),
        });
        return writeAnswer(outcome);
      },
    },
    {
      method: "DELETE",
      path,
      operation: deleteOperation,
      async handle(request, node) {
        refuseConditions(request, ["if-match", "if-none-match"]);
        const { bucket, key } = keyOf(request);
        const { w, pw, dw, zones, timeoutMs } = writeQuery(request.query);
        const outcome = await node.delete({ bucket, key, w, pw, dw, zones, timeoutMs, context: contextOf(request) });
        return writeAnswer(outcome);
      },
    },
  ];
}

function keyOf(request: HttpRequest): { readonly bucket: string; readonly key: string } {
  return { bucket: request.params["bucket"] ?? "", key: request.params["key"] ?? "" };
}

/** An empty header is a context that does not parse, and the node says so; only its absence makes a blind write. */
function contextOf(request: HttpRequest): string | undefined {
  return request.headers[contextHeader];
}

function contentTypeOf(request: HttpRequest): string {
  const contentType = request.headers["content-type"] ?? "";
  if (contentType === "") return "application/octet-stream";
  if (contentType.length <= contentTypeBytes && /^[\x20-\x7e]*$/.test(contentType)) return contentType;
  throw new Rejection(
    "bad-request",
    `Content-Type is "${printable(contentType)}", and must be at most ${contentTypeBytes} characters of printable ASCII`,
  );
}

function isOnlyIfAbsent(request: HttpRequest): boolean {
  const condition = request.headers["if-none-match"]?.trim();
  if (condition === undefined) return false;
  if (condition === "*") return true;
  throw new Rejection("bad-request", `If-None-Match is "${printable(condition)}", and may only be *`);
}

/** Versions have no entity tags: a condition that cannot be checked must not be passed over. */
function refuseConditions(request: HttpRequest, names: readonly string[]): void {
  for (const name of names) {
    if (request.headers[name] === undefined) continue;
    const detail = `${name} is not known for ${request.method}: send the Cartwheel-Context of what is to be replaced`;
    throw new Rejection("bad-request", detail);
  }
}

function foundAnswer({ context, versions }: GetFound, request: HttpRequest): HttpAnswer {
  const [first] = versions;
  if (first !== undefined && context !== undefined && versions.length === 1) {
    // Hot path: one literal. Put together from parts it would cost fourteen microseconds.
    const headers = {
      "content-security-policy": sandboxed,
      "cartwheel-siblings": "1",
      "cartwheel-context": context,
      "content-type": first.contentType,
      "last-modified": httpDate(first.modified),
    };
    return { status: 200, headers, body: first.value };
  }
  const headers: Record<string, string> = {
    "content-security-policy": sandboxed,
    [siblingsHeader]: String(versions.length),
  };
  if (context !== undefined) headers[contextHeader] = context;
  if (first === undefined) {
    const { bucket, key } = keyOf(request);
    return problemAnswer("not-found", `no live version of "${key}" in bucket "${bucket}"`, { headers });
  }
  const answer = siblingsAnswer(request.headers["accept"], context ?? "", versions);
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

function writeAnswer(outcome: WriteOutcome): HttpAnswer {
  if (outcome.kind === "failure") return failureAnswer(outcome);
  const headers = { "cartwheel-context": outcome.context, "cartwheel-siblings": String(outcome.siblings) };
  return { status: 204, headers };
}

const getOperation: Operation = {
  operationId: "get",
  summary: "Reads a key",
  description: "HEAD answers the same without a body.",
  tags: ["data"],
  parameters: [parameters.bucket, parameters.key, parameters.r, parameters.pr, parameters.zones, parameters.timeout],
  responses: {
    "200": {
      description: "One version: its bytes under its own Content-Type.",
      headers: headersOf("context", "siblings", "lastModified"),
      content: { "*/*": {} },
    },
    "300": {
      description:
        "Concurrent versions. Write back one that resolves them with this context. As multipart/mixed, each part has " +
        "its Content-Type and its time as Cartwheel-Modified.",
      headers: headersOf("context", "siblings"),
      content: {
        "application/json": { schema: { $ref: "#/components/schemas/Siblings" } },
        "multipart/mixed": {},
      },
    },
    "404": {
      ...problemResponse("No live version; with the context, where deletes are known."),
      headers: headersOf("contextWhereKnown", "siblings"),
    },
    ...readResponses,
  },
};

const putOperation: Operation = {
  operationId: "put",
  summary: "Writes the body as a new version that replaces what the context has seen",
  description:
    "Without a context the write is concurrent with everything. With `If-None-Match: *` it is done only if a quorum " +
    "read finds no live version.",
  tags: ["data"],
  parameters: [
    parameters.bucket,
    parameters.key,
    parameters.w,
    parameters.pw,
    parameters.dw,
    parameters.zones,
    parameters.timeout,
    parameters.context,
    parameters.ifNoneMatch,
  ],
  requestBody: { description: "The value: any bytes.", content: { "*/*": {} } },
  responses: {
    "204": {
      description: "Written. The context covers this write and what its own context had seen, nothing else.",
      headers: headersOf("context", "siblings"),
    },
    "409": problemResponse("Too many concurrent versions: read, resolve, and write with the context."),
    "412": problemResponse("There is a live version."),
    "413": problemResponse("The value is too large."),
    ...writeResponses,
  },
};

const deleteOperation: Operation = {
  operationId: "delete",
  summary: "Removes what the context has seen; without a context, what a quorum read finds",
  tags: ["data"],
  parameters: [
    parameters.bucket,
    parameters.key,
    parameters.w,
    parameters.pw,
    parameters.dw,
    parameters.zones,
    parameters.timeout,
    parameters.context,
  ],
  responses: {
    "204": {
      description: "Removed, whether or not there was anything.",
      headers: headersOf("context", "siblings"),
    },
    "409": problemResponse("The key's state is too large: read, resolve, and write with the context."),
    "413": problemResponse("A body came along that is too large; a delete needs none."),
    ...writeResponses,
  },
};
