import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import type { ActorId, NodeId } from "../../src/core/ids.ts";
import { defaultLimits, type Limits } from "../../src/core/limits.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import { machineClock } from "../../src/host/clock.ts";
import { machineRandom } from "../../src/host/random.ts";
import { splitAddress, tcpNetwork } from "../../src/host/tcp-network.ts";
import type { AnswerHandler } from "../../src/rpc/call.ts";
import { Peers } from "../../src/rpc/peers.ts";
import { type Requester, Server } from "../../src/rpc/server.ts";
import { silentLog } from "../../src/runtime/log.ts";
import type { Connection, ConnectionHandler } from "../../src/runtime/network.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import { FrameEncoder } from "../../src/wire/frame-encoder.ts";
import { encodePreamble, ownVersions } from "../../src/wire/hello.ts";
import type { Answer, Hello, Request } from "../../src/wire/message.ts";
import { asked, inquiry } from "./inquiry.ts";

const runtime: Runtime = {
  clock: machineClock,
  random: machineRandom(),
  network: tcpNetwork,
  log: silentLog,
  checksum: machineChecksum,
};
const asker = "0000000000000002" as NodeId;
const answerer = "0000000000000001" as NodeId;
const ping: Request = { kind: "ping", id: 0 };

function helloOf(node: NodeId, cluster = "c1"): Hello {
  return { kind: "hello", id: 0, role: "member", cluster, node, incarnation: "1-a", name: "n" };
}

interface Pair {
  readonly peers: Peers;
  readonly server: Server;
  readonly address: string;
  ask(request?: Request): Promise<Answer | { readonly kind: "call-failure"; readonly failure: string }>;
}

/** Two nodes in this process, talking over TCP; both are stopped when the test is over. */
async function pair(
  context: { after(stop: () => Promise<void>): void },
  serve: (request: Request, from: Requester) => void,
  options: { readonly limits?: Limits; readonly listen?: string; readonly cluster?: string } = {},
): Promise<Pair> {
  const limits = options.limits ?? defaultLimits;
  const server = new Server({ runtime, limits, hello: () => helloOf(answerer, options.cluster), serve });
  const address = await server.listen(options.listen ?? "127.0.0.1:0");
  const peers = new Peers({ runtime, limits, hello: () => helloOf(asker), addressOf: () => address });
  context.after(async () => {
    peers.stop();
    await server.stop();
  });
  return { peers, server, address, ask: (request = ping) => peers.ask(answerer, request, 5000) };
}

function done(request: Request, from: Requester): void {
  from.reply({ kind: "done", id: 0 }, request.id);
}

