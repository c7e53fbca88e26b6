/**
 * A node as a process of its own: `cartwheel start`, told what to do by words of the command line alone. Its pipe to this
 * process is its leash: when this process is gone, even by `kill -9`, the pipe closes and the node stops.
 */

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ReadyMessage } from "./start.ts";

/** Longer than a node gives what it runs. */
const stopMs = 12_000;

/** How a process ended: with a status, or by a signal. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class StartProcess {
  /** Resolves once it serves; rejects with how it ended if it does before. */
  readonly ready: Promise<ReadyMessage>;
  /** Resolves once it has ended. */
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;

  /** `words` are those after `start`; what the node prints goes to `output`, an open file or this process's own. */
  constructor(words: readonly string[], output: number | "inherit") {
    const main = fileURLToPath(new URL("./main.js", import.meta.url));
    this.#child = fork(main, ["start", ...words], { stdio: ["ignore", output, output, "ipc"], env: ownEnvironment() });
    this.ended = new Promise((resolve) => {
      this.#child.once("exit", (status, signal) => resolve({ status, signal }));
    });
    this.ready = new Promise((resolve, reject) => {
      this.#child.on("message", (message: ReadyMessage) => {
        if (message.kind === "ready") resolve(message);
      });
      void this.ended.then((how) => reject(new Error(endedHow(how))));
    });
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
}

/** In words. */
export function endedHow({ status, signal }: Ended): string {
  return signal ?? `exit status ${status}`;
}

/** What was meant for this process is not the node's: all that it is to know are its words. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("CARTWHEEL_")));
}
