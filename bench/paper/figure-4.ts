/**
 * Figure 4: reads and writes over a day, mean and 99.9th percentile: a day in minutes, on three real nodes.
 *
 * Half of the operations read a value of 1 KiB, half replace one, as popular as YCSB's records; every write is synced. They
 * leave as the hour's load says and are timed from when they were due; the day's peak is half of what the nodes can
 * carry, measured just before.
 */

import { runOpenLoop } from "../../src/bench/open-loop.ts";
import { milliseconds } from "../../src/bench/report.ts";
import { CartwheelTarget } from "../../src/bench/targets/cartwheel-target.ts";
import { ycsbLoad } from "../../src/bench/ycsb.ts";
import { machineClock } from "../../src/host/clock.ts";
import { columns, type Figure, type FigureOptions, type FigureResult } from "./figure.ts";
import { chartOf, type Line } from "./models/chart.ts";
import { loadAt } from "./models/day.ts";
import { highestRate, keysOf, mostInFlight, prepare, valueBytes, withCluster } from "./own-load.ts";
import { type Latencies, Series } from "./series.ts";

const nodes = 3;
const peakShare = 0.5;
/** Half hours of the day. */
const stretches = 48;

interface HalfHour {
  readonly hour: number;
  readonly perSecond: number;
  readonly reads: Latencies;
  readonly writes: Latencies;
}

const blank: Latencies = { count: 0, mean: 0, p50: 0, p99: 0, p999: 0 };

async function measureDay(options: FigureOptions): Promise<{
  readonly highest: number;
  readonly durationMs: number;
  readonly series: Series;
  readonly day: readonly HalfHour[];
}> {
  const durationMs = (options.seconds ?? (options.isBrief ? 4 : 240)) * 1000;
  return withCluster(options, { nodes }, async (cluster) => {
    await cluster.setBucket("day", { durability: "synced" });
    const target = await CartwheelTarget.connect({ addresses: cluster.addresses, bucket: "day", remembers: true });
    try {
      const load = ycsbLoad({ workload: "a", records: keysOf(options), valueBytes, seed: options.seed });
      await prepare(target, load);
      const highest = await highestRate(target, load, options.isBrief ? 500 : 15_000);
      const peak = highest * peakShare;
      options.tell(`${Math.round(highest)} operations a second at most; a day in ${durationMs / 1000} s ...`);
      const perSecond = (sinceMs: number): number => peak * loadAt(sinceMs / durationMs);
      const stretchMs = durationMs / stretches;
      const series = new Series(machineClock.monotonicMs(), stretchMs, stretches);
      await runOpenLoop(target, load, { perSecond, durationMs, mostInFlight, clock: machineClock }, series);
      const [reads, writes] = [series.of("read"), series.of("update")];
      const day = Array.from({ length: stretches }, (_, i): HalfHour => {
        const both = { reads: reads[i] ?? blank, writes: writes[i] ?? blank };
        const count = both.reads.count + both.writes.count;
        return { hour: ((i + 0.5) / stretches) * 24, perSecond: (count * 1000) / stretchMs, ...both };
      });
      return { highest, durationMs, series, day };
    } finally {
      await target.close();
    }
  });
}

async function run(options: FigureOptions): Promise<FigureResult> {
  const { highest, durationMs, series, day } = await measureDay(options);
  const [reads, writes] = [series.whole("read"), series.whole("update")];
  const line = (name: string, of: (one: HalfHour) => number, dashed = false): Line => {
    return { name, dashed, points: day.map((one) => [one.hour, of(one)] as const) };
  };
  const row = (name: string, rate: string, a: Latencies, b: Latencies): readonly string[] => [
    name,
    rate,
    ...[a.mean, a.p999, b.mean, b.p999].map(milliseconds),
  ];
  const rows = day
    .filter((_, i) => i % 4 === 0)
    .map(({ hour, perSecond, reads: read, writes: write }) => {
      return row(`${Math.floor(hour)} h`, perSecond.toFixed(0), read, write);
    });
  const seconds = durationMs / 1000;
  return {
    lines: [
      ...columns([
        ["ms", "a second", "read mean", "p99.9", "write mean", "p99.9"],
        ...rows,
        row("all day", "", reads, writes),
      ]),
      `p99.9 over mean: reads ${(reads.p999 / reads.mean).toFixed(1)}, writes ${(writes.p999 / writes.mean).toFixed(1)}`,
      `${series.errorCount} operations failed`,
    ],
    data: {
      nodes,
      storage: options.storage,
      seconds,
      highestPerSecond: highest,
      peakShare,
      errors: Object.fromEntries(series.errors),
      all: { reads, writes },
      day,
    },
    pictures: {
      "": chartOf({
        title: "Reads and writes over a day, mean and 99.9th percentile",
        below: `three nodes on ${options.storage}, synced writes; a day in ${seconds} s; peak: half of the highest rate`,
        across: { label: "hour of the day", scale: "linear", from: 0, to: 24, step: 4 },
        panels: [
          {
            axis: { label: "ms", scale: "log" },
            lines: [
              line("writes, 99.9 %", ({ writes: { p999 } }) => p999 / 1000),
              line("reads, 99.9 %", ({ reads: { p999 } }) => p999 / 1000),
              line("writes, mean", ({ writes: { mean } }) => mean / 1000),
              line("reads, mean", ({ reads: { mean } }) => mean / 1000),
            ],
          },
          {
            height: 0.4,
            axis: { label: "operations a second", scale: "linear", from: 0 },
            lines: [line("load", ({ perSecond }) => perSecond)],
          },
        ],
      }),
    },
  };
}

export const figure4: Figure = { name: "figure-4", title: "Figure 4: reads and writes over a day", run };
