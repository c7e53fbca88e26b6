import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ServedNode, type Told } from "./served-node.ts";

let served: ServedNode;
before(async () => {
  served = await ServedNode.start();
});
after(() => served.node.stop());

const context = (told: Told): string => {
  const text = told.headers["cartwheel-context"];
  assert.ok(text, "the answer has a context");
  return text;
};

test("a value comes back byte for byte, under its own Content-Type, in no cache", async () => {
  const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const put = await served.ask("/kv/b/bytes", { method: "PUT", body, headers: { "content-type": "image/x-odd; a=b" } });
  assert.equal(put.status, 204);
  assert.equal(put.headers["cartwheel-siblings"], "1");
  const got = await served.ask("/kv/b/bytes");
  assert.equal(got.status, 200);
  assert.deepEqual(got.body, body);
  assert.equal(got.headers["content-type"], "image/x-odd; a=b");
  assert.equal(got.headers["cache-control"], "no-store");
  assert.ok(context(got));
  assert.ok(context(put));
});

test("whatever Content-Type came is given back as it was", async () => {
  for (const type of ["application/json", "text/plain", "text/html;charset=latin1", "garbage", 'a/b; c="d', "x, y"]) {
    await served.ask("/kv/b/type", { method: "PUT", body: "x", headers: { "content-type": type } });
    const siblings = await served.ask("/kv/b/type");
    const seen = { "cartwheel-context": context(siblings), "content-type": type };
    await served.ask("/kv/b/type", { method: "PUT", body: "x", headers: seen });
    assert.equal((await served.ask("/kv/b/type")).headers["content-type"], type);
  }
  await served.ask("/kv/b/typeless", { method: "PUT", body: "x" });
  assert.equal((await served.ask("/kv/b/typeless")).headers["content-type"], "application/octet-stream");
});

test("an empty value is a value", async () => {
  assert.equal((await served.ask("/kv/b/empty", { method: "PUT" })).status, 204);
  const got = await served.ask("/kv/b/empty");
  assert.equal(got.status, 200);
  assert.equal(got.body.length, 0);
});

test("a body in chunks, without a length, is stored", async () => {
  const told = await served.raw(
    "PUT /kv/b/chunked HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
      "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
  );
  assert.match(told, /^HTTP\/1\.1 204 /);
  assert.equal((await served.ask("/kv/b/chunked")).body.toString(), "abcdefg");
});

test("a key is whatever its percent-encoding says, slashes and all", async () => {
  const keys = ["a%2Fb", "%2F", "%2e%2e", "%00", "%E2%82%AC", "%25zz", "a;b", "a+b", "%3F%23", "%EF%BB%BFx"];
  for (const key of keys) await served.ask(`/kv/names/${key}`, { method: "PUT", body: key });
  for (const key of keys) assert.equal((await served.ask(`/kv/names/${key}`)).body.toString(), key);
  assert.equal((await served.ask("/kv/names/a%2fb")).body.toString(), "a%2Fb");
  assert.equal((await served.ask("/kv/names/%61%2Fb")).body.toString(), "a%2Fb");
});

test("the longest bucket and key are taken, percent-encoded to the last byte", async () => {
  const path = `/kv/${"%62".repeat(128)}/${"%6B".repeat(1024)}`;
  assert.equal((await served.ask(path, { method: "PUT", body: "long" })).status, 204);
  assert.equal((await served.ask(`/kv/${"b".repeat(128)}/${"k".repeat(1024)}`)).body.toString(), "long");
  assert.equal((await served.ask(`/cluster/locate/${"b".repeat(128)}/${"k".repeat(1024)}`)).status, 200);
});

test("two writes with one context stay side by side until one resolves them", async () => {
  const seen = context(await served.ask("/kv/b/cart", { method: "PUT", body: "0" }));
  const write = (body: string, token: string): Promise<Told> =>
    served.ask("/kv/b/cart", {
      method: "PUT",
      body,
      headers: { "cartwheel-context": token, "content-type": "text/plain" },
    });
  const first = await write("1", seen);
  const second = await write("2", seen);
  assert.equal(second.headers["cartwheel-siblings"], "2");

  const read = await served.ask("/kv/b/cart");
  assert.equal(read.status, 300);
  assert.equal(read.headers["cartwheel-siblings"], "2");
  const { siblings } = read.json() as { siblings: { value: string; contentType: string; modified: string }[] };
  assert.deepEqual(siblings.map(({ value }) => Buffer.from(value, "base64").toString()).sort(), ["1", "2"]);
  assert.ok(siblings.every(({ contentType }) => contentType === "text/plain"));
  assert.ok(siblings.every(({ modified }) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(modified)));
  assert.equal(read.json()["context"], context(read));

  // A write's own context covers it and what its client had seen, and not the other.
  assert.equal((await write("3", context(first))).headers["cartwheel-siblings"], "2");
  assert.equal((await write("4", context(await served.ask("/kv/b/cart")))).headers["cartwheel-siblings"], "1");
  assert.equal((await served.ask("/kv/b/cart")).body.toString(), "4");
});

test("a write without a context is concurrent with everything", async () => {
  await served.ask("/kv/b/blind", { method: "PUT", body: "1" });
  const second = await served.ask("/kv/b/blind", { method: "PUT", body: "2" });
  assert.equal(second.headers["cartwheel-siblings"], "2");
  assert.equal((await served.ask("/kv/b/blind")).status, 300);
});

