/** `cartwheel start --workers` as an operator meets it: several nodes that come, stay and go as one. */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePorts, isFree } from "../../src/cli/demo/free-ports.ts";
import { runCartwheel } from "../cli/run-cartwheel.ts";
import { RealNode, until } from "./real-cluster.ts";

interface View {
  readonly members: readonly { readonly name: string; readonly zone: string; readonly status: string }[];
  readonly pendingTransfers: number;
}

const directory = mkdtempSync(join(tmpdir(), "cartwheel-workers-"));
let workers: RealNode;
let ports: readonly number[];
before(async () => {
  ports = await pairs(2);
  const [peer = 0, http = 0] = ports;
  workers = new RealNode({
    name: "rack1",
    data: join(directory, "data"),
    peer: { host: "127.0.0.1", port: peer },
    http: { host: "127.0.0.1", port: http },
    args: ["--workers", "2", "--n", "2"],
  });
  workers.start();
});
after(async () => {
  await workers.end("SIGKILL");
  workers.close();
  rmSync(directory, { recursive: true });
});

/** The first of so many pairs of neighbouring ports that are free. */
async function pairs(count: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (let from = 20_000 + (process.pid % 1000) * 20; found.length < count; ) {
    const [port = 0] = await freePorts(from, 1);
    if (await isFree(port + 1)) found.push(port);
    from = port + 2;
  }
  return found;
}

function whole(): Promise<View> {
  return until(30_000, "both workers to be members", async () => {
    const view = await workers.json<View>("/cluster").catch(() => undefined);
    const isWhole = view?.members.length === 2 && view.members.every(({ status }) => status === "up");
    return isWhole && view.pendingTransfers === 0 ? view : undefined;
  });
}

/** The process of one of them. */
function pidOf(name: string): number {
  const found = readdirSync("/proc").find((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const words = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0");
      return words.includes(name) && words.includes(join(directory, "data", name));
    } catch {
      return false;
    }
  });
  return Number(found);
}

test("two workers are two members in one zone, and each answers for the other", async () => {
  const { members } = await whole();
  assert.deepEqual(
    members.map(({ name, zone }) => [name, zone]),
    [
      ["rack1-1", "rack1"],
      ["rack1-2", "rack1"],
    ],
  );
  assert.equal((await workers.call("PUT", "/kv/b/k", { body: "here" })).status, 204);
  const second = await fetch(`http://127.0.0.1:${workers.httpPort + 1}/kv/b/k?r=all`);
  assert.equal(await second.text(), "here");
});

test("one that is killed comes back as the same member", { skip: process.platform !== "linux" }, async () => {
  const pid = pidOf("rack1-2");
  process.kill(pid, "SIGKILL");
  await until(30_000, "the worker to be another process", async () => {
    const now = pidOf("rack1-2");
    return now > 0 && now !== pid ? now : undefined;
  });
  await whole();
  assert.match(workers.errors, /a worker ended and is started again/);
});

test("they stop with the process that started them, told to or killed", async () => {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    await whole();
    await workers.end(signal);
    await until(20_000, "no worker to listen any more", async () => {
      const free = await Promise.all(ports.flatMap((port) => [isFree(port), isFree(port + 1)]));
      return free.every(Boolean) ? true : undefined;
    });
    workers.start();
  }
  await whole();
});

test("what cannot work is refused before anything is started", async () => {
  const start = ["start", "--name", "w", "--storage", "memory", "--workers"];
  const refused = async (words: readonly string[], sentence: RegExp): Promise<void> => {
    const ran = await runCartwheel([...start, ...words]);
    assert.equal(ran.status, 2, ran.err);
    assert.match(ran.err, sentence);
  };
  await refused(
    ["2", "--listen", "127.0.0.1:0"],
    /--listen is 127\.0\.0\.1:0: 2 workers take as many consecutive ports/,
  );
  await refused(["3", "--http", "127.0.0.1:65534"], /--http is 127\.0\.0\.1:65534/);
  await refused(["0"], /--workers is "0", and must be a whole number from 1 to 64/);
});

test("one that cannot start ends them all, with the reason", async () => {
  const [peer = 0] = await pairs(1);
  const taken = await runCartwheel([
    ...["start", "--name", "w", "--storage", "memory", "--workers", "2", "--log", "error"],
    ...["--listen", `127.0.0.1:${peer}`, "--http", `127.0.0.1:${workers.httpPort}`],
  ]);
  assert.equal(taken.status, 1, taken.err);
  // Both ports are taken, and whichever worker meets its own first ends the other.
  const refused = /HTTP on 127\.0\.0\.1:(\d+): listen EADDRINUSE/.exec(taken.err)?.[1];
  assert.ok([workers.httpPort, workers.httpPort + 1].includes(Number(refused)), taken.err);
  assert.match(taken.err, /worker w-\d ended \(exit status 1\) before it served/);
});
