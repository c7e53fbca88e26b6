/**
 * Changes of membership, asked of any member about any member. They are answered as soon as they are written down; what
 * follows from them is to be seen in `/cluster` and `/cluster/transfers`.
 */

import { mostCapacity } from "../core/limits.ts";
import type { HistoryEvent } from "../core/membership/event.ts";
import { eventName, type History } from "../core/membership/history.ts";
import type { MemberChange, MemberChangeOutcome } from "../node/api.ts";
import { readJsonObject } from "./json-body.ts";
import { jsonResponse, type Operation, parameters, problemResponse, type Response } from "./openapi.ts";
import { type ProblemType, problemAnswer, Rejection } from "./problem.ts";
import { readSwitch, refuseQuery } from "./quorum-query.ts";
import { printable } from "./raw-path.ts";
import { type HttpAnswer, type HttpRequest, jsonAnswer, type Route } from "./route.ts";

const changeBytes = 4096;
const properties = ["capacity", "zone"] as const;

/** The routes of `/cluster/members`, and `/cluster/history`. */
export const memberRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/cluster/members/{name}/leave",
    operation: leaveOperation(),
    async handle(request, node) {
      const force = readSwitch(request.query, "force");
      return answer("leave", request, await node.leave(nameIn(request), { force }));
    },
  },
  {
    method: "DELETE",
    path: "/cluster/members/{name}/leave",
    operation: stayOperation(),
    async handle(request, node) {
      refuseQuery(request.query);
      return answer("stay", request, await node.stay(nameIn(request)));
    },
  },
  {
    method: "DELETE",
    path: "/cluster/members/{name}",
    operation: removeOperation(),
    async handle(request, node) {
      const force = readSwitch(request.query, "force");
      return answer("remove", request, await node.remove(nameIn(request), { force }));
    },
  },
  {
    method: "PUT",
    path: "/cluster/members/{name}",
    operation: changeOperation(),
    bodyBytes: changeBytes,
    async handle(request, node) {
      refuseQuery(request.query);
      return answer("change", request, await node.changeMember(nameIn(request), readChange(request)));
    },
  },
  {
    method: "GET",
    path: "/cluster/history",
    operation: historyOperation(),
    handle(request, node) {
      refuseQuery(request.query);
      return jsonAnswer({ events: shownEvents(node.history()) });
    },
  },
];

const problemOf: Readonly<Record<Extract<MemberChangeOutcome, { kind: "refused" }>["why"], ProblemType>> = {
  "unknown-member": "no-such-member",
  "too-few": "conflicting-change",
  "is-up": "conflicting-change",
  "not-ready": "not-ready",
  "bad-value": "bad-request",
};

function answer(
  change: "leave" | "stay" | "remove" | "change",
  request: HttpRequest,
  outcome: MemberChangeOutcome,
): HttpAnswer {
  if (outcome.kind === "accepted") return jsonAnswer({ member: nameIn(request), change }, 202);
  return problemAnswer(problemOf[outcome.why], outcome.detail);
}

function nameIn({ params }: HttpRequest): string {
  return params["name"] ?? "";
}

function readChange(request: HttpRequest): MemberChange {
  const { capacity, zone, ...others } = readJsonObject(request, properties);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    const known = properties.join(", ");
    throw new Rejection("bad-request", `unknown property "${printable(unknown)}" of a member; known are ${known}`);
  }
  // Their values are the node's to judge.
  if (capacity !== undefined && typeof capacity !== "number") {
    refuse("capacity", capacity, `must be a whole number from 1 to ${mostCapacity}`);
  }
  if (zone !== undefined && typeof zone !== "string") refuse("zone", zone, "must be a text");
  return { ...(capacity !== undefined && { capacity }), ...(zone !== undefined && { zone }) };
}

function refuse(name: string, value: unknown, rule: string): never {
  throw new Rejection("bad-request", `${name} is ${printable(JSON.stringify(value))}, and ${rule}`);
}

