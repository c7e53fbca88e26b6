/** The shapes of the interface's JSON, as JSON Schema. Strict on purpose: a member that is not listed fails the test. */

import { mostCopies } from "../core/limits.ts";
import { problemTypes } from "./problem.ts";
import { quorumWords } from "./quorum-query.ts";

type Shape = Readonly<Record<string, unknown>>;

const text: Shape = { type: "string" };
const whole: Shape = { type: "integer", minimum: 0 };
const flag: Shape = { type: "boolean" };

/** An object with exactly these members. */
const exactly = (properties: Record<string, Shape>, optional: readonly string[] = []): Shape => ({
  type: "object",
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});
const listOf = (items: Shape): Shape => ({ type: "array", items });
const beforeAndAfter = (description: string): Shape => ({
  ...exactly({ before: { type: "number", minimum: 0 }, after: { type: "number", minimum: 0 } }),
  description,
});
const oneOf = (...values: readonly string[]): Shape => ({ enum: values });
const quorum = (least: number): Shape => ({ oneOf: [{ type: "integer", minimum: least }, { enum: quorumWords }] });

const bucketProperties: Record<string, Shape> = {
  n: { type: "integer", minimum: 1, maximum: mostCopies, description: "Copies of each key." },
  r: quorum(1),
  w: quorum(1),
  pr: quorum(0),
  pw: quorum(0),
  dw: quorum(0),
  durability: oneOf("synced", "buffered"),
  reconcile: oneOf("siblings", "last-write-wins"),
};

/** A change of n that is under way. */
const filling: Shape = {
  ...exactly({
    from: { type: "integer", minimum: 1 },
    filled: { type: "integer", minimum: 0 },
    partitions: { type: "integer", minimum: 1 },
  }),
  description:
    "In how many partitions n counts alone; in the others requests meet the quorums of the earlier one, too.",
};

const types = problemTypes();

/** The names of the shapes, as the description refers to them. */
export type SchemaName =
  | "Accepted"
  | "History"
  | "MemberChange"
  | "Problem"
  | "Siblings"
  | "Plan"
  | "Cluster"
  | "Ring"
  | "Location"
  | "Hints"
  | "Transfers"
  | "Repair"
  | "Bucket"
  | "Buckets"
  | "BucketChange"
  | "Alive"
  | "Ready";

