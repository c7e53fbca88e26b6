/** Any message between a client and a node (`src/wire/client-message.ts`). */

import fc from "fast-check";
import { type ClientAnswer, type ClientRequest, type ClientRing, failureCodes } from "../../src/wire/client-message.ts";
import { plainRecord } from "../plain-record.ts";
import {
  anyBucket,
  anyCheck,
  anyHash,
  anyId,
  anyKey,
  anyNode,
  anyNumber,
  anyQuorum,
  anyText,
  anyValue,
} from "./field-arbitraries.ts";

const kind = <K extends string>(name: K): fc.Arbitrary<K> => fc.constant(name);
const anyToken = fc.uint8Array({ maxLength: 200 });
const maybe = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(some, { nil: undefined });
const anyN = fc.integer({ min: 1, max: 16 });
const anyClientRing: fc.Arbitrary<ClientRing> = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 4 }))
  .chain(([members, bits]) =>
    plainRecord({
      version: anyNumber,
      cluster: anyText,
      valueBytes: anyNumber,
      members: fc.array(plainRecord({ node: anyNode, name: anyText, zone: anyText, address: anyText }), {
        minLength: members,
        maxLength: members,
      }),
      n: anyN,
      buckets: fc.array(plainRecord({ bucket: anyBucket, n: anyN }), { maxLength: 4 }),
      owners: fc.array(
        plainRecord({
          n: anyN,
          partitions: fc.array(fc.array(fc.nat(members - 1), { maxLength: 4 }), {
            minLength: 2 ** bits,
            maxLength: 2 ** bits,
          }),
        }),
        { maxLength: 3 },
      ),
    }),
  );

type AnyClientMessage = ClientRequest | ClientAnswer;

export const clientMessages: {
  readonly [K in AnyClientMessage["kind"]]: fc.Arbitrary<Extract<AnyClientMessage, { kind: K }>>;
} = {
  "client-get": plainRecord({
    kind: kind("client-get"),
    id: anyId,
    bucket: anyBucket,
    key: anyKey,
    budgetMs: anyNumber,
    r: maybe(anyQuorum),
    pr: maybe(anyQuorum),
    zones: maybe(anyNumber),
  }),
  "client-write": plainRecord({
    kind: kind("client-write"),
    id: anyId,
    bucket: anyBucket,
    key: anyKey,
    budgetMs: anyNumber,
    w: maybe(anyQuorum),
    pw: maybe(anyQuorum),
    dw: maybe(anyQuorum),
    zones: maybe(anyNumber),
    context: maybe(anyToken),
    onlyIfAbsent: fc.boolean(),
    writeId: maybe(fc.string({ maxLength: 64 })),
    version: maybe(plainRecord({ value: anyValue, checksum: anyCheck, contentType: fc.string({ maxLength: 255 }) })),
  }),
  "client-found": plainRecord({
    kind: kind("client-found"),
    id: anyId,
    isStray: fc.boolean(),
    context: maybe(anyToken),
    versions: fc.array(
      plainRecord({
        value: anyValue,
        checksum: anyCheck,
        contentType: fc.string({ maxLength: 255 }),
        modified: anyNumber,
      }),
      { maxLength: 2 },
    ),
    voices: anyNumber,
    seats: anyNumber,
  }),
  "client-written": plainRecord({
    kind: kind("client-written"),
    id: anyId,
    isStray: fc.boolean(),
    context: anyToken,
    siblings: anyNumber,
    voices: anyNumber,
    seats: anyNumber,
  }),
  "client-failed": plainRecord({
    kind: kind("client-failed"),
    id: anyId,
    isStray: fc.boolean(),
    code: fc.constantFrom(...failureCodes),
    detail: anyText,
    needed: maybe(anyNumber),
    received: maybe(anyNumber),
    isUnknown: fc.boolean(),
  }),
  "ring-inquiry": plainRecord({ kind: kind("ring-inquiry"), id: anyId, hash: anyHash }),
  "ring-told": plainRecord({ kind: kind("ring-told"), id: anyId, hash: anyHash, ring: maybe(anyClientRing) }),
};
