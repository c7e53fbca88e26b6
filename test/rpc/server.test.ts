import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "../../src/core/bytes/byte-writer.ts";
import { defaultLimits } from "../../src/core/limits.ts";
import { noHash } from "../../src/core/membership/summary.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import type { Requester } from "../../src/rpc/server.ts";
import { calmLink } from "../../src/sim/network.ts";
import { lengthsCheck } from "../../src/wire/frame.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import { FrameEncoder } from "../../src/wire/frame-encoder.ts";
import { encodePreamble, ownVersions } from "../../src/wire/hello.ts";
import type { GetAnswer, Hello, Message, Request } from "../../src/wire/message.ts";
import { anyOfAnyKind } from "../wire/message-arbitraries.ts";
import { type BareSide, cluster, type Place, World } from "./world.ts";

function hello(change: Partial<Hello> = {}): Hello {
  const base: Hello = {
    kind: "hello",
    id: 0,
    role: "member",
    cluster,
    node: "00000000000000ee" as Hello["node"],
    incarnation: "",
    name: "bare",
  };
  return { ...base, ...change };
}

function bytesOf(messages: readonly Message[], preamble: Uint8Array = encodePreamble(ownVersions)): Uint8Array {
  const encoder = new FrameEncoder(machineChecksum, defaultLimits.frameBytes);
  for (const message of messages) encoder.add(message, message.id);
  return Uint8Array.from(Buffer.concat([preamble, ...encoder.take()]));
}

/** Every message that a bare side has been sent. */
function messagesTo(side: BareSide): Message[] {
  const decoder = new FrameDecoder(machineChecksum, defaultLimits.frameBytes);
  decoder.push(side.received);
  const messages: Message[] = [];
  for (let message = decoder.next(); message !== undefined; message = decoder.next()) messages.push(message);
  return messages;
}

/** A connection to `to` that says these bytes once it stands. */
async function say(from: Place, to: Place, bytes: Uint8Array): Promise<BareSide> {
  const side = from.dialBare(`${to.name}:1`);
  await from.world.simulation.runUntil(() => side.isOpen, 1000);
  side.connection?.write([bytes]);
  await from.world.simulation.run(100);
  return side;
}

async function pair(options: Parameters<World["node"]>[1] = {}): Promise<{ world: World; a: Place; b: Place }> {
  const world = new World();
  return { world, a: world.place("a"), b: await world.node("b", options) };
}

test("whoever says hello is answered with one, and then with answers", async () => {
  const { a, b } = await pair();
  const side = await say(a, b, bytesOf([hello(), { kind: "ping", id: 7 }]));
  assert.deepEqual(messagesTo(side), [b.hello, { kind: "done", id: 7 }]);
  assert.equal(side.closed, undefined);
});

test("a hello of another cluster is answered, heard no further, and its connection closed", async () => {
  const { world, a, b } = await pair();
  const side = await say(a, b, bytesOf([hello({ cluster: "d".repeat(32) }), { kind: "ping", id: 7 }]));
  assert.deepEqual(messagesTo(side), [b.hello]);
  await world.simulation.runUntil(() => side.closed !== undefined, 3000);
  assert.notEqual(side.closed, undefined);
  assert.deepEqual(b.served, []);
  assert.equal(b.server.counters.closed["wrong-peer"], 1);
  assert.match(b.warnings.join(), /belongs to cluster dddd/);
});

test("a side of other versions is told which are spoken here, and its connection closed", async () => {
  const { world, a, b } = await pair();
  const side = await say(a, b, bytesOf([hello()], encodePreamble({ oldest: 7, newest: 9 })));
  assert.deepEqual(side.received.slice(0, 8), encodePreamble(ownVersions));
  await world.simulation.runUntil(() => side.closed !== undefined, 3000);
  assert.match(b.warnings.join(), /versions 7 to 9/);
  assert.equal(b.server.counters.closed["bad-version"], 1);
});