/** Who did what when, the oldest first, members by the names they had. */
export function shownEvents(history: History): readonly unknown[] {
  const names = new Map<string, string>();
  for (const event of history) {
    if (event.kind === "found") names.set(event.author, event.name);
    if (event.kind === "join") names.set(event.node, event.name);
  }
  const nameOf = (node: string): string => names.get(node) ?? node;
  return history.map((event) => {
    const { author } = event;
    const kind = hasLeft(event, history) ? "left" : event.kind;
    const at = new Date(event.at).toISOString();
    return { name: eventName(event), at, author: nameOf(author), kind, ...details(event, nameOf) };
  });
}

/** A removal by the member itself, which was told to leave before: it held nothing any more. */
function hasLeft({ kind, author, ...event }: HistoryEvent, history: History): boolean {
  if (kind !== "remove" || !("node" in event) || event.node !== author) return false;
  const toldTo = history.find((told) => told.kind === "leave" && told.node === author);
  return toldTo !== undefined && toldTo.lamport < event.lamport;
}

function details(event: HistoryEvent, nameOf: (node: string) => string): Readonly<Record<string, unknown>> {
  switch (event.kind) {
    case "found":
    case "join":
      return { member: event.name, zone: event.zone, capacity: event.capacity };
    case "leave":
    case "stay":
    case "remove":
      return { member: nameOf(event.node) };
    case "capacity":
      return { member: nameOf(event.node), capacity: event.capacity };
    case "zone":
      return { member: nameOf(event.node), zone: event.zone };
    case "bucket":
      return { bucket: event.bucket, change: event.change };
  }
}

function changeResponses(done: string, conflict: string): Readonly<Record<string, Response>> {
  return {
    "202": jsonResponse(done, "Accepted"),
    "404": problemResponse("There is no member of that name."),
    "409": problemResponse(conflict),
  };
}

function leaveOperation(): Operation {
  return {
    operationId: "leave",
    summary: "Has a member hand over all that it holds, and go",
    description: "It serves until then. Asking again changes nothing; one that is lost on its way can be removed.",
    tags: ["cluster"],
    parameters: [parameters.member, parameters.force],
    responses: changeResponses(
      "It is written down, and goes on by itself.",
      "Fewer members would be left than buckets keep copies; with `force` it is done, save to the last one.",
    ),
  };
}

function stayOperation(): Operation {
  return {
    operationId: "stay",
    summary: "Takes a leave back: the member stays, and gets its share again",
    description: "Once it has left it can only join again.",
    tags: ["cluster"],
    parameters: [parameters.member],
    responses: {
      "202": jsonResponse("It is written down, and seats move by themselves.", "Accepted"),
      "404": problemResponse("There is no member of that name."),
    },
  };
}

function removeOperation(): Operation {
  return {
    operationId: "remove",
    summary: "Takes a member for lost: the others rebuild what it held",
    description: "Final: what returns of it stays out. What it alone had acknowledged is lost.",
    tags: ["cluster"],
    parameters: [parameters.member, parameters.force],
    responses: changeResponses(
      "It is written down, and goes on by itself.",
      "The member is up, and `force` was not given; or it is the last one.",
    ),
  };
}

function changeOperation(): Operation {
  return {
    operationId: "changeMember",
    summary: "Gives a member another capacity or zone; what the body does not name stays as it is",
    tags: ["cluster"],
    parameters: [parameters.member],
    requestBody: {
      required: true,
      content: { "application/json": { schema: { $ref: "#/components/schemas/MemberChange" } } },
    },
    responses: {
      "202": jsonResponse("It is written down, and seats move by themselves.", "Accepted"),
      "404": problemResponse("There is no member of that name."),
      "413": problemResponse("The body is too large."),
      "415": problemResponse("The body is not JSON."),
    },
  };
}

function historyOperation(): Operation {
  return {
    operationId: "history",
    summary: "Every change of the cluster that this node knows of, in the order that all agree on: who did what when",
    tags: ["cluster"],
    responses: { "200": jsonResponse("The history.", "History") },
  };
}
