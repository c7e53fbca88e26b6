/**
 * Figure 5: the 99.9th percentile of buffered writes beside that of synced ones, over a day in minutes.
 *
 * The same nodes take both, each hour first the one and then the other, so that whatever the machine does meanwhile it does
 * to both; and each hour the disk's own sync is timed, alone. A write replaces a value of 1 KiB. The day's peak is half of what
 * the nodes carry of synced writes.
 */

import { syncLatency } from "../../src/bench/disk-sync.ts";
import { fixedLoad } from "../../src/bench/fixed-load.ts";
import { Histogram } from "../../src/bench/histogram.ts";
import { runOpenLoop } from "../../src/bench/open-loop.ts";
import type { Load } from "../../src/bench/operation.ts";
import { milliseconds } from "../../src/bench/report.ts";
import type { Target } from "../../src/bench/target.ts";
import { CartwheelTarget } from "../../src/bench/targets/cartwheel-target.ts";
import { machineClock } from "../../src/host/clock.ts";
import { columns, type Figure, type FigureOptions, type FigureResult } from "./figure.ts";
import { chartOf, type Line } from "./models/chart.ts";
import { loadAt } from "./models/day.ts";
import { highestRate, keysOf, mostInFlight, prepare, valueBytes, withCluster } from "./own-load.ts";
import { type Latencies, latenciesOf } from "./series.ts";

const nodes = 3;
const peakShare = 0.5;
function hoursOf({ isBrief }: FigureOptions): number {
  return isBrief ? 6 : 24;
}

/** From this share of the peak on, an hour is one of peak traffic. */
const busyShare = 0.75;

/** Hears of every write, and counts it twice: for its hour and for the day. */
class Writes {
  readonly all: Histogram = new Histogram();
  readonly hour: Histogram = new Histogram();
  errors = 0;

  ended(_kind: string, fromMs: number, nowMs: number, error: unknown): void {
    if (error !== undefined) this.errors += 1;
    else for (const histogram of [this.all, this.hour]) histogram.record((nowMs - fromMs) * 1000);
  }

  endHour(): Latencies {
    const told = latenciesOf(this.hour);
    this.hour.clear();
    return told;
  }
}

interface Hour {
  readonly hour: number;
  readonly perSecond: number;
  readonly synced: Latencies;
  readonly buffered: Latencies;
  readonly diskSync: Latencies;
}

interface Kind {
  readonly target: Target;
  readonly load: Load;
  readonly writes: Writes;
}

async function measureDay(
  options: FigureOptions,
  kinds: { readonly synced: Kind; readonly buffered: Kind },
  disk: Histogram,
): Promise<{ readonly highest: number; readonly day: readonly Hour[] }> {
  const hours = hoursOf(options);
  const stretchMs = ((options.seconds ?? (options.isBrief ? 5 : 240)) * 1000) / hours / 2;
  const warmMs = options.isBrief ? 300 : 10_000;
  await highestRate(kinds.buffered.target, kinds.buffered.load, warmMs);
  const highest = await highestRate(kinds.synced.target, kinds.synced.load, warmMs);
  options.tell(
    `${Math.round(highest)} synced writes a second at most; ${hours} times ${stretchMs / 1000} s of each ...`,
  );
  const day: Hour[] = [];
  for (let hour = 0; hour < hours; hour++) {
    const perSecond = highest * peakShare * loadAt((hour + 0.5) / hours);
    const loop = { perSecond, durationMs: stretchMs, mostInFlight, clock: machineClock };
    for (const { target, load, writes } of [kinds.synced, kinds.buffered])
      await runOpenLoop(target, load, loop, writes);
    const sync = await syncLatency(options.directory);
    disk.add(sync);
    const [synced, buffered] = [kinds.synced.writes.endHour(), kinds.buffered.writes.endHour()];
    day.push({ hour: (hour * 24) / hours, perSecond, synced, buffered, diskSync: latenciesOf(sync) });
  }
  return { highest, day };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

async function run(options: FigureOptions): Promise<FigureResult> {
  return withCluster(options, { nodes }, async (cluster) => {
    const kindOf = async (durability: "synced" | "buffered"): Promise<Kind> => {
      await cluster.setBucket(durability, { durability });
      const { addresses } = cluster;
      const target = await CartwheelTarget.connect({ addresses, bucket: durability, remembers: true });
      const load = fixedLoad({ kind: "update", keys: keysOf(options), valueBytes });
      await prepare(target, load);
      return { target, load, writes: new Writes() };
    };
    const kinds = { synced: await kindOf("synced"), buffered: await kindOf("buffered") };
    const disk = new Histogram();
    const { highest, day } = await measureDay(options, kinds, disk);
    for (const { target } of Object.values(kinds)) await target.close();
    const errors = kinds.synced.writes.errors + kinds.buffered.writes.errors;
    const [synced, buffered] = [latenciesOf(kinds.synced.writes.all), latenciesOf(kinds.buffered.writes.all)];
    return told(options, { highest, day, errors, synced, buffered, diskSync: latenciesOf(disk) });
  });
}

interface Told {
  readonly highest: number;
  readonly day: readonly Hour[];
  readonly errors: number;
  readonly synced: Latencies;
  readonly buffered: Latencies;
  readonly diskSync: Latencies;
}

function told({ storage }: FigureOptions, { highest, day, errors, ...all }: Told): FigureResult {
  const ratioOf = ({ synced, buffered }: Hour): number => synced.p999 / buffered.p999;
  const peak = Math.max(...day.map(({ perSecond }) => perSecond));
  const busy = day.filter(({ perSecond }) => perSecond >= busyShare * peak);
  const rows = Object.entries(all).map(([name, { count, mean, p50, p99, p999 }]) => {
    return [
      name === "diskSync" ? "the disk's own sync" : name,
      String(count),
      ...[mean, p50, p99, p999].map(milliseconds),
    ];
  });
  const line = (name: string, of: (hour: Hour) => Latencies, dashed = false): Line => {
    return { name, dashed, points: day.map((one) => [one.hour + 0.5, of(one).p999 / 1000] as const) };
  };
  return {
    lines: [
      ...columns([["ms", "count", "mean", "p50", "p99", "p99.9"], ...rows]),
      `p99.9 of synced over buffered: ${(all.synced.p999 / all.buffered.p999).toFixed(1)} of all day; median of hours ${median(day.map(ratioOf)).toFixed(1)}; of busy hours ${median(busy.map(ratioOf)).toFixed(1)}`,
      `${errors} writes failed`,
    ],
    data: { nodes, storage, highestPerSecond: highest, peakShare, errors, all, day },
    pictures: {
      "": chartOf({
        title: "99.9th percentile of writes, synced and buffered",
        below: `three nodes on ${storage}; each hour of the day first the one, then the other`,
        across: { label: "hour of the day", scale: "linear", from: 0, to: 24, step: 4 },
        panels: [
          {
            axis: { label: "ms", scale: "log" },
            lines: [
              line("synced", ({ synced }) => synced),
              line("buffered", ({ buffered }) => buffered),
              line("the disk's own sync", ({ diskSync }) => diskSync, true),
            ],
          },
          {
            height: 0.4,
            axis: { label: "writes a second", scale: "linear", from: 0 },
            lines: [{ name: "load", points: day.map(({ hour, perSecond }) => [hour + 0.5, perSecond] as const) }],
          },
        ],
      }),
    },
  };
}

export const figure5: Figure = { name: "figure-5", title: "Figure 5: buffered and synced writes", run };
