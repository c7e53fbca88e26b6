/**
 * Three nodes under the same load for long: whether memory stays what it is, whether a request fails, and latencies over
 * time.
 *
 *     npm run bench:soak [-- --minutes 20] [--rate 1000] [--storage log|lmdb|memory] [--workload a] [--keys 10000]
 *                        [--value 1024] [--durability synced] [--within 10] [--out bench-soak] [--data DIR] [--leak KIB]
 *
 * Operations leave at a fixed rate, whatever the answers do, and are timed from when they were due. The nodes are warm
 * after a quarter of the time. It fails (exit status 1) where a request failed, where the load could not be kept up, or
 * where a node's memory rises in the end by more than `--within` percent above what it was at most before
 * (`src/bench/flatness.ts`); pages of files that LMDB maps are the system's, and not counted. With `--leak` one node loses
 * so many KiB a second, to see that this is caught.
 */

import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { ProcessMemory } from "../src/bench/child-process.ts";
import { fill } from "../src/bench/closed-loop.ts";
import { type Flatness, flatnessOf } from "../src/bench/flatness.ts";
import { runOpenLoop } from "../src/bench/open-loop.ts";
import type { Load } from "../src/bench/operation.ts";
import { OwnCluster, type OwnClusterOptions } from "../src/bench/own-cluster.ts";
import { milliseconds } from "../src/bench/report.ts";
import { cartLoad, sessionLoad } from "../src/bench/shop-loads.ts";
import { CartwheelTarget } from "../src/bench/targets/cartwheel-target.ts";
import { type YcsbName, ycsbLoad } from "../src/bench/ycsb.ts";
import { machineClock } from "../src/host/clock.ts";
import { columns } from "./paper/figure.ts";
import { describeMachine } from "./paper/machine.ts";
import { chartOf } from "./paper/models/chart.ts";
import { type Latencies, latenciesOf, Series } from "./paper/series.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "20" },
    rate: { type: "string", default: "1000" },
    storage: { type: "string", default: "log" },
    workload: { type: "string", default: "a" },
    keys: { type: "string", default: "10000" },
    value: { type: "string", default: "1024" },
    durability: { type: "string", default: "synced" },
    within: { type: "string", default: "10" },
    leak: { type: "string", default: "0" },
    out: { type: "string", default: "bench-soak" },
    data: { type: "string", default: tmpdir() },
  },
});
const seconds = Number(values.minutes) * 60;
const rate = Number(values.rate);
const mostTimes = 1 + Number(values.within) / 100;
const storage = values.storage as OwnClusterOptions["storage"];
const durability = values.durability as "synced" | "buffered";
const warmShare = 0.25;
/** Stretches of the picture; memory is looked at four times in each. */
const stretches = 120;
const looksAStretch = 4;
/** Of an open loop: more than any stall that is to be seen. */
const mostInFlight = 20_000;
const inFlight = 64;
const bucket = "soak";

/** A look at a node's memory. */
interface Look extends ProcessMemory {
  readonly second: number;
}

interface Soaked {
  readonly series: Series;
  readonly looks: ReadonlyMap<string, readonly Look[]>;
  readonly stretchSeconds: number;
  readonly tookSeconds: number;
  readonly diskBytes: number;
}

const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);
const tell = (line: string): void => void process.stderr.write(`${line}\n`);

function loadOf(): Load {
  const sizes = { keys: Number(values.keys), valueBytes: Number(values.value), seed: 1 };
  if (values.workload === "cart") return cartLoad(sizes);
  if (values.workload === "session") return sessionLoad(sizes);
  return ycsbLoad({ ...sizes, workload: values.workload as YcsbName, records: sizes.keys });
}

/** Looks at every node's memory until told to stop. */
function watch(
  cluster: OwnCluster,
  everyMs: number,
  beganMs: number,
): { looks: Map<string, Look[]>; stop: () => void } {
  const looks = new Map<string, Look[]>(cluster.nodes.map(({ name }) => [name, []]));
  const look = async (): Promise<void> => {
    const second = (performance.now() - beganMs) / 1000;
    for (const node of cluster.nodes) looks.get(node.name)?.push({ second, ...(await node.memory()) });
  };
  const timer = setInterval(() => void look().catch(() => {}), everyMs);
  return { looks, stop: () => clearInterval(timer) };
}

/** Both kinds of operations, of one stretch. */
function ended(stretch: number, series: Series): Latencies {
  return latenciesOf(series.stretch(stretch));
}

async function soak(cluster: OwnCluster): Promise<Soaked> {
  const load = loadOf();
  const reconcile = values.workload === "cart" ? "siblings" : "last-write-wins";
  await cluster.setBucket(bucket, { durability, reconcile });
  const target = await CartwheelTarget.connect({ addresses: cluster.addresses, bucket, remembers: false });
  try {
    await fill(target, load, inFlight);
    const stretchMs = (seconds * 1000) / stretches;
    const beganMs = machineClock.monotonicMs();
    const series = new Series(beganMs, stretchMs);
    const watching = watch(cluster, stretchMs / looksAStretch, beganMs);
    const leakKib = Number(values.leak);
    if (leakKib > 0) await cluster.nodes[0]?.leak(leakKib * 1024);
    const live = setInterval(() => {
      const at = Math.floor((machineClock.monotonicMs() - beganMs) / stretchMs) - 1;
      const { p50, p99, p999 } = ended(at, series);
      const memory = [...watching.looks.values()].map((looks) => mib(looks.at(-1)?.ownBytes ?? 0));
      const times = [p50, p99, p999].map(milliseconds).join(", ");
      tell(`${((at + 1) * stretchMs) / 1000} s: ${times} ms; ${memory.join(", ")} MiB; ${series.errorCount} failed`);
      for (const [said, count] of series.errors) tell(`  ${count} x ${said}`);
    }, stretchMs);
    const loop = { perSecond: rate, durationMs: seconds * 1000, mostInFlight, clock: machineClock };
    await runOpenLoop(target, load, loop, series);
    clearInterval(live);
    watching.stop();
    const tookSeconds = (machineClock.monotonicMs() - beganMs) / 1000;
    const diskBytes = await cluster.diskBytes();
    return { series, looks: watching.looks, stretchSeconds: stretchMs / 1000, tookSeconds, diskBytes };
  } finally {
    await target.close();
  }
}

