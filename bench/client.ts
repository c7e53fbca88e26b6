/**
 * What a get and a buffered put cost through the native client, in CPU time of every process: three nodes of one copy each
 * on this machine, clients in a process of their own, so many requests in flight.
 *
 *     npm run bench:client [-- --operations 100000] [--value 1024] [--in-flight 64] [--storage memory] [--synced]
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { connect, type Database } from "../src/host/client.ts";
import { startNode } from "../src/host/start-node.ts";
import type { NodeApi } from "../src/node/api.ts";

const { values: options } = parseArgs({
  options: {
    operations: { type: "string", default: "100000" },
    value: { type: "string", default: "1024" },
    "in-flight": { type: "string", default: "64" },
    storage: { type: "string", default: "memory" },
    keys: { type: "string", default: "10000" },
    synced: { type: "boolean", default: false },
  },
});
const operations = Number(options.operations);
const inFlight = Number(options["in-flight"]);
const keys = Number(options.keys);
const value = new Uint8Array(Number(options.value)).fill(120);

/** In a child: one node, which tells its CPU time when asked. */
async function serve(name: string, join: readonly string[]): Promise<void> {
  const data = options.storage === "memory" ? undefined : mkdtempSync(`${tmpdir()}/cartwheel-bench-`);
  const storage = options.storage as "memory" | "lmdb";
  const node = await startNode({
    name,
    storage,
    ...(data === undefined ? {} : { data }),
    listen: "127.0.0.1:0",
    http: false,
    join,
  });
  const peer = node.api.cluster().members.find((member) => member.name === name)?.peer;
  process.send?.({ peer });
  process.on("message", async (message) => {
    if (message === "usage")
      process.send?.({ usage: process.cpuUsage(), cluster: node.api.cluster(), sent: sent(node.api) });
    else if (message === "buffer") {
      const durability = options.synced ? "synced" : "buffered";
      await node.api.setBucket("bench", { durability });
      process.send?.({ set: true });
    }
  });
  process.on("disconnect", async () => {
    await node.stop();
    if (data !== undefined) rmSync(data, { recursive: true, force: true });
    process.exit(0);
  });
}

interface Sent {
  readonly messages: number;
  readonly writes: number;
}

/** Messages that the node has sent, and the writes to sockets that they took. */
function sent(api: NodeApi): Sent {
  const sum = (name: string): number =>
    api.metrics().reduce((total, { name: of, labels, value: counted }) => {
      return of === name && labels["to"] !== "here" ? total + counted : total;
    }, 0);
  return { messages: sum("cartwheel_messages_total"), writes: sum("cartwheel_network_writes_total") };
}

interface Told {
  readonly sent?: Sent;
  readonly peer?: string;
  readonly usage?: NodeJS.CpuUsage;
  readonly cluster?: { readonly members: readonly unknown[]; readonly pendingTransfers: number };
}

async function ask(child: ChildProcess, message: string): Promise<Told> {
  child.send(message);
  const [told] = (await once(child, "message")) as [Told];
  return told;
}

const microseconds = ({ user, system }: NodeJS.CpuUsage): number => user + system;

/** Runs the operation so often, so many at a time. */
async function drive(count: number, operation: (i: number) => Promise<unknown>): Promise<void> {
  let started = 0;
  const lane = async (): Promise<void> => {
    while (started < count) await operation(started++);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

async function measure(name: string, nodes: readonly ChildProcess[], run: () => Promise<void>): Promise<void> {
  const before = await Promise.all(nodes.map((node) => ask(node, "usage")));
  const own = process.cpuUsage();
  const began = performance.now();
  await run();
  const tookMs = performance.now() - began;
  const ownUs = microseconds(process.cpuUsage(own));
  const after = await Promise.all(nodes.map((node) => ask(node, "usage")));
  const serversUs = after.reduce((sum, { usage }, i) => {
    const first = before[i]?.usage;
    return usage === undefined || first === undefined ? sum : sum + microseconds(usage) - microseconds(first);
  }, 0);
  const grown = (of: keyof Sent): number =>
    after.reduce((sum, { sent: last }, i) => sum + (last?.[of] ?? 0) - (before[i]?.sent?.[of] ?? 0), 0);
  const batch = (grown("messages") / grown("writes")).toFixed(1);
  const per = (us: number): string => (us / operations).toFixed(1);
  const rate = Math.round((operations / tookMs) * 1000);
  process.stdout.write(
    `${name}: ${per(ownUs + serversUs)} us of CPU an operation (client ${per(ownUs)}, nodes ${per(serversUs)}), ${rate} a second, ${batch} messages a write\n`,
  );
}

async function main(): Promise<void> {
  const nodes: ChildProcess[] = [];
  const peers: string[] = [];
  for (let i = 1; i <= 3; i++) {
    const child = fork(fileURLToPath(import.meta.url), process.argv.slice(2), {
      env: { ...process.env, BENCH_NODE: `n${i}`, BENCH_JOIN: peers[0] ?? "" },
      execArgv:
        process.env["BENCH_PROFILE"] === undefined
          ? []
          : ["--cpu-prof", `--cpu-prof-dir=${process.env["BENCH_PROFILE"]}`],
    });
    const [told] = (await once(child, "message")) as [Told];
    nodes.push(child);
    peers.push(told.peer ?? "");
  }
  for (;;) {
    const told = await Promise.all(nodes.map((node) => ask(node, "usage")));
    if (told.every(({ cluster }) => cluster?.members.length === 3 && cluster.pendingTransfers === 0)) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await ask(nodes[0] as ChildProcess, "buffer");
  const db: Database = await connect(peers, { hedgeAfterMs: false });
  const bucket = db.bucket("bench");
  await drive(keys, (i) => bucket.put(`user${i}`, value, { timeoutMs: 10_000 }));
  const keyOf = (i: number): string => `user${(i * 7919) % keys}`;
  const get = (i: number): Promise<unknown> => bucket.get(keyOf(i));
  // A put that builds on a read, as most do; the context is that of the key's last write.
  const contexts: (Awaited<ReturnType<typeof bucket.put>>["context"] | undefined)[] = [];
  await drive(keys, async (i) => {
    contexts[i] = (await bucket.get(`user${i}`)).context;
  });
  const put = async (i: number): Promise<void> => {
    const at = (i * 7919) % keys;
    const context = contexts[at];
    contexts[at] = (await bucket.put(`user${at}`, value, { context })).context;
  };
  await drive(Math.min(operations, 20_000), get);
  await measure("get", nodes, () => drive(operations, get));
  await drive(Math.min(operations, 20_000), put);
  await measure(options.synced ? "synced put" : "buffered put", nodes, () => drive(operations, put));
  await db.close();
  for (const node of nodes) node.disconnect();
}

const { BENCH_NODE: name, BENCH_JOIN: seed = "" } = process.env;
if (name === undefined) await main();
else await serve(name, seed === "" ? [] : [seed]);
