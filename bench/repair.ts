/**
 * What an exchange costs between two nodes that hold the same keys but for some: bytes, messages and keys sent, for
 * 0 to 10,000 differences.
 *
 *     npm run bench:repair [-- --keys 100000] [--value 100]
 *
 * Two nodes in this process over TCP, with memory storage that is filled while they are stopped: half of the keys that
 * differ are newer at the one, half at the other. What is printed is what the node that began the repair counts.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { ActorId } from "../src/core/ids.ts";
import { defaultLimits } from "../src/core/limits.ts";
import { machineChecksum } from "../src/host/checksum.ts";
import { hostRuntime } from "../src/host/runtime.ts";
import type { RepairRun } from "../src/node/api.ts";
import { placeOf } from "../src/node/key-place.ts";
import { Node } from "../src/node/node.ts";
import { silentLog } from "../src/runtime/log.ts";
import type { WriteOperation } from "../src/storage/engine.ts";
import { MemoryEngine } from "../src/storage/memory-engine.ts";
import { encodeRecord } from "../src/wire/record.ts";

const partitions = 256;
const actor = "AAAAAAAAAAA.0" as ActorId;

interface Machine {
  readonly name: string;
  readonly engine: MemoryEngine;
  listen: string;
  node: Node | undefined;
}

async function start(machine: Machine, join: readonly string[]): Promise<Node> {
  const node = new Node({
    runtime: hostRuntime(silentLog),
    engine: machine.engine,
    name: machine.name,
    listen: machine.listen,
    http: "",
    join,
    settings: { partitions, n: 2, r: 1, w: 1 },
    limits: defaultLimits,
    software: "bench",
  });
  await node.start();
  const own = node.cluster().members.find(({ name }) => name === machine.name);
  machine.listen = own?.peer ?? machine.listen;
  machine.node = node;
  return node;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

function metric(node: Node, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const samples = node.metrics().filter((sample) => sample.name === `cartwheel_${name}`);
  return samples.find((sample) => Object.entries(labels).every(([k, v]) => sample.labels[k] === v))?.value ?? 0;
}

/** The record of a key after so many writes. */
function written(i: number, writes: number, value: Uint8Array): WriteOperation {
  const dot = { actor, counter: writes };
  const time = 1_700_000_000_000;
  const sibling = { dot, value, checksum: machineChecksum(value), contentType: "text/plain", modified: time };
  const state = { context: [{ actor, from: 1, to: writes, time }], siblings: [sibling] };
  const key = placeOf("carts", `user-${i}`, partitions).storeKey.bytes;
  return { key, value: encodeRecord({ mint: undefined, state }, key, machineChecksum) };
}

interface Measured {
  readonly run: RepairRun;
  readonly messages: number;
  readonly tookMs: number;
}

/** Starts both, repairs, and stops both. */
async function measure(one: Machine, other: Machine): Promise<Measured> {
  const nodes = [await start(one, [other.listen]), await start(other, [one.listen])] as const;
  const isUp = (node: Node): boolean => node.cluster().members.every(({ status }) => status === "up");
  await until(() => nodes.every((node) => metric(node, "hash_trees_built") === 1 && isUp(node)));
  const [first] = nodes;
  const sent = (): number => metric(first, "messages_total", { direction: "outgoing", to: "peer" });
  const before = sent();
  const started = performance.now();
  first.startRepair();
  await until(() => !first.repair().running);
  const tookMs = performance.now() - started;
  const { lastRun: run } = first.repair();
  const messages = sent() - before;
  for (const node of nodes) await node.stop();
  if (run === undefined) throw new Error("there was no repair");
  return { run, messages, tookMs };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { keys: { type: "string", default: "100000" }, value: { type: "string", default: "100" } },
  });
  const keys = Number(values.keys);
  const value = new Uint8Array(Number(values.value)).fill(120);
  const machineOf = (name: string): Machine => {
    return { name, engine: new MemoryEngine(), listen: "127.0.0.1:0", node: undefined };
  };
  const one = machineOf("n1");
  const other = machineOf("n2");
  await start(one, []);
  await start(other, [one.listen]);
  await Promise.all([one.node?.stop(), other.node?.stop()]);
  for (const { engine } of [one, other]) {
    await engine.write(Array.from({ length: keys }, (_, i) => written(i, 1, value)));
  }

  process.stdout.write(`${keys} keys of ${value.length} bytes on two nodes, ${partitions} partitions\n`);
  process.stdout.write("differences  compared  repaired  messages       bytes  bytes/difference       ms\n");
  let writes = 1;
  for (const differences of [0, 1, 10, 100, 1000, 10_000]) {
    if (differences > keys) break;
    writes++;
    const step = differences === 0 ? 1 : Math.floor(keys / differences);
    const newer = Array.from({ length: differences }, (_, i) => written(i * step, writes, value));
    await one.engine.write(newer.filter((_, i) => i % 2 === 0));
    await other.engine.write(newer.filter((_, i) => i % 2 === 1));
    const { run, messages, tookMs } = await measure(one, other);
    const bytes = run.bytesSent + run.bytesReceived;
    const cells = [
      String(differences).padStart(11),
      String(run.keysCompared).padStart(8),
      String(run.keysRepaired).padStart(8),
      String(messages).padStart(8),
      bytes.toLocaleString("en").padStart(10),
      (differences === 0 ? "-" : (bytes / differences).toFixed(0)).padStart(16),
      tookMs.toFixed(0).padStart(7),
    ];
    process.stdout.write(`${cells.join("  ")}\n`);
  }
}

await main();
