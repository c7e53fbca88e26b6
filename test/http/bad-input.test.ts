/** Whatever a client sends wrong is answered with its 4xx, in the one format; a 5xx on bad input is a defect. */

import assert from "node:assert/strict";
import { STATUS_CODES } from "node:http";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { plainRecord } from "../plain-record.ts";
import { type Ask, ServedNode } from "./served-node.ts";

let served: ServedNode;
let token: string;
before(async () => {
  served = await ServedNode.start();
  token = (await served.ask("/kv/b/k", { method: "PUT", body: "v" })).headers["cartwheel-context"] ?? "";
  await served.ask("/kv/b/other", { method: "PUT", body: "v" });
});
after(() => served.node.stop());

const put = (headers: Record<string, string | string[]> = {}, body: string | Uint8Array = "v"): Ask => ({
  method: "PUT",
  headers,
  body,
});
const setBucket = (body: string, type = "application/json"): Ask => put({ "content-type": type }, body);
const tooLarge = new Uint8Array(1024 * 1024 + 1);

/** Path, what is asked, status, type, and what the detail must name. */
const table: readonly (readonly [path: string, ask: Ask, status: number, type: string, detail: RegExp])[] = [
  ["/kv/b/%zz", {}, 400, "bad-request", /%zz/],
  ["/kv/b/%", {}, 400, "bad-request", /%/],
  ["/kv/b/%2", {}, 400, "bad-request", /two hexadecimal digits/],
  ["/kv/b/%ff", {}, 400, "bad-request", /UTF-8/],
  ["/kv/b/%C0%80", {}, 400, "bad-request", /UTF-8/],
  ["/kv/b/%ED%A0%80", {}, 400, "bad-request", /UTF-8/],
  ["/kv/%ff/k", put(), 400, "bad-request", /UTF-8/],
  ["/kv/b/", {}, 400, "bad-request", /key is 0 bytes/],
  ["/kv//k", {}, 400, "bad-request", /bucket is 0 bytes/],
  [`/kv/b/${"k".repeat(1025)}`, {}, 400, "bad-request", /key is 1025 bytes long, and must be 1 to 1024/],
  [`/kv/b/${"%E2%82%AC".repeat(342)}`, put(), 400, "bad-request", /key is 1026 bytes/],
  [`/kv/${"b".repeat(129)}/k`, {}, 400, "bad-request", /bucket is 129 bytes long, and must be 1 to 128/],
  [`/kv/b/${"k".repeat(9000)}`, {}, 414, "uri-too-long", /9006/],
  [`/kv/b/k?r=${"1".repeat(9000)}`, {}, 414, "uri-too-long", /8192/],
  ["/kv/b/k/x", {}, 404, "no-such-route", /%2F/],
  ["/kv/b", {}, 404, "no-such-route", /kv/],
  ["/nowhere", {}, 404, "no-such-route", /nowhere/],
  ["//kv/b/k", {}, 404, "no-such-route", /kv/],
  ["/KV/b/k", {}, 404, "no-such-route", /KV/],
  ["/cluster/members/n1", { method: "DELETE" }, 409, "conflicting-change", /n1 is up/],
  ["/cluster/repair", { method: "PUT" }, 405, "method-not-allowed", /knows HEAD, POST, GET, and not PUT/],
  ["/cluster/repair?all=1", { method: "POST" }, 400, "bad-request", /all/],
  ["/buckets/b/keys", {}, 404, "no-such-route", /this version/],
  ["/kv/b/k", { method: "POST", body: "x" }, 405, "method-not-allowed", /GET/],
  ["/kv/b/k", { method: "PATCH", body: "x" }, 405, "method-not-allowed", /PUT/],
  ["/kv/b/k", { method: "OPTIONS" }, 405, "method-not-allowed", /DELETE/],
  ["/kv/b/k", { method: "PROPFIND" }, 405, "method-not-allowed", /PROPFIND/],
  ["/kv/b/k", { method: "QUERY", body: "x" }, 405, "method-not-allowed", /QUERY/],
  ["/cluster", { method: "DELETE" }, 405, "method-not-allowed", /GET/],
  ["/buckets", { method: "PUT", body: tooLarge }, 405, "method-not-allowed", /GET/],
  ["/kv/b/k?r=0", {}, 400, "bad-request", /r is "0".*from 1/],
  ["/kv/b/k?r=-1", {}, 400, "bad-request", /r is "-1"/],
  ["/kv/b/k?r=1.5", {}, 400, "bad-request", /r is "1.5"/],
  ["/kv/b/k?r=", {}, 400, "bad-request", /r is ""/],
  ["/kv/b/k?r", {}, 400, "bad-request", /r is ""/],
  ["/kv/b/k?r=most", {}, 400, "bad-request", /one, quorum, all/],
  ["/kv/b/k?r=1e3", {}, 400, "bad-request", /1e3/],
  ["/kv/b/k?r=99999999999999999999", {}, 400, "bad-request", /r is/],
  ["/kv/b/k?r=4", {}, 400, "bad-request", /4/],
  ["/kv/b/k?pr=4", {}, 400, "bad-request", /4/],
  ["/kv/b/k?w=4", put(), 400, "bad-request", /4/],
  ["/kv/b/k?pw=4", put(), 400, "bad-request", /4/],
  ["/kv/b/k?dw=4", put(), 400, "bad-request", /4/],
  ["/kv/b/k?dw=x", put(), 400, "bad-request", /dw/],
  ["/kv/b/k?zones=0", {}, 400, "bad-request", /zones is "0".*from 1/],
  ["/kv/b/k?zones=all", put(), 400, "bad-request", /zones is "all"/],
  ["/kv/b/k?zones=2", put(), 400, "bad-request", /zones is 2, allowed are 1 to 1/],
  ["/kv/b/k?zones=4", {}, 400, "bad-request", /zones is 4/],
  ["/kv/b/k?r=1&r=1", {}, 400, "bad-request", /twice/],
  ["/kv/b/k?w=1", {}, 400, "bad-request", /unknown query parameter "w".*r, pr, zones, timeout/],
  ["/kv/b/k?r=1", put(), 400, "bad-request", /unknown query parameter "r"/],
  ["/kv/b/k?ttl=60", put(), 400, "bad-request", /unknown query parameter "ttl"/],
  ["/kv/b/k?R=1", {}, 400, "bad-request", /unknown query parameter "R"/],
  ["/kv/b/k?%zz=1", {}, 400, "bad-request", /%zz/],
  ["/kv/b/k?r=%zz", {}, 400, "bad-request", /%zz/],
  ["/kv/b/k?__proto__=1", {}, 400, "bad-request", /__proto__/],
  ["/kv/b/k?timeout=0", {}, 400, "bad-request", /timeout is "0", and must be 1 to 60000/],
  ["/kv/b/k?timeout=60001", {}, 400, "bad-request", /timeout/],
  ["/kv/b/k?timeout=soon", {}, 400, "bad-request", /soon/],
  ["/cluster?x=1", {}, 400, "bad-request", /takes none/],
  ["/cluster/ring?x", {}, 400, "bad-request", /takes none/],
  ["/buckets?x", {}, 400, "bad-request", /takes none/],
  ["/cluster/locate/b/%zz", {}, 400, "bad-request", /%zz/],
  ["/cluster/locate//k", {}, 400, "bad-request", /bucket/],
  ["/kv/b/k", put({ "cartwheel-context": "nonsense" }), 400, "bad-context", /context/i],
  ["/kv/b/k", put({ "cartwheel-context": "" }), 400, "bad-context", /context/i],
  ["/kv/b/k", { method: "DELETE", headers: { "cartwheel-context": "AAAA" } }, 400, "bad-context", /context/i],
  ["/kv/b/k", put({ "cartwheel-context": ["AA", "AA"] }), 400, "bad-context", /context/i],
  ["/kv/b/k", put({ "if-none-match": '"tag"' }), 400, "bad-request", /If-None-Match/],
  ["/kv/b/k", put({ "if-match": "*" }), 400, "bad-request", /if-match/],
  ["/kv/b/k", { method: "DELETE", headers: { "if-none-match": "*" } }, 400, "bad-request", /if-none-match/],
  ["/kv/b/k", put({ "content-type": "x".repeat(256) }), 400, "bad-request", /Content-Type/],
  ["/kv/b/k", put({ "content-type": "caf\u00e9" }), 400, "bad-request", /Content-Type/],
  ["/kv/b/k", put({}, tooLarge), 413, "value-too-large", /1048577.*1048576/],
  ["/kv/b/k", put({ "transfer-encoding": "chunked" }, tooLarge), 413, "value-too-large", /1048576/],
  ["/kv/b/k", { method: "DELETE", body: tooLarge }, 413, "value-too-large", /1024/],
  ["/buckets/b", setBucket("{"), 400, "bad-request", /JSON/],
  ["/buckets/b", setBucket(""), 400, "bad-request", /JSON/],
  ["/buckets/b", setBucket("[]"), 400, "bad-request", /object/],
  ["/buckets/b", setBucket("null"), 400, "bad-request", /object/],
  [
    "/buckets/b",
    put({ "content-type": "application/json" }, Uint8Array.of(0x22, 0xff, 0x22)),
    400,
    "bad-request",
    /JSON/,
  ],
  ["/buckets/b", setBucket('{"n":0}'), 400, "bad-request", /n is 0, and must be a whole number from 1 to 16/],
  ["/buckets/b", setBucket('{"n":17}'), 400, "bad-request", /n is 17/],
  ["/buckets/b", setBucket('{"n":"3"}'), 400, "bad-request", /n is "3"/],
  ["/buckets/b", setBucket('{"n":1.5}'), 400, "bad-request", /1.5/],
  ["/buckets/b", setBucket('{"r":0}'), 400, "bad-request", /r is 0/],
  ["/buckets/b", setBucket('{"r":4}'), 400, "bad-request", /4/],
  ["/buckets/b", setBucket('{"w":null}'), 400, "bad-request", /w is null/],
  ["/buckets/b", setBucket('{"dw":"some"}'), 400, "bad-request", /dw is "some"/],
  ["/buckets/b", setBucket('{"durability":"maybe"}'), 400, "bad-request", /synced, buffered/],
  ["/buckets/b", setBucket('{"reconcile":1}'), 400, "bad-request", /last-write-wins/],
  ["/buckets/b", setBucket('{"ttl":60}'), 400, "bad-request", /unknown property "ttl"/],
  ["/buckets/b", setBucket('{"__proto__":{"n":1}}'), 400, "bad-request", /__proto__/],
  ["/buckets/b", setBucket("{}", "text/plain"), 415, "unsupported-media-type", /text\/plain/],
  ["/buckets/b", setBucket(" ".repeat(20_000)), 413, "value-too-large", /16384/],
  ["/buckets/b?x=1", setBucket("{}"), 400, "bad-request", /takes none/],
  ["/buckets/%zz", {}, 400, "bad-request", /%zz/],
  [`/buckets/${"b".repeat(129)}`, {}, 400, "bad-request", /129/],
];

