/** A page of another origin, or one whose domain name was pointed at this address, cannot do anything. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkOrigin, hostOf, OwnHosts } from "../../src/http/origin-check.ts";
import { ServedNode } from "./served-node.ts";

let served: ServedNode;
before(async () => {
  served = await ServedNode.start();
});
after(() => served.node.stop());

const put = (headers: Record<string, string>): Promise<number> =>
  served.ask("/kv/b/k", { method: "PUT", body: "v", headers }).then(({ status }) => status);

test("a change is taken from its own origin and from no page at all, and from no other page", async () => {
  const own = `127.0.0.1:${served.port}`;
  assert.equal(await put({}), 204);
  assert.equal(await put({ host: own, origin: `http://${own}` }), 204);
  assert.equal(await put({ host: own, origin: `http://${own}`, "sec-fetch-site": "same-origin" }), 204);
  assert.equal(await put({ host: own, origin: "http://evil.example" }), 403);
  assert.equal(await put({ host: own, origin: `http://127.0.0.1:${served.port + 1}` }), 403);
  assert.equal(await put({ host: own, origin: "null" }), 403);
  assert.equal(await put({ host: own, origin: "" }), 403);
  assert.equal(await put({ host: own, "sec-fetch-site": "cross-site" }), 403);
  assert.equal(await put({ host: own, "sec-fetch-site": "same-site" }), 403);
});

test("a Host that is not this node's is refused, for reads too", async () => {
  for (const host of ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example"]) {
    assert.equal((await served.ask("/kv/b/k", { headers: { host } })).status, 403, host);
    assert.equal(await put({ host, origin: `http://${host}` }), 403, host);
  }
  for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:5", "[::1]:80", "10.1.2.3", "a.localhost"]) {
    assert.equal((await served.ask("/healthz", { headers: { host } })).status, 200, host);
  }
});

test("a node answers to the names it was given", () => {
  const allowed = (host: string): boolean => {
    try {
      checkOrigin("GET", { host }, new OwnHosts(["node1.internal"]));
      return true;
    } catch {
      return false;
    }
  };
  assert.ok(allowed("Node1.Internal:7480"));
  assert.ok(!allowed("node2.internal"));
  assert.ok(!allowed(""));
  assert.equal(hostOf("[::1]:7480"), "::1");
  assert.equal(hostOf("Example.ORG"), "example.org");
  assert.equal(hostOf("a:b:c"), "");
});
