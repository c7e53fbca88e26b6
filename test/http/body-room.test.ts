/** Bodies that arrive, or never do, take a bounded room together. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { defaultLimits } from "../../src/core/limits.ts";
import { ServedNode } from "./served-node.ts";

const limits = { ...defaultLimits, valueBytes: 1000, bodiesBytes: 2500 };

/** A client that says how long its body is, and sends none of it. */
async function promising(port: number, framing: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.write(`PUT /kv/b/slow HTTP/1.1\r\nHost: localhost\r\n${framing}\r\nExpect: 100-continue\r\n\r\n`);
  const [said] = await once(socket, "data");
  assert.match(String(said), /100 Continue/);
  return socket;
}

test("a body for which there is no room is refused until another request is over", async () => {
  await using served = await ServedNode.start({ limits });
  const put = (
    bytes: number,
  ): Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>> }> =>
    served.ask("/kv/b/k", { method: "PUT", body: new Uint8Array(bytes) });
  const sockets = [
    await promising(served.port, "Content-Length: 900"),
    await promising(served.port, "Transfer-Encoding: chunked"),
  ];
  assert.equal((await put(600)).status, 204);
  const refused = await put(601);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers["retry-after"], "1");
  assert.equal((await put(1001)).status, 413);
  assert.equal((await served.ask("/kv/b/k")).status, 200);
  for (const socket of sockets) socket.destroy();
  // The server hears of the closed connections in a later turn.
  while ((await put(1000)).status !== 204);
});

test("room is given back with each answer, whatever it is", async () => {
  await using served = await ServedNode.start({ limits });
  for (let i = 0; i < 5; i++) {
    assert.equal((await served.ask("/kv/b/k", { method: "PUT", body: new Uint8Array(1000) })).status, 204);
    const wrong = { "cartwheel-context": "wrong" };
    assert.equal(
      (await served.ask("/kv/b/k", { method: "PUT", headers: wrong, body: new Uint8Array(999) })).status,
      400,
    );
    assert.equal((await served.ask("/nothing", { method: "PUT", body: new Uint8Array(999) })).status, 404);
  }
});
