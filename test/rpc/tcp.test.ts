import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "../../src/core/ids.ts";
import { defaultLimits } from "../../src/core/limits.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import { machineClock } from "../../src/host/clock.ts";
import { machineRandom } from "../../src/host/random.ts";
import { tcpNetwork } from "../../src/host/tcp-network.ts";
import { Peers } from "../../src/rpc/peers.ts";
import { Server } from "../../src/rpc/server.ts";
import { silentLog } from "../../src/runtime/log.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import type { Hello } from "../../src/wire/message.ts";

const runtime: Runtime = {
  clock: machineClock,
  random: machineRandom(),
  network: tcpNetwork,
  log: silentLog,
  checksum: machineChecksum,
};
const helloOf = (node: string): Hello => ({
  kind: "hello",
  id: 0,
  role: "member",
  cluster: "c1",
  node: node as NodeId,
  incarnation: "1-a",
  name: "n",
});

test("a ping is answered over TCP", async () => {
  const server = new Server({
    runtime,
    limits: defaultLimits,
    hello: () => helloOf("0000000000000001"),
    serve: (request, from) => from.reply({ kind: "done", id: 0 }, request.id),
  });
  const address = await server.listen("127.0.0.1:0");
  const peers = new Peers({
    runtime,
    limits: defaultLimits,
    hello: () => helloOf("0000000000000002"),
    addressOf: () => address,
  });
  const node = "0000000000000001" as NodeId;
  assert.equal((await peers.ask(node, { kind: "ping", id: 0 }, 1000)).kind, "done");
  assert.equal(peers.isConnected(node), true);
  const many = await Promise.all(Array.from({ length: 100 }, () => peers.ask(node, { kind: "ping", id: 0 }, 1000)));
  assert.ok(many.every((answer) => answer.kind === "done"));
  assert.equal((await peers.askAddress(address, { kind: "ping", id: 0 }, 1000)).kind, "done");
  peers.stop();
  await server.stop();
});
