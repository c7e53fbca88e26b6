import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, MalformedBytes } from "../../src/core/bytes/byte-reader.ts";
import { ByteWriter } from "../../src/core/bytes/byte-writer.ts";
import { decodeMessage, encodeMessage, kindBytes } from "../../src/wire/codec.ts";
import type { Message } from "../../src/wire/message.ts";
import { anyMessage, anyOfAnyKind, messageKinds } from "./message-arbitraries.ts";

function encoded(message: Message, id = message.id): { head: Uint8Array; bodies: Uint8Array } {
  const head = new ByteWriter();
  const bodies: Uint8Array[] = [];
  encodeMessage(head, bodies, message, id);
  return { head: head.copy(), bodies: Buffer.concat(bodies) };
}

function decoded(head: Uint8Array, bodies: Uint8Array): Message {
  const readers = { head: new ByteReader(Uint8Array.from(head)), bodies: new ByteReader(Uint8Array.from(bodies)) };
  const message = decodeMessage(readers.head, readers.bodies);
  readers.head.end();
  readers.bodies.end();
  return message;
}

/** Values as text, so that views of any kind of bytes compare. */
function plain(message: Message): unknown {
  const text = (_key: string, value: unknown): unknown =>
    value instanceof Uint8Array ? Array.from(value).join() : value;
  return JSON.parse(JSON.stringify(message, text));
}

for (const kind of messageKinds) {
  test(`every ${kind} comes back as it went`, () => {
    fc.assert(
      fc.property(anyMessage[kind] as fc.Arbitrary<Message>, (message) => {
        const { head, bodies } = encoded(message);
        assert.deepEqual(plain(decoded(head, bodies)), plain(message));
      }),
      { numRuns: 100 },
    );
  });
}

test("the id on the wire is the one asked for, not the message's", () => {
  const { head, bodies } = encoded({ kind: "ping", id: 1 }, 77);
  assert.deepEqual(decoded(head, bodies), { kind: "ping", id: 77 });
});

test("kind bytes are distinct and not zero", () => {
  const bytes = Object.values(kindBytes);
  assert.equal(new Set(bytes).size, bytes.length);
  assert.ok(bytes.every((byte) => byte > 0 && byte < 256));
});

test("an unknown kind is named", () => {
  assert.throws(() => decoded(Uint8Array.of(200, 1), new Uint8Array(0)), {
    name: "MalformedBytes",
    message: /kind 200/,
  });
});

test("a budget is cut to whole milliseconds and never negative", () => {
  const get = { kind: "coordinate-get", id: 1, knownHash: 1, bucket: "b", key: "k", budgetMs: 12.9 } as const;
  for (const [said, sent] of [
    [12.9, 12],
    [-3, 0],
  ] as const) {
    const { head, bodies } = encoded({ ...get, budgetMs: said });
    assert.deepEqual(plain(decoded(head, bodies)), { ...get, budgetMs: sent });
  }
});

test("what is too long or empty for a bucket or key is refused", () => {
  const get = { kind: "replica-get", id: 1, knownHash: 1, changes: 3, bucket: "b", key: "k" } as const;
  const bad = [
    { bucket: "" },
    { key: "" },
    { bucket: "b".repeat(129) },
    { key: "k".repeat(1025) },
    { key: "é".repeat(513) },
  ];
  for (const change of bad) {
    const { head, bodies } = encoded({ ...get, ...change });
    assert.throws(() => decoded(head, bodies), MalformedBytes, JSON.stringify(change));
  }
});

test("a seat that no partition has is refused: seats are bits of one number", () => {
  for (const [seat, isSeat] of [
    [15, true],
    [16, false],
    [32, false],
  ] as const) {
    const voice = { seat, epoch: 1 };
    const { head, bodies } = encoded({ kind: "replica-stored", id: 1, voice, synced: true });
    if (isSeat) decoded(head, bodies);
    else assert.throws(() => decoded(head, bodies), MalformedBytes);
  }
});

test("a head or bodies with a byte too few or too many are refused", () => {
  fc.assert(
    fc.property(anyOfAnyKind, (message) => {
      const { head, bodies } = encoded(message);
      assert.throws(() => decoded(Buffer.concat([head, Uint8Array.of(0)]), bodies), MalformedBytes);
      assert.throws(() => decoded(head, Buffer.concat([bodies, Uint8Array.of(0)])), MalformedBytes);
      assert.throws(() => decoded(head.subarray(0, -1), bodies), MalformedBytes);
      if (bodies.length > 0) assert.throws(() => decoded(head, bodies.subarray(0, -1)), MalformedBytes);
    }),
  );
});

test("damaged heads give a message or MalformedBytes, nothing else", () => {
  fc.assert(
    fc.property(
      anyOfAnyKind,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (message, damage) => {
        const { head, bodies } = encoded(message);
        for (const [at, byte] of damage) head[at % head.length] = byte;
        try {
          decoded(head, bodies);
        } catch (error) {
          if (!(error instanceof MalformedBytes)) throw error;
        }
      },
    ),
    { numRuns: 3000 },
  );
});

test("random heads of every kind give a message or MalformedBytes, nothing else", () => {
  const anyKind = fc.constantFrom(...Object.values(kindBytes));
  fc.assert(
    fc.property(anyKind, fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 50 }), (kind, rest, bodies) => {
      try {
        decoded(Buffer.concat([Uint8Array.of(kind), rest]), bodies);
      } catch (error) {
        if (!(error instanceof MalformedBytes)) throw error;
      }
    }),
    { numRuns: 5000 },
  );
});
