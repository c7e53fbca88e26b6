/**
 * What a round trip between two nodes costs, in CPU time a side: the product's own calls, codec and frames over TCP,
 * beside a bare node:net exchange that writes each message by itself, in the same run.
 *
 *     npm run bench:rpc [-- --calls 400000] [--value 1024] [--in-flight 64]
 *
 * Two processes, so that each side's CPU time can be told. The request is a replica-put with a value, its answer a
 * replica-stored.
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import * as net from "node:net";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { crc32 } from "node:zlib";
import type { ActorId, NodeId } from "../src/core/ids.ts";
import { defaultLimits } from "../src/core/limits.ts";
import { machineChecksum } from "../src/host/checksum.ts";
import { machineClock } from "../src/host/clock.ts";
import { machineRandom } from "../src/host/random.ts";
import { tcpNetwork } from "../src/host/tcp-network.ts";
import { Peers } from "../src/rpc/peers.ts";
import { Server } from "../src/rpc/server.ts";
import { silentLog } from "../src/runtime/log.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import type { Answer, Hello, ReplicaPut } from "../src/wire/message.ts";

const runtime: Runtime = {
  clock: machineClock,
  random: machineRandom(),
  network: tcpNetwork,
  log: silentLog,
  checksum: machineChecksum,
};
const asker = "00000000000000a1" as NodeId;
const answerer = "00000000000000b2" as NodeId;

function helloOf(node: NodeId): Hello {
  return { kind: "hello", id: 0, role: "member", cluster: "bench", node, incarnation: "", name: node };
}

/** One way to ask and be answered, in two processes. */
interface Way {
  readonly name: string;
  /** In the child: listens, answers with its address. */
  serve(): Promise<string>;
  /** In the parent: makes that many calls. */
  call(address: string, load: Load): Promise<void>;
}

interface Load {
  readonly calls: number;
  readonly valueBytes: number;
  readonly inFlight: number;
}

const ways: readonly Way[] = [
  { name: "cartwheel", serve: serveBatched, call: callBatched },
  { name: "bare node:net, one write per message", serve: serveBare, call: callBare },
];

function serveBatched(): Promise<string> {
  const stored: Answer = {
    kind: "replica-stored",
    id: 0,
    voice: { seat: 1, epoch: 12 },
    synced: true,
  };
  const server = new Server({
    runtime,
    limits: defaultLimits,
    hello: () => helloOf(answerer),
    serve: (request, from) => from.reply(stored, request.id),
  });
  return server.listen("127.0.0.1:0");
}

async function callBatched(address: string, load: Load): Promise<void> {
  const peers = new Peers({
    runtime,
    limits: defaultLimits,
    hello: () => helloOf(asker),
    addressOf: () => address,
  });
  const request = putOf(load.valueBytes);
  await new Promise<void>((resolve, reject) => {
    let asked = 0;
    let answered = 0;
    const ask = (): void => {
      asked++;
      peers.call(answerer, request, 10_000, handler, asked);
    };
    const handler = {
      onAnswer: (): void => {
        if (++answered === load.calls) resolve();
        else if (asked < load.calls) ask();
      },
      onFailure: (_from: NodeId, failure: string): void => reject(new Error(failure)),
    };
    for (let i = 0; i < load.inFlight; i++) ask();
  });
  peers.stop();
  messagesPerWrite = peers.counters.messagesOut / peers.counters.writes;
}

/** Of the last run: how well requests were batched. */
let messagesPerWrite = 0;

function putOf(valueBytes: number): ReplicaPut {
  const value = new Uint8Array(valueBytes).fill(120);
  const actor = "Zm9vYmFyYmF.1a" as ActorId;
  return {
    kind: "replica-put",
    id: 0,
    knownHash: 12,
    changes: 3,
    bucket: "carts",
    key: "customer/0123456789",
    purpose: "write",
    synced: true,
    lastWriteWins: false,
    state: {
      context: [
        { actor: "Zm9vYmFyYmE.0" as ActorId, from: 1, to: 7, time: 1_700_000_000_000 },
        { actor, from: 1, to: 12, time: 1_700_000_000_500 },
      ],
      siblings: [
        {
          dot: { actor, counter: 12 },
          value,
          checksum: crc32(value),
          contentType: "application/json",
          modified: 1_700_000_000_500,
        },
      ],
    },
  };
}

const bareAnswerBytes = 20;

