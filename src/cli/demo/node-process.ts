/** One node of the demo: its process, and the file in the demo's directory that it logs to. */

import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { endedHow, StartProcess } from "../start-process.ts";
import type { DemoPlan, PlannedNode } from "./plan.ts";

export class NodeProcess {
  readonly node: PlannedNode;
  readonly logFile: string;
  /** Resolves once it serves; rejects with its last words if it ends before. */
  readonly ready: Promise<void>;
  /** Resolves with how it ended, once it has. */
  readonly ended: Promise<string>;
  readonly #process: StartProcess;

  constructor(plan: DemoPlan, node: PlannedNode, seeds: readonly PlannedNode[]) {
    this.node = node;
    this.logFile = join(plan.directory, `${node.name}.log`);
    const log = openSync(this.logFile, "a");
    try {
      this.#process = new StartProcess(startWords(plan, node, seeds), log);
    } finally {
      closeSync(log);
    }
    this.ended = this.#process.ended.then(endedHow);
    this.ready = this.#process.ready.then(
      () => {},
      ({ message }: Error) => this.#fail(message),
    );
    this.ready.catch(() => {});
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Asks it to stop, and ends it if it does not. */
  stop(): Promise<void> {
    return this.#process.stop();
  }

  #fail(how: string): never {
    const last = readFileSync(this.logFile, "utf8").trimEnd().split("\n").at(-1) ?? "";
    throw new Error(`${this.node.name} ended (${how}) before it served: ${last} (all of it in ${this.logFile})`);
  }
}

function startWords(plan: DemoPlan, node: PlannedNode, seeds: readonly PlannedNode[]): readonly string[] {
  const { name, zone, peerPort, httpPort } = node;
  const words = ["--name", name, "--zone", zone, "--data", join(plan.directory, name)];
  words.push("--listen", `127.0.0.1:${peerPort}`, "--http", `127.0.0.1:${httpPort}`);
  if (seeds.length > 0) words.push("--join", seeds.map((seed) => `127.0.0.1:${seed.peerPort}`).join(","));
  return words;
}