/** How flat a node's memory is: all of it, and what garbage collection is about. */
function flatOf(looks: readonly Look[]): { readonly all: Flatness; readonly heap: Flatness } {
  const of = (bytes: (look: Look) => number): Flatness =>
    flatnessOf(
      looks.map((look) => ({ second: look.second, bytes: bytes(look) })),
      seconds * warmShare,
    );
  return { all: of(({ ownBytes }) => ownBytes), heap: of((look) => look.heapBytes + look.externalBytes) };
}

function picture({ series, looks, stretchSeconds }: Soaked): string {
  const minute = (second: number): number => second / 60;
  const all = Array.from({ length: stretches }, (_, i) => ended(i, series));
  const line = (name: string, of: (one: Latencies) => number) => ({
    name,
    points: all.map((one, i) => [minute((i + 0.5) * stretchSeconds), of(one) / 1000] as const),
  });
  const memory = (name: string, of: readonly Look[], bytes: (look: Look) => number, dashed: boolean) => ({
    name,
    dashed,
    points: of.map((look) => [minute(look.second), bytes(look) / 1024 / 1024] as const),
  });
  const nodes = [...looks];
  return chartOf({
    title: "The same load for long: latencies and memory",
    below: `three nodes on ${storage}, ${rate} operations a second, ${durability} writes; ${series.errorCount} failed`,
    across: { label: "minutes", scale: "linear", from: 0, to: minute(seconds) },
    panels: [
      {
        axis: { label: "ms", scale: "log" },
        lines: [line("99.9 %", ({ p999 }) => p999), line("99 %", ({ p99 }) => p99), line("half", ({ p50 }) => p50)],
      },
      {
        axis: { label: "MiB in memory", scale: "linear", from: 0 },
        lines: nodes.map(([name, of]) => memory(name, of, ({ ownBytes }) => ownBytes, false)),
      },
      {
        axis: { label: "of that, heap and buffers", scale: "linear", from: 0 },
        height: 0.6,
        lines: nodes.map(([name, of]) => memory(name, of, (look) => look.heapBytes + look.externalBytes, true)),
      },
    ],
  });
}

async function report(soaked: Soaked): Promise<boolean> {
  const { series, looks, stretchSeconds, tookSeconds, diskBytes } = soaked;
  const nodes = [...looks].map(([name, of]) => ({ name, ...flatOf(of) }));
  const whole = latenciesOf(series.all());
  const keptUp = tookSeconds < seconds * 1.05 + 5;
  const isFlat = nodes.every(({ all }) => all.ratio <= mostTimes);
  const isSound = series.errorCount === 0;
  const range = ({ firstBytes, lastBytes, ratio }: Flatness): readonly string[] => [
    `${mib(firstBytes)} / ${mib(lastBytes)}`,
    ratio.toFixed(3),
  ];
  const lines = [
    `${whole.count} operations in ${(tookSeconds / 60).toFixed(1)} minutes, ${rate} a second, ${durability} writes, three nodes on ${storage}`,
    `p50 ${milliseconds(whole.p50)}, p99 ${milliseconds(whole.p99)}, p99.9 ${milliseconds(whole.p999)} ms; ${series.errorCount} failed`,
    ...[...series.errors].map(([said, count]) => `${count} x ${said}`),
    "",
    ...columns([
      ["node", "most memory early / late, MiB", "ratio", "heap and buffers, MiB", "ratio"],
      ...nodes.map(({ name, all, heap }) => [name, ...range(all), ...range(heap)]),
    ]),
    "",
    `on disk: ${mib(diskBytes)} MiB`,
    `memory flat within ${values.within} %: ${isFlat ? "yes" : "NO"}; no request failed: ${isSound ? "yes" : "NO"}; the rate was kept: ${keptUp ? "yes" : "NO"}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  const out = resolve(values.out);
  await mkdir(out, { recursive: true });
  const timeline = Array.from({ length: stretches }, (_, i) => ({
    second: (i + 1) * stretchSeconds,
    ...ended(i, series),
  }));
  const options = { seconds, rate, storage, durability, workload: values.workload, keys: Number(values.keys) };
  const memory = Object.fromEntries(looks);
  const data = { ...options, whole, errors: Object.fromEntries(series.errors), nodes, diskBytes, timeline, memory };
  const record = { machine: await describeMachine(), data };
  await writeFile(join(out, "soak.json"), `${JSON.stringify(record, undefined, 1)}\n`);
  await writeFile(join(out, "soak.svg"), picture(soaked));
  process.stdout.write(`JSON and a picture are in ${out}\n`);
  return isFlat && isSound && keptUp;
}

const cluster = await OwnCluster.start({ nodes: 3, storage, directory: resolve(values.data) });
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void cluster.stop().finally(() => process.exit(130)));
}
try {
  if (!(await report(await soak(cluster)))) process.exitCode = 1;
} finally {
  await cluster.stop();
}
