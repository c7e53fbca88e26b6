/**
 * A server of a benchmark, as a process of its own whose CPU time can be told: started with a module, asked by messages.
 * Its pipe to this process is its leash: when this process is gone, it ends.
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessUsage } from "./target.ts";

/** How long a child may take to end once it is told to, in ms. */
const stopMs = 10_000;

/** What a process has in memory, in bytes. */
export interface ProcessMemory {
  /** All of it. */
  readonly rssBytes: number;
  /** Without pages of files that are mapped, which the system takes back when it needs them; where nobody tells, with them. */
  readonly ownBytes: number;
  /** What garbage collection is about, and buffers beside that. */
  readonly heapBytes: number;
  readonly externalBytes: number;
}

/** What a child is asked. */
export interface Ask {
  readonly id: number;
  readonly ask: string;
  readonly with?: unknown;
}

/** What it answers. */
export type Told = { readonly id: number } & ({ readonly answer: unknown } | { readonly failure: string });

/** The parent's side: a process that answers what it is asked. */
export class Child {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  #next = 0;

  /** Starts the module, which is to call `serveParent`. */
  constructor(name: string, module: URL, profileDirectory?: string) {
    this.name = name;
    const profile = profileDirectory === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDirectory}`];
    this.#process = fork(module, { execArgv: profile });
    this.#process.on("message", (told: Told) => this.#onTold(told));
    this.#process.on("exit", (code, signal) => this.#onExit(`ended (${signal ?? code})`));
  }

  /** Rejects if the child cannot do it, or ends before it has answered. */
  ask(what: string, withWhat?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = ++this.#next;
      this.#waiting.set(id, { resolve, reject });
      this.#process.send({ id, ask: what, with: withWhat } satisfies Ask, (error) => {
        if (error !== null) this.#onExit(error.message);
      });
    });
  }

  async usage(): Promise<ProcessUsage> {
    const used = (await this.ask("usage")) as Omit<ProcessUsage, "name">;
    return { name: this.name, ...used };
  }

  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    const ended = once(this.#process, "exit");
    if (this.#process.connected) this.#process.disconnect();
    await Promise.race([ended, sleep(stopMs, undefined, { ref: false })]);
    this.#process.kill("SIGKILL");
    await ended;
  }

  /** Ends the process as a crash does, whatever it is at. */
  async kill(): Promise<void> {
    if (this.#hasEnded) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  get #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  #onTold(told: Told): void {
    const waiting = this.#waiting.get(told.id);
    this.#waiting.delete(told.id);
    if ("answer" in told) waiting?.resolve(told.answer);
    else waiting?.reject(new Error(`${this.name}: ${told.failure}`));
  }

  #onExit(how: string): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) reject(new Error(`${this.name} ${how}`));
  }
}

/** In the child: answers what its parent asks, and stops when that is gone. */
export function serveParent(
  answers: Readonly<Record<string, (withWhat: unknown) => unknown>>,
  stop: () => Promise<void>,
): void {
  const own: typeof answers = {
    usage: () => {
      const { user, system } = process.cpuUsage();
      return { cpuUs: user + system, memoryBytes: process.memoryUsage.rss() };
    },
    memory: () => {
      const { rss, heapUsed, external } = process.memoryUsage();
      const ownBytes = rss - mappedBytes();
      return { rssBytes: rss, ownBytes, heapBytes: heapUsed, externalBytes: external } satisfies ProcessMemory;
    },
    ...answers,
  };
  process.on("message", async ({ id, ask, with: withWhat }: Ask) => {
    try {
      const answer = (await own[ask]?.(withWhat)) ?? null;
      process.send?.({ id, answer } satisfies Told);
    } catch (error) {
      process.send?.({ id, failure: error instanceof Error ? error.message : String(error) } satisfies Told);
    }
  });
  process.on("disconnect", async () => {
    await stop().catch(() => {});
    process.exit();
  });
  // Ctrl-C reaches every process of the terminal: the parent decides when they end.
  process.on("SIGINT", () => {});
}

/** Bytes of this process's memory that are pages of files, as Linux tells them; 0 elsewhere. */
function mappedBytes(): number {
  try {
    const found = /^RssFile:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    return Number(found?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
