/**
 * The native protocol as a node speaks it, whoever wrote the client: every request that is one gets one answer, and what
 * is none costs its connection, with a reason, and nobody else anything.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NodeId } from "../../src/core/ids.ts";
import { defaultLimits, type Limits } from "../../src/core/limits.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import { mostOfAClient } from "../../src/rpc/handshake.ts";
import type { ClientFailed, ClientGet, ClientWrite } from "../../src/wire/client-message.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import { FrameEncoder } from "../../src/wire/frame-encoder.ts";
import { encodePreamble, ownVersions } from "../../src/wire/hello.ts";
import type { Hello, Message } from "../../src/wire/message.ts";
import { plainRecord } from "../plain-record.ts";
import { BareSide } from "../rpc/world.ts";
import { clientMessages } from "../wire/client-arbitraries.ts";
import { anyOfAnyKind } from "../wire/message-arbitraries.ts";
import { bytes, ClientWorld } from "./client-world.ts";

const hello: Hello = {
  kind: "hello",
  id: 0,
  role: "client",
  cluster: "",
  node: "00000000000000cc" as NodeId,
  incarnation: "",
  name: "bare",
};

function framesOf(messages: readonly Message[]): Uint8Array {
  const encoder = new FrameEncoder(machineChecksum, defaultLimits.frameBytes);
  for (const message of messages) encoder.add(message, message.id);
  return Uint8Array.from(Buffer.concat(encoder.take()));
}

const greeting = Uint8Array.from([...encodePreamble(ownVersions), ...framesOf([hello])]);

function messagesTo(side: BareSide): Message[] {
  const decoder = new FrameDecoder(machineChecksum, defaultLimits.frameBytes);
  decoder.push(side.received);
  const messages: Message[] = [];
  for (let message = decoder.next(); message !== undefined; message = decoder.next()) messages.push(message);
  return messages;
}

/** One node, and connections of clients that say what they are told to. */
class Bare {
  readonly world: ClientWorld;
  readonly #dial: () => BareSide;

  private constructor(world: ClientWorld) {
    this.world = world;
    const { runtime } = world.machine("bare").spawn("bare");
    this.#dial = () => {
      const side = new BareSide();
      side.connection = runtime.network.dial("n1:7400", 1000, side);
      return side;
    };
  }

  static async start(limits: Partial<Limits> = {}): Promise<Bare> {
    return new Bare(await ClientWorld.of(1, 1, { limits: { valueBytes: 10_000, ...limits } }));
  }

  async say(said: Uint8Array, waitMs = 100): Promise<BareSide> {
    const side = this.#dial();
    await this.world.simulation.runUntil(() => side.isOpen, 1000);
    side.connection?.write([said]);
    await this.world.simulation.run(waitMs);
    return side;
  }
}

const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const get: ClientGet = {
  ...{ kind: "client-get", id: 1, bucket: "b", key: "k", budgetMs: 1000 },
  ...{ r: undefined, pr: undefined, zones: undefined },
};
const put = (value: Uint8Array, id = 2): ClientWrite => ({
  ...{ kind: "client-write", id, bucket: "b", key: "k", budgetMs: 1000, w: undefined, pw: undefined, dw: undefined },
  ...{ zones: undefined, context: undefined, onlyIfAbsent: false, writeId: undefined },
  version: { value, checksum: machineChecksum(value), contentType: "text/plain" },
});

test("a client is told the ring and its keys, and not what is between members", async () => {
  const bare = await Bare.start();
  const inquiry: Message = { kind: "ring-inquiry", id: 3, hash: { hi: 0, lo: 0 } };
  const side = await bare.say(join(greeting, framesOf([inquiry, put(bytes("v")), get])));
  const [, told, ...rest] = messagesTo(side);
  assert.ok(told?.kind === "ring-told" && told.ring !== undefined);
  assert.deepEqual(
    told.ring.members.map(({ name, address }) => [name, address]),
    [["n1", "n1:7400"]],
  );
  assert.ok(told.ring.owners[0]?.partitions.every((owners) => owners.join() === "0"));
  assert.deepEqual(rest.map(({ kind }) => kind).sort(), ["client-found", "client-written"]);
  const again = await bare.say(join(greeting, framesOf([{ ...inquiry, hash: told.hash }])));
  assert.deepEqual(messagesTo(again).at(-1), { kind: "ring-told", id: 3, hash: told.hash, ring: undefined });
  const replica: Message = { kind: "replica-get", id: 4, knownHash: 0, changes: 0, bucket: "b", key: "k" };
  const curious = await bare.say(join(greeting, framesOf([replica])), 1500);
  const word = messagesTo(curious).at(-1) as ClientFailed;
  assert.deepEqual([word.kind, word.id, word.code], ["client-failed", 0, "bad-request"]);
  assert.match(word.detail, /a client sent a replica-get/);
  assert.notEqual(curious.closed, undefined);
});

test("who is no client may ask nothing that is for clients", async () => {
  const bare = await Bare.start();
  for (const role of ["joiner", "member"] as const) {
    const side = await bare.say(join(encodePreamble(ownVersions), framesOf([{ ...hello, role }, get])), 1500);
    assert.notEqual(side.closed, undefined);
  }
});

