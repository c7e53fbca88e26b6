/**
 * What the storage engines cost, side by side in one run: durable puts, gets, scans, opening, memory and stalls of the
 * event loop.
 *
 *     npm run bench:storage [-- --keys 10000,1000000] [--seconds 5] [--rounds 3] [--engines lmdb,log] [--dir DIR]
 *
 * `--engines lmdb,log,none` also shows what the benchmark itself costs. Each measurement is a process of its own, and the
 * engines take turns, so that a slow moment of the machine meets both. Puts go through the write buffer, as the node's
 * do, and are answered when they are durable. CPU time is that of all of the process's threads, the engine's own
 * included. What is printed is the median of the rounds; of CPU time the least, since what else the machine does only
 * adds to it; of stalls the greatest.
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { PartitionId } from "../src/core/ids.ts";
import { machineChecksum } from "../src/host/checksum.ts";
import { machineClock } from "../src/host/clock.ts";
import { folderDisk } from "../src/host/folder-disk.ts";
import { openLmdbEngine } from "../src/host/lmdb-engine.ts";
import { machineRandom } from "../src/host/random.ts";
import { silentLog } from "../src/runtime/log.ts";
import type { StorageEngine } from "../src/storage/engine.ts";
import { LogEngine, openLogEngine } from "../src/storage/log/log-engine.ts";
import { dataKey, dataRange, keyAfter, type StoreKey } from "../src/storage/store-key.ts";
import { WriteBuffer } from "../src/storage/write-buffer.ts";

const valueBytes = 1024;

const fillBatch = 1000;

/** What one process measured, by name. Names say the unit. */
type Figures = Readonly<Record<string, number>>;

const { values: options } = parseArgs({
  options: {
    keys: { type: "string", default: "10000,1000000" },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    engines: { type: "string", default: "lmdb,log" },
    dir: { type: "string", default: tmpdir() },
    part: { type: "string" },
    engine: { type: "string", default: "" },
    store: { type: "string", default: "" },
  },
});

async function openEngine(name: string, directory: string): Promise<StorageEngine> {
  if (name === "lmdb") return openLmdbEngine(directory);
  if (name === "none") return noEngine;
  return openLogEngine({
    disk: await folderDisk(directory),
    clock: machineClock,
    random: machineRandom(),
    checksum: machineChecksum,
    log: silentLog,
  });
}

/** Stores nothing: what is measured with it is the benchmark's own and the write buffer's. */
const noEngine: StorageEngine = {
  name: "none",
  get: () => undefined,
  write: () => new Promise((resolve) => setImmediate(resolve)),
  scan: () => [],
  drop: () => Promise.resolve(),
  usage: () => ({ keys: Number(options.keys), bytes: 1 }),
  close: () => Promise.resolve(),
};

/** 40 bytes in the store, spread over the partitions as hashes would. */
function keyOf(i: number): StoreKey {
  return dataKey((Math.imul(i, 0x9e3779b1) >>> 24) as PartitionId, "carts", `user-${String(i).padStart(26, "0")}`);
}

const value: Uint8Array = new Uint8Array(valueBytes).map((_, i) => i * 31 + (i >> 3));

function random(below: number): number {
  return Math.floor(Math.random() * below);
}

/**
 * The longest the event loop was away: by the clock, in which what else the machine does counts as well, and by the CPU
 * time that its thread used meanwhile, garbage collection included (NaN where the system does not tell).
 */
class StallWatch {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: 1 });
  readonly #timer: NodeJS.Timeout;
  #beforeMs: number = threadCpuMs();
  #mostCpuMs = 0;

  constructor() {
    this.#delay.enable();
    this.#timer = setInterval(() => this.#look(), 1).unref();
  }

  stop(): void {
    this.#look();
    clearInterval(this.#timer);
    this.#delay.disable();
  }

  figures(what: string): Figures {
    return { [`${what} stall ms`]: this.#delay.max / 1e6, [`${what} stall ms of CPU`]: this.#mostCpuMs };
  }

  #look(): void {
    const nowMs = threadCpuMs();
    this.#mostCpuMs = Math.max(this.#mostCpuMs, nowMs - this.#beforeMs);
    this.#beforeMs = nowMs;
  }
}

