/** A server that is told to close finishes what runs, takes nothing new, and does not wait for those who idle. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, get } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { defaultLimits } from "../../src/core/limits.ts";
import { type HttpServer, startHttpServer } from "../../src/http/server.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { ServedNode } from "./served-node.ts";

async function open(port: number): Promise<{ readonly socket: Socket; readonly told: () => string }> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(socket, "connect");
  return { socket, told: () => text };
}

test("what had begun is finished, on a connection that then closes; what is new is refused", async () => {
  const served = await ServedNode.start();
  const agent = new Agent({ keepAlive: true });
  const idle = get({ port: served.port, path: "/healthz", agent });
  const [answer] = await once(idle, "response");
  answer.resume();
  await once(answer, "end");

  const { socket, told } = await open(served.port);
  socket.write("PUT /kv/b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  // The server says this once the request has begun.
  while (!told().includes("100 Continue")) await once(socket, "data");
  const stopped = served.node.stop();
  const refused = connect(served.port, "127.0.0.1");
  const [error] = await once(refused, "error");
  assert.equal((error as NodeJS.ErrnoException).code, "ECONNREFUSED");
  socket.write("body");
  await once(socket, "close");
  assert.match(told(), /HTTP\/1\.1 204 [\s\S]*connection: close/i);
  await stopped;
  agent.destroy();
});

test("what does not finish in time is cut off", async () => {
  const options = { listen: "127.0.0.1:0", limits: defaultLimits, names: [], software: "0", log: silentLog };
  const http: HttpServer = await startHttpServer(options);
  const { socket, told } = await open(Number(http.address.split(":")[1]));
  socket.on("error", () => {});
  socket.write("PUT /kv/b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  while (!told().includes("100 Continue")) await once(socket, "data");
  const closed = once(socket, "close");
  await http.close(1);
  await closed;
});

test("one that is drained serves whoever is connected, and lets nobody in until it is opened again", async () => {
  const served = await ServedNode.start();
  const options = { listen: "127.0.0.1:0", limits: defaultLimits, names: [], software: "0", log: silentLog };
  const http = await startHttpServer(options);
  http.serve(served.node.api);
  const port = Number(http.address.split(":")[1]);
  const { socket, told } = await open(port);
  socket.write("PUT /kv/b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  while (!told().includes("100 Continue")) await once(socket, "data");
  const drained = http.drain(60_000);
  const [error] = await once(connect(port, "127.0.0.1"), "error");
  assert.equal((error as NodeJS.ErrnoException).code, "ECONNREFUSED");
  socket.write("body");
  await once(socket, "close");
  assert.match(told(), /HTTP\/1\.1 204 [\s\S]*connection: close/i);
  await drained;
  await http.reopen();
  const again = await open(port);
  again.socket.write("GET /kv/b/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  await once(again.socket, "close");
  assert.match(again.told(), /HTTP\/1\.1 200 [\s\S]*body/);
  await http.drain(1);
  await http.close(1);
  await served.node.stop();
});
