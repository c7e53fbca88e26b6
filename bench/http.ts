/**
 * What the web interface answers beside bare fastify, in one run: reads with r=1 at a coordinator that has a copy, of the
 * same bytes under the same headers. By turns in short rounds; of the rounds the median counts.
 *
 *     npm run bench:http [-- --connections 64] [--value 1024] [--seconds 4] [--rounds 5] [--storage memory] [--profile DIR]
 */

import { parseArgs } from "node:util";
import { Child } from "../src/bench/child-process.ts";
import { fill } from "../src/bench/closed-loop.ts";
import { fixedLoad } from "../src/bench/fixed-load.ts";
import { closed, cpuOf, type Measured, measure } from "../src/bench/measure.ts";
import { OwnCluster } from "../src/bench/own-cluster.ts";
import type { Servers } from "../src/bench/target.ts";
import { HttpTarget } from "../src/bench/targets/http-target.ts";
import { machineClock } from "../src/host/clock.ts";

const { values: options } = parseArgs({
  options: {
    connections: { type: "string", default: "64" },
    value: { type: "string", default: "1024" },
    keys: { type: "string", default: "1000" },
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    storage: { type: "string", default: "memory" },
    profile: { type: "string" },
  },
});
const connections = Number(options.connections);
const valueBytes = Number(options.value);
const keys = Number(options.keys);
const roundMs = Number(options.seconds) * 1000;

/** All that our interface says besides the value, as it says it now. */
async function headersOf(url: string): Promise<Readonly<Record<string, string>>> {
  const { headers } = await fetch(url);
  const own = ["connection", "keep-alive", "date", "content-length"];
  return Object.fromEntries([...headers].filter(([name]) => !own.includes(name)));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

const serversOf = (child: Child): Servers => ({
  usage: async () => [await child.usage()],
  diskBytes: async () => undefined,
  stop: () => child.stop(),
});

const storage = options.storage as "memory" | "lmdb" | "log";
const cluster = await OwnCluster.start({
  nodes: 3,
  storage,
  directory: "/tmp",
  http: true,
  profileDirectory: options.profile,
});
const bare = new Child("fastify", new URL("./bare-fastify.js", import.meta.url), options.profile);
try {
  const [coordinator = ""] = cluster.httpAddresses;
  const base = `http://${coordinator}/kv/bench`;
  const ours = await HttpTarget.connect({ base, query: "?r=1", connections });
  const filling = await HttpTarget.connect({ base, connections });
  const load = fixedLoad({ kind: "read", keys, valueBytes });
  await fill(filling, load, connections);
  await filling.close();
  const headers = await headersOf(`${base}/${load.first(0).key}?r=1`);
  const origin = (await bare.ask("start", { headers, bytes: valueBytes })) as string;
  const theirs = await HttpTarget.connect({ base: `${origin}/kv/bench`, query: "?r=1", connections });
  const sides = [
    { name: "cartwheel", target: ours, servers: cluster },
    { name: "fastify", target: theirs, servers: serversOf(bare) },
  ] as const;
  const run = closed({ inFlight: connections, durationMs: roundMs, clock: machineClock });
  for (const side of sides) await measure({ ...side, load, run });
  const rounds: Record<(typeof sides)[number]["name"], Measured[]> = { cartwheel: [], fastify: [] };
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const side of sides) rounds[side.name].push(await measure({ ...side, load, run }));
  }
  const rate = ({ recording, tookMs }: Measured): number => (recording.count * 1000) / tookMs;
  for (const { name } of sides) {
    const all = rounds[name];
    const cpu = median(all.map((one) => cpuOf(one).servers)).toFixed(1);
    const errors = all.reduce((sum, { recording }) => sum + recording.errorCount, 0);
    const p99 = median(all.map(({ recording }) => recording.all.percentile(0.99) / 1000)).toFixed(1);
    const perSecond = Math.round(median(all.map(rate)));
    process.stdout.write(
      `${name}: ${perSecond} a second, ${cpu} us of servers' CPU each, p99 ${p99} ms, ${errors} errors\n`,
    );
  }
  const ratio = (of: (one: Measured) => number): string =>
    median(rounds.cartwheel.map((one, i) => of(one) / of(rounds.fastify[i] as Measured))).toFixed(2);
  process.stdout.write(
    `of what fastify answers: ${ratio(rate)}; by CPU time: ${ratio((one) => 1 / cpuOf(one).servers)}\n`,
  );
  await ours.close();
  await theirs.close();
} finally {
  await bare.stop();
  await cluster.stop();
}
