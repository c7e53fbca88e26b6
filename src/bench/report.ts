/** What a run is told as: one object for JSON, and its text for people. */

import type { Histogram } from "./histogram.ts";
import { cpuOf, type Measured } from "./measure.ts";
import type { Interval } from "./recording.ts";

/** The shares of operations whose latency is told. */
const shares = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999] as const;

/** Latencies in us. */
export interface Latency {
  readonly count: number;
  readonly mean: number;
  readonly max: number;
  /** By share in percent: "50", "99.9". */
  readonly percentiles: Readonly<Record<string, number>>;
}

export interface Report {
  readonly target: string;
  readonly workload: string;
  readonly description: string;
  /** How it was driven: operations in flight, or operations a second that were to begin. */
  readonly loop:
    | { readonly kind: "closed"; readonly inFlight: number }
    | { readonly kind: "open"; readonly rate: number };
  readonly seconds: number;
  readonly operations: number;
  readonly perSecond: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly latency: Latency;
  readonly byKind: Readonly<Record<string, Latency>>;
  /** CPU time an operation in us; null where the servers' is not known. */
  readonly cpu: { readonly all: number | null; readonly servers: number | null; readonly client: number };
  readonly processes: readonly { readonly name: string; readonly cpuUs: number; readonly memoryBytes: number }[];
  readonly diskBytes: number | null;
  /** What the disk's own sync took, right after the run; null where the run was not about this machine's disk. */
  readonly diskSync: Latency | null;
  readonly timeline: readonly Interval[];
}

export type ReportHead = Pick<Report, "target" | "workload" | "description" | "loop">;

/** The report of what was measured. */
export function reportOf(
  head: ReportHead,
  measured: Measured,
  disk: { readonly bytes: number | undefined; readonly sync: Histogram | undefined },
): Report {
  const { recording, tookMs, client, servers } = measured;
  const { all, servers: served } = cpuOf(measured);
  const isKnown = servers.length > 0;
  return {
    ...head,
    seconds: tookMs / 1000,
    operations: recording.count,
    perSecond: tookMs > 0 ? (recording.count * 1000) / tookMs : 0,
    errors: Object.fromEntries(recording.errors),
    latency: latencyOf(recording.all),
    byKind: Object.fromEntries([...recording.kinds].map(([kind, histogram]) => [kind, latencyOf(histogram)])),
    cpu: { all: isKnown ? all : null, servers: isKnown ? served : null, client: all - served },
    processes: [client, ...servers],
    diskBytes: disk.bytes ?? null,
    diskSync: disk.sync === undefined ? null : latencyOf(disk.sync),
    timeline: recording.timeline,
  };
}

function latencyOf(histogram: Histogram): Latency {
  const percentiles = shares.map((share) => [percentOf(share), histogram.percentile(share)] as const);
  return {
    count: histogram.count,
    mean: histogram.mean,
    max: histogram.max,
    percentiles: Object.fromEntries(percentiles),
  };
}

function percentOf(share: number): string {
  return String(Number((share * 100).toFixed(4)));
}

/** The report as rows of a table, its first row the heads of the columns. */
export function latencyRows(report: Report): readonly (readonly string[])[] {
  const percents = shares.map(percentOf);
  const row = (name: string, { count, mean, max, percentiles }: Latency): readonly string[] => [
    name,
    String(count),
    milliseconds(mean),
    ...percents.map((percent) => milliseconds(percentiles[percent] ?? Number.NaN)),
    milliseconds(max),
  ];
  const kinds = Object.entries(report.byKind);
  return [
    ["latency in ms", "count", "mean", ...percents.map((percent) => `p${percent}`), "max"],
    ...kinds.map(([kind, latency]) => row(kind, latency)),
    ...(kinds.length > 1 ? [row("all", report.latency)] : []),
    ...(report.diskSync === null ? [] : [row("the disk's own sync", report.diskSync)]),
  ];
}

/** Us as ms, with as many digits as mean something. */
export function milliseconds(us: number): string {
  const ms = us / 1000;
  return ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2);
}

/** Everything but the latencies, a line each. */
export function factsOf(report: Report): readonly string[] {
  const { loop, cpu, processes, diskBytes } = report;
  const driven = loop.kind === "closed" ? `${loop.inFlight} in flight` : `${Math.round(loop.rate)}/s from an open loop`;
  const errors = Object.entries(report.errors);
  const { "50": median = 0, "99.9": tail = 0 } = report.latency.percentiles;
  const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
  const cpuText =
    cpu.all === null || cpu.servers === null
      ? `client ${cpu.client.toFixed(1)} us; the servers' is not known`
      : `${cpu.all.toFixed(1)} us (client ${cpu.client.toFixed(1)}, servers ${cpu.servers.toFixed(1)})`;
  return [
    `${report.target}, ${report.description}; ${driven}`,
    `${report.operations} operations in ${report.seconds.toFixed(1)} s, ${Math.round(report.perSecond)} a second`,
    `CPU time an operation: ${cpuText}`,
    ...processes.map(
      ({ name, cpuUs, memoryBytes }) => `  ${name}: ${(cpuUs / 1e6).toFixed(2)} s of CPU, ${mib(memoryBytes)}`,
    ),
    `p99.9 is ${(tail / median).toFixed(1)} times the median`,
    ...(diskBytes === null ? [] : [`on disk: ${mib(diskBytes)}`]),
    ...errors.map(([said, count]) => `${count} x ${said}`),
  ];
}