/** CPU time of the thread that runs the event loop, on Linux. */
function threadCpuMs(): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return Number.NaN;
  }
}

async function fill(name: string, directory: string, keys: number): Promise<Figures> {
  const engine = await openEngine(name, directory);
  const watch = new StallWatch();
  const from = performance.now();
  const cpu = process.cpuUsage();
  for (let i = 0; i < keys; i += fillBatch) {
    const count = Math.min(fillBatch, keys - i);
    await engine.write(Array.from({ length: count }, (_, j) => ({ key: keyOf(i + j).bytes, value })));
  }
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - from) / 1000;
  await engine.close();
  return { "fill, keys/s": keys / seconds, "fill, us CPU": (user + system) / keys, ...watch.figures("fill,") };
}

/** Durable puts of random keys, so many in flight. */
async function puts(
  name: string,
  directory: string,
  keys: number,
  inFlight: number,
  seconds: number,
): Promise<Figures> {
  const engine = await openEngine(name, directory);
  const buffer = new WriteBuffer({ engine, clock: machineClock, limitBytes: 256 * 1024 * 1024 });
  const storeKeys = Array.from({ length: Math.min(keys, 200_000) }, () => keyOf(random(keys)));
  const run = async (forMs: number): Promise<{ readonly latencies: Float64Array; readonly ms: number }> => {
    const latencies = new Float64Array(Math.ceil(forMs) * 1000);
    let done = 0;
    const begin = performance.now();
    const end = begin + forMs;
    await new Promise<void>((resolve, reject) => {
      let open = inFlight;
      const one = (): void => {
        const from = performance.now();
        if (from >= end) {
          open--;
          if (open === 0) resolve();
          return;
        }
        const bytes = value.slice();
        bytes[0] = done;
        buffer.put(storeKeys[random(storeKeys.length)] as StoreKey, bytes, {
          onDurable: () => {
            latencies[done++] = performance.now() - from;
            one();
          },
          onFailed: reject,
        });
      };
      for (let i = 0; i < inFlight; i++) one();
    });
    return { latencies: latencies.subarray(0, done).sort(), ms: performance.now() - begin };
  };
  await run(1000);
  const watch = new StallWatch();
  const cpu = process.cpuUsage();
  const { latencies, ms } = await run(seconds * 1000);
  const { user, system } = process.cpuUsage(cpu);
  watch.stop();
  const at = (share: number): number => latencies[Math.floor(share * (latencies.length - 1))] ?? Number.NaN;
  const copied = engine instanceof LogEngine ? engine.figures().copiedBytes / valueBytes / latencies.length : 0;
  const { bytes } = engine.usage();
  await buffer.close();
  await engine.close();
  const what = `put, ${inFlight} in flight,`;
  return {
    [`${what} us CPU`]: (user + system) / latencies.length,
    [`${what} ops/s`]: latencies.length / (ms / 1000),
    [`${what} p50 ms`]: at(0.5),
    [`${what} p99 ms`]: at(0.99),
    [`${what} p99.9 ms`]: at(0.999),
    ...watch.figures(what),
    [`${what} copied per put`]: copied,
    [`${what} bytes on disk per byte stored`]: bytes / (keys * (valueBytes + 40)),
  };
}

async function gets(name: string, directory: string, keys: number, seconds: number): Promise<Figures> {
  const engine = await openEngine(name, directory);
  const storeKeys = Array.from({ length: Math.min(keys, 200_000) }, () => keyOf(random(keys)).bytes);
  const run = (forMs: number): number => {
    const end = performance.now() + forMs;
    for (let done = 0; ; done += 1000) {
      for (let i = 0; i < 1000; i++) engine.get(storeKeys[random(storeKeys.length)] as Uint8Array);
      if (performance.now() >= end) return done + 1000;
    }
  };
  run(1000);
  const cpu = process.cpuUsage();
  const done = run(seconds * 1000);
  const { user, system } = process.cpuUsage(cpu);
  const begin = performance.now();
  let scanned = 0;
  for (let from = dataRange().from; performance.now() < begin + seconds * 500; ) {
    const page = engine.scan({ from, to: dataRange().to }, 128);
    scanned += page.length;
    const last = page[page.length - 1];
    from = last === undefined || page.length < 128 ? dataRange().from : keyAfter(last.key);
  }
  const scanMs = performance.now() - begin;
  await engine.close();
  return {
    "get, us CPU": (user + system) / done,
    "get, ops/s": done / seconds,
    "scan in pages of 128, entries/s": scanned / (scanMs / 1000),
  };
}

