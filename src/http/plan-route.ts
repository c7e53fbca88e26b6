/** `GET /cluster/plan`: what a change of membership would move, before anybody decides on it. */

import { isCapacity, isNodeName, isZoneName } from "../core/membership/check-events.ts";
import type { ProposedChange } from "../core/ring/plan.ts";
import { jsonResponse, type Operation, problemResponse } from "./openapi.ts";
import { Rejection } from "./problem.ts";
import { queryParameters } from "./quorum-query.ts";
import { printable } from "./raw-path.ts";
import { jsonAnswer, type Route } from "./route.ts";

const nameRule = "must be 1 to 64 letters, digits, dots, dashes or underscores, a letter or digit first";
const zoneRule = "must be up to 64 letters, digits, dots, dashes or underscores";
const changes = ["join", "leave", "remove", "capacity", "zone"] as const;

export const planRoute: Route = {
  method: "GET",
  path: "/cluster/plan",
  operation: operation(),
  handle(request, node) {
    const plan = node.plan(readChange(request.query));
    if (plan.kind === "no-such-member") throw new Rejection("no-such-member", plan.why);
    if (plan.kind === "void") throw new Rejection("conflicting-change", `${plan.why}: nothing would change`);
    const { kind: _, ...body } = plan;
    return jsonAnswer(body);
  },
};

function readChange(query: string): ProposedChange {
  const given = queryParameters(query, ["change", "name", "zone", "capacity"]);
  const change = given.get("change");
  const kind = changes.find((known) => known === change);
  if (kind === undefined) refuse("change", change, `must be one of ${changes.join(", ")}`);
  const name = given.get("name") ?? "";
  if (!isNodeName(name)) refuse("name", name, nameRule);
  const zone = given.get("zone") ?? "";
  if (!isZoneName(zone)) refuse("zone", zone, zoneRule);
  const text = given.get("capacity") ?? (kind === "join" ? "1" : "");
  const capacity = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  const takesZone = kind === "join" || kind === "zone";
  const takesCapacity = kind === "join" || kind === "capacity";
  if (takesCapacity ? !isCapacity(capacity) : text !== "") {
    refuse("capacity", text, takesCapacity ? "must be a whole number from 1 to 100" : `has no place in a ${kind}`);
  }
  if (given.has("zone") !== (kind === "zone") && !(takesZone && kind === "join")) {
    refuse("zone", given.get("zone"), kind === "zone" ? "must be given" : `has no place in a ${kind}`);
  }
  switch (kind) {
    case "join":
      return { kind, name, zone, capacity };
    case "capacity":
      return { kind, name, capacity };
    case "zone":
      return { kind, name, zone };
    default:
      return { kind, name };
  }
}

function refuse(name: string, value: string | undefined, rule: string): never {
  const said = value === undefined ? `${name} is missing` : `${name} is "${printable(value)}"`;
  throw new Rejection("bad-request", `${said}, and ${rule}`);
}

function operation(): Operation {
  const parameter = (
    name: string,
    description: string,
    schema: Readonly<Record<string, unknown>>,
    required = false,
  ) => ({
    name,
    in: "query",
    required,
    description,
    schema,
  });
  return {
    operationId: "plan",
    summary: "Who would gain and lose how many partitions by a change of membership; nothing is changed",
    tags: ["cluster"],
    parameters: [
      parameter("change", "What would happen.", { enum: changes }, true),
      parameter("name", "The node it would happen to.", { type: "string" }, true),
      parameter("zone", "For `zone`, and for `join` if it has one.", { type: "string" }),
      parameter("capacity", "For `capacity`, and for `join` if it is not 1.", {
        type: "integer",
        minimum: 1,
        maximum: 100,
      }),
    ],
    responses: {
      "200": jsonResponse("The plan.", "Plan"),
      "404": problemResponse("No member has that name."),
      "409": problemResponse(
        "The change would do nothing: the name is taken, the last member cannot go, or it is so already.",
      ),
    },
  };
}
