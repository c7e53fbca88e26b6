/**
 * One node of the demo, as a process of its own. Its pipe to this process is its leash: when this process is gone,
 * even by `kill -9`, the pipe closes and the node stops.
 */

import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ReadyMessage } from "../start.ts";
import type { DemoPlan, PlannedNode } from "./plan.ts";

/** Longer than a node gives what it runs. */
const stopMs = 12_000;

export class NodeProcess {
  readonly node: PlannedNode;
  readonly logFile: string;
  /** Resolves once it serves; rejects with its last words if it ends before. */
  readonly ready: Promise<void>;
  /** Resolves with how it ended, once it has. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;

  constructor(plan: DemoPlan, node: PlannedNode, seeds: readonly PlannedNode[]) {
    this.node = node;
    this.logFile = join(plan.directory, `${node.name}.log`);
    this.#child = this.#fork(plan, seeds);
    this.ended = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => resolve(signal === null ? `exit status ${code}` : signal));
    });
    this.ready = Promise.race([this.#isReady(), this.ended.then((how) => this.#fail(how))]);
    // Who waits for another node first must not find this one's failure unhandled.
    this.ready.catch(() => {});
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Asks it to stop, and ends it if it does not. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopMs);
    await this.ended;
    clearTimeout(timer);
  }

  #fork(plan: DemoPlan, seeds: readonly PlannedNode[]): ChildProcess {
    const { name, zone, peerPort, httpPort } = this.node;
    const main = fileURLToPath(new URL("../main.js", import.meta.url));
    const words = ["start", "--name", name, "--zone", zone, "--data", join(plan.directory, name)];
    words.push("--listen", `127.0.0.1:${peerPort}`, "--http", `127.0.0.1:${httpPort}`);
    if (seeds.length > 0) words.push("--join", seeds.map((seed) => `127.0.0.1:${seed.peerPort}`).join(","));
    const log = openSync(this.logFile, "a");
    try {
      return fork(main, words, { stdio: ["ignore", log, log, "ipc"], env: ownEnvironment() });
    } finally {
      closeSync(log);
    }
  }

  #isReady(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.on("message", (message: ReadyMessage) => {
        if (message.kind === "ready") resolve();
      });
    });
  }

  #fail(how: string): never {
    const last = readFileSync(this.logFile, "utf8").trimEnd().split("\n").at(-1) ?? "";
    throw new Error(`${this.node.name} ended (${how}) before it served: ${last} (all of it in ${this.logFile})`);
  }
}

/** Options meant for a node of the user's own are not the demo's. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("CARTWHEEL_")));
}