/** How long it takes to open, and what is in memory then that was not there before. */
async function opening(name: string, directory: string, keys: number): Promise<Figures> {
  const before = process.memoryUsage().rss;
  const watch = new StallWatch();
  const from = performance.now();
  const cpu = process.cpuUsage();
  const engine = await openEngine(name, directory);
  const ms = performance.now() - from;
  const { user, system } = process.cpuUsage(cpu);
  watch.stop();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const rss = process.memoryUsage().rss - before;
  const known = engine instanceof LogEngine ? engine.figures().memoryBytes : 0;
  const count = engine.usage().keys;
  await engine.close();
  if (count !== keys) throw new Error(`${count} keys of ${keys}`);
  return {
    "open, ms": ms,
    "open, ms of CPU": (user + system) / 1000,
    ...watch.figures("open,"),
    "memory, bytes a key": known / keys,
    "memory, rss MB": rss / 1e6,
    "memory, heap and buffers MB": (heapUsed + arrayBuffers) / 1e6,
  };
}

async function child(part: string): Promise<Figures> {
  const { engine, store } = options;
  const keys = Number(options.keys);
  const seconds = Number(options.seconds);
  if (part === "fill") return fill(engine, store, keys);
  if (part === "gets") return gets(engine, store, keys, seconds);
  if (part === "open") return opening(engine, store, keys);
  return puts(engine, store, keys, Number(part.slice("puts-".length)), seconds);
}

function measured(part: string, engine: string, store: string, keys: number): Figures {
  const args = ["--part", part, "--engine", engine, "--store", store, "--keys", String(keys)];
  const script = fileURLToPath(import.meta.url);
  const { stdout, status } = spawnSync(process.execPath, [script, ...args, "--seconds", options.seconds], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`${part} of ${engine} failed`);
  return JSON.parse(stdout) as Figures;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

async function compare(keys: number): Promise<void> {
  const engines = options.engines.split(",");
  const scratch = await mkdtemp(join(options.dir, "cartwheel-bench-"));
  const found = new Map<string, Map<string, number[]>>();
  const add = (engine: string, figures: Figures): void => {
    for (const [name, figure] of Object.entries(figures)) {
      const row = found.get(name) ?? new Map<string, number[]>();
      found.set(name, row);
      row.set(engine, [...(row.get(engine) ?? []), figure]);
    }
  };
  const store = (engine: string): string => join(scratch, engine);
  try {
    for (const engine of engines) add(engine, measured("fill", engine, store(engine), keys));
    for (let round = 0; round < Number(options.rounds); round++) {
      for (const part of ["open", "gets", "puts-64", "puts-512", "open", "gets"]) {
        for (const engine of engines) add(engine, measured(part, engine, store(engine), keys));
      }
    }
  } finally {
    await rm(scratch, { recursive: true });
  }
  console.log(`\n${keys} keys, values of ${valueBytes} bytes`);
  console.log(["".padEnd(52), ...engines.map((engine) => engine.padStart(12)), "ratio".padStart(9)].join(""));
  for (const [name, row] of found) {
    const figures = engines.map((engine) => {
      const all = row.get(engine) ?? [];
      if (name.includes("stall")) return Math.max(...all);
      return name.includes("CPU") ? Math.min(...all) : median(all);
    });
    const ratio = (figures[1] ?? Number.NaN) / (figures[0] ?? Number.NaN);
    const shown = figures.map((figure) => (figure >= 1000 ? figure.toFixed(0) : figure.toFixed(2)).padStart(12));
    console.log([name.padEnd(52), ...shown, Number.isFinite(ratio) ? ratio.toFixed(2).padStart(9) : ""].join(""));
  }
}

if (options.part !== undefined) process.stdout.write(JSON.stringify(await child(options.part)));
else for (const keys of options.keys.split(",")) await compare(Number(keys));
