/**
 * What becomes of a node that holds a million keys: how long it takes to start, after it was stopped and after it was
 * killed; what it has in memory; what reads and writes cost beside a node of the same run that holds ten thousand.
 *
 *     npm run bench:million [-- --keys 1000000] [--few 10000] [--value 1024] [--storage log|lmdb] [--seconds 5] [--rounds 3]
 *                           [--data DIR] [--json FILE]
 *
 * Two clusters of one node each, with one copy of everything, each a process on a real disk. Both are loaded by turns
 * (`src/bench/by-turns.ts`), all keys alike, 64 requests in flight. A start is timed from when its process is made until
 * a client has read a key of it. What is killed is killed while writes are under way, long after its last stop.
 *
 * What is asked for: a start in less than ten seconds, reads and writes at most 1.5 times what they are with few keys.
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { byTurns, type Contestant, type Turns } from "../src/bench/by-turns.ts";
import type { ProcessMemory } from "../src/bench/child-process.ts";
import { fill, runClosedLoop } from "../src/bench/closed-loop.ts";
import { bytesUnder } from "../src/bench/disk-bytes.ts";
import { type FixedLoadOptions, fixedLoad } from "../src/bench/fixed-load.ts";
import { OwnNode, type OwnNodeOptions } from "../src/bench/own-node.ts";
import { Recording } from "../src/bench/recording.ts";
import { milliseconds } from "../src/bench/report.ts";
import { CartwheelTarget } from "../src/bench/targets/cartwheel-target.ts";
import { machineClock } from "../src/host/clock.ts";
import { columns } from "./paper/figure.ts";
import { describeMachine } from "./paper/machine.ts";

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "1000000" },
    few: { type: "string", default: "10000" },
    value: { type: "string", default: "1024" },
    storage: { type: "string", default: "log" },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    data: { type: "string", default: tmpdir() },
    json: { type: "string" },
  },
});
const keys = Number(values.keys);
const few = Number(values.few);
const valueBytes = Number(values.value);
const roundMs = Number(values.seconds) * 1000;
const rounds = Number(values.rounds);
const storage = values.storage as OwnNodeOptions["storage"];
const inFlight = 64;
const bucket = "many";
const startWithinMs = 10_000;
const mostTimes = 1.5;

/** A node with so many keys, and the client that stored them. */
interface Holder {
  readonly keys: number;
  readonly node: OwnNode;
  readonly target: CartwheelTarget;
}

interface Start {
  readonly how: string;
  /** How long its end took, in ms; undefined for one that was killed. */
  readonly stopMs: number | undefined;
  /** Until the node says that it serves, and until a client has read a key, in ms. */
  readonly servesMs: number;
  readonly readMs: number;
  readonly memory: ProcessMemory;
  /** Until every hash tree could be compared, in s, and what is in memory then. */
  readonly treesSeconds: number;
  readonly memoryThen: ProcessMemory;
}

