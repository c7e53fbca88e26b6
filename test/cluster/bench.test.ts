import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Compared } from "../../src/bench/comparison.ts";
import type { Report } from "../../src/bench/report.ts";
import { startRedisPeer } from "../bench/redis-peer.ts";
import { type Ran, runCartwheel } from "../cli/run-cartwheel.ts";
import { RealCluster } from "./real-cluster.ts";

const directory = mkdtempSync(join(tmpdir(), "cartwheel-bench-test-"));
after(() => rmSync(directory, { recursive: true }));

const brief = ["--keys", "200", "--seconds", "1", "--warm-up", "0", "--in-flight", "8", "--data", directory, "--json"];

async function bench(...words: readonly string[]): Promise<Ran> {
  const ran = await runCartwheel(["bench", ...brief, ...words]);
  assert.equal(ran.status, 0, ran.err);
  return ran;
}

async function report(...words: readonly string[]): Promise<Report> {
  const { out } = await bench(...words);
  const told = JSON.parse(out) as Report;
  assert.ok(told.operations > 0);
  assert.deepEqual(told.errors, {});
  const { count, percentiles, max } = told.latency;
  assert.equal(count, told.operations);
  const rising = Object.values(percentiles).sort((a, b) => a - b);
  assert.deepEqual(
    Object.keys(percentiles),
    ["50", "75", "90", "95", "99", "99.9", "99.99"].sort((a, b) => +a - +b),
  );
  assert.ok((rising[0] ?? 0) > 0 && (rising.at(-1) ?? 0) <= max);
  return told;
}

test("it starts nodes of its own, loads them with every workload, and leaves nothing behind", async () => {
  for (const workload of ["get", "put", "a", "d", "e", "f", "cart", "session"]) {
    const picture = join(directory, `${workload}.svg`);
    const told = await report("--workload", workload, "--storage", "log", "--picture", picture);
    assert.deepEqual(
      told.processes.map(({ name }) => name),
      ["client", "n1", "n2", "n3"],
    );
    for (const { cpuUs, memoryBytes } of told.processes) assert.ok(cpuUs > 0 && memoryBytes > 1e6);
    assert.ok((told.cpu.all ?? 0) > (told.cpu.servers ?? 0));
    assert.ok((told.diskBytes ?? 0) > 3 * 200 * 1000 || workload === "cart");
    assert.match(readFileSync(picture, "utf8"), /<svg /);
    rmSync(picture);
  }
  assert.deepEqual(readdirSync(directory), []);
});

test("an open loop begins as many operations as it was told", async () => {
  const told = await report("--rate", "300", "--storage", "memory");
  assert.equal(told.operations, 300);
  assert.deepEqual(told.loop, { kind: "open", rate: 300 });
  const half = await report("--target", "bare-synced", "--rate", "50%", "--warm-up", "1");
  assert.ok(half.loop.kind === "open" && half.loop.rate > 1 && Math.abs(half.operations - half.loop.rate) <= 1);
  assert.ok((half.diskSync?.percentiles["50"] ?? 0) > 0);
});

test("it drives nodes that run, and learns from them what they used", async () => {
  await using cluster = await RealCluster.start(3, { args: ["--storage", "memory"] });
  const peers = cluster.nodes.map(({ peer }) => `${peer.host}:${peer.port}`).join(",");
  const alone = await report("--target", peers, "--workload", "a");
  assert.equal(alone.cpu.servers, null);
  const { host, port } = cluster.node("n2").http;
  const told = await report("--target", peers, "--url", `http://${host}:${port}`, "--workload", "a");
  assert.equal(told.processes.length, 4);
  assert.ok((told.cpu.servers ?? 0) > 0);
});

test("it drives bare models and peers of Redis, and watches a process that it is told of", async () => {
  for (const model of ["bare", "bare-synced"]) {
    const told = await report("--target", model, "--workload", "f");
    assert.equal(told.processes.length, 4);
    assert.equal((told.diskBytes ?? 0) > 0, model === "bare-synced");
  }
  const peer = await startRedisPeer(1e6);
  const told = await report("--target", `redis://${peer.address}`, "--workload", "a", "--pids", String(process.pid));
  peer.close();
  assert.deepEqual(
    told.processes.map(({ name }) => name),
    ["client", `process ${process.pid}`],
  );
});

test("one run tells get, buffered and synced put beside the bare model", async () => {
  const { out } = await bench("--compare", "bare", "--storage", "memory");
  const compared = JSON.parse(out) as readonly Compared[];
  assert.deepEqual(
    compared.map(({ name }) => name),
    ["get", "buffered put", "synced put"],
  );
  for (const { ours, bare, ratio, ratioRange } of compared) {
    assert.deepEqual([ours.errors, bare.errors], [0, 0]);
    assert.ok(ours.cpu > ours.serversCpu && bare.cpu > bare.serversCpu && bare.cpu > 0);
    assert.ok(ratio >= ratioRange[0] && ratio <= ratioRange[1]);
  }
});

test("what cannot be reached is said in one line", async () => {
  const { status, err } = await runCartwheel(["bench", ...brief, "--target", "redis://127.0.0.1:1"]);
  assert.equal(status, 1);
  assert.match(err, /cartwheel: the benchmark ended: connect ECONNREFUSED 127.0.0.1:1\n$/);
});
