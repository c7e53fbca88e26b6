/** What buckets promise their users, over the native protocol and over HTTP alike: real nodes, real sockets. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { StandardSchema } from "../../src/client/standard-schema.ts";
import { type CartwheelError, Context, connect, type Database, jsonCodec, textCodec } from "../../src/host/client.ts";
import { type RunningNode, startNode } from "../../src/host/start-node.ts";
import { connect as connectHttp } from "../../src/web/index.ts";
import { bytes } from "./client-world.ts";

interface Cart {
  readonly lines: readonly string[];
}

/** A schema as validators make them; `later` answers asynchronously. */
function cartSchema(later = false): StandardSchema<Cart, Cart & { readonly count: number }> {
  const check = (value: unknown) => {
    const lines = (value as Partial<Cart> | null)?.lines;
    if (!Array.isArray(lines)) return { issues: [{ message: "is no list", path: ["lines"] }] };
    return { value: { lines: lines as string[], count: lines.length } };
  };
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => (later ? Promise.resolve(check(value)) : check(value)),
    },
  };
}

const union = (carts: readonly Cart[]): Cart & { readonly count: number } => {
  const lines = [...new Set(carts.flatMap((cart) => cart.lines))].sort();
  return { lines, count: lines.length };
};

const failureOf = (promise: Promise<unknown>): Promise<CartwheelError> =>
  promise.then(
    () => assert.fail("it did not fail"),
    (error: CartwheelError) => error,
  );

let node: RunningNode;
let peer = "";
before(async () => {
  node = await startNode({ name: "n1", storage: "memory", listen: "127.0.0.1:0", http: "127.0.0.1:0" });
  peer = node.api.cluster().members[0]?.peer ?? "";
});
after(() => node.stop());

const doors: readonly { readonly name: string; readonly open: () => Promise<Database> }[] = [
  { name: "native", open: () => connect([peer]) },
  { name: "http", open: async () => connectHttp([`http://${node.http}`]) },
];

