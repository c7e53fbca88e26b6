/**
 * Writes an answer to its connection, head and body in one go.
 *
 * Hot path: not by way of fastify's replies, which would look at each answer's type, serialise what is bytes already, and
 * replace a Content-Type that the store must give back as it came. A list of header fields costs Node less than fields
 * that are set one by one.
 */

import type { ServerResponse } from "node:http";
import type { HttpAnswer } from "./route.ts";

/** What every answer says, unless it says otherwise itself. */
const commonHeaders: readonly (readonly [name: string, value: string])[] = [
  ["cache-control", "no-store"],
  ["x-content-type-options", "nosniff"],
  ["cross-origin-resource-policy", "same-origin"],
];

/** Ends the response with this answer; to HEAD without its body. `closes`: the connection is not to be used again. */
export function giveAnswer(response: ServerResponse, { status, headers, body }: HttpAnswer, closes: boolean): void {
  const fields: string[] = [];
  for (const [name, value] of commonHeaders) if (headers?.[name] === undefined) fields.push(name, value);
  if (headers !== undefined) {
    for (const name in headers) fields.push(name, headers[name] as string);
  }
  if (closes && headers?.["connection"] === undefined) fields.push("connection", "close");
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  if (bytes !== undefined || status !== 204) fields.push("content-length", String(bytes?.length ?? 0));
  response.writeHead(status, fields);
  response.end(bytes);
}