/** Settles once the condition holds, looked at after every turn. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function stateAnswer(value: Uint8Array): Answer {
  const actor = "a" as ActorId;
  const sibling = { dot: { actor, counter: 1 }, value, checksum: crc32(value), contentType: "", modified: 1 };
  const context = [{ actor, from: 1, to: 1, time: 1 }];
  return { kind: "replica-state", id: 0, state: { context, siblings: [sibling] } };
}

async function hasIPv6(): Promise<boolean> {
  try {
    await (await tcpNetwork.listen("[::1]:0", () => new SlowReader())).close();
    return true;
  } catch {
    return false;
  }
}

test("a call is answered over TCP, by node and by address", async (context) => {
  const { ask, peers, address } = await pair(context, done);
  assert.equal((await ask()).kind, "done");
  assert.equal(peers.isUp(answerer), true);
  assert.ok((peers.roundTripMs(answerer) ?? 0) > 0);
  assert.equal((await peers.askAddress(address, ping, 5000)).kind, "done");
});

test("it is answered over IPv6 as well", async (context) => {
  if (!(await hasIPv6())) return context.skip("this machine has no IPv6");
  const { ask, address } = await pair(context, done, { listen: "[::1]:0" });
  assert.match(address, /^\[::1\]:\d+$/);
  assert.equal((await ask()).kind, "done");
});

test("thousands of calls at once are each answered, in few writes", async (context) => {
  const { peers, server, ask } = await pair(context, done);
  await ask();
  const before = { asks: peers.counters.writes, answers: server.counters.writes };
  const heard = new Map<number, number>();
  const handler: AnswerHandler = {
    onAnswer: (_from, _answer, tag) => heard.set(tag, (heard.get(tag) ?? 0) + 1),
    onFailure: (_from, failure) => assert.fail(failure),
  };
  for (let tag = 0; tag < 5000; tag++) peers.call(answerer, ping, 10_000, handler, tag);
  await until(() => heard.size === 5000);
  assert.ok([...heard.values()].every((times) => times === 1));
  assert.equal(peers.counters.writes - before.asks, 1, "one turn, one write");
  assert.ok(server.counters.writes - before.answers < 100, `${server.counters.writes} writes of answers`);
});

test("values of all sizes arrive whole", async (context) => {
  const sizes = [0, 1, 1024, 4096, 4097, 65_535, 65_536, 1_000_000, 4_000_000];
  let at = 0;
  const { ask } = await pair(context, (request, from) => {
    const size = sizes[at++] ?? 0;
    from.reply(stateAnswer(Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) & 0xff)), request.id);
  });
  for (const size of sizes) {
    const answer = await ask();
    assert.ok(answer.kind === "replica-state");
    const sibling = answer.state?.siblings[0];
    assert.equal(sibling?.value.length, size);
    assert.equal(crc32(sibling?.value ?? ""), sibling?.checksum);
  }
});

test("a connection refused is a call not sent", async (context) => {
  const { peers, server } = await pair(context, done);
  await server.stop();
  assert.deepEqual(await peers.ask(answerer, ping, 5000), { kind: "call-failure", failure: "not-sent" });
});

test("a connection that goes loses its calls", async (context) => {
  const { ask, peers, server } = await pair(context, () => {});
  const lost = ask();
  await until(() => server.counters.messagesIn === 2);
  await server.stop();
  assert.deepEqual(await lost, { kind: "call-failure", failure: "lost" });
  assert.equal(peers.isUp(answerer), false);
});

test("a call that is not answered in time fails, and its connection stays", async (context) => {
  const { peers } = await pair(context, (request, from) => {
    if (asked(request) === undefined) done(request, from);
  });
  assert.deepEqual(await peers.ask(answerer, inquiry("x"), 30), { kind: "call-failure", failure: "timed-out" });
  assert.equal((await peers.ask(answerer, ping, 5000)).kind, "done");
});

test("another cluster's node gets no request", async (context) => {
  const served: Request[] = [];
  const { ask } = await pair(context, (request) => served.push(request), { cluster: "c2" });
  assert.deepEqual(await ask(), { kind: "call-failure", failure: "not-sent" });
  assert.deepEqual(served, []);
});

test("random bytes from a stranger close its connection alone", async (context) => {
  const { ask, address, server } = await pair(context, done);
  await ask();
  for (let i = 0; i < 20; i++) {
    const stranger = net.connect(splitAddress(address));
    stranger.on("error", () => {});
    stranger.write(Buffer.from(machineRandom().bytes(1 + i * 50)));
    stranger.end();
    await once(stranger, "close");
  }
  assert.equal((await ask()).kind, "done");
  await until(() => server.counters.connections === 1);
});

test("who does not read its answers is not read from, and gets them all once it reads", async (context) => {
  const value = new Uint8Array(100_000);
  const limits = { ...defaultLimits, connectionQueueBytes: 1_000_000 };
  const { server, peers, ask, address } = await pair(
    context,
    (request, from) => {
      if (request.kind === "replica-get") from.reply(stateAnswer(value), request.id);
      else done(request, from);
    },
    { limits },
  );
  await ask();
  // A client that reads nothing: its requests by a twin of what Peers would send.
  const slow = new SlowReader();
  slow.connection = tcpNetwork.dial(address, 1000, slow);
  await until(() => slow.isOpen);
  slow.connection.pauseReading();
  const encoder = new FrameEncoder(machineChecksum, limits.frameBytes);
  encoder.add(helloOf("0000000000000003" as NodeId), 0);
  for (let id = 1; id <= 300; id++) {
    encoder.add({ kind: "replica-get", id, knownHash: 1, changes: 3, bucket: "b", key: "k" }, id);
  }
  slow.connection.write([encodePreamble(ownVersions), ...encoder.take()]);
  await until(() => server.counters.messagesIn > 5);
  for (let i = 0; i < 50; i++) await ask();
  assert.ok(server.counters.messagesIn < 300, "the requests of the slow reader wait");
  assert.equal(peers.isUp(answerer), true);
  slow.connection.resumeReading();
  const decoder = new FrameDecoder(machineChecksum, limits.frameBytes);
  let answers = 0;
  slow.take = (bytes) => {
    decoder.push(bytes);
    while (decoder.next() !== undefined) answers++;
  };
  await until(() => answers === 301);
  assert.equal(slow.closed, undefined);
  slow.connection.close("enough");
});

class SlowReader implements ConnectionHandler {
  connection: Connection | undefined;
  isOpen = false;
  closed: string | undefined;
  take: (bytes: Uint8Array) => void = () => {};
  onOpen(): void {
    this.isOpen = true;
  }
  onBytes(bytes: Uint8Array): void {
    this.take(bytes);
  }
  onDrain(): void {}
  onClose(reason: string): void {
    this.closed = reason;
  }
}

test("an address is a host and a port, and everything else is refused with a sentence", async () => {
  assert.deepEqual(splitAddress("localhost:7400"), { host: "localhost", port: 7400 });
  assert.deepEqual(splitAddress("[::1]:0"), { host: "::1", port: 0 });
  for (const bad of ["", "localhost", "localhost:", ":80", "::1:80", "[::1]", "a:b", "a:99999", "[]:1"]) {
    assert.throws(() => splitAddress(bad), RangeError, bad);
    await assert.rejects(async () => tcpNetwork.listen(bad, () => new SlowReader()), RangeError, bad);
    const side = new SlowReader();
    tcpNetwork.dial(bad, 1000, side);
    await until(() => side.closed !== undefined);
    assert.match(side.closed ?? "", /is no address/);
  }
});

test("an address in use is refused with the reason", async (context) => {
  const { address } = await pair(context, done);
  await assert.rejects(
    tcpNetwork.listen(address, () => new SlowReader()),
    /EADDRINUSE/,
  );
});

test("handlers hear of a close once, even where it was asked for within a handler", async (context) => {
  const { address } = await pair(context, done);
  let closes = 0;
  const connection = tcpNetwork.dial(address, 1000, {
    onOpen: () => {
      connection.close("at once");
      connection.close("again");
      connection.write([Uint8Array.of(1)]);
    },
    onBytes: () => assert.fail("bytes after the close"),
    onDrain: () => assert.fail("a drain after the close"),
    onClose: (reason) => {
      closes++;
      assert.equal(reason, "at once");
    },
  });
  await until(() => closes > 0);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(closes, 1);
});
