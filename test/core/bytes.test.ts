import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ByteReader, MalformedBytes } from "../../src/core/bytes/byte-reader.ts";
import { ByteWriter } from "../../src/core/bytes/byte-writer.ts";
import { TextMemo } from "../../src/core/bytes/text-memo.ts";
import { plainRecord } from "../plain-record.ts";

/** Every kind of field, with a naive way to write it. */
const field = fc.oneof(
  plainRecord({ kind: fc.constant("u8" as const), value: fc.nat(0xff) }),
  plainRecord({ kind: fc.constant("u16" as const), value: fc.nat(0xffff) }),
  plainRecord({ kind: fc.constant("u32" as const), value: fc.integer({ min: 0, max: 0xffff_ffff }) }),
  plainRecord({ kind: fc.constant("f64" as const), value: fc.double({ noNaN: true }) }),
  plainRecord({ kind: fc.constant("varint" as const), value: fc.maxSafeNat() }),
  plainRecord({ kind: fc.constant("varint" as const), value: fc.nat(300) }),
  plainRecord({ kind: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 90 }) }),
  plainRecord({ kind: fc.constant("text" as const), value: fc.string({ unit: "grapheme", maxLength: 80 }) }),
  plainRecord({ kind: fc.constant("text" as const), value: fc.string({ maxLength: 80 }) }),
);
type Field = typeof field extends fc.Arbitrary<infer T> ? T : never;

function naiveVarint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) + 128);
  return [...bytes, Number(rest)];
}

function naiveBytes({ kind, value }: Field): readonly number[] {
  if (kind === "bytes") return [...naiveVarint(value.length), ...value];
  if (kind === "text") return [...naiveVarint(Buffer.byteLength(value)), ...Buffer.from(value)];
  if (kind === "varint") return naiveVarint(value);
  const buffer = Buffer.alloc(8);
  if (kind === "f64") return [...buffer.fill(0, buffer.writeDoubleBE(value))];
  const width = { u8: 1, u16: 2, u32: 4 }[kind];
  buffer.writeUIntBE(value, 0, width);
  return [...buffer.subarray(0, width)];
}

function write(writer: ByteWriter, { kind, value }: Field): void {
  if (kind === "bytes") writer.bytes(value);
  else if (kind === "text") writer.text(value);
  else writer[kind](value);
}

function read(reader: ByteReader, { kind }: Field): unknown {
  return kind === "bytes" ? Uint8Array.from(reader.bytes()) : reader[kind]();
}

describe("bytes", () => {
  test("are written as their naive twin writes them, and read back", () => {
    fc.assert(
      fc.property(fc.array(field), fc.nat(40), (fields, room) => {
        const writer = new ByteWriter(room);
        for (const each of fields) write(writer, each);
        assert.deepEqual([...writer.view()], fields.flatMap(naiveBytes));
        const reader = new ByteReader(writer.copy());
        for (const each of fields) assert.deepEqual(read(reader, each), each.value);
        reader.end();
      }),
    );
  });
  test("of whole numbers at the edges come back", () => {
    for (let bits = 0; bits <= 53; bits++) {
      for (const value of [2 ** bits - 1, 2 ** bits, 2 ** bits + 1].filter(Number.isSafeInteger)) {
        const writer = new ByteWriter(1);
        writer.varint(value);
        assert.deepEqual([...writer.view()], naiveVarint(value));
        assert.equal(new ByteReader(writer.view()).varint(), value);
      }
    }
  });
  test("of a number over 2^53-1 are malformed", () => {
    for (const bytes of [
      [255, 255, 255, 255, 255, 255, 255, 16],
      [255, 255, 255, 255, 255, 255, 255, 255, 1],
      [128, 128, 128, 128, 128, 128, 128, 128],
    ]) {
      assert.throws(() => new ByteReader(Uint8Array.from(bytes)).varint(), MalformedBytes);
    }
  });
  test("that are random are read or malformed, and never read past their end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.array(field), (bytes, fields) => {
        const reader = new ByteReader(bytes);
        try {
          for (const each of fields) read(reader, each);
        } catch (error) {
          assert.ok(error instanceof MalformedBytes);
        }
        assert.ok(reader.left >= 0 && reader.offset + reader.left === bytes.length);
      }),
    );
  });
  test("of a count that what is left cannot hold are malformed before anything is made of it", () => {
    const writer = new ByteWriter();
    writer.varint(2 ** 40);
    assert.throws(() => new ByteReader(writer.view()).count(1), MalformedBytes);
  });
  test("that are not UTF-8 are no text", () => {
    assert.throws(() => new ByteReader(Uint8Array.from([2, 0xc3, 0x28])).text(), MalformedBytes);
  });
  test("are views of what the reader was given", () => {
    const source = Uint8Array.from([9, 2, 7, 8, 9]).subarray(1);
    assert.equal(new ByteReader(source).bytes().buffer, source.buffer);
  });
  test("written before can be set, cut off and forgotten", () => {
    const writer = new ByteWriter(2);
    writer.u32(0);
    writer.u8(5);
    writer.setU32(0, 0xdeadbeef);
    assert.deepEqual([...writer.view()], [0xde, 0xad, 0xbe, 0xef, 5]);
    assert.throws(() => writer.setU32(2, 1), RangeError);
    writer.truncate(1);
    assert.deepEqual([...writer.viewFrom(0)], [0xde]);
    assert.throws(() => writer.truncate(2), RangeError);
    writer.reset();
    assert.equal(writer.length, 0);
  });
});

test("a name is what a text is, whatever was read before it", () => {
  // Few letters, so that many texts share a place in the memo, and the same ones come again.
  const word = fc.oneof(
    fc.string({ unit: fc.constantFrom("a", "b", "i", "q"), maxLength: 4 }),
    fc.string({ unit: fc.constantFrom("a", "é", "\u{1f6d2}"), maxLength: 70 }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 200 }), (words) => {
      const memo = new TextMemo();
      for (const text of words) {
        const writer = new ByteWriter();
        writer.text(text);
        assert.equal(new ByteReader(writer.view(), memo).name(), text);
      }
    }),
  );
  const memo = new TextMemo();
  const broken = Uint8Array.of(2, 0xc3, 0x28);
  for (let again = 0; again < 2; again++) {
    assert.throws(() => new ByteReader(broken, memo).name(), MalformedBytes);
    assert.throws(() => new ByteReader(Uint8Array.of(3, 97, 97), memo).name(), MalformedBytes);
  }
});