test("every wrong request is answered with its status, its type and a detail that names what is wrong", async () => {
  for (const [path, ask, status, type, detail] of table) {
    const what = `${ask.method ?? "GET"} ${path.slice(0, 60)}`;
    const told = await served.ask(path, ask);
    assert.equal(told.status, status, `${what}: ${told.body}`);
    assert.equal(told.headers["content-type"], "application/problem+json", what);
    const problem = told.json();
    assert.equal(problem["type"], type, what);
    assert.equal(problem["status"], status, what);
    assert.match(String(problem["detail"]), detail, what);
  }
  assert.equal((await served.ask("/kv/b/k")).body.toString(), "v", "nothing of it was stored");
});

test("405 names the methods that are allowed", async () => {
  const told = await served.ask("/kv/b/k", { method: "POST" });
  assert.deepEqual(told.headers["allow"]?.split(", ").sort(), ["DELETE", "GET", "HEAD", "PUT"]);
});

test("another key's context is refused, on PUT and on DELETE", async () => {
  for (const method of ["PUT", "DELETE"]) {
    const told = await served.ask("/kv/b/other", { method, headers: { "cartwheel-context": token } });
    assert.equal(told.status, 400);
    assert.equal(told.json()["type"], "bad-context");
  }
});

test("a context with any character changed is refused", async () => {
  for (let i = 0; i < token.length; i++) {
    const other = token[i] === "A" ? "B" : "A";
    const changed = token.slice(0, i) + other + token.slice(i + 1);
    const told = await served.ask("/kv/b/k", { method: "PUT", headers: { "cartwheel-context": changed } });
    // The last character may carry bits that no byte of the token has.
    if (told.status !== 400) assert.equal(i, token.length - 1, `changed at ${i}: ${told.status}`);
  }
});

