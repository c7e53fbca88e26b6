/**
 * The interface's description in OpenAPI 3.1, put together from the routes themselves, so that neither can have what
 * the other lacks. A test holds every answer it sees against it.
 */

import { bucketNameBytes, keyBytes, nameCharacters } from "../core/limits.ts";
import { type SchemaName, schemas } from "./openapi-schemas.ts";
import { quorumWords } from "./quorum-query.ts";
import type { Route } from "./route.ts";

/** JSON Schema 2020-12, or a part of an OpenAPI document. */
export type Schema = Readonly<Record<string, unknown>>;

export interface Response {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Schema>>;
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

/** What one route says of itself. */
export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Schema[];
  readonly requestBody?: Schema;
  readonly responses: Readonly<Record<string, Response>>;
}

const quorumSchema = (least: number): Schema => ({
  oneOf: [{ type: "integer", minimum: least }, { enum: quorumWords }],
});

const pathParameter = (name: string, most: number): Schema => ({
  name,
  in: "path",
  required: true,
  description: `Percent-encoded UTF-8, 1 to ${most} bytes.`,
  schema: { type: "string", minLength: 1 },
});

const quorumParameter = (name: string, least: number, description: string): Schema => ({
  name,
  in: "query",
  description,
  schema: quorumSchema(least),
});

type ParameterName =
  | "bucket"
  | "member"
  | "key"
  | "r"
  | "pr"
  | "w"
  | "pw"
  | "dw"
  | "zones"
  | "timeout"
  | "context"
  | "ifNoneMatch"
  | "force";

/** The parameters that calls share. */
export const parameters: { readonly [Name in ParameterName]: Schema } = {
  bucket: pathParameter("bucket", bucketNameBytes),
  member: pathParameter("name", nameCharacters),
  key: pathParameter("key", keyBytes),
  r: quorumParameter("r", 1, "Answers the read waits for, owners' and fallbacks' alike."),
  pr: quorumParameter("pr", 0, "How many of them must be owners'."),
  w: quorumParameter("w", 1, "Answers the write waits for, owners' and fallbacks' alike."),
  pw: quorumParameter("pw", 0, "How many of them must be owners'."),
  dw: quorumParameter("dw", 0, "Copies that must be on disk."),
  zones: {
    name: "zones",
    in: "query",
    description: "In how many zones those who answer must be; at most n, and at most as many as there are.",
    schema: { type: "integer", minimum: 1, default: 1 },
  },
  timeout: {
    name: "timeout",
    in: "query",
    description: "How long the request may take, in ms.",
    schema: { type: "integer", minimum: 1, default: 2000 },
  },
  force: {
    name: "force",
    in: "query",
    description: "Go on without what cannot be had. The answer says what may be lost.",
    schema: { type: "boolean", default: false },
  },
  context: {
    name: "Cartwheel-Context",
    in: "header",
    description:
      "The context of the read on which this write builds. One that does not parse, or is of another key, is refused.",
    schema: { type: "string" },
  },
  ifNoneMatch: {
    name: "If-None-Match",
    in: "header",
    description: "Only `*`: write only if a quorum read finds no live version.",
    schema: { const: "*" },
  },
};

type HeaderName = "context" | "contextWhereKnown" | "siblings" | "lastModified" | "retryAfter";

const headers: { readonly [Name in HeaderName]: readonly [string, Schema] } = {
  context: [
    "Cartwheel-Context",
    { required: true, description: "What this answer has seen.", schema: { type: "string" } },
  ],
  contextWhereKnown: ["Cartwheel-Context", { description: "Where deletes are known.", schema: { type: "string" } }],
  siblings: [
    "Cartwheel-Siblings",
    { required: true, description: "Live versions found.", schema: { type: "integer", minimum: 0 } },
  ],
  lastModified: ["Last-Modified", { required: true, schema: { type: "string" } }],
  retryAfter: ["Retry-After", { description: "Seconds.", schema: { type: "integer" } }],
};

/** The named header fields, for an answer's description. */
export function headersOf(...names: readonly HeaderName[]): Record<string, Schema> {
  return Object.fromEntries(names.map((name) => headers[name]));
}

/** An answer that tells of a problem. */
export function problemResponse(description: string): Response {
  return {
    description,
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
}

/** An answer in JSON of the named schema. */
export function jsonResponse(description: string, schema: SchemaName): Response {
  return { description, content: { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } } };
}

/** What a call that asks other nodes may answer besides. */
export const readResponses: Readonly<Record<string, Response>> = {
  "503": {
    ...problemResponse("Too few replicas answered, or the node does not serve now."),
    headers: headersOf("retryAfter"),
  },
  "504": problemResponse("The time of the request is over."),
};

/** What a call that changes something may answer besides. */
export const writeResponses: Readonly<Record<string, Response>> = {
  ...readResponses,
  "507": problemResponse("The disk is full."),
};

/** What any call may answer. */
const everywhere: Readonly<Record<string, Response>> = {
  "400": problemResponse("The request is not understood; the detail names the value and what is allowed."),
  "403": problemResponse("A page of another origin sent this (Origin and Host are checked)."),
  "500": problemResponse("The node failed; its log says how."),
  "503": { ...problemResponse("The node does not serve now."), headers: headersOf("retryAfter") },
};

/** The whole document. */
export function openApiDocument(routes: readonly Route[], software: string): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const route of routes) {
    const operation = { ...route.operation, responses: { ...everywhere, ...route.operation.responses } };
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operation;
    if (route.method === "GET") path["head"] = headOperation(operation);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Cartwheel",
      version: software,
      description:
        "A leaderless, always-writable, replicated key-value store. A path that is not listed answers 404 " +
        "`no-such-route`, a method that is not listed 405 with `Allow`, an address that is too long 414, a message " +
        "that is not HTTP/1.1 as it should be 400, 408, 417 or 431.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: { schemas },
  };
}

function headOperation(operation: Operation): Schema {
  const bodiless = Object.entries(operation.responses).map(([status, { content: _, ...rest }]) => [status, rest]);
  return {
    ...operation,
    operationId: `${operation.operationId}Head`,
    summary: `${operation.summary}, without a body`,
    responses: Object.fromEntries(bodiless),
  };
}