test("a joiner may ask to join, gossip and ping, and nothing else", async () => {
  const { a, b } = await pair();
  const joiner = hello({ role: "joiner", cluster: "" });
  const asker = { node: joiner.node, incarnation: "", stamp: 0 };
  const summary = { history: noHash, records: noHash };
  const gossip: Request = { kind: "gossip", id: 2, asker, summary, seats: noHash };
  const side = await say(a, b, bytesOf([joiner, { kind: "ping", id: 1 }, gossip]));
  assert.equal(messagesTo(side).length, 3);
  const get: Request = { kind: "replica-get", id: 3, knownHash: 1, changes: 3, bucket: "b", key: "k" };
  side.connection?.write([bytesOf([get]).subarray(8)]);
  await a.world.simulation.run(100);
  assert.notEqual(side.closed, undefined);
  assert.deepEqual(
    b.served.map((request) => request.kind),
    ["ping", "gossip"],
  );
});

/** A frame's lengths and their check. */
function lengthsOf(headBytes: number, bodyBytes: number): Uint8Array {
  const writer = new ByteWriter();
  for (const word of [headBytes, bodyBytes, lengthsCheck(headBytes, bodyBytes)]) writer.u32(word);
  return writer.copy();
}

const nonsense: Readonly<Record<string, { readonly bytes: Uint8Array; readonly cause: string }>> = {
  "another protocol": { bytes: Uint8Array.from(Buffer.from("GET / HTTP/1.1\r\n\r\n")), cause: "malformed" },
  "a request before the hello": { bytes: bytesOf([{ kind: "ping", id: 1 }]), cause: "unexpected" },
  "a second hello": { bytes: bytesOf([hello(), hello()]), cause: "unexpected" },
  "an answer": { bytes: bytesOf([hello(), { kind: "done", id: 1 }]), cause: "unexpected" },
  "a frame of four gigabytes": {
    bytes: Uint8Array.from([...bytesOf([hello()]), 0, 0, 0, 0, ...lengthsOf(9, 0xffff_ffff), 0, 0, 0, 0]),
    cause: "too-long",
  },
  "a long frame before the hello": {
    bytes: Uint8Array.from([...encodePreamble(ownVersions), 0, 0, 0, 0, ...lengthsOf(8192, 0), 0, 0, 0, 0]),
    cause: "too-long",
  },
  "a wrong checksum": {
    bytes: Uint8Array.from([...bytesOf([hello()]), 1, 2, 3, 4, ...lengthsOf(2, 0), 0, 0, 0, 0, 2, 1]),
    cause: "bad-checksum",
  },
  "a wrong length": {
    bytes: Uint8Array.from([...bytesOf([hello()]), 1, 2, 3, 4, ...lengthsOf(2, 0).with(6, 1), 0, 0, 0, 0, 2, 1]),
    cause: "bad-checksum",
  },
};

for (const [what, { bytes, cause }] of Object.entries(nonsense)) {
  test(`${what} closes its connection with a logged reason, and touches no other`, async () => {
    const { world, a, b } = await pair();
    const good = await say(a, b, bytesOf([hello()]));
    const bad = await say(a, b, bytes);
    await world.simulation.run(10);
    assert.notEqual(bad.closed, undefined);
    assert.deepEqual(b.server.counters.closed, { ...b.server.counters.closed, [cause]: 1 });
    assert.match(b.warnings.join(), new RegExp(`"cause":"${cause}"`));
    good.connection?.write([bytesOf([{ kind: "ping", id: 9 }]).subarray(8)]);
    await world.simulation.run(100);
    assert.deepEqual(messagesTo(good).at(-1), { kind: "done", id: 9 });
    assert.equal(b.server.counters.connections, 1);
    assert.deepEqual(world.simulation.violations, []);
  });
}

