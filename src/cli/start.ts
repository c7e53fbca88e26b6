/** `cartwheel start`: one node in this process, or several in processes of their own, until it is told to stop. */

import { letHeapGrow } from "../host/heap-growth.ts";
import { stderrLog } from "../host/log.ts";
import { type RunningNode, startNode } from "../host/start-node.ts";
import { isLoopback } from "./address.ts";
import { mib, type OptionValues } from "./options.ts";
import { exitStatus, UsageError } from "./usage-error.ts";

type StartOptions = Partial<OptionValues>;

/** What a node that was started by another process tells it. */
export interface ReadyMessage {
  readonly kind: "ready";
  readonly http: string;
}

/** Runs the node; resolves with the exit status once it has stopped. */
export async function startCommand(options: StartOptions): Promise<number> {
  const { name } = options;
  if (name === undefined) throw new UsageError("start needs --name NAME");
  if (options.data === undefined && options.storage !== "memory") throw new UsageError("start needs --data DIR");
  const listen = options.listen ?? "127.0.0.1:7400";
  const http = options.http ?? "127.0.0.1:7480";
  if (!options.insecure) {
    refuseExposure("--listen", listen);
    refuseExposure("--http", http);
  }

  const log = stderrLog({ level: options.log ?? "info" }).child({ name });
  const { signal, reason } = stopSignal();
  if ((options.workers ?? 1) > 1) {
    const { runWorkers } = await import("./workers.ts");
    return runWorkers({ ...options, name, listen, http, workers: options.workers ?? 1 }, log, signal);
  }
  letHeapGrow();
  let end: (error: Error) => void = () => {};
  const ended = new Promise<Error>((resolve) => {
    end = resolve;
  });
  let node: RunningNode;
  try {
    const own = { name, listen, http, log, signal, onEnded: end };
    node = await startNode({ ...startOptions(options), ...own });
  } catch (error) {
    // Whether options that fit one by one fit together is known once the directory's own settings are.
    if ((error as { readonly code?: unknown }).code === "bad-settings") throw new UsageError((error as Error).message);
    if (!signal.aborted) throw error;
    log.info("stopped before it served", { reason: await reason });
    return exitStatus.done;
  }
  const ready: ReadyMessage = { kind: "ready", http: node.http ?? "" };
  process.send?.(ready);

  const why = await Promise.race([reason, ended]);
  log.info("stopping", { reason: why instanceof Error ? why.message : why });
  await node.stop();
  log.info("stopped");
  // It did what it was asked to, and said so.
  if (why instanceof Error && (why as { readonly code?: unknown }).code === "left") return exitStatus.done;
  if (why instanceof Error) throw why;
  return exitStatus.done;
}

function startOptions(options: StartOptions): Partial<Parameters<typeof startNode>[0]> {
  const { data, storage, zone, capacity, advertise, join, partitions, n, r, w, "transfer-rate": rate } = options;
  return {
    ...(data !== undefined && { data }),
    ...(storage !== undefined && { storage }),
    ...(zone !== undefined && { zone }),
    ...(capacity !== undefined && { capacity }),
    ...(advertise !== undefined && { advertise }),
    ...(join !== undefined && { join }),
    ...(rate !== undefined && { limits: { transferBytesPerSecond: rate * mib } }),
    settings: {
      ...(partitions !== undefined && { partitions }),
      ...(n !== undefined && { n }),
      ...(r !== undefined && { r }),
      ...(w !== undefined && { w }),
    },
  };
}

function refuseExposure(flag: string, address: string): void {
  if (isLoopback(address)) return;
  throw new UsageError(
    `${flag} is ${address}, where other machines could read and change everything: ` +
      "use a loopback address, or add --insecure if the network is trusted",
  );
}

/**
 * When to stop, and why. A node that another process started, and that shares a pipe with it, stops when that
 * process is gone, however it went; a Ctrl-C at the terminal is then that process's to pass on.
 */
function stopSignal(): { readonly signal: AbortSignal; readonly reason: Promise<string> } {
  const controller = new AbortController();
  const reason = new Promise<string>((resolve) => {
    const stop = (why: string): void => {
      controller.abort(new Error(why));
      resolve(why);
    };
    process.on("SIGTERM", () => stop("SIGTERM"));
    process.on("SIGINT", () => {
      if (process.send === undefined) stop("SIGINT");
    });
    process.on("disconnect", () => stop("the process that started it is gone"));
  });
  return { signal: controller.signal, reason };
}
