import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ByteReader, MalformedBytes } from "../../src/core/bytes/byte-reader.ts";
import { ByteWriter } from "../../src/core/bytes/byte-writer.ts";
import { compareDots } from "../../src/core/causality/dot.ts";
import type { DotSet } from "../../src/core/causality/dot-set.ts";
import { emptySiblingSet, type SiblingSet } from "../../src/core/causality/sibling-set.ts";
import { crc32 } from "../../src/core/hash/crc32.ts";
import type { ActorId } from "../../src/core/ids.ts";
import { readDotSet, readState, verifyValues, writeDotSet, writeState } from "../../src/wire/state-codec.ts";
import { anyDotSet, anyState, dotSetOf, isNormal, siblingOf } from "../core/causality-arbitraries.ts";
import { plainRecord } from "../plain-record.ts";

function encodeSet(set: DotSet): Uint8Array {
  const writer = new ByteWriter();
  writeDotSet(writer, set);
  return writer.copy();
}

function encodeState(state: SiblingSet): { head: Uint8Array; body: Uint8Array } {
  const head = new ByteWriter();
  const bodies: Uint8Array[] = [];
  writeState(head, bodies, state);
  return { head: head.copy(), body: Buffer.concat(bodies) };
}

function decodeState(head: Uint8Array, body: Uint8Array): SiblingSet {
  return readState(new ByteReader(head), new ByteReader(body));
}

/** What comes out of any bytes must be what `core/causality` counts on, or `MalformedBytes`. */
function assertSoundOrMalformed(read: () => SiblingSet): void {
  try {
    const { context, siblings } = read();
    assert.ok(isNormal(context));
    for (const [i, { dot }] of siblings.entries()) {
      assert.ok(context.some(({ actor, from, to }) => actor === dot.actor && from <= dot.counter && dot.counter <= to));
      assert.ok(i === 0 || compareDots(siblings[i - 1]?.dot ?? dot, dot) < 0);
    }
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error;
  }
}

const mutation = plainRecord({ at: fc.nat(), byte: fc.nat(255), kind: fc.constantFrom("set", "cut", "insert") });

function mutate(bytes: Uint8Array, changes: readonly { at: number; byte: number; kind: string }[]): Uint8Array {
  let result = [...bytes];
  for (const { at, byte, kind } of changes) {
    const place = at % (result.length + 1);
    if (kind === "set") result[place] = byte;
    else if (kind === "cut") result = result.slice(0, place);
    else result.splice(place, 0, byte);
  }
  return Uint8Array.from(result);
}

describe("dot sets as bytes", () => {
  test("come back as they were", () => {
    fc.assert(
      fc.property(anyDotSet, (set) => {
        const reader = new ByteReader(encodeSet(set));
        assert.deepEqual(readDotSet(reader), set);
        reader.end();
      }),
    );
  });
  test("take few bytes more for another actor of one run, or another interval of one actor", () => {
    const run = (serial: string, from: number): DotSet[number] => ({
      actor: `AAAAAAAAAAA.${serial}` as ActorId,
      from,
      to: from,
      time: 1_700_000_000_000,
    });
    const one = encodeSet([run("0", 1)]).length;
    assert.ok(encodeSet([run("0", 1), run("1", 1)]).length <= one + 12);
    assert.ok(encodeSet([run("0", 1), run("0", 3)]).length <= one + 11);
  });
  test("carry counters and times up to 2^53-1", () => {
    const set: DotSet = [
      {
        actor: "a" as ActorId,
        from: Number.MAX_SAFE_INTEGER - 1,
        to: Number.MAX_SAFE_INTEGER,
        time: Number.MAX_SAFE_INTEGER,
      },
    ];
    assert.deepEqual(readDotSet(new ByteReader(encodeSet(set))), set);
  });
  test("out of order, touching, overlapping or out of range are refused", () => {
    const at = (actor: string, from: number, to: number): DotSet[number] => ({
      actor: actor as ActorId,
      from,
      to,
      time: 0,
    });
    const bad: readonly DotSet[] = [
      [at("b", 1, 1), at("a", 1, 1)],
      [at("a", 1, 2), at("a", 3, 4)],
      [at("a", 0, 2)],
      [at("", 1, 1)],
      [at("a b", 1, 1)],
      [at("a".repeat(33), 1, 1)],
      [at("é", 1, 1)],
      [at("a", 2, 2 ** 53 - 1), at("a", 2 ** 53 + 2, 2 ** 53 + 2)],
    ];
    for (const set of bad)
      assert.throws(() => readDotSet(new ByteReader(encodeSet(set))), MalformedBytes, JSON.stringify(set));
  });
});

