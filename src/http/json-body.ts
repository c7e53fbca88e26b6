/** A JSON object as a request's body. */

import { Rejection } from "./problem.ts";
import { printable } from "./raw-path.ts";
import type { HttpRequest } from "./route.ts";

/** Its members; `properties` are those it may have, for the refusal. Throws a `Rejection`. */
export function readJsonObject({ headers, body }: HttpRequest, properties: readonly string[]): Record<string, unknown> {
  const contentType = headers["content-type"];
  if (contentType !== undefined && !/^application\/(json|[^;]+\+json)\s*(;|$)/i.test(contentType)) {
    const detail = `Content-Type is "${printable(contentType)}", and must be application/json`;
    throw new Rejection("unsupported-media-type", detail);
  }
  let read: unknown;
  try {
    read = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Rejection("bad-request", "the body is not JSON");
  }
  if (typeof read === "object" && read !== null && !Array.isArray(read)) return read as Record<string, unknown>;
  throw new Rejection("bad-request", `the body must be a JSON object with any of ${properties.join(", ")}`);
}
