/** What the client over HTTP does with nodes that are gone, silent, or say nonsense: it must not claim to know what it cannot. */

import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { CartwheelError } from "../../src/client/cartwheel-error.ts";
import { type RunningNode, startNode } from "../../src/host/start-node.ts";
import { connect, textCodec } from "../../src/web/index.ts";
import { failureCodes } from "../../src/wire/client-message.ts";

let node: RunningNode;
before(async () => {
  node = await startNode({ name: "n1", storage: "memory", listen: "127.0.0.1:0", http: "127.0.0.1:0" });
});
after(() => node.stop());

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.closeAllConnections();
  for (const server of servers) server.close();
});

/** The URL of something that answers as it is told to. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const failureOf = (promise: Promise<unknown>): Promise<CartwheelError> =>
  promise.then(
    () => assert.fail("it did not fail"),
    (error: CartwheelError) => error,
  );

/** Where nobody listens. */
async function deadUrl(): Promise<string> {
  const url = await serve(() => {});
  const server = servers.pop() as Server;
  await new Promise((resolve) => server.close(resolve));
  return url;
}

test("a read goes to the next address; a write that found nobody may have, for all fetch says, and the next one knows better", async () => {
  const urls = [await deadUrl(), `http://${node.http}`];
  const bucket = connect(urls).bucket("gone", { codec: textCodec });
  assert.equal((await bucket.get("k")).kind, "nothing");
  const other = connect(urls).bucket("gone", { codec: textCodec });
  const error = await failureOf(other.put("k", "v"));
  assert.deepEqual([error.code, error.outcome], ["lost", "unknown"]);
  assert.equal((await other.put("k", "v")).siblings, 1);
});

test("a write that a node refused before it began goes to another", async () => {
  const refusing = await serve((_request, response) => {
    response.writeHead(503, { "content-type": "application/problem+json" });
    response.end('{"type":"not-ready","detail":"it stops"}');
  });
  const bucket = connect([refusing, `http://${node.http}`]).bucket("refused", { codec: textCodec });
  assert.equal((await bucket.put("k", "v")).siblings, 1);
});

test("a write that a node does not know the fate of goes nowhere else", async () => {
  let asked = 0;
  const unsure = await serve((_request, response) => {
    asked++;
    response.writeHead(503, { "content-type": "application/problem+json" });
    response.end('{"type":"quorum-not-met","detail":"1 of 2","needed":2,"received":1,"outcome":"unknown"}');
  });
  const bucket = connect([unsure, unsure]).bucket("unsure", { codec: textCodec });
  const error = await failureOf(bucket.put("k", "v"));
  assert.deepEqual(
    [error.code, error.needed, error.received, error.outcome, asked],
    ["quorum-not-met", 2, 1, "unknown", 1],
  );
});

test("a node that never answers costs no more than the request's time; a write may have happened", async () => {
  const silent = await serve(() => {});
  const bucket = connect([silent]).bucket("silent", { codec: textCodec });
  const write = await failureOf(bucket.put("k", "v", { timeoutMs: 200 }));
  assert.deepEqual([write.code, write.outcome], ["timeout", "unknown"]);
  const read = await failureOf(bucket.get("k", { timeoutMs: 200 }));
  assert.deepEqual([read.code, read.outcome], ["timeout", undefined]);
});

test("whoever is given up while it waits says whether it may have happened", async () => {
  const silent = await serve(() => {});
  const bucket = connect([silent]).bucket("silent", { codec: textCodec });
  const controller = new AbortController();
  const { signal } = controller;
  const both = [failureOf(bucket.put("k", "v", { signal })), failureOf(bucket.get("k", { signal }))];
  setImmediate(() => controller.abort());
  const [write, read] = await Promise.all(both);
  assert.deepEqual([write?.code, write?.outcome], ["aborted", "unknown"]);
  assert.deepEqual([read?.code, read?.outcome], ["aborted", undefined]);
});

test("every code that a node knows comes back as itself", async () => {
  for (const code of failureCodes) {
    const failing = await serve((_request, response) => {
      response.writeHead(500, { "content-type": "application/problem+json" });
      response.end(JSON.stringify({ type: code, detail: "it says why" }));
    });
    const error = await failureOf(connect([failing]).bucket("b").get("k", { timeoutMs: 300 }));
    assert.equal(error.code, code);
  }
});

test("nonsense is an error, not a value", async () => {
  for (const [status, body] of [
    [300, "no json"],
    [300, '{"siblings":[{"value":1}]}'],
    [300, '{"siblings":[{"value":"%%%","contentType":"text/plain"}]}'],
    [418, "teapot"],
    [404, "who knows what is at this address"],
  ] as const) {
    const odd = await serve((_request, response) => {
      response.writeHead(status, { "cartwheel-context": "AAAA" });
      response.end(body);
    });
    const error = await failureOf(connect([odd]).bucket("b").get("k", { timeoutMs: 300 }));
    assert.equal(error.code, "internal", `${status} ${body}: ${error.message}`);
  }
});

test("what HTTP cannot carry is refused", async () => {
  const bucket = connect([`http://${node.http}`]).bucket("b", { codec: textCodec });
  for (const key of [".", ".."]) assert.equal((await failureOf(bucket.get(key))).code, "bad-request");
  assert.equal((await failureOf(bucket.put("k", "v", { ifUnknown: "retry" }))).code, "bad-request");
  assert.throws(() => connect(["ftp://x"]), TypeError);
  assert.throws(() => connect([]), TypeError);
});
