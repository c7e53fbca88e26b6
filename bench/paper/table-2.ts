/**
 * Table 2: requests that go to any node, which passes them on where it has no copy, beside requests whose client knows who
 * has one (§6.4). Six nodes with three copies of a key, so that half of all nodes have to pass a key's requests on.
 *
 * Three ways by turns, in one run at one rate: our client as it is; the same client asking any node; and over HTTP
 * any node, as through a balancer that costs nothing. Half are reads, half writes of 1 KiB into a bucket that keeps the last
 * write, so that no way has contexts to carry.
 */

import { Histogram } from "../../src/bench/histogram.ts";
import { runOpenLoop } from "../../src/bench/open-loop.ts";
import type { Load } from "../../src/bench/operation.ts";
import type { OwnCluster } from "../../src/bench/own-cluster.ts";
import type { Recorder } from "../../src/bench/recording.ts";
import { milliseconds } from "../../src/bench/report.ts";
import type { Change, Done, Target } from "../../src/bench/target.ts";
import { CartwheelTarget } from "../../src/bench/targets/cartwheel-target.ts";
import { HttpTarget } from "../../src/bench/targets/http-target.ts";
import { ycsbLoad } from "../../src/bench/ycsb.ts";
import { Database } from "../../src/client/database.ts";
import { NativeTransport } from "../../src/client/native-transport.ts";
import { machineClock } from "../../src/host/clock.ts";
import { hostRuntime } from "../../src/host/runtime.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { columns, type Figure, type FigureOptions, type FigureResult } from "./figure.ts";
import { highestRate, inFlight, keysOf, mostInFlight, prepare, valueBytes, withCluster } from "./own-load.ts";
import { type Latencies, latenciesOf } from "./series.ts";

const nodes = 6;
const bucket = "table";
/** Of the highest rate of the slowest way. */
const rateShare = 0.5;
const rounds = 6;

/** Asks each in turn: what a balancer does. */
class InTurn implements Target {
  readonly #targets: readonly Target[];
  #next = 0;

  constructor(targets: readonly Target[]) {
    this.#targets = targets;
  }

  get(key: string, done: Done): void {
    this.#one().get(key, done);
  }

  put(key: string, value: Uint8Array, done: Done): void {
    this.#one().put(key, value, done);
  }

  change(key: string, change: Change, done: Done): void {
    this.#one().change(key, change, done);
  }

  async close(): Promise<void> {
    for (const target of this.#targets) await target.close();
  }

  #one(): Target {
    this.#next = (this.#next + 1) % this.#targets.length;
    return this.#targets[this.#next] as Target;
  }
}

class ByKind implements Recorder {
  readonly reads: Histogram = new Histogram();
  readonly writes: Histogram = new Histogram();
  errors = 0;

  ended(kind: string, fromMs: number, nowMs: number, error: unknown): void {
    if (error !== undefined) this.errors += 1;
    else (kind === "read" ? this.reads : this.writes).record((nowMs - fromMs) * 1000);
  }
}

interface Way {
  readonly name: string;
  readonly target: Target;
  readonly recorder: ByKind;
}

async function waysTo(cluster: OwnCluster): Promise<readonly Way[]> {
  const { addresses, httpAddresses } = cluster;
  const owners = await CartwheelTarget.connect({ addresses, bucket, remembers: false });
  const transport = new NativeTransport(hostRuntime(silentLog), addresses, { hedgeAfterMs: false, asksAnybody: true });
  await transport.open();
  const anybody = CartwheelTarget.over(new Database(transport), { bucket, remembers: false });
  const connections = Math.ceil(inFlight / nodes);
  const overHttp = httpAddresses.map((address) => {
    return HttpTarget.connect({ base: `http://${address}/kv/${bucket}`, connections });
  });
  return [
    { name: "client-driven", target: owners, recorder: new ByKind() },
    { name: "server-driven", target: anybody, recorder: new ByKind() },
    { name: "server-driven, HTTP", target: new InTurn(await Promise.all(overHttp)), recorder: new ByKind() },
  ];
}

async function run(options: FigureOptions): Promise<FigureResult> {
  return withCluster(options, { nodes, http: true }, async (cluster) => {
    await cluster.setBucket(bucket, { reconcile: "last-write-wins", durability: "buffered" });
    const load: Load = ycsbLoad({ workload: "a", records: keysOf(options), valueBytes, seed: options.seed });
    const ways = await waysTo(cluster);
    try {
      await prepare((ways[0] as Way).target, load);
      const rates: number[] = [];
      for (const { target } of ways) rates.push(await highestRate(target, load, options.isBrief ? 300 : 10_000));
      const perSecond = Math.min(...rates) * rateShare;
      const durationMs = ((options.seconds ?? (options.isBrief ? 4 : 240)) * 1000) / rounds / ways.length;
      options.tell(
        `at most ${rates.map(Math.round).join(", ")} a second; ${Math.round(perSecond)} a second by turns ...`,
      );
      for (let round = 0; round < rounds; round++) {
        for (const { target, recorder } of ways) {
          await runOpenLoop(target, load, { perSecond, durationMs, mostInFlight, clock: machineClock }, recorder);
        }
      }
      return told(options, ways, { perSecond, rates });
    } finally {
      for (const { target } of ways) await target.close();
    }
  });
}

interface Row {
  readonly name: string;
  readonly highestPerSecond: number;
  readonly reads: Latencies;
  readonly writes: Latencies;
  readonly errors: number;
}

function told(
  { storage }: FigureOptions,
  ways: readonly Way[],
  { perSecond, rates }: { readonly perSecond: number; readonly rates: readonly number[] },
): FigureResult {
  const table = ways.map(
    ({ name, recorder }, i): Row => ({
      name,
      highestPerSecond: rates[i] ?? 0,
      reads: latenciesOf(recorder.reads),
      writes: latenciesOf(recorder.writes),
      errors: recorder.errors,
    }),
  );
  const rows = table.map(({ name, highestPerSecond, reads, writes, errors }) => [
    name,
    ...[reads.p999, writes.p999, reads.mean, writes.mean, reads.p50, writes.p50].map(milliseconds),
    highestPerSecond.toFixed(0),
    String(errors),
  ]);
  const heads = ["read p99.9", "write p99.9", "read mean", "write mean", "read p50", "write p50", "most a second"];
  return {
    lines: [...columns([["ms", ...heads, "errors"], ...rows]), `each at ${Math.round(perSecond)} operations a second`],
    data: { nodes, copies: 3, storage, perSecond, table },
    pictures: {},
  };
}

export const table2: Figure = { name: "table-2", title: "Table 2: server-driven and client-driven coordination", run };