test("whatever bytes come, the server goes on", async () => {
  const { world, a, b } = await pair();
  const anyStart = fc.constantFrom(new Uint8Array(0), encodePreamble(ownVersions), bytesOf([hello()]));
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.array(anyOfAnyKind, { maxLength: 3 }).map((messages) => bytesOf(messages).subarray(8)),
  );
  await fc.assert(
    fc.asyncProperty(anyStart, anyBytes, fc.nat(), fc.nat(255), async (start, bytes, at, byte) => {
      const stream = Uint8Array.from([...start, ...bytes]);
      if (stream.length > 0) stream[at % stream.length] = byte;
      const side = await say(a, b, stream);
      side.connection?.close("enough");
      await world.simulation.run(10);
    }),
    { numRuns: 200 },
  );
  assert.deepEqual(world.simulation.violations, []);
  const side = await say(a, b, bytesOf([hello(), { kind: "ping", id: 7 }]));
  assert.deepEqual(messagesTo(side), [b.hello, { kind: "done", id: 7 }]);
});

test("who connects and says nothing is closed", async () => {
  const { world, a, b } = await pair();
  const side = await say(a, b, new Uint8Array(0));
  await world.simulation.runUntil(() => side.closed !== undefined, 5000);
  assert.equal(b.server.counters.closed.silent, 1);
});

test("who falls silent for long is closed; who pings is not", async () => {
  const { world, a, b } = await pair();
  const side = await say(a, b, bytesOf([hello()]));
  const peer = await world.node("c");
  await peer.outcome(peer.call(b));
  await world.simulation.run(25_000);
  assert.notEqual(side.closed, undefined);
  assert.equal(peer.peers.isUp(b.id), true);
});

test("there is a bound on connections", async () => {
  const { a, b } = await pair({ limits: { ...defaultLimits, connections: 3 } });
  const sides: BareSide[] = [];
  for (let i = 0; i < 5; i++) sides.push(await say(a, b, bytesOf([hello()])));
  assert.deepEqual(
    sides.map((side) => side.closed !== undefined),
    [false, false, false, true, true],
  );
  sides[0]?.connection?.close("enough");
  await a.world.simulation.run(100);
  const next = await say(a, b, bytesOf([hello(), { kind: "ping", id: 1 }]));
  assert.equal(messagesTo(next).length, 2);
});

/** An answer with a value of that size. */
function answer(bytes: number): GetAnswer {
  const value = new Uint8Array(bytes);
  const actor = "a" as never;
  const sibling = { dot: { actor, counter: 1 }, value, checksum: 0, contentType: "", modified: 1 };
  const context = [{ actor, from: 1, to: 1, time: 1 }];
  return { kind: "get-answer", id: 0, state: { context, siblings: [sibling] }, voices: 1, seats: 3 };
}

test("who does not take its answers is not read from, and goes on when it does", async () => {
  const { world, a, b } = await pair({ limits: { ...defaultLimits, connectionQueueBytes: 50_000 } });
  world.network.traits = { ...calmLink, windowBytes: 5000 };
  b.serve = (request, from) => from.reply(answer(10_000), request.id);
  const side = await say(a, b, bytesOf([hello()]));
  side.connection?.pauseReading();
  let most = 0;
  for (let id = 1; id <= 100; id++) {
    side.connection?.write([bytesOf([{ kind: "ping", id }]).subarray(8)]);
    await world.simulation.run(10);
    most = Math.max(most, b.served.length);
  }
  assert.ok(most < 15, `${most} requests were read`);
  side.connection?.resumeReading();
  await world.simulation.run(5000);
  assert.equal(b.served.length, 100);
  assert.equal(messagesTo(side).length, 101);
});