/** The shapes, by name. */
export const schemas: { readonly [Name in SchemaName]: Shape } = {
  Problem: exactly(
    {
      type: oneOf(...types.map(({ type }) => type)),
      title: text,
      status: { enum: [...new Set(types.map(({ status }) => status))] },
      detail: text,
      needed: { ...whole, description: "Answers that were needed." },
      received: { ...whole, description: "Answers that came." },
      outcome: { const: "unknown", description: "The write may still take effect." },
    },
    ["needed", "received", "outcome"],
  ),
  Siblings: exactly({
    context: text,
    siblings: listOf(
      exactly({
        value: { type: "string", contentEncoding: "base64" },
        contentType: text,
        modified: { type: "string", format: "date-time" },
      }),
    ),
  }),
  Cluster: exactly({
    name: { ...text, description: "The node that answers; the rest is its view." },
    cluster: text,
    version: text,
    ringVersion: whole,
    partitions: whole,
    members: listOf(
      exactly({
        id: { ...text, description: "Born with its data directory; logs name members by it." },
        name: text,
        status: {
          ...oneOf("up", "down", "joining", "leaving"),
          description: "As this node sees it. One that joins is up, and has less than half of its seats yet.",
        },
        zone: text,
        capacity: whole,
        partitions: { ...whole, description: "Of which it is to be an owner." },
        peer: text,
        http: text,
      }),
    ),
    pendingTransfers: whole,
    hints: whole,
    quorum: exactly({ n: whole, r: whole, w: whole }),
  }),
  Ring: exactly({
    partitions: listOf(exactly({ id: whole, owner: text, preferenceList: listOf(text) })),
  }),
  Location: exactly({
    bucket: text,
    key: text,
    hash: { type: "string", pattern: "^[0-9a-f]{16}$" },
    partition: whole,
    n: whole,
    preferenceList: listOf(exactly({ name: text, role: oneOf("owner", "fallback"), isUp: flag })),
  }),
  Plan: exactly({
    members: listOf(
      exactly({
        name: text,
        zone: text,
        capacity: whole,
        before: { ...whole, description: "Partitions it has a copy of now." },
        after: { ...whole, description: "Partitions it would have a copy of." },
        gains: whole,
        loses: whole,
      }),
    ),
    moves: { ...whole, description: "Copies of partitions that would move to another node." },
    fewest: {
      ...whole,
      description: "What members would hold more than now, in all: so many must move, whoever holds which.",
    },
    copies: beforeAndAfter("Copies of each partition."),
    zones: beforeAndAfter("Zones in which each partition has a copy, at least."),
    efficiency: beforeAndAfter("Mean load for a capacity as part of the greatest; 1 is even."),
  }),
  Accepted: exactly({
    member: text,
    change: oneOf("leave", "stay", "remove", "change"),
  }),
  MemberChange: exactly({ capacity: { type: "integer", minimum: 1, maximum: 100 }, zone: text }, ["capacity", "zone"]),
  History: exactly({
    events: listOf(
      exactly(
        {
          name: { ...text, description: "Lamport time and author; unique." },
          at: { type: "string", format: "date-time", description: "By the author's clock." },
          author: { ...text, description: "The member that accepted it; its id where it had no name then." },
          kind: oneOf("found", "join", "leave", "stay", "left", "remove", "capacity", "zone", "bucket"),
          member: { ...text, description: "The member it is about." },
          capacity: whole,
          zone: text,
          bucket: text,
          change: { type: "object", description: "The bucket's properties that it changes." },
        },
        ["member", "capacity", "zone", "bucket", "change"],
      ),
    ),
  }),
  Hints: exactly({
    areCounted: { ...flag, description: "False for a while after the start: the numbers are too small then." },
    waiting: listOf(
      exactly({
        owner: { ...text, description: "The member's name; its id where it is no member any more." },
        status: oneOf("up", "down", "departed"),
        hints: { ...whole, description: "Keys." },
        bytes: whole,
        oldestMs: { type: "number", minimum: 0, description: "How long the oldest has waited at most." },
      }),
    ),
  }),
  Transfers: exactly(
    {
      pending: { ...whole, description: "Seats in the whole cluster that are not with those who shall hold them." },
      taken: exactly({ seats: whole, keys: whole, bytes: whole, tookMs: whole }),
      bytesPerSecond: { ...whole, description: "What came for seats in the last seconds." },
      limitBytesPerSecond: { ...whole, description: "Less comes while requests need the machine." },
      transfers: listOf(
        exactly(
          {
            partition: whole,
            seat: whole,
            kind: oneOf("hand-over", "rebuild", "fill", "reminder", "vacate", "hand-back", "drop"),
            from: { ...text, description: "Who has it now; empty where that is all others, or nobody." },
            to: { ...text, description: "Who is to have it; empty where that is all others, or nobody." },
            running: { ...flag, description: "Whether it is being done now." },
            why: { ...text, description: "What keeps it from going on; empty where nothing does." },
            waitsFor: { ...text, description: "The member that it waits for, if it does." },
            keys: { ...whole, description: "Keys that this node holds of what the seat keeps." },
            bytes: { ...whole, description: "Of keys and values." },
            keysInAll: {
              ...whole,
              description: "Keys that those hold from whom it is copied, once they have said so.",
            },
            bytesInAll: whole,
            bytesReceived: { ...whole, description: "What came over the network for it." },
            ageMs: { ...whole, description: "For how long it has been copied." },
          },
          ["seat", "keysInAll", "bytesInAll"],
        ),
      ),
    },
    ["taken"],
  ),
  Repair: exactly({
    running: flag,
    lastRun: {
      oneOf: [
        { type: "null", description: "Nobody has asked for one since the node started." },
        exactly({
          partitionsCompared: { ...whole, description: "Once for each owner they were compared with." },
          keysCompared: { ...whole, description: "Keys in parts of the hash trees that differed." },
          keysRepaired: whole,
          bytesSent: whole,
          bytesReceived: whole,
          finished: { oneOf: [{ type: "null" }, { type: "string", format: "date-time" }] },
        }),
      ],
    },
    leftOut: {
      ...listOf(exactly({ name: text, why: text })),
      description: "Owners that the run gave up: what they hold is not compared.",
    },
    damaged: exactly({
      waiting: { ...whole, description: "Damaged keys that this node refuses until their other owners have answered." },
      setAside: { ...whole, description: "Damaged records kept in the store, to be looked at." },
    }),
    rebuild: exactly({
      seats: { ...whole, description: "Seats this node holds." },
      voices: { ...whole, description: "Those for which its answers count: all, unless its disk was lost." },
      running: { ...flag, description: "Whether voices are to come back still." },
      waitingFor: listOf(exactly({ name: text, partitions: whole, why: text })),
      forced: {
        oneOf: [
          { type: "null", description: "No voice was taken by force since the node started." },
          exactly({ partitions: whole, without: listOf(text), mayBeLost: text }),
        ],
      },
    }),
  }),
  Bucket: exactly({ bucket: text, ...bucketProperties, filling }, ["filling"]),
  Buckets: exactly({ buckets: listOf({ $ref: "#/components/schemas/Bucket" }) }),
  BucketChange: exactly(bucketProperties, Object.keys(bucketProperties)),
  Alive: exactly({ status: { const: "alive" } }),
  Ready: exactly({ status: { const: "ready" } }),
};
