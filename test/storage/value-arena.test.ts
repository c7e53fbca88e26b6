/** Values in memory that is used again: each keeps its own bytes, and what is free is used before more is taken. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Piece, ValueArena } from "../../src/storage/value-arena.ts";

const lengths = fc.oneof(
  fc.nat(40),
  fc.integer({ min: 1000, max: 1300 }),
  fc.nat(40_000),
  fc.constantFrom(0, 31, 32, 33, 4096, 4097, 32 * 1024, 32 * 1024 + 1),
);
const steps = fc.array(fc.tuple(fc.constantFrom("add", "replace", "free"), lengths, fc.nat(255), fc.nat()), {
  maxLength: 120,
  size: "max",
});

test("a value is what was put there, whatever comes and goes beside it", () => {
  fc.assert(
    fc.property(steps, (script) => {
      const arena = new ValueArena();
      const held: { piece: Piece; value: Uint8Array }[] = [];
      for (const [what, length, fill, which] of script) {
        const value = new Uint8Array(length).fill(fill);
        const at = held.length === 0 ? -1 : which % held.length;
        const one = held[at];
        if (what === "add" || one === undefined) {
          held.push({ piece: arena.add(value), value });
        } else if (what === "free") {
          arena.free(one.piece);
          held.splice(at, 1);
        } else if (arena.fits(length, one.value.length)) {
          arena.overwrite(one.piece, value);
          one.value = value;
        } else {
          arena.free(one.piece);
          held[at] = { piece: arena.add(value), value };
        }
        for (const { piece, value: expected } of held) {
          const found = new Uint8Array(expected.length);
          arena.copy(piece, found);
          assert.deepEqual(found, expected);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("who overwrites takes no more memory, and what is let go is given back but for a page of each size", () => {
  const arena = new ValueArena();
  const pieces = Array.from({ length: 5000 }, (_, i) => arena.add(new Uint8Array(1000 + (i % 20))));
  const full = arena.memoryBytes;
  for (let round = 0; round < 3; round++) {
    for (const [i, piece] of pieces.entries()) {
      arena.free(piece);
      pieces[i] = arena.add(new Uint8Array(1010));
    }
  }
  assert.ok(arena.memoryBytes <= full, `${arena.memoryBytes} bytes, ${full} before`);
  assert.ok(full < 5000 * 1024 * 1.15, `${full} bytes for 5000 values of a kibibyte`);
  for (const piece of pieces) arena.free(piece);
  assert.ok(arena.memoryBytes <= 2 * 64 * 1024, `${arena.memoryBytes} bytes for nothing`);
  const large = arena.add(new Uint8Array(1_000_000));
  assert.ok(arena.memoryBytes >= 1_000_000);
  arena.free(large);
  assert.ok(arena.memoryBytes <= 2 * 64 * 1024);
});