for (const door of doors) {
  describe(`buckets over ${door.name}`, () => {
    let db: Database;
    before(async () => {
      db = await door.open();
    });
    after(() => db.close());
    const named = (name: string): string => `${door.name}-${name}`;

    test("bytes come back as they went", async () => {
      const bucket = db.bucket(named("bytes"));
      for (const value of [bytes("v"), new Uint8Array(0), new Uint8Array(200_000).fill(7)]) {
        const { context } = await bucket.get("k/ü?#%");
        await bucket.put("k/ü?#%", value, { context });
        const found = await bucket.get("k/ü?#%");
        assert.ok(found.kind === "value");
        assert.deepEqual(found.value, value);
        assert.equal(found.versions[0]?.contentType, "application/octet-stream");
      }
    });

    test("what is not there is nothing, and what was deleted is nothing with a context", async () => {
      const bucket = db.bucket(named("nothing"), { codec: textCodec });
      assert.deepEqual(await bucket.get("k"), { kind: "nothing", value: undefined, context: undefined });
      await bucket.put("k", "v");
      await bucket.delete("k");
      const found = await bucket.get("k");
      assert.equal(found.kind, "nothing");
      assert.ok(found.context instanceof Context);
    });

    test("blind writes are siblings, and a write with their context takes their place", async () => {
      const bucket = db.bucket(named("siblings"), { codec: textCodec });
      await bucket.put("k", "one");
      const second = await bucket.put("k", "two");
      assert.equal(second.siblings, 2);
      const found = await bucket.get("k");
      assert.ok(found.kind === "siblings");
      assert.deepEqual(found.versions.map(({ value }) => value).sort(), ["one", "two"]);
      await bucket.put("k", "both", { context: found.context });
      const merged = await bucket.get("k");
      assert.equal(merged.kind === "value" && merged.value, "both");
    });

    test("a write's own context covers that write and what it saw alone", async () => {
      const bucket = db.bucket(named("own"), { codec: textCodec });
      const first = await bucket.put("k", "one");
      await bucket.put("k", "two");
      await bucket.put("k", "one and more", { context: first.context });
      const found = await bucket.get("k");
      assert.ok(found.kind === "siblings");
      assert.deepEqual(found.versions.map(({ value }) => value).sort(), ["one and more", "two"]);
    });

    test("with a merge, siblings are one value, and the next write stores it", async () => {
      const carts = db.bucket(named("merged"), { schema: cartSchema(), merge: union });
      await carts.put("k", { lines: ["tea"] });
      await carts.put("k", { lines: ["pen"] });
      const found = await carts.get("k");
      assert.deepEqual(found.value, { lines: ["pen", "tea"], count: 2 });
      assert.ok(found.kind === "value" && found.versions.length === 2);
      await carts.put("k", { lines: [...found.value.lines, "cup"] }, { context: found.context });
      assert.deepEqual((await carts.get("k")).value?.lines, ["pen", "tea", "cup"]);
    });

    test("a schema looks at what goes in and what comes out, at once or later", async () => {
      for (const later of [false, true]) {
        const carts = db.bucket(named(`schema-${later}`), { schema: cartSchema(later) });
        await carts.put("k", { lines: ["tea"] });
        const found = await carts.get("k");
        assert.deepEqual(found.kind === "value" && found.value, { lines: ["tea"], count: 1 });
        const refused = await failureOf(carts.put("k", { lines: "tea" } as never));
        assert.equal(refused.code, "invalid-value");
        assert.match(refused.message, /lines: is no list/);
        assert.deepEqual(refused.issues, [{ message: "is no list", path: ["lines"] }]);
        await db.bucket(named(`schema-${later}`)).put("bad", bytes('{"lines":3}'));
        await db.bucket(named(`schema-${later}`)).put("worse", bytes("\xff{"));
        assert.equal((await failureOf(carts.get("bad"))).code, "invalid-value");
        assert.equal((await failureOf(carts.get("worse"))).code, "invalid-value");
      }
    });

    test("what is no value of the bucket is refused before it is sent", async () => {
      const refused = await failureOf(db.bucket(named("plain")).put("k", "text" as never));
      assert.equal(refused.code, "invalid-value");
      const none = await failureOf(db.bucket(named("plain"), { codec: jsonCodec() }).put("k", undefined));
      assert.equal(none.code, "invalid-value");
    });

    test("update reads, changes and writes; two at a time are both kept", async () => {
      const carts = db.bucket(named("update"), { schema: cartSchema(), merge: union });
      const add = (line: string) => carts.update("k", (cart) => ({ lines: [...(cart?.lines ?? []), line] }));
      await Promise.all(["a", "b", "c", "d"].map(add));
      await add("e");
      assert.deepEqual((await carts.get("k")).value?.lines, ["a", "b", "c", "d", "e"]);
      assert.deepEqual(await carts.update("k", () => undefined), { kind: "unchanged" });
      await assert.rejects(
        carts.update("k", () => {
          throw new Error("no");
        }),
        /no/,
      );
    });

    test("update resolves a key that has too many siblings to take one more", async () => {
      const carts = db.bucket(named("many-siblings"), { schema: cartSchema(), merge: union });
      const outcomes = await carts.putMany(Array.from({ length: 105 }, (_, i) => ["k", { lines: [`l${i}`] }] as const));
      const refused = outcomes.filter(({ status }) => status === "rejected");
      assert.equal(refused.length, 5);
      await carts.update("k", (cart) => ({ lines: [...(cart?.lines ?? []), "last"] }));
      assert.equal((await carts.get("k")).value?.lines.length, 101);
    });

    test("many keys at a time, each with what came of it", async () => {
      const bucket = db.bucket(named("many"), { codec: textCodec });
      const keys = Array.from({ length: 600 }, (_, i) => `k${i}`);
      const written = await bucket.putMany(keys.map((key) => [key, `of ${key}`] as const));
      assert.ok(written.every(({ status }) => status === "fulfilled"));
      const found = await bucket.getMany([...keys, "missing", ""]);
      for (const [i, key] of keys.entries()) {
        const one = found[i];
        assert.ok(one?.status === "fulfilled" && one.value.kind === "value");
        assert.equal(one.value.value, `of ${key}`);
      }
      assert.equal(found[600]?.status === "fulfilled" && found[600].value.kind, "nothing");
      assert.equal(found[601]?.status === "rejected" && (found[601].reason as CartwheelError).code, "bad-request");
      await bucket.deleteMany(keys);
      const gone = await bucket.getMany(keys);
      assert.ok(gone.every((one) => one.status === "fulfilled" && one.value.kind === "nothing"));
    });

    test("onlyIfAbsent is refused where there is something", async () => {
      const bucket = db.bucket(named("absent"), { codec: textCodec });
      await bucket.put("k", "first", { onlyIfAbsent: true });
      const refused = await failureOf(bucket.put("k", "second", { onlyIfAbsent: true }));
      assert.deepEqual([refused.code, refused.outcome], ["precondition-failed", undefined]);
    });

    test("what is asked wrongly is refused, and says why", async () => {
      const bucket = db.bucket(named("wrong"), { codec: textCodec });
      assert.throws(() => db.bucket("b".repeat(129)), /1 to 128/);
      assert.equal((await failureOf(bucket.get("k".repeat(1025)))).code, "bad-request");
      assert.equal((await failureOf(bucket.get("k", { r: 4 }))).code, "bad-request");
      assert.equal((await failureOf(bucket.put("k", "v", { context: "AAAA" }))).code, "bad-context");
      const other = await bucket.put("another", "v");
      assert.equal((await failureOf(bucket.put("k", "v", { context: other.context }))).code, "bad-context");
      const large = await failureOf(db.bucket(named("wrong")).put("k", new Uint8Array(2 ** 20 + 1)));
      assert.equal(large.code, "value-too-large");
    });

    test("a signal that has fired lets nothing out", async () => {
      const bucket = db.bucket(named("signal"), { codec: textCodec });
      const reason = new Error("enough");
      const aborted = await failureOf(bucket.put("k", "v", { signal: AbortSignal.abort(reason) }));
      assert.deepEqual([aborted.name, aborted.code, aborted.outcome], ["AbortError", "aborted", undefined]);
      assert.equal(aborted.cause, reason);
      assert.equal((await bucket.get("k")).kind, "nothing");
    });

    test("one signal is for many requests, without a word of leaks", async () => {
      const warnings: string[] = [];
      const note = (warning: Error): void => void warnings.push(warning.message);
      process.on("warning", note);
      const bucket = db.bucket(named("shared-signal"), { codec: textCodec });
      const controller = new AbortController();
      const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
      const first = await bucket.getMany(keys, { signal: controller.signal });
      assert.ok(first.every(({ status }) => status === "fulfilled"));
      const second = bucket.getMany(keys, { signal: controller.signal });
      controller.abort();
      for (const one of await second) assert.equal(one.status === "rejected" && one.reason.code, "aborted");
      await new Promise(setImmediate);
      process.off("warning", note);
      assert.deepEqual(warnings, []);
    });

    test("a closed client takes no more requests", async () => {
      const other = await door.open();
      await other[Symbol.asyncDispose]();
      await other.close();
      assert.equal((await failureOf(other.bucket("b").get("k"))).code, "closed");
    });
  });
}

test("many large values at a time are all stored", async () => {
  await using db = await connect([peer], { timeoutMs: 20_000 });
  const bucket = db.bucket("large");
  const value = new Uint8Array(1_000_000).fill(1);
  const written = await bucket.putMany(Array.from({ length: 80 }, (_, i) => [`k${i % 8}-${i}`, value] as const));
  const troubles = written.flatMap((one) => (one.status === "rejected" ? [String(one.reason)] : []));
  assert.deepEqual(troubles, []);
});

test("contexts are the same over both, as text too", async () => {
  await using native = await connect([peer]);
  await using http = connectHttp([`http://${node.http}`]);
  const one = native.bucket("both", { codec: textCodec });
  const other = http.bucket("both", { codec: textCodec });
  const { context } = await one.put("k", "one");
  await other.put("k", "two", { context });
  const found = await other.get("k");
  assert.equal(found.kind === "value" && found.value, "two");
  await one.put("k", "three", { context: JSON.parse(JSON.stringify(found.context)) as string });
  const last = await one.get("k");
  assert.equal(last.kind === "value" && last.value, "three");
});
