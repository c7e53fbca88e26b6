/** What is for those who run the node rather than use it: whether it is alive and ready, what it counts, what it is. */

import type { NodeApi } from "../node/api.ts";
import type { HttpMetrics } from "./metrics.ts";
import { jsonResponse, type Operation, openApiDocument } from "./openapi.ts";
import { problemAnswer } from "./problem.ts";
import { type HttpAnswer, jsonAnswer, type Route } from "./route.ts";
import { statusPage } from "./status-page.ts";

export interface ServiceOptions {
  /** The node, once there is one. */
  readonly node: () => NodeApi | undefined;
  readonly metrics: HttpMetrics;
  readonly software: string;
  /** Every other route, for the description. */
  readonly others: readonly Route[];
}

/** The routes of the root. Their queries are passed over: probes and scrapers like to add some. */
export function serviceRoutes(options: ServiceOptions): readonly Route[] {
  const { node, metrics, software, others } = options;
  const routes: Route[] = [
    {
      method: "GET",
      path: "/healthz",
      operation: aliveOperation,
      isAlwaysServed: true,
      handle: () => jsonAnswer({ status: "alive" }),
    },
    {
      method: "GET",
      path: "/readyz",
      operation: readyOperation,
      isAlwaysServed: true,
      handle: () => (node()?.isReady ? jsonAnswer({ status: "ready" }) : notReadyAnswer(node())),
    },
    {
      method: "GET",
      path: "/metrics",
      operation: metricsOperation,
      isAlwaysServed: true,
      handle: async () => ({
        status: 200,
        headers: { "content-type": metrics.contentType },
        body: await metrics.text(node()?.metrics() ?? []),
      }),
    },
    {
      method: "GET",
      path: "/openapi.json",
      operation: openApiOperation,
      isAlwaysServed: true,
      handle: () => description,
    },
    {
      method: "GET",
      path: "/",
      operation: pageOperation,
      isAlwaysServed: true,
      handle: () => statusPage(node()),
    },
  ];
  const description = jsonAnswer(openApiDocument([...others, ...routes], software));
  return routes;
}

/** The answer of a node that is starting or stopping, or has ceased to be a member. */
export function notReadyAnswer(node?: NodeApi): HttpAnswer {
  return problemAnswer("not-ready", whyNotReady(node));
}

/** Why the node does not serve, as a clause. */
export function whyNotReady(node: NodeApi | undefined): string {
  switch (node?.departed) {
    case "left":
      return `${node.name} has left the cluster: ask another member`;
    case "removed":
      return `${node.name} was removed from the cluster, and stays out: ask another member`;
    default:
      return "the node is starting or stopping";
  }
}

const aliveOperation: Operation = {
  operationId: "healthz",
  summary: "Whether the process is alive",
  tags: ["service"],
  responses: { "200": jsonResponse("It is.", "Alive") },
};

const readyOperation: Operation = {
  operationId: "readyz",
  summary: "Whether the node is a member, its store open, and serves requests",
  tags: ["service"],
  responses: { "200": jsonResponse("It does; 503 where it does not.", "Ready") },
};

const metricsOperation: Operation = {
  operationId: "metrics",
  summary: "What the node counts, for Prometheus",
  tags: ["service"],
  responses: { "200": { description: "The text format.", content: { "text/plain": {} } } },
};

const openApiOperation: Operation = {
  operationId: "openapi",
  summary: "This description",
  tags: ["service"],
  responses: { "200": { description: "OpenAPI 3.1.", content: { "application/json": {} } } },
};

const pageOperation: Operation = {
  operationId: "page",
  summary: "A status page for people",
  tags: ["service"],
  responses: { "200": { description: "HTML.", content: { "text/html": {} } } },
};
