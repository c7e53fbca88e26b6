/**
 * What the web interface answers beside bare fastify, in one run: reads with r=1 at a coordinator that has a copy, of the
 * same bytes under the same headers. One coordinator of three is asked, as one process of fastify is, over as many
 * connections. By turns in short rounds; of the rounds the median counts.
 *
 * The CPU time of whoever is asked and that of the other two are told apart: a read that is served by one copy should
 * cost the others nothing.
 *
 *     npm run bench:http [-- --connections 64] [--value 1024] [--r 1] [--seconds 4] [--rounds 5] [--warm-up 10]
 *                        [--storage memory] [--profile DIR]
 */

import { parseArgs } from "node:util";
import { Child } from "../src/bench/child-process.ts";
import { fill } from "../src/bench/closed-loop.ts";
import { fixedLoad } from "../src/bench/fixed-load.ts";
import { closed, type Measured, measure } from "../src/bench/measure.ts";
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
    "warm-up": { type: "string", default: "10" },
    rounds: { type: "string", default: "5" },
    r: { type: "string", default: "1" },
    storage: { type: "string", default: "memory" },
    profile: { type: "string" },
  },
});
const connections = Number(options.connections);
const valueBytes = Number(options.value);
const keys = Number(options.keys);
const query = `?r=${options.r}`;
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

/** CPU time of the process that was asked, for each operation, in us: the first of the servers. */
function askedCpuUs({ recording, servers }: Measured): number {
  return (servers[0]?.cpuUs ?? Number.NaN) / Math.max(1, recording.count);
}

/** The same of all others. */
function othersCpuUs({ recording, servers }: Measured): number {
  return servers.slice(1).reduce((sum, { cpuUs }) => sum + cpuUs, 0) / Math.max(1, recording.count);
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
  const ours = await HttpTarget.connect({ base, query, connections });
  const filling = await HttpTarget.connect({ base, connections });
  const load = fixedLoad({ kind: "read", keys, valueBytes });
  await fill(filling, load, connections);
  await filling.close();
  const headers = await headersOf(`${base}/${load.first(0).key}${query}`);
  const origin = (await bare.ask("start", { headers, bytes: valueBytes })) as string;
  const theirs = await HttpTarget.connect({ base: `${origin}/kv/bench`, query, connections });
  const sides = [
    { name: "cartwheel", target: ours, servers: cluster },
    { name: "fastify", target: theirs, servers: serversOf(bare) },
  ] as const;
  const run = closed({ inFlight: connections, durationMs: roundMs, clock: machineClock });
  // What the compiler has not seen often enough yet costs several times as much: a path longer than fastify's, longer.
  const warmUp = closed({ inFlight: connections, durationMs: Number(options["warm-up"]) * 1000, clock: machineClock });
  for (const side of sides) await measure({ ...side, load, run: warmUp });
  const rounds: Record<(typeof sides)[number]["name"], Measured[]> = { cartwheel: [], fastify: [] };
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const side of sides) rounds[side.name].push(await measure({ ...side, load, run }));
  }
  const rate = ({ recording, tookMs }: Measured): number => (recording.count * 1000) / tookMs;
  for (const { name } of sides) {
    const all = rounds[name];
    const cpu = median(all.map(askedCpuUs)).toFixed(1);
    const others = median(all.map(othersCpuUs)).toFixed(1);
    const errors = all.reduce((sum, { recording }) => sum + recording.errorCount, 0);
    const p99 = median(all.map(({ recording }) => recording.all.percentile(0.99) / 1000)).toFixed(1);
    const perSecond = Math.round(median(all.map(rate)));
    process.stdout.write(
      `${name}: ${perSecond} a second, ${cpu} us of CPU each, others ${others} us, p99 ${p99} ms, ${errors} errors\n`,
    );
  }
  const ratio = (of: (one: Measured) => number): string =>
    median(rounds.cartwheel.map((one, i) => of(one) / of(rounds.fastify[i] as Measured))).toFixed(2);
  const byCpu = ratio((one) => 1 / askedCpuUs(one));
  process.stdout.write(`of what fastify answers: ${ratio(rate)}; by CPU time of whoever is asked: ${byCpu}\n`);
  await ours.close();
  await theirs.close();
} finally {
  await bare.stop();
  await cluster.stop();
}
