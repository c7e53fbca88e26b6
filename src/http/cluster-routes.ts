/** This node's view of its cluster: who belongs to it, who owns what, where one key lives. */

import type { RepairView } from "../node/api.ts";
import { memberRoutes } from "./member-routes.ts";
import { jsonResponse, type Operation, parameters } from "./openapi.ts";
import { planRoute } from "./plan-route.ts";
import { readSwitch, refuseQuery } from "./quorum-query.ts";
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
        return jsonAnswer(node.cluster());
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
    planRoute,
    ...memberRoutes,
    {
      method: "GET",
      path: "/cluster/locate/{bucket}/{key}",
      operation: locateOperation,
      handle(request, node) {
        refuseQuery(request.query);
        return jsonAnswer(node.locate(request.params["bucket"] ?? "", request.params["key"] ?? ""));
      },
    },
    {
      method: "GET",
      path: "/cluster/hints",
      operation: hintsOperation,
      handle(request, node) {
        refuseQuery(request.query);
        return jsonAnswer(node.hints());
      },
    },
    {
      method: "GET",
      path: "/cluster/transfers",
      operation: transfersOperation,
      handle(request, node) {
        refuseQuery(request.query);
        return jsonAnswer(node.transfers());
      },
    },
    {
      method: "POST",
      path: "/cluster/repair",
      operation: startRepairOperation,
      handle(request, node) {
        node.startRepair(readSwitch(request.query, "force"));
        return jsonAnswer(repairBody(node.repair()), 202);
      },
    },
    {
      method: "GET",
      path: "/cluster/repair",
      operation: repairOperation,
      handle(request, node) {
        refuseQuery(request.query);
        return jsonAnswer(repairBody(node.repair()));
      },
    },
  ];
}

/** A repair as the interface shows it: the run under way is `lastRun`, too, not finished yet. */
function repairBody({ running, lastRun, leftOut, damaged, rebuild }: RepairView): unknown {
  const body = { running, leftOut, damaged, rebuild: { ...rebuild, forced: rebuild.forced ?? null } };
  if (lastRun === undefined) return { ...body, lastRun: null };
  const { finishedMs, ...totals } = lastRun;
  const finished = finishedMs === undefined ? null : new Date(finishedMs).toISOString();
  return { ...body, lastRun: { ...totals, finished } };
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

const hintsOperation: Operation = {
  operationId: "hints",
  summary: "What this node keeps for owners that it could not reach",
  tags: ["cluster"],
  responses: { "200": jsonResponse("What waits for whom, the most first.", "Hints") },
};

const transfersOperation: Operation = {
  operationId: "transfers",
  summary: "Seats on their way to those who shall hold them, as far as this node has a part in that",
  tags: ["cluster"],
  responses: { "200": jsonResponse("What is done, what waits, and why.", "Transfers") },
};

const startRepairOperation: Operation = {
  operationId: "startRepair",
  summary: "Compares this node's partitions with all their owners, and repairs what differs",
  description:
    "Where a repair is under way already, it goes on. A node whose disk was lost speaks for its seats again once it has a copy of every other owner; with `force` it does at the end of this repair, without the copies that cannot be had.",
  tags: ["cluster"],
  parameters: [parameters.force],
  responses: { "202": jsonResponse("It runs.", "Repair") },
};

const repairOperation: Operation = {
  operationId: "repair",
  summary: "The repair that runs, or the last one",
  tags: ["cluster"],
  responses: { "200": jsonResponse("What it has done so far.", "Repair") },
};