test("a value that is not what its checksum was made of is not stored", async () => {
  const bare = await Bare.start();
  const flawed = put(bytes("v"));
  const version = { ...flawed.version, value: bytes("w") } as NonNullable<ClientWrite["version"]>;
  const side = await bare.say(join(greeting, framesOf([{ ...flawed, version }, get])));
  const answers = messagesTo(side).slice(1);
  const failed = answers.find(({ id }) => id === flawed.id) as ClientFailed;
  assert.match(failed.detail, /does not match its checksum/);
  const found = answers.find(({ id }) => id === get.id);
  assert.ok(found?.kind === "client-found" && found.versions.length === 0);
});

test("a frame that is longer than any request closes its connection, and says why", async () => {
  const bare = await Bare.start();
  const side = await bare.say(join(greeting, framesOf([put(new Uint8Array(200_000))])), 1500);
  const word = messagesTo(side).at(-1) as ClientFailed;
  assert.match(word.detail, /a frame of 200\d+ bytes; the limit is/);
  assert.notEqual(side.closed, undefined);
});

test("more requests of one client than a node takes are refused, and the others done", async () => {
  const bare = await Bare.start();
  const more = 500;
  const all = Array.from({ length: mostOfAClient + more }, (_, i) => put(bytes("v"), i + 1));
  const side = await bare.say(join(greeting, framesOf(all.map((one) => ({ ...one, key: `k${one.id}` })))), 3000);
  const answers = messagesTo(side).slice(1);
  const refused = answers.filter((answer) => answer.kind === "client-failed");
  assert.equal(answers.length, all.length);
  assert.ok(refused.length > 0 && refused.length <= more, `${refused.length} refused`);
  assert.ok(refused.every((answer) => answer.kind === "client-failed" && answer.code === "overloaded"));
  assert.equal(side.closed, undefined);
});

test("clients leave room for peers, and the one too many is told so", async () => {
  const bare = await Bare.start({ connections: 10 });
  for (let i = 0; i < 9; i++) assert.equal((await bare.say(greeting)).closed, undefined);
  const tenth = await bare.say(greeting, 1500);
  assert.match((messagesTo(tenth).at(-1) as ClientFailed).detail, /9 connections of clients are the limit/);
  assert.notEqual(tenth.closed, undefined);
  const peer = await bare.say(join(encodePreamble(ownVersions), framesOf([{ ...hello, role: "joiner" }])));
  assert.equal(peer.closed, undefined);
});

test("every request that is one gets one answer of its kind", async () => {
  const bare = await Bare.start();
  const { simulation } = bare.world;
  const anyRequest = fc.oneof(
    clientMessages["client-get"],
    clientMessages["client-write"],
    clientMessages["ring-inquiry"],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(anyRequest, { minLength: 1, maxLength: 6 }), async (requests) => {
      const asked = requests.map((request, i) => {
        if (request.kind !== "client-write" || request.version === undefined) return { ...request, id: i + 1 };
        const { version } = request;
        return { ...request, id: i + 1, version: { ...version, checksum: machineChecksum(version.value) } };
      });
      const side = await bare.say(join(greeting, framesOf(asked)), 0);
      await simulation.runUntil(() => messagesTo(side).length > asked.length, 70_000);
      assert.equal(side.closed, undefined);
      const answers = messagesTo(side).slice(1);
      assert.deepEqual(answers.map(({ id }) => id).sort(), asked.map(({ id }) => id).sort());
      const fitting = { "client-get": "client-found", "client-write": "client-written", "ring-inquiry": "ring-told" };
      for (const { id, kind } of answers) {
        const request = asked.find((one) => one.id === id);
        assert.ok(kind === "client-failed" || kind === fitting[request?.kind ?? "client-get"]);
      }
      side.connection?.close("enough");
    }),
    { numRuns: 100 },
  );
  assert.deepEqual(simulation.violations, []);
});

test("whatever a client sends, the node goes on, and others are served", async () => {
  const bare = await Bare.start();
  const { simulation } = bare.world;
  const good = await bare.say(greeting);
  const anyFrames = fc.array(anyOfAnyKind, { minLength: 1, maxLength: 3 }).map(framesOf);
  const flip = plainRecord({ at: fc.nat(), byte: fc.nat(255) });
  let asked = 0;
  await fc.assert(
    fc.asyncProperty(fc.oneof(anyFrames, fc.uint8Array({ maxLength: 100 })), fc.option(flip), async (sent, flipped) => {
      const bytesSent = sent.slice();
      if (flipped !== null && bytesSent.length > 0) bytesSent[flipped.at % bytesSent.length] = flipped.byte;
      const side = await bare.say(join(greeting, bytesSent), 10);
      side.connection?.close("enough");
      asked++;
      good.connection?.write([framesOf([{ ...get, id: asked }])]);
      await simulation.runUntil(() => messagesTo(good).length > asked, 1000);
      assert.equal(messagesTo(good).at(-1)?.id, asked);
    }),
    { numRuns: 100 },
  );
  assert.deepEqual(simulation.violations, []);
});
