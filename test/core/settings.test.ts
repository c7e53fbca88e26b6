import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  contradictionIn,
  defaultBucketSettings,
  defaultClusterSettings,
  parseBucketChange,
  parseClusterSettings,
} from "../../src/core/settings.ts";

test("properties of a bucket: what is allowed passes unchanged", () => {
  for (const change of [
    {},
    { n: 1 },
    { n: 16, r: 1, w: "all", pr: 0, pw: "quorum", dw: "one" },
    { durability: "buffered", reconcile: "last-write-wins" },
  ]) {
    assert.deepEqual(parseBucketChange(change), { kind: "change", change });
  }
});

test("properties of a bucket: what is not allowed is named with what is", () => {
  const why = (value: unknown): string => {
    const parsed = parseBucketChange(value);
    return parsed.kind === "invalid" ? parsed.why : "";
  };
  assert.match(why({ n: 0 }), /n is 0; it is a whole number from 1 to 16/);
  assert.match(why({ n: "all" }), /n is "all"/);
  assert.match(why({ r: 0 }), /r is 0; it is a whole number from 1/);
  assert.match(why({ pr: -1 }), /pr is -1; it is a whole number from 0/);
  assert.match(why({ w: 1.5 }), /w is 1.5/);
  assert.match(why({ w: "most" }), /w is "most".*one, quorum or all/);
  assert.match(why({ durability: "maybe" }), /synced or buffered/);
  assert.match(why({ ttl: 5 }), /"ttl" is no property of a bucket/);
  assert.match(why({ __proto__: null, constructor: 1 }), /"constructor" is no property/);
  assert.match(why({ toString: 1 }), /"toString" is no property/);
  for (const value of [null, 1, "n", [], undefined]) assert.notEqual(why(value), "");
  assert.match(why({ n: null }), /n is null/);
});

test("properties of a bucket: anything is answered, and what passes passes again", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      const parsed = parseBucketChange(value);
      if (parsed.kind === "change") assert.deepEqual(parseBucketChange(parsed.change), parsed);
    }),
  );
});

test("more answers than copies is a contradiction, in buckets and in clusters", () => {
  const settings = defaultBucketSettings(defaultClusterSettings);
  assert.equal(contradictionIn(settings), undefined);
  assert.equal(contradictionIn({ ...settings, w: "all" }), undefined);
  assert.match(contradictionIn({ ...settings, n: 2, w: 3 }) ?? "", /w is 3 and n is 2/);
  assert.match(contradictionIn({ ...settings, dw: 4 }) ?? "", /dw is 4 and n is 3/);
  const why = (value: unknown): string => {
    const parsed = parseClusterSettings(value);
    return parsed.kind === "invalid" ? parsed.why : "";
  };
  assert.match(why({ n: 1 }), /r is 2 and n is 1/);
  assert.match(why({ partitions: 100 }), /partitions is 100; it is a power of two/);
  assert.match(why({ partitions: 131072 }), /at most 65536/);
  assert.equal(why({ partitions: 1, n: 1, r: 1, w: 1 }), "");
  assert.deepEqual(parseClusterSettings({}), { kind: "settings", settings: defaultClusterSettings });
});