function serveBare(): Promise<string> {
  const answer = Buffer.alloc(bareAnswerBytes);
  answer.writeUInt32BE(bareAnswerBytes);
  const server = net.createServer({ noDelay: true }, (socket) => {
    readBare(socket, () => {
      socket.write(answer);
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const bound = server.address();
      if (typeof bound === "object" && bound !== null) resolve(`127.0.0.1:${bound.port}`);
    });
  });
}

async function callBare(address: string, load: Load): Promise<void> {
  const socket = net.connect({ host: "127.0.0.1", port: Number(address.split(":")[1]), noDelay: true });
  await once(socket, "connect");
  const request = Buffer.alloc(load.valueBytes + 100);
  request.writeUInt32BE(request.length);
  await new Promise<void>((resolve) => {
    let asked = 0;
    let answered = 0;
    readBare(socket, () => {
      if (++answered === load.calls) resolve();
      else if (asked < load.calls) {
        asked++;
        socket.write(request);
      }
    });
    for (; asked < load.inFlight; asked++) socket.write(request);
  });
  socket.destroy();
}

/** Frames behind their length, and nothing else. */
function readBare(socket: net.Socket, onFrame: () => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    let at = 0;
    while (rest.length - at >= 4) {
      const length = rest.readUInt32BE(at);
      if (rest.length - at < length) break;
      at += length;
      onFrame();
    }
    rest = rest.subarray(at);
  });
}

/** What the child is told, and what it answers. */
type ToChild = { readonly serve: string } | { readonly cpu: true };
type FromChild = { readonly address: string } | { readonly cpuUs: number };

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function runChild(): void {
  process.on("message", (told: ToChild) => {
    if ("cpu" in told) process.send?.({ cpuUs: cpuUs() } satisfies FromChild);
    else {
      const way = ways.find((each) => each.name === told.serve);
      void way?.serve().then((address) => process.send?.({ address } satisfies FromChild));
    }
  });
  process.on("disconnect", () => process.exit());
}

async function tell(child: ChildProcess, message: ToChild): Promise<FromChild> {
  const answer = once(child, "message");
  child.send(message);
  const [said] = await answer;
  return said as FromChild;
}

async function childCpuUs(child: ChildProcess): Promise<number> {
  const said = await tell(child, { cpu: true });
  return "cpuUs" in said ? said.cpuUs : Number.NaN;
}

/** CPU time of one round trip, at the asking and at the answering side. */
async function measure(way: Way, load: Load): Promise<{ readonly askUs: number; readonly answerUs: number }> {
  const child = fork(fileURLToPath(import.meta.url), { env: { ...process.env, CARTWHEEL_BENCH_CHILD: "1" } });
  const said = await tell(child, { serve: way.name });
  const address = "address" in said ? said.address : "";
  await way.call(address, { ...load, calls: Math.ceil(load.calls / 5) });
  const before = { ask: cpuUs(), answer: await childCpuUs(child) };
  const started = performance.now();
  await way.call(address, load);
  const tookMs = performance.now() - started;
  const askUs = (cpuUs() - before.ask) / load.calls;
  const answerUs = ((await childCpuUs(child)) - before.answer) / load.calls;
  child.disconnect();
  const perSecond = Math.round((load.calls / tookMs) * 1000).toLocaleString("en");
  process.stdout.write(
    `${way.name.padEnd(40)} ${askUs.toFixed(2).padStart(6)} us asking ${answerUs.toFixed(2).padStart(6)} us answering ${perSecond.padStart(9)}/s\n`,
  );
  return { askUs, answerUs };
}

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      calls: { type: "string", default: "400000" },
      value: { type: "string", default: "1024" },
      "in-flight": { type: "string", default: "64" },
    },
  });
  const load = {
    calls: Number(values.calls),
    valueBytes: Number(values.value),
    inFlight: Number(values["in-flight"]),
  };
  process.stdout.write(
    `CPU time of a round trip: ${load.valueBytes}-byte values, ${load.inFlight} in flight, ${load.calls} calls\n`,
  );
  const sums: number[] = [];
  for (const way of ways) {
    const { askUs, answerUs } = await measure(
      way,
      way.name === "cartwheel" ? load : { ...load, calls: load.calls / 4 },
    );
    sums.push(askUs + answerUs);
  }
  const [ours = 0, bare = 0] = sums;
  process.stdout.write(
    `bare, unbatched / cartwheel: ${(bare / ours).toFixed(1)}; ${messagesPerWrite.toFixed(1)} requests a write\n`,
  );
}

if (process.env["CARTWHEEL_BENCH_CHILD"] === "1") runChild();
else await run();
