import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromBase64Url, toBase64Url } from "../../src/core/bytes/base64url.ts";
import type { DotSet } from "../../src/core/causality/dot-set.ts";
import type { ActorId, NodeId } from "../../src/core/ids.ts";
import { openToken, sealToken, tokenCharacters } from "../../src/wire/context-token.ts";
import { anyDotSet, dotSetOf } from "../core/causality-arbitraries.ts";

const secret: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => i * 7);
const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  .filter((text) => !/[\ud800-\udfff]/.test(text));
const anyCoordinator = fc.option(fc.constantFrom("0123456789abcdef" as NodeId, "ffffffffffffffff" as NodeId), {
  nil: undefined,
});

describe("a context token", () => {
  test("says what was sealed, for its own bucket and key", () => {
    fc.assert(
      fc.property(anyDotSet, anyCoordinator, name, name, (seen, coordinator, bucket, key) => {
        const token = coordinator === undefined ? { seen } : { seen, coordinator };
        const text = sealToken(token, bucket, key, secret);
        assert.match(text, /^[\w-]+$/);
        assert.deepEqual(openToken(text, bucket, key, secret), { kind: "token", ...token });
      }),
    );
  });
  test("is invalid for every other bucket and key, however the two are cut", () => {
    fc.assert(
      fc.property(anyDotSet, name, name, name, name, (seen, bucket, key, otherBucket, otherKey) => {
        fc.pre(bucket !== otherBucket || key !== otherKey);
        assert.equal(
          openToken(sealToken({ seen }, bucket, key, secret), otherBucket, otherKey, secret).kind,
          "invalid",
        );
      }),
    );
    const text = sealToken({ seen: [] }, "ab", "c", secret);
    assert.equal(openToken(text, "a", "bc", secret).kind, "invalid");
    assert.equal(openToken(text, "abc", "", secret).kind, "invalid");
  });
  test("is invalid in another cluster", () => {
    const other = secret.slice();
    other[0] = 1;
    assert.equal(openToken(sealToken({ seen: [] }, "b", "k", secret), "b", "k", other).kind, "invalid");
  });
  test("with any bit flipped, or cut short, is invalid", () => {
    const seen = dotSetOf([{ actor: "AAAAAAAAAAA.0" as ActorId, counter: 2 }]);
    const text = sealToken({ seen, coordinator: "0123456789abcdef" as NodeId }, "b", "k", secret);
    const bytes = fromBase64Url(text) ?? new Uint8Array();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(openToken(toBase64Url(damaged), "b", "k", secret).kind, "invalid", `bit ${bit}`);
    }
    for (let length = 0; length < text.length; length++) {
      assert.equal(openToken(text.slice(0, length), "b", "k", secret).kind, "invalid");
    }
  });
  test("of whatever a client may send is invalid, never an error", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 60 }).map(toBase64Url)),
        (text) => {
          const opened = openToken(text, "b", "k", secret);
          assert.equal(opened.kind, "invalid");
          if (opened.kind === "invalid") assert.ok(opened.why.length > 0);
        },
      ),
      { numRuns: 2000 },
    );
  });
  test("too long to be one is refused by its length", () => {
    const opened = openToken("A".repeat(tokenCharacters + 1), "b", "k", secret);
    assert.equal(
      opened.kind === "invalid" && opened.why,
      `is ${tokenCharacters + 1} characters long, the limit is ${tokenCharacters}`,
    );
  });
  test("of the longest context that the default limits allow is within the length", () => {
    const seen: DotSet = Array.from({ length: 150 }, (_, i) => ({
      actor:
        `${toBase64Url(Uint8Array.from({ length: 8 }, (_, n) => (i * 31 + n * 57) & 255)).slice(0, 11)}.${(i + 1e6).toString(36)}` as ActorId,
      from: 1e9,
      to: 1e9 + 1e6,
      time: 1_700_000_000_000,
    })).sort((a, b) => (a.actor < b.actor ? -1 : 1));
    const text = sealToken({ seen, coordinator: "0123456789abcdef" as NodeId }, "b", "k", secret);
    assert.ok(text.length < tokenCharacters, `${text.length}`);
    assert.equal(openToken(text, "b", "k", secret).kind, "token");
  });
});
