import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readRequirement, writeRequirement } from "../../../src/core/quorum/requirement.ts";
import type { BucketSettings, Quorum } from "../../../src/core/settings.ts";

const defaults: BucketSettings = {
  n: 3,
  r: 2,
  w: 2,
  pr: 0,
  pw: 0,
  dw: undefined,
  durability: "synced",
  reconcile: "siblings",
};

test("words count copies: one, more than half, all (§4.5)", () => {
  const answers = (r: Quorum): unknown => {
    const requirement = readRequirement(defaults, { r }, { size: 6, zones: 1 });
    return requirement.kind === "read" ? requirement.answers : requirement;
  };
  assert.deepEqual([answers("one"), answers("quorum"), answers("all")], [1, 2, 3]);
});

test("what must be reached is the greatest of w, pw and dw", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.nat(3), fc.nat(3), (w, pw, dw) => {
      const requirement = writeRequirement(
        { ...defaults, durability: "buffered" },
        { w, pw, dw },
        { size: 5, zones: 1 },
      );
      assert.deepEqual(requirement, {
        kind: "write",
        n: 3,
        answers: Math.max(w, pw, dw),
        owners: pw,
        zones: 1,
        synced: dw > 0,
      });
    }),
  );
});

test("a cluster smaller than n keeps one copy a member and caps every number by the members", () => {
  assert.deepEqual(writeRequirement(defaults, { w: 3 }, { size: 1, zones: 1 }), {
    kind: "write",
    n: 1,
    answers: 1,
    owners: 0,
    zones: 1,
    synced: true,
  });
  assert.deepEqual(readRequirement(defaults, { r: "all", pr: 3 }, { size: 2, zones: 1 }), {
    kind: "read",
    n: 2,
    answers: 2,
    owners: 2,
    zones: 1,
  });
});

test("a number outside 1 to n is refused with the value and what is allowed", () => {
  for (const [asked, wrong] of [
    [{ r: 4 }, "r is 4"],
    [{ r: 0 }, "r is 0"],
    [{ r: 1.5 }, "r is 1.5"],
    [{ pr: 4 }, "pr is 4"],
    [{ r: Number.NaN }, "r is NaN"],
  ] as const) {
    const refused = readRequirement(defaults, asked, { size: 1, zones: 1 });
    assert.equal(refused.kind, "unsatisfiable");
    assert.match(refused.kind === "unsatisfiable" ? refused.why : "", new RegExp(wrong));
  }
  assert.equal(writeRequirement(defaults, { dw: -1 }, { size: 3, zones: 1 }).kind, "unsatisfiable");
});

test("zones are at most n and as many as the members are in, and raise the answers to as many", () => {
  const bySize = (size: number, zones: number, asked: number): unknown => {
    const write = writeRequirement(defaults, { w: 1, zones: asked }, { size, zones });
    const read = readRequirement(defaults, { r: 1, zones: asked }, { size, zones });
    if (write.kind === "unsatisfiable" || read.kind === "unsatisfiable") {
      assert.deepEqual(write, read);
      return write.kind === "unsatisfiable" ? write.why : read;
    }
    assert.deepEqual([write.answers, write.zones], [read.answers, read.zones]);
    return [read.answers, read.zones];
  };
  assert.deepEqual(bySize(6, 3, 1), [1, 1]);
  assert.deepEqual(bySize(6, 3, 2), [2, 2]);
  assert.deepEqual(bySize(6, 3, 3), [3, 3]);
  assert.equal(bySize(6, 2, 3), "zones is 3, allowed are 1 to 2, since the members are in 2 zones");
  assert.equal(bySize(9, 5, 4), "zones is 4, allowed are 1 to 3, since copies of a key are on 3 nodes");
  assert.equal(bySize(2, 2, 3), "zones is 3, allowed are 1 to 2, since the members are in 2 zones");
  for (const wrong of [0, -1, 1.5, Number.NaN]) assert.match(String(bySize(6, 3, wrong)), /^zones is /);
});

test("with the defaults a read and a write share an owner in a cluster of any size", () => {
  for (let members = 1; members <= 7; members++) {
    const read = readRequirement(defaults, {}, { size: members, zones: 1 });
    const write = writeRequirement(defaults, {}, { size: members, zones: 1 });
    assert.ok(read.kind === "read" && write.kind === "write");
    assert.ok(
      read.answers + write.answers > read.n,
      `${members} members: ${read.answers} + ${write.answers} over ${read.n}`,
    );
  }
});