const tell = (line: string): void => void process.stderr.write(`${line}\n`);
const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(0)} MiB`;

async function hold(directory: string, count: number): Promise<Holder> {
  const name = `n${count}`;
  const settings = { n: 1, r: 1, w: 1 } as const;
  const node = new OwnNode({ name, storage, data: join(directory, name), settings });
  running.push(node);
  await node.start([]);
  await node.setBucket(bucket, { durability: "buffered" });
  const target = await CartwheelTarget.connect({ addresses: [node.address], bucket, remembers: true });
  const beganMs = performance.now();
  await fill(target, loadOf("update", count), inFlight);
  const seconds = (performance.now() - beganMs) / 1000;
  tell(`${count} keys of ${valueBytes} bytes stored in ${seconds.toFixed(1)} s`);
  return { keys: count, node, target };
}

function loadOf(kind: FixedLoadOptions["kind"], count: number): Contestant["load"] {
  return fixedLoad({ kind, keys: count, valueBytes });
}

/** The holder as a side of a contest. */
function side({ keys: count, node, target }: Holder, kind: FixedLoadOptions["kind"]): Contestant {
  const servers = {
    usage: async () => [await node.usage()],
    diskBytes: async () => undefined,
    stop: () => node.stop(),
  };
  return { target, servers, load: loadOf(kind, count) };
}

async function contend(
  name: string,
  kind: FixedLoadOptions["kind"],
  holders: readonly [Holder, Holder],
): Promise<Turns> {
  const [many, little] = holders;
  const durability = name === "synced put" ? "synced" : "buffered";
  for (const { node } of holders) await node.setBucket(bucket, { durability });
  const onRound = (round: number, [a, b]: readonly [number, number]): void => {
    tell(`${name}, ${round} of ${rounds}: ${a.toFixed(1)} us of CPU with many keys, ${b.toFixed(1)} us with few`);
  };
  const options = { inFlight, roundMs, rounds, warmMs: roundMs, onRound };
  return byTurns(side(many, kind), side(little, kind), options);
}

/** Ends the node and starts it again. */
async function restart({ node, keys: count }: Holder, how: "stopped" | "killed"): Promise<Start> {
  const endedMs = performance.now();
  await (how === "stopped" ? node.stop() : node.kill());
  const stopMs = how === "stopped" ? performance.now() - endedMs : undefined;
  const beganMs = performance.now();
  await node.start([]);
  const servesMs = performance.now() - beganMs;
  const client = await CartwheelTarget.connect({ addresses: [node.address], bucket, remembers: false });
  try {
    await new Promise<void>((read, fail) =>
      client.get("user0", (error) => (error === undefined ? read() : fail(error))),
    );
    const readMs = performance.now() - beganMs;
    const memory = await node.memory();
    while ((await node.metric("cartwheel_hash_trees_built")) !== 1) await sleep(100);
    const treesSeconds = (performance.now() - beganMs) / 1000;
    await readAll(client, count);
    return { how, stopMs, servesMs, readMs, memory, treesSeconds, memoryThen: await node.memory() };
  } finally {
    await client.close();
  }
}

/** Every key is there: what was acknowledged, in a store that was killed as in one that was stopped. */
async function readAll(target: CartwheelTarget, count: number): Promise<void> {
  const recording = new Recording(performance.now());
  const loop = { inFlight, operations: count, clock: machineClock };
  await runClosedLoop(target, loadOf("read", count), loop, recording);
  if (recording.errorCount > 0) throw new Error(`reads fail: ${[...recording.errors.keys()].join("; ")}`);
}

/** Writes until the first that fails: the node was killed. */
async function writeOn({ target, keys: count }: Holder): Promise<void> {
  const giveUp = new AbortController();
  const recorder = {
    ended: (_kind: string, _fromMs: number, _nowMs: number, error: unknown): void => {
      if (error !== undefined) giveUp.abort();
    },
  };
  await runClosedLoop(
    target,
    loadOf("update", count),
    { inFlight, signal: giveUp.signal, clock: machineClock },
    recorder,
  );
}

function turnsRow(name: string, { sides, ratio, serversRatio }: Turns): readonly string[] {
  const [many, little] = sides;
  const us = (value: number): string => value.toFixed(1);
  return [
    name,
    `${us(little.serversCpu)} / ${us(many.serversCpu)}`,
    serversRatio.toFixed(2),
    ratio.toFixed(2),
    `${milliseconds(little.p50)} / ${milliseconds(many.p50)}`,
    `${milliseconds(little.p99)} / ${milliseconds(many.p99)}`,
    `${Math.round(little.perSecond)} / ${Math.round(many.perSecond)}`,
    String(little.errors + many.errors),
  ];
}

function startRow({ how, stopMs, servesMs, readMs, memory, treesSeconds, memoryThen }: Start): readonly string[] {
  return [
    how,
    stopMs === undefined ? "-" : (stopMs / 1000).toFixed(2),
    (servesMs / 1000).toFixed(2),
    (readMs / 1000).toFixed(2),
    mib(memory.ownBytes),
    treesSeconds.toFixed(1),
    mib(memoryThen.ownBytes),
  ];
}

const running: OwnNode[] = [];

async function run(directory: string): Promise<boolean> {
  const holders = [await hold(directory, keys), await hold(directory, few)] as const;
  const [many, little] = holders;
  const filled = { many: await many.node.memory(), few: await little.node.memory() };
  const turns = {
    get: await contend("get", "read", holders),
    "buffered put": await contend("buffered put", "update", holders),
    "synced put": await contend("synced put", "update", holders),
  };
  const loaded = { many: await many.node.memory(), few: await little.node.memory() };
  const diskBytes = await bytesUnder(join(directory, many.node.name));
  tell("stopping and starting ...");
  const stopped = await restart(many, "stopped");
  tell("killing and starting ...");
  const writing = writeOn(many);
  await sleep(roundMs / 2);
  const killed = await restart(many, "killed");
  await writing;
  for (const { target } of holders) await target.close();

  const heads = ["few / many keys", "server's CPU, us", "ratio", "with the client's", "p50, ms", "p99, ms", "a second"];
  const rows = Object.entries(turns).map(([name, of]) => turnsRow(name, of));
  const startHeads = [
    "started after",
    "its end, s",
    "serves, s",
    "reads, s",
    "memory then",
    "trees built, s",
    "memory",
  ];
  const perKey = (filled.many.ownBytes - filled.few.ownBytes) / (keys - few);
  const isFast = [stopped, killed].every(({ readMs }) => readMs < startWithinMs);
  const isFlat = Object.values(turns).every(({ serversRatio }) => serversRatio <= mostTimes);
  const lines = [
    `${few} and ${keys} keys of ${valueBytes} bytes on ${storage}, a node each; ${inFlight} in flight`,
    ...columns([[...heads, "failed"], ...rows]),
    "",
    ...columns([startHeads, startRow(stopped), startRow(killed)]),
    "",
    `in memory once filled: ${mib(filled.few.ownBytes)} / ${mib(filled.many.ownBytes)}, ${perKey.toFixed(0)} bytes for each key more`,
    `in memory under load: ${mib(loaded.few.ownBytes)} / ${mib(loaded.many.ownBytes)}`,
    `(without pages of files that are mapped: with them ${mib(loaded.few.rssBytes)} / ${mib(loaded.many.rssBytes)} under load)`,
    `on disk: ${mib(diskBytes)} of ${mib(keys * valueBytes)} in values`,
    `starts in less than ${startWithinMs / 1000} s: ${isFast ? "yes" : "NO"}; at most ${mostTimes} times the CPU of few keys: ${isFlat ? "yes" : "NO"}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  if (values.json !== undefined) {
    const data = { keys, few, valueBytes, storage, turns, starts: [stopped, killed], filled, loaded, diskBytes };
    const record = { machine: await describeMachine(), data };
    await writeFile(values.json, `${JSON.stringify(record, undefined, 1)}\n`);
  }
  return isFast && isFlat;
}

const directory = await mkdtemp(join(resolve(values.data), "cartwheel-million-"));
const end = async (): Promise<void> => {
  await Promise.all(running.map((node) => node.kill()));
  await rm(directory, { recursive: true, force: true });
};
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void end().then(() => process.exit(130)));
try {
  if (!(await run(directory))) process.exitCode = 1;
} finally {
  await end();
}
