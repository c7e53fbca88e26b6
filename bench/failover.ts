/**
 * What the loss of one node costs the requests to the others: latencies before, right after, and once it is known to
 * be down, killed or hanging, in one run.
 *
 *     npm run bench:failover [-- --nodes 5] [--rate 150] [--seconds 10]
 *
 * Real processes on real disks. Requests leave at a fixed rate, whatever the answers do, and are timed from when they
 * were due: a request that waits behind a slow one counts in full. The rate is far below what the machine can do, or
 * it would be the machine that is measured, with a fifth of its work gone. Half are reads, half are writes of 1 KB.
 *
 * What is asked for: p99 of the rest at most twice that of before, at most 3 s after the loss. The loss of a node is
 * tried again and again, by turns with nothing at all: `again` says what the same machine does by itself.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { RealCluster, type RealNode } from "../test/cluster/real-cluster.ts";

const { values } = parseArgs({
  options: {
    nodes: { type: "string", default: "5" },
    rate: { type: "string", default: "150" },
    seconds: { type: "string", default: "10" },
  },
});
const nodes = Number(values.nodes);
const rate = Number(values.rate);
const phaseMs = Number(values.seconds) * 1000;
/** The time the rest has to get used to a loss, in ms. */
const lossMs = 3000;
const keys = 2000;
const body = Buffer.alloc(1024, "v");

interface Phase {
  readonly name: string;
  readonly tookMs: number[];
  failures: number;
}

/** Asks at the fixed rate for so long, of the nodes that live, and waits for the answers. */
async function load(name: string, durationMs: number, live: readonly RealNode[]): Promise<Phase> {
  const phase: Phase = { name, tookMs: [], failures: 0 };
  const startedMs = performance.now();
  const running: Promise<void>[] = [];
  const count = Math.round((durationMs / 1000) * rate);
  for (let i = 0; i < count; i++) {
    const dueMs = startedMs + (i * 1000) / rate;
    const leftMs = dueMs - performance.now();
    if (leftMs > 0) await sleep(leftMs);
    running.push(ask(i, live[i % live.length] as RealNode, dueMs, phase));
  }
  await Promise.all(running);
  return phase;
}

async function ask(i: number, node: RealNode, dueMs: number, phase: Phase): Promise<void> {
  const path = `/kv/bench/k${(i * 7919) % keys}`;
  const isRead = i % 2 === 0;
  const answer = await (isRead ? node.call("GET", path) : replace(node, path)).catch(() => undefined);
  phase.tookMs.push(performance.now() - dueMs);
  if (answer === undefined || ![200, 204, 300, 404].includes(answer.status)) phase.failures += 1;
}

/** Writes with the context of what is there: the load is to be the same from the first second to the last. */
async function replace(node: RealNode, path: string): ReturnType<RealNode["call"]> {
  const found = await node.call("HEAD", path);
  return node.call("PUT", path, { body, context: found.context });
}

function percentile(tookMs: readonly number[], share: number): number {
  const sorted = tookMs.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function tell(phase: Phase, before?: Phase): void {
  const of = (share: number): string => `${percentile(phase.tookMs, share).toFixed(1)} ms`.padStart(11);
  const ratio = before && percentile(phase.tookMs, 0.99) / percentile(before.tookMs, 0.99);
  const columns = [phase.name.padEnd(34), String(phase.tookMs.length).padStart(8), String(phase.failures).padStart(7)];
  console.log(
    [...columns, of(0.5), of(0.99), of(1), ratio === undefined ? "" : `  p99 x ${ratio.toFixed(2)}`].join(" "),
  );
}

await using cluster = await RealCluster.start(nodes);
const victim = cluster.node(`n${nodes}`);
console.log(`${nodes} nodes, ${rate} requests/s, phases of ${phaseMs / 1000} s, n=3 r=2 w=2`);
console.log(`${"".padEnd(34)} requests  failed         p50         p99         max`);
const rest = cluster.nodes.filter((node) => node !== victim);
await load("warm", phaseMs, rest);

const losses = [
  { name: "killed", lose: () => victim.end("SIGKILL"), find: async () => victim.start() },
  { name: "hanging", lose: async () => victim.pause(), find: () => victim.resume() },
];
for (const { name, lose, find } of losses) {
  const before = await load("all up", phaseMs, rest);
  tell(before);
  tell(await load("all up, again", phaseMs, rest), before);
  await lose();
  tell(await load(`one ${name}, the first ${lossMs / 1000} s`, lossMs, rest), before);
  tell(await load(`one ${name}, from then on`, phaseMs, rest), before);
  await find();
  tell(await load("back", lossMs, rest), before);
  await cluster.whole();
}