describe("states as bytes", () => {
  test("come back as they were, their values as views of the bodies", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const { head, body } = encodeState(state);
        const [heads, bodies] = [new ByteReader(head), new ByteReader(body)];
        const decoded = readState(heads, bodies);
        heads.end();
        bodies.end();
        assert.deepEqual(Buffer.concat(decoded.siblings.map((s) => s.value)), body);
        for (const sibling of decoded.siblings) assert.equal(sibling.value.buffer, body.buffer);
        const plain = decoded.siblings.map((s) => ({ ...s, value: Uint8Array.from(s.value) }));
        assert.deepEqual({ ...decoded, siblings: plain }, state);
        assert.ok(verifyValues(decoded, crc32));
      }),
    );
    assert.deepEqual(decodeState(encodeState(emptySiblingSet).head, new Uint8Array()), emptySiblingSet);
  });
  test("whose sibling is not in the context cannot be written", () => {
    const sibling = siblingOf({ actor: "a" as ActorId, counter: 3 });
    assert.throws(
      () => encodeState({ context: [{ actor: "a" as ActorId, from: 1, to: 2, time: 0 }], siblings: [sibling] }),
      RangeError,
    );
  });
  test("whose siblings are out of order, or twice the same, are refused", () => {
    const context = dotSetOf(
      ["a", "b"].flatMap((actor) => [1, 2].map((n) => ({ actor: actor as ActorId, counter: n }))),
    );
    const read = (dots: readonly (readonly [place: number, offset: number])[]): SiblingSet => {
      const head = new ByteWriter();
      writeDotSet(head, context);
      head.varint(dots.length);
      for (const [place, offset] of dots) {
        for (const field of [place, offset, 0]) head.varint(field);
        head.u32(0);
        head.text("");
        head.u8(0);
        head.varint(0);
      }
      return decodeState(head.copy(), new Uint8Array());
    };
    assert.equal(
      read([
        [0, 0],
        [0, 1],
        [1, 0],
      ]).siblings.length,
      3,
    );
    const wrong: readonly (readonly [number, number])[][] = [
      [
        [1, 0],
        [0, 1],
      ],
      [
        [0, 1],
        [0, 0],
      ],
      [
        [0, 0],
        [0, 0],
      ],
      [[2, 0]],
      [[0, 2]],
    ];
    for (const dots of wrong) assert.throws(() => read(dots), MalformedBytes, JSON.stringify(dots));
  });
  test("with values that are not what was summed are told", () => {
    fc.assert(
      fc.property(anyState, fc.nat(), (state, pick) => {
        fc.pre(state.siblings.length > 0);
        const { head, body } = encodeState(state);
        body[pick % body.length] = (body[pick % body.length] ?? 0) ^ 1;
        assert.ok(!verifyValues(decodeState(head, body), crc32));
      }),
    );
  });
  test("from random bytes are sound or malformed", () => {
    const bytes = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(bytes, bytes, (head, body) => assertSoundOrMalformed(() => decodeState(head, body))),
      { numRuns: 3000 },
    );
  });
  test("from mutated bytes are sound or malformed", () => {
    fc.assert(
      fc.property(anyState, fc.array(mutation, { minLength: 1, maxLength: 3 }), (state, changes) => {
        const { head, body } = encodeState(state);
        assertSoundOrMalformed(() => decodeState(mutate(head, changes), body));
      }),
      { numRuns: 3000 },
    );
  });
});
