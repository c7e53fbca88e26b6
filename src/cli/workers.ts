/**
 * `cartwheel start --workers K`: K nodes on one machine, each a process with a core of its own, where one node would use
 * one core however many there are.
 *
 * They are members like any others, `NAME-1` to `NAME-K` at consecutive ports, and count as one place for the copies of
 * a key: their zone is the machine, unless `--zone` says otherwise. One that ends without being told to is started again,
 * later each time; one that left the cluster is not.
 */

import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../runtime/log.ts";
import { parseAddress } from "./address.ts";
import type { OptionValues } from "./options.ts";
import type { ReadyMessage } from "./start.ts";
import { endedHow, StartProcess } from "./start-process.ts";
import { CommandFailed, exitStatus, UsageError } from "./usage-error.ts";

/** Before one that ended is started again, in ms: twice as long each time, unless it served for long. */
const firstPauseMs = 1000;
const longestPauseMs = 30_000;
const longMs = 60_000;

/** What is handed on to each as it was given. */
const sameForAll = ["capacity", "storage", "transfer-rate", "partitions", "n", "r", "w", "log"] as const;

export interface WorkerPlan {
  readonly name: string;
  /** What it is told after `start`. */
  readonly words: readonly string[];
}

type StartOptions = Partial<OptionValues> & Pick<OptionValues, "name" | "listen" | "http" | "workers">;

/** What each of the workers is to be started with. Throws `UsageError` for ports that there are not. */
export function planWorkers(options: StartOptions): readonly WorkerPlan[] {
  const { name, listen, http, advertise, data, zone = name, workers: count } = options;
  return Array.from({ length: count }, (_, i) => {
    const own = `${name}-${i + 1}`;
    const words = ["--name", own, "--zone", zone];
    words.push("--listen", besides(listen, i, "--listen", count), "--http", besides(http, i, "--http", count));
    if (advertise !== undefined) words.push("--advertise", besides(advertise, i, "--advertise", count));
    if (data !== undefined) words.push("--data", join(resolve(data), own));
    // Without others to join, the first one founds the cluster.
    const others = options.join ?? (i === 0 ? [] : [advertise ?? listen]);
    if (others.length > 0) words.push("--join", others.join(","));
    for (const option of sameForAll)
      if (options[option] !== undefined) words.push(`--${option}`, String(options[option]));
    if (options.insecure) words.push("--insecure");
    return { name: own, words };
  });
}

/** The address so many ports further. */
function besides(address: string, further: number, flag: string, count: number): string {
  const { port = 0 } = parseAddress(address) ?? {};
  if (port === 0 || port + count - 1 > 65_535) {
    throw new UsageError(
      `${flag} is ${address}: ${count} workers take as many consecutive ports, from 1 to 65535, so name the first`,
    );
  }
  return `${address.slice(0, address.lastIndexOf(":"))}:${port + further}`;
}

/**
 * Runs them until `signal` says to stop, or all have left the cluster; resolves with the exit status once none is left.
 * Rejects if one of them ends before it has ever served.
 */
export async function runWorkers(options: StartOptions, log: Log, signal: AbortSignal): Promise<number> {
  const plans = planWorkers(options);
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  let serving = 0;
  const runs = plans.map(async (plan) => {
    try {
      await keepRunning(plan, log, stop, () => {
        serving += 1;
        const ready: ReadyMessage = { kind: "ready", http: options.http };
        if (serving === plans.length) process.send?.(ready);
      });
    } catch (error) {
      failed.abort();
      throw error;
    }
  });
  const ends = await Promise.allSettled(runs);
  const failure = ends.find((end) => end.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  return exitStatus.done;
}

async function keepRunning(
  { name, words }: WorkerPlan,
  log: Log,
  stop: AbortSignal,
  onFirstReady: () => void,
): Promise<void> {
  let pauseMs = firstPauseMs;
  for (let hasServed = false; !stop.aborted; ) {
    const startedMs = performance.now();
    const worker = new StartProcess(words, "inherit");
    const stopped = (): void => void worker.stop();
    stop.addEventListener("abort", stopped, { once: true });
    const ready = worker.ready.then(
      () => {
        if (!hasServed) onFirstReady();
        hasServed = true;
      },
      () => {},
    );
    const end = await worker.ended;
    await ready;
    stop.removeEventListener("abort", stopped);
    if (stop.aborted || end.status === exitStatus.done) return;
    if (!hasServed) throw new CommandFailed(`worker ${name} ended (${endedHow(end)}) before it served`);
    if (performance.now() - startedMs > longMs) pauseMs = firstPauseMs;
    log.warn("a worker ended and is started again", { worker: name, how: endedHow(end), inMs: pauseMs });
    await sleep(pauseMs, undefined, { signal: stop }).catch(() => {});
    pauseMs = Math.min(longestPauseMs, 2 * pauseMs);
  }
}