test("who leaves its answers lying for long is closed", async () => {
  const { world, a, b } = await pair({ limits: { ...defaultLimits, connectionQueueBytes: 50_000 } });
  world.network.traits = { ...calmLink, windowBytes: 5000 };
  b.serve = (request, from) => from.reply(answer(10_000), request.id);
  const side = await say(a, b, bytesOf([hello()]));
  side.connection?.pauseReading();
  for (let id = 1; id <= 20; id++) {
    side.connection?.write([bytesOf([{ kind: "ping", id }]).subarray(8)]);
    await world.simulation.run(10);
  }
  await world.simulation.run(40_000);
  assert.equal(b.server.counters.closed.slow, 1);
  assert.equal(b.server.counters.connections, 0);
});

const manyPings: readonly Message[] = Array.from({ length: 50 }, (_, id) => ({ kind: "ping", id }) as const);

test("what arrives at once is answered piece by piece, as its answers are taken", async () => {
  const { world, a, b } = await pair({ limits: { ...defaultLimits, connectionQueueBytes: 50_000 } });
  b.serve = (request, from) => from.reply(answer(10_000), request.id);
  const side = await say(a, b, bytesOf([hello(), ...manyPings]));
  await world.simulation.run(1000);
  assert.equal(messagesTo(side).length, 51);
});

test("an answer longer than the queue's limit is sent all the same", async () => {
  const { a, b } = await pair({ limits: { ...defaultLimits, connectionQueueBytes: 20_000 } });
  b.serve = (request, from) => from.reply(answer(100_000), request.id);
  const side = await say(a, b, bytesOf([hello(), { kind: "ping", id: 1 }, { kind: "ping", id: 2 }]));
  await a.world.simulation.run(1000);
  assert.equal(messagesTo(side).length, 3);
});

test("who is owed far more answers than it takes is closed", async () => {
  const limits = { ...defaultLimits, connectionQueueBytes: 50_000, frameBytes: 20_000 };
  const { world, a, b } = await pair({ limits });
  const held: (() => void)[] = [];
  b.serve = (request, from) => held.push(() => from.reply(answer(10_000), request.id));
  await say(a, b, bytesOf([hello(), ...manyPings]));
  assert.equal(held.length, 50);
  for (const reply of held) reply();
  await world.simulation.run(100);
  assert.equal(b.server.counters.closed.slow, 1);
  assert.equal(b.server.counters.connections, 0);
});

test("a reply to a connection that is gone is dropped", async () => {
  const { world, a, b } = await pair();
  let held: Requester | undefined;
  b.serve = (_request, from) => {
    held = from;
  };
  const side = await say(a, b, bytesOf([hello(), { kind: "ping", id: 1 }]));
  side.connection?.close("enough");
  await world.simulation.run(100);
  held?.reply({ kind: "done", id: 0 }, 1);
  await world.simulation.run(100);
  assert.equal(b.server.counters.late, 1);
  assert.equal(held?.hello.name, "bare");
});

test("an answer too long for a frame is answered with a refusal", async () => {
  const { a, b } = await pair({ limits: { ...defaultLimits, frameBytes: 20_000 } });
  b.serve = (request, from) => from.reply(answer(30_000), request.id);
  const side = await say(a, b, bytesOf([hello(), { kind: "ping", id: 3 }]));
  const last = messagesTo(side).at(-1);
  assert.ok(last?.kind === "refusal" && last.id === 3 && last.code === "value-too-large");
});

test("stop sends what was answered, closes what is open and takes nothing new", async () => {
  const { world, a, b } = await pair();
  const side = await say(a, b, bytesOf([hello()]));
  b.serve = (request, from) => {
    from.reply({ kind: "done", id: 0 }, request.id);
    void b.server.stop();
  };
  side.connection?.write([bytesOf([{ kind: "ping", id: 5 }]).subarray(8)]);
  await world.simulation.runUntil(() => side.closed !== undefined, 1000);
  assert.notEqual(side.closed, undefined);
  assert.equal(b.server.counters.messagesOut, 2);
  const late = a.dialBare("b:1");
  await world.simulation.run(1000);
  assert.notEqual(late.closed, undefined);
});