test("siblings come as multipart/mixed where Accept prefers that", async () => {
  await served.ask("/kv/b/parts", { method: "PUT", body: "one", headers: { "content-type": "text/one" } });
  await served.ask("/kv/b/parts", { method: "PUT", body: "two", headers: { "content-type": "text/two" } });
  const accepts: readonly (readonly [string, string])[] = [
    ["multipart/mixed", "multipart/mixed"],
    ["multipart/*, application/json;q=0.5", "multipart/mixed"],
    ["*/*", "application/json"],
    ["application/json, multipart/mixed", "application/json"],
    ["multipart/mixed;q=0.2, application/json;q=0.1", "multipart/mixed"],
    ["multipart/mixed;q=nonsense", "application/json"],
    ["", "application/json"],
    [", ;;=,", "application/json"],
  ];
  for (const [accept, type] of accepts) {
    const told = await served.ask("/kv/b/parts", { headers: { accept } });
    assert.equal(told.headers["content-type"]?.split(";")[0], type, accept);
    assert.equal(told.headers["vary"], "Accept");
  }
  const told = await served.ask("/kv/b/parts", { headers: { accept: "multipart/mixed" } });
  const boundary = /boundary=(\w+)/.exec(told.headers["content-type"] ?? "")?.[1];
  const parts = told.body.toString().split(`--${boundary}`);
  assert.equal(parts[0], "");
  assert.equal(parts.at(-1), "--\r\n");
  const found = parts.slice(1, -1).map((part) => {
    const [head = "", body = ""] = part.split("\r\n\r\n");
    return `${/Content-Type: (.*)/.exec(head)?.[1]} ${body}`;
  });
  assert.deepEqual(found.sort(), ["text/one one\r\n", "text/two two\r\n"]);
});

test("HEAD says what GET says, without the body", async () => {
  await served.ask("/kv/b/head", { method: "PUT", body: "12345", headers: { "content-type": "text/plain" } });
  const told = await served.ask("/kv/b/head", { method: "HEAD" });
  const got = await served.ask("/kv/b/head");
  for (const name of ["content-type", "content-length", "cartwheel-context", "cartwheel-siblings", "last-modified"]) {
    assert.equal(told.headers[name], got.headers[name], name);
  }
  assert.equal(told.status, 200);
  assert.equal((await served.ask("/kv/b/none", { method: "HEAD" })).status, 404);
});

test("a delete removes what it has seen, and a concurrent write survives it", async () => {
  const first = await served.ask("/kv/b/del", { method: "PUT", body: "1" });
  await served.ask("/kv/b/del", { method: "PUT", body: "2" });
  const seen = { "cartwheel-context": context(first) };
  assert.equal((await served.ask("/kv/b/del", { method: "DELETE", headers: seen })).status, 204);
  assert.equal((await served.ask("/kv/b/del")).body.toString(), "2");
  assert.equal((await served.ask("/kv/b/del", { method: "DELETE" })).status, 204);
  const gone = await served.ask("/kv/b/del");
  assert.equal(gone.status, 404);
  assert.equal(gone.json()["type"], "not-found");
  assert.ok(context(gone), "a deleted key has a context");
  assert.equal(gone.headers["cartwheel-siblings"], "0");
  assert.equal((await served.ask("/kv/b/never", { method: "DELETE" })).status, 204);
});

test("If-None-Match: * writes only where there is nothing live", async () => {
  const only = { "if-none-match": "*" };
  assert.equal((await served.ask("/kv/b/once", { method: "PUT", body: "1", headers: only })).status, 204);
  const again = await served.ask("/kv/b/once", { method: "PUT", body: "2", headers: only });
  assert.equal(again.status, 412);
  assert.equal(again.json()["type"], "precondition-failed");
  await served.ask("/kv/b/once", { method: "DELETE" });
  assert.equal((await served.ask("/kv/b/once", { method: "PUT", body: "3", headers: only })).status, 204);
});

test("quorums are numbers or words, and more than n is refused", async () => {
  await served.ask("/buckets/five", { method: "PUT", body: "{}" });
  for (const query of [
    "r=1",
    "r=one",
    "r=quorum&pr=all",
    "pr=0",
    "timeout=1000",
    "r=1&pr=1&timeout=60000",
    "zones=1",
  ]) {
    assert.equal((await served.ask(`/kv/q/none?${query}`)).status, 404, query);
  }
  for (const query of ["w=1", "w=all&pw=quorum&dw=one", "dw=0&pw=0", "w=1&zones=1"]) {
    assert.equal((await served.ask(`/kv/q/k?${query}`, { method: "PUT", body: "v" })).status, 204, query);
  }
  const tooMany = await served.ask("/kv/q/k?r=17");
  assert.equal(tooMany.status, 400);
});

test("beyond 100 siblings a write is refused, and says to resolve", async () => {
  await Promise.all(
    Array.from({ length: 100 }, (_, i) => served.ask("/kv/b/many", { method: "PUT", body: String(i) })),
  );
  const told = await served.ask("/kv/b/many", { method: "PUT", body: "one too many" });
  assert.equal(told.status, 409);
  assert.equal(told.json()["type"], "too-many-siblings");
  const read = await served.ask("/kv/b/many");
  assert.equal(read.headers["cartwheel-siblings"], "100");
  const seen = { "cartwheel-context": context(read) };
  assert.equal((await served.ask("/kv/b/many", { method: "PUT", body: "all", headers: seen })).status, 204);
});

test("a stored page cannot act for the node's origin", async () => {
  await served.ask("/kv/b/page", { method: "PUT", body: "<script>", headers: { "content-type": "text/html" } });
  const told = await served.ask("/kv/b/page");
  assert.match(told.headers["content-security-policy"] ?? "", /^sandbox/);
  assert.equal(told.headers["x-content-type-options"], "nosniff");
});
