/** What a real disk does to a store: a writer that is killed, traced, or told that the device failed, and a disk that is full. */

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { StorageEngine } from "../../src/storage/engine.ts";
import { skipFor } from "../skip-for.ts";

const writer = "dist/test/host/store-writer.js";

/** Why tests that watch a process's calls of the system are skipped here; false where they are not. */
export function skipWithoutStrace(): string | false {
  return skipFor(spawnSync("strace", ["-V"]).status === 0 ? undefined : "no strace here");
}

/** Which store a writer writes, as `store-writer.ts` is told it. */
export interface WrittenStore {
  readonly directory: string;
  readonly engine: "lmdb" | "log";
}

/** Batches by number. */
export interface Batches {
  readonly asked: ReadonlySet<number>;
  readonly acknowledged: ReadonlySet<number>;
}

/** Has a process write, eight batches at a time, and kills it once so many were acknowledged. */
export async function killAfter({ directory, engine }: WrittenStore, count: number): Promise<Batches> {
  const child = spawn(process.execPath, [writer, directory, "1000000", "8", engine], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const asked = new Set<number>();
  const acknowledged = new Set<number>();
  for await (const line of createInterface(child.stdout)) {
    const [what, batch] = line.split(" ");
    (what === "asked" ? asked : acknowledged).add(Number(batch));
    if (acknowledged.size === count) child.kill("SIGKILL");
  }
  return { asked, acknowledged };
}

/** How many batches a traced writer writes, one after the other. */
export const tracedBatches = 20;

/** The calls of these names that writing takes, all of them, and between a batch's asking and its acknowledgement. */
export interface Trace {
  readonly steps: readonly string[];
  /** Of each batch: where in `steps` it was acknowledged, and the calls before that since it was asked for. */
  readonly batches: readonly { readonly end: number; readonly calls: readonly string[] }[];
}

/** What a writer of the store asks of the system, of the calls named. `write` must be among them. */
export function traceOf({ directory, engine }: WrittenStore, calls: readonly string[]): Trace {
  const trace = `${directory}.trace`;
  const watch = ["-f", "-y", "-e", `trace=${calls.join(",")}`, "-o", trace];
  const { status } = spawnSync("strace", [...watch, ...writerCommand(directory, engine)]);
  if (status !== 0) throw new Error(`the traced writer ended with ${status}`);
  const steps = readFileSync(trace, "utf8").split("\n");
  const batches = Array.from({ length: tracedBatches }, (_, batch) => {
    const end = steps.findIndex((step) => step.includes(`"acknowledged ${batch}\\n"`));
    return {
      end,
      calls: steps.slice(
        steps.findIndex((step) => step.includes(`"asked ${batch}\\n"`)),
        end,
      ),
    };
  });
  return { steps, batches };
}

/** What a writer says of its batches, and at last, where the fifth call of that name fails. */
export function writeFailing({ directory, engine }: WrittenStore, call: string): readonly string[] {
  const inject = ["-f", "-qq", "-o", "/dev/null", "-e", `inject=${call}:error=EIO:when=5`];
  const { stdout } = spawnSync("strace", [...inject, ...writerCommand(directory, engine)], {
    encoding: "utf8",
    env: { ...process.env, UV_THREADPOOL_SIZE: "1" },
    timeout: 20_000,
  });
  return stdout.trimEnd().split("\n");
}

function writerCommand(directory: string, engine: string): readonly string[] {
  return [process.execPath, writer, directory, String(tracedBatches), "1", engine];
}

/** Why tests that need a small disk are skipped here; false where they are not. */
export function skipWithoutMount(): string | false {
  const { status } = spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]);
  return skipFor(status === 0 ? undefined : "mounting a small disk needs root, unshare and mount");
}

/** Runs it while a disk of that many MiB is mounted at the path. */
export async function onSmallDisk(
  { path, megabytes }: { readonly path: string; readonly megabytes: number },
  run: () => Promise<void>,
): Promise<void> {
  mkdirSync(path);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path]);
  if (mounted.status !== 0) throw new Error(`no small disk: ${mounted.stderr}`);
  try {
    await run();
  } finally {
    spawnSync("umount", [path]);
  }
}

/** The text under the key. */
export function textAt(engine: StorageEngine, key: string): string | undefined {
  const bytes = engine.get(new TextEncoder().encode(key));
  return bytes && new TextDecoder().decode(bytes);
}
