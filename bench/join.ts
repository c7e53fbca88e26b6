/**
 * What it costs the requests of clients when a node joins a cluster that holds data, and what is seen of it meanwhile:
 * latencies before, during and after, in one run.
 *
 *     npm run bench:join [-- --megabytes 1000] [--value 4096] [--nodes 3] [--rate 100] [--seconds 20] [--lines 5]
 *         [--storage log]
 *
 * Real processes on real disks; the cluster keeps three copies of so many megabytes. Requests leave at a fixed rate,
 * whatever the answers do, and are timed from when they were due. Half are reads, half replace what they have read; they
 * go to all keys and to every node, to the new one once it says that it is ready. What is moved at least is what the
 * new node holds at the end, once.
 *
 * What is asked for: p99 while data moves at most twice that of before, which is measured twice: what the machine does by
 * itself is seen in how far the two are apart.
 */

import { parseArgs } from "node:util";
import { transfersText } from "../src/cli/transfers-text.ts";
import type { ClusterView, TransfersView } from "../src/node/api.ts";
import { RealCluster, type RealNode } from "../test/cluster/real-cluster.ts";
import { Load } from "./open-load.ts";

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "64" },
    value: { type: "string", default: "4096" },
    nodes: { type: "string", default: "3" },
    rate: { type: "string", default: "100" },
    seconds: { type: "string", default: "20" },
    lines: { type: "string", default: "5" },
    storage: { type: "string", default: "log" },
    within: { type: "string", default: "1800" },
  },
});
const nodes = Number(values.nodes);
const rate = Number(values.rate);
const phaseMs = Number(values.seconds) * 1000;
const valueBytes = Number(values.value);
const keys = Math.floor((Number(values.megabytes) * 1e6) / valueBytes);
const load = new Load({ keys, rate, valueBytes });

/** Writes every key once, as fast as that goes. */
async function fill(through: readonly RealNode[]): Promise<void> {
  let next = 0;
  const startedMs = performance.now();
  const writers = Array.from({ length: 24 }, async () => {
    for (let i = next++; i < keys; i = next++) {
      const node = through[i % through.length] as RealNode;
      const { status, body } = await node.call("PUT", load.path(i), { body: load.value(i) }).catch((error: unknown) => {
        throw new Error(`${node.name} ${node.isRunning ? "runs" : `ended: ${node.errors}`}`, { cause: error });
      });
      if (status !== 204) throw new Error(`PUT ${load.path(i)} at ${node.name}: ${status} ${body}`);
    }
  });
  await Promise.all(writers);
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(`${keys} keys of ${valueBytes} bytes written in ${seconds.toFixed(0)} s`);
}

/** What the nodes counted of exchanges, in bytes. */
async function received(of: readonly RealNode[]): Promise<number> {
  let bytes = 0;
  for (const node of of) {
    const text = (await node.call("GET", "/metrics")).body.toString();
    const found = /^cartwheel_exchange_bytes_total\{to="here"\} (\S+)$/m.exec(text);
    bytes += Number(found?.[1] ?? Number.NaN);
  }
  return bytes;
}

await using cluster = await RealCluster.start(nodes + 1, {
  founders: nodes,
  args: ["--storage", values.storage],
});
const founders = cluster.nodes.slice(0, nodes);
const joiner = cluster.node(`n${nodes + 1}`);
await fill(founders);
console.log(`${nodes} nodes, ${rate} requests/s, phases of ${phaseMs / 1000} s, n=3 r=2 w=2`);
load.tellHead();
await load.run("warm", founders, { ms: phaseMs });
const before = await load.run("before", founders, { ms: phaseMs });
load.tell(before);
const again = await load.run("before, again", founders, { ms: phaseMs });
load.tell(again);

const startedMs = performance.now();
const bytesBefore = await received(founders);
joiner.start(["--join", `${founders[0]?.peer.host}:${founders[0]?.peer.port}`]);
let isDone = false;
const during = load.run("while data moves", () => cluster.live, { until: () => isDone });
await joiner.ready(60_000);
const shown: string[] = [];
const everyMs = 1000;
let steps = 0;
for (;;) {
  const view = await joiner.json<TransfersView>("/cluster/transfers");
  const { pendingTransfers } = await joiner.json<ClusterView>("/cluster");
  const seconds = (performance.now() - startedMs) / 1000;
  const told = { pending: pendingTransfers, members: [{ name: joiner.name, ...view }], silent: [] };
  if (steps++ % Number(values.lines) === 0) shown.push(`${seconds.toFixed(0)} s: ${transfersText(told, false)}`);
  if (pendingTransfers === 0 && view.transfers.length === 0) break;
  if (seconds > Number(values.within)) throw new Error(`not done after ${seconds} s: ${transfersText(told, false)}`);
  await new Promise((resolve) => setTimeout(resolve, everyMs));
}
isDone = true;
const tookMs = performance.now() - startedMs;
const moving = await during;
load.tell(moving);
const after = await load.run("after", cluster.nodes, { ms: phaseMs });
load.tell(after);
for (const phase of [moving, after]) load.tellTimes(phase, [before, again]);

const { members } = await joiner.json<ClusterView>("/cluster");
const partitions = members.reduce((sum, member) => sum + member.partitions, 0) / Math.min(3, nodes);
const share = (members.find(({ name }) => name === joiner.name)?.partitions ?? 0) / partitions;
const moved = (await received(cluster.nodes)) - bytesBefore;
const least = share * keys * valueBytes;
console.log(`the join took ${(tookMs / 1000).toFixed(1)} s; ${(moved / 1e6).toFixed(1)} MB came,`);
console.log(`${(least / 1e6).toFixed(1)} MB at least: x ${(moved / least).toFixed(3)}\n\nas seen at ${joiner.name}:`);
console.log(shown.join("\n"));
