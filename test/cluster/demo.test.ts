/** The demo, as a stranger starts it: it serves, its commands are true, and however it ends nothing is left. */

import assert from "node:assert/strict";
import { type ChildProcess, exec, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

const execute = promisify(exec);
const patienceMs = 60_000;

/** Waits for a condition, since a process that is told to end ends when it does. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const endsMs = performance.now() + patienceMs;
  while (!holds()) {
    assert.ok(performance.now() < endsMs, `waited in vain for ${what}`);
    await pause(20);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

class Demo {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown[]>;
  #out = "";

  constructor(words: readonly string[], temporary: string) {
    this.#child = spawn(process.execPath, ["bin/cartwheel.js", "demo", ...words], {
      // The pipe is its leash: it ends with the test's process, however that ends.
      stdio: ["ignore", "pipe", "inherit", "ipc"],
      env: { ...process.env, TMPDIR: temporary },
    });
    this.#exit = once(this.#child, "exit");
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#out += chunk.toString();
    });
  }

  get out(): string {
    return this.#out;
  }

  get urls(): readonly string[] {
    return [...this.#out.matchAll(/^ {2}n\d+ +z\d+ +(http:\S+)$/gm)].map(([, url = ""]) => url);
  }

  get pids(): readonly number[] {
    return [...this.#out.matchAll(/is up .*process (\d+)$/gm)].map(([, pid]) => Number(pid));
  }

  async isUp(): Promise<void> {
    await until("the demo to be up", () => this.#out.includes("Ctrl-C") || this.#child.exitCode !== null);
    assert.equal(this.#child.exitCode, null, this.#out);
  }

  /** Ends it, and waits until none of its processes is left. Answers its exit status. */
  async end(signal: NodeJS.Signals): Promise<unknown> {
    this.#child.kill(signal);
    const [status] = await this.#exit;
    await until(`${this.pids} to be gone`, () => !this.pids.some(isAlive));
    return status;
  }
}

async function withDemo(
  words: readonly string[],
  act: (demo: Demo, temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = mkdtempSync(join(tmpdir(), "cartwheel-test-"));
  const demo = new Demo(words, temporary);
  try {
    await demo.isUp();
    await act(demo, temporary);
  } finally {
    await demo.end("SIGKILL").catch(() => {});
    rmSync(temporary, { recursive: true, force: true });
  }
}

test("six nodes come up, one takes a write and every other serves it, and Ctrl-C leaves nothing", async () => {
  await withDemo([], async (demo, temporary) => {
    assert.equal(demo.urls.length, 6);
    const [first = "", ...others] = demo.urls;
    const put = await fetch(`${first}/kv/test/k`, { method: "PUT", body: "written to one" });
    assert.equal(put.status, 204);
    for (const url of others) assert.equal(await (await fetch(`${url}/kv/test/k`)).text(), "written to one");
    const view = (await (await fetch(`${first}/cluster`)).json()) as { members: { zone: string }[] };
    assert.deepEqual(view.members.map(({ zone }) => zone).sort(), ["z1", "z1", "z2", "z2", "z3", "z3"]);

    const commands = [...demo.out.matchAll(/^ {2}((?:kill -9 \d+ && )?curl .*?) +# /gm)].map(([, line = ""]) => line);
    assert.equal(commands.length, 3);
    const statuses: (string | undefined)[] = [];
    for (const command of commands) statuses.push(/^HTTP\/1\.1 (\d+)/.exec((await execute(command)).stdout)?.[1]);
    assert.deepEqual(statuses, ["200", "300", "200"]);
    await until("the demo to tell of the killed node", () => /^n6 ended \(SIGKILL\)/m.test(demo.out));

    assert.equal(await demo.end("SIGINT"), 0);
    assert.deepEqual(readdirSync(temporary), []);
  });
});

test("kill -9 of npm, or of whatever started the demo, leaves no process", async () => {
  const temporary = mkdtempSync(join(tmpdir(), "cartwheel-test-"));
  const shell = spawn("/bin/sh", ["-c", `'${process.execPath}' bin/cartwheel.js demo --nodes 2 & wait`], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, TMPDIR: temporary, npm_lifecycle_event: "start" },
  });
  let out = "";
  shell.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  await until("the demo to be up", () => out.includes("Ctrl-C"));
  const pids = [...out.matchAll(/process (\d+)$/gm)].map(([, pid]) => Number(pid));
  assert.equal(pids.length, 2);
  shell.kill("SIGKILL");
  await until("every process to be gone", () => !pids.some(isAlive));
  await until("the data to be removed", () => readdirSync(temporary).length === 0);
  rmSync(temporary, { recursive: true });
});

test("kill -9 of the demo leaves no process", async () => {
  await withDemo(["--nodes", "3"], async (demo) => {
    assert.equal(demo.pids.length, 3);
    assert.ok(demo.pids.every(isAlive));
    await demo.end("SIGKILL");
  });
});

test("with --data the demo starts again as the same cluster with what was in it", async () => {
  const data = mkdtempSync(join(tmpdir(), "cartwheel-data-"));
  try {
    let cluster = "";
    await withDemo(["--nodes", "3", "--data", data], async (demo) => {
      await fetch(`${demo.urls[0]}/kv/test/kept`, { method: "PUT", body: "still here" });
      cluster = ((await (await fetch(`${demo.urls[0]}/cluster`)).json()) as { cluster: string }).cluster;
      assert.equal(await demo.end("SIGTERM"), 0);
    });
    assert.ok(existsSync(join(data, "n1")));
    await withDemo(["--data", data], async (demo) => {
      assert.equal(demo.urls.length, 3);
      const view = (await (await fetch(`${demo.urls[2]}/cluster`)).json()) as { cluster: string; members: unknown[] };
      assert.equal(view.cluster, cluster);
      assert.equal(view.members.length, 3);
      assert.equal(await (await fetch(`${demo.urls[2]}/kv/test/kept`)).text(), "still here");
      assert.equal(await demo.end("SIGTERM"), 0);
    });
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
});
