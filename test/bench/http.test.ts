/** The benchmark's web client beside a web server: what it must see of an answer, in whatever pieces that comes. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as listenRaw } from "node:net";
import { after, before, test } from "node:test";
import { type Done, notFound } from "../../src/bench/target.ts";
import { HttpTarget } from "../../src/bench/targets/http-target.ts";

const stored = new Map<string, { body: Buffer; context: string | undefined }>();
let writes = 0;
let server: Server;
let base = "";
before(async () => {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const found = stored.get(request.url ?? "");
    if (request.method === "PUT") {
      writes += 1;
      const context = request.headers["cartwheel-context"]?.toString();
      stored.set(request.url ?? "", { body: Buffer.concat(chunks), context });
      response.writeHead(204).end();
    } else if (request.url?.includes("broken")) response.writeHead(503, { "content-length": 9 }).end("no quorum");
    else if (found === undefined) response.writeHead(404, { "content-length": 7 }).end("nothing");
    else
      response
        .writeHead(200, { "Cartwheel-Context": `after-${writes}`, "Content-Length": found.body.length })
        .end(found.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/kv/b`;
});
after(() => server.closeAllConnections());
after(() => server.close());

const ended = (act: (done: Done) => void): Promise<unknown> => new Promise((resolve) => act(resolve));

test("reads, writes and changes, with more under way than there are connections", async () => {
  const target = await HttpTarget.connect({ base, connections: 2 });
  const value = Buffer.alloc(100_000, 65);
  const keys = Array.from({ length: 10 }, (_, i) => `k ${i}`);
  assert.deepEqual(
    await Promise.all(keys.map((key) => ended((done) => target.put(key, value, done)))),
    keys.map(() => undefined),
  );
  assert.deepEqual(
    await Promise.all(keys.map((key) => ended((done) => target.get(key, done)))),
    keys.map(() => undefined),
  );
  assert.equal(stored.get("/kv/b/k%203")?.body.length, value.length);
  const seen: number[] = [];
  const change = (values: readonly Uint8Array[]): Uint8Array => {
    seen.push(values[0]?.length ?? -1);
    return Buffer.from("changed");
  };
  assert.equal(await ended((done) => target.change("k 3", change, done)), undefined);
  assert.deepEqual(seen, [value.length]);
  const after = stored.get("/kv/b/k%203");
  assert.deepEqual([after?.body.toString(), after?.context], ["changed", "after-10"]);
  await target.close();
});

test("nothing there, a refusal and an end of the connection are told apart", async () => {
  const target = await HttpTarget.connect({ base, query: "?r=1", connections: 1 });
  assert.equal(await ended((done) => target.get("nowhere", done)), notFound);
  assert.match(String(await ended((done) => target.get("broken", done))), /503: no quorum/);
  server.closeAllConnections();
  assert.match(String(await ended((done) => target.get("nowhere", done))), /closed the connection|ECONNRESET|EPIPE/);
  await target.close();
});

test("an answer in single bytes is one answer, and what is none ends the connection", async () => {
  let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
  const raw = listenRaw((socket) => {
    socket.on("error", () => {});
    socket.on("data", async () => {
      for (const byte of answer) {
        socket.write(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  });
  raw.listen(0, "127.0.0.1");
  await once(raw, "listening");
  const target = await HttpTarget.connect({
    base: `http://127.0.0.1:${(raw.address() as AddressInfo).port}/kv/b`,
    connections: 1,
  });
  assert.equal(await ended((done) => target.get("k", done)), undefined);
  answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  assert.match(String(await ended((done) => target.get("k", done))), /not an answer with a length/);
  await target.close();
  raw.close();
});
