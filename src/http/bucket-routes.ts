/** Properties of buckets. They are part of the membership history, since they decide where copies live. */

import { mostCopies } from "../core/limits.ts";
import type { BucketChange } from "../core/settings.ts";
import type { BucketView } from "../node/api.ts";
import { readJsonObject } from "./json-body.ts";
import { jsonResponse, type Operation, parameters, problemResponse, writeResponses } from "./openapi.ts";
import { failureAnswer, Rejection } from "./problem.ts";
import { parseQuorum, type QuorumName, quorumRule, refuseQuery } from "./quorum-query.ts";
import { printable } from "./raw-path.ts";
import { type HttpRequest, jsonAnswer, type Route } from "./route.ts";

const changeBytes = 16 * 1024;
const choices = { durability: ["synced", "buffered"], reconcile: ["siblings", "last-write-wins"] } as const;
const quorums: readonly string[] = ["r", "w", "pr", "pw", "dw"] satisfies readonly QuorumName[];
const properties: readonly string[] = ["n", ...quorums, ...Object.keys(choices)];

/** The routes of `/buckets`. */
export function bucketRoutes(): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/buckets",
      operation: listOperation,
      handle(request, node) {
        refuseQuery(request.query);
        return jsonAnswer({ buckets: node.buckets().map(shown) });
      },
    },
    {
      method: "GET",
      path: "/buckets/{bucket}",
      operation: getOperation,
      handle(request, node) {
        refuseQuery(request.query);
        return jsonAnswer(shown(node.bucket(request.params["bucket"] ?? "")));
      },
    },
    {
      method: "PUT",
      path: "/buckets/{bucket}",
      operation: setOperation,
      bodyBytes: changeBytes,
      async handle(request, node) {
        refuseQuery(request.query);
        const outcome = await node.setBucket(request.params["bucket"] ?? "", parseChange(request));
        return outcome.kind === "failure" ? failureAnswer(outcome) : jsonAnswer(shown(outcome.bucket));
      },
    },
  ];
}

/** With `dw` as it is in force, where the bucket leaves it to its durability. */
function shown(view: BucketView): unknown {
  const { bucket, n, r, w, pr, pw, durability, reconcile, filling } = view;
  const dw = view.dw ?? (durability === "synced" ? w : 0);
  return { bucket, n, r, w, pr, pw, dw, durability, reconcile, ...(filling && { filling }) };
}

function parseChange(request: HttpRequest): BucketChange {
  const change: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(readJsonObject(request, properties))) {
    change[name] = parseProperty(name, value);
  }
  return change as BucketChange; // Each member was checked against its name.
}

function parseProperty(name: string, value: unknown): unknown {
  const shownValue = printable(JSON.stringify(value));
  if (name === "n") {
    if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= mostCopies) return value;
    throw new Rejection("bad-request", `n is ${shownValue}, and must be a whole number from 1 to ${mostCopies}`);
  }
  if (quorums.includes(name)) {
    const quorum = parseQuorum(name as QuorumName, value);
    if (quorum !== undefined) return quorum;
    throw new Rejection("bad-request", `${name} is ${shownValue}, ${quorumRule(name as QuorumName)}`);
  }
  if (name === "durability" || name === "reconcile") {
    const allowed: readonly unknown[] = choices[name];
    if (allowed.includes(value)) return value;
    throw new Rejection("bad-request", `${name} is ${shownValue}, and must be one of ${allowed.join(", ")}`);
  }
  const known = properties.join(", ");
  throw new Rejection("bad-request", `unknown property "${printable(name)}" of a bucket; known are ${known}`);
}

const listOperation: Operation = {
  operationId: "buckets",
  summary: "Every bucket that has properties of its own",
  tags: ["buckets"],
  responses: { "200": jsonResponse("The buckets.", "Buckets") },
};

const getOperation: Operation = {
  operationId: "bucket",
  summary: "A bucket's properties, its own or the cluster's",
  tags: ["buckets"],
  parameters: [parameters.bucket],
  responses: { "200": jsonResponse("The properties.", "Bucket") },
};

const setOperation: Operation = {
  operationId: "setBucket",
  summary: "Changes the properties it names, and no others",
  description: "`n` can change only while the bucket holds no data.",
  tags: ["buckets"],
  parameters: [parameters.bucket],
  requestBody: {
    required: true,
    content: { "application/json": { schema: { $ref: "#/components/schemas/BucketChange" } } },
  },
  responses: {
    "200": jsonResponse("The properties as they now are.", "Bucket"),
    "409": problemResponse("The cluster's state does not allow the change."),
    "413": problemResponse("The body is too large."),
    "415": problemResponse("The body is not JSON."),
    ...writeResponses,
  },
};