test("a value over the limit is refused and one at the limit is not", async () => {
  const atLimit = new Uint8Array(1024 * 1024).fill(7);
  assert.equal((await served.ask("/kv/b/large", { method: "PUT", body: atLimit })).status, 204);
  assert.equal((await served.ask("/kv/b/large")).body.length, atLimit.length);
});

test("bytes that are not HTTP are answered with a problem and their connection closed", async () => {
  const cases: readonly (readonly [string, number])[] = [
    ["nonsense\r\n\r\n", 400],
    ["GET /kv/b/k HTTP/1.1\r\n\r\n", 400],
    ["PUT /kv/b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nExpect: more\r\n\r\nx", 417],
    ["GET /kv/b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400],
    ["PUT /kv/b/k HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(40_000)}\r\n\r\n`, 431],
    ["GET /\u0000 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
  ];
  for (const [bytes, status] of cases) {
    const told = await served.raw(bytes);
    const shown = bytes.slice(0, 60);
    assert.match(told, new RegExp(`^HTTP/1\\.1 ${status} ${STATUS_CODES[status]}\r\n`), shown);
    assert.match(told, /^content-type: application\/problem\+json\r$/im, shown);
    const problem = JSON.parse(told.slice(told.indexOf("\r\n\r\n"))) as { status: number; detail: string };
    assert.equal(problem.status, status, shown);
    assert.notEqual(problem.detail, "", shown);
  }
});

test("a raw character beyond ASCII in a path is refused, not guessed at", async () => {
  const told = await served.raw(
    Buffer.from("GET /kv/b/\u00e9 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
  );
  assert.match(told, /^HTTP\/1\.1 400 /);
});

test("a whole URL as the target is the path it names", async () => {
  const told = await served.raw("GET http://localhost/kv/b/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  assert.match(told, /^HTTP\/1\.1 200 /);
});

test("a body that ends early stores nothing", async () => {
  const head = "PUT /kv/b/cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc";
  const { connect } = await import("node:net");
  await new Promise<void>((resolve) => {
    const socket = connect(served.port, "127.0.0.1", () => socket.write(head, () => socket.destroy()));
    socket.on("close", () => resolve());
  });
  assert.equal((await served.ask("/kv/b/cut")).status, 404);
});

test("no random target, header or bucket change is answered with a 5xx", async () => {
  const segment = fc.oneof(
    fc.constantFrom("kv", "b", "k", "cluster", "ring", "locate", "buckets", "..", ".", "%2e%2e", "%00", "%", "*"),
    fc.stringMatching(/^[\x21\x24-\x7e]{0,12}$/),
  );
  const target = fc
    .tuple(fc.array(segment, { maxLength: 5 }), fc.option(fc.stringMatching(/^[\x21\x24-\x7e]{0,20}$/)))
    .map(([segments, query]) => `/${segments.join("/")}${query === null ? "" : `?${query}`}`);
  const headerText = fc.stringMatching(/^[\x20-\x7e]{0,40}$/);
  const asked = plainRecord({
    method: fc.constantFrom("GET", "HEAD", "PUT", "DELETE", "POST"),
    headers: fc.record(
      { "cartwheel-context": headerText, "content-type": headerText, "if-none-match": headerText, accept: headerText },
      { requiredKeys: [], noNullPrototype: true },
    ),
    body: fc.oneof(fc.json(), fc.string()),
  });
  await fc.assert(
    fc.asyncProperty(target, asked, async (path, ask) => {
      const hasBody = ask.method === "PUT" || ask.method === "POST";
      const { body, ...rest } = ask;
      const told = await served.askOnly(path, hasBody ? { ...rest, body } : rest);
      assert.ok(told.status < 500, `${told.status}: ${told.body}`);
    }),
    { numRuns: 400 },
  );
});
