/** This node's view of its cluster: who belongs to it, who owns what, where one key lives. */

import { jsonResponse, type Operation, parameters } from "./openapi.ts";
import { refuseQuery } from "./quorum-query.ts";
import { jsonAnswer, type Route } from "./route.ts";

/** The routes of `/cluster`. */
export function clusterRoutes(): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/cluster",
      operation: clusterOperation,
      handle(request, node) {
        refuseQuery(request.query);
        const view = node.cluster();
        // Ids are for machines; the interface names members by their names.
        const members = view.members.map(({ id: _, ...member }) => member);
        return jsonAnswer({ ...view, members });
      },
    },
    {
      method: "GET",
      path: "/cluster/ring",
      operation: ringOperation,
      handle(request, node) {
        refuseQuery(request.query);
        return jsonAnswer(node.ring());
      },
    },
    {
      method: "GET",
      path: "/cluster/locate/{bucket}/{key}",
      operation: locateOperation,
      handle(request, node) {
        refuseQuery(request.query);
        return jsonAnswer(node.locate(request.params["bucket"] ?? "", request.params["key"] ?? ""));
      },
    },
  ];
}

const clusterOperation: Operation = {
  operationId: "cluster",
  summary: "The cluster as this node sees it",
  tags: ["cluster"],
  responses: { "200": jsonResponse("The view. Departed members are not listed.", "Cluster") },
};

const ringOperation: Operation = {
  operationId: "ring",
  summary: "Every partition with its preference list",
  tags: ["cluster"],
  responses: { "200": jsonResponse("The ring.", "Ring") },
};

const locateOperation: Operation = {
  operationId: "locate",
  summary: "Where a key lives, and which of its nodes are up",
  tags: ["cluster"],
  parameters: [parameters.bucket, parameters.key],
  responses: { "200": jsonResponse("The place.", "Location") },
};
