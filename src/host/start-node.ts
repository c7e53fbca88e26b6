/**
 * A whole node on this machine: data directory, storage engine, node and web interface, opened in that order and
 * closed in the other. What `cartwheel start` runs, and what a process that wants a node of its own calls.
 *
 * The HTTP port opens before the node exists: its address is part of what the node tells the others, and probes can
 * ask from the first moment whether the process is alive.
 */

import { hostname } from "node:os";
import { defaultLimits, type Limits } from "../core/limits.ts";
import type { ClusterSettings } from "../core/settings.ts";
import { type HttpServer, startHttpServer } from "../http/server.ts";
import type { NodeApi } from "../node/api.ts";
import { Node } from "../node/node.ts";
import { NodeError } from "../node/node-error.ts";
import { damagedStore } from "../node/peer-admission.ts";
import { type Log, silentLog } from "../runtime/log.ts";
import type { Address } from "../runtime/network.ts";
import { StorageError } from "../storage/engine.ts";
import { MemoryEngine } from "../storage/memory-engine.ts";
import { openStore } from "./damaged-store.ts";
import { type DataDirectory, openDataDirectory } from "./data-directory.ts";
import type { StorageName } from "./engines.ts";
import { machineRandom } from "./random.ts";
import { hostRuntime } from "./runtime.ts";
import { softwareVersion } from "./software.ts";

/** How long what runs may take to finish once the node is told to stop. */
const graceMs = 10_000;
/** A node that leaves waits so long for its clients to go, in ms. */
const leavingMs = 5000;

/** Addresses of others kept in the directory, and how often they are looked at, in ms. */
const mostPeers = 64;
const rememberEveryMs = 60_000;

/** A store that was read through and written to for so long is taken for sound, in ms. */
const soundAfterMs = 60_000;

export interface StartNodeOptions {
  /** The node's name, for people; unique among the members that are up. */
  readonly name: string;
  /** The data directory; may be left out with memory storage, which then forgets who it was. */
  readonly data?: string;
  /** The engine; where absent, the one the directory has, or else LMDB. */
  readonly storage?: StorageName;
  readonly zone?: string;
  /** This node's share relative to the others', 1 where absent. */
  readonly capacity?: number;
  /** For peers and native clients; 127.0.0.1:7400 where absent. Port 0 lets the system choose. */
  readonly listen?: Address;
  /** The web interface; 127.0.0.1:7480 where absent, none where false. Port 0 lets the system choose. */
  readonly http?: Address | false;
  /** Where others reach `listen`, if it differs. */
  readonly advertise?: Address;
  /** First start only: members to ask for admission; none founds a cluster. */
  readonly join?: readonly Address[];
  /** Fixed by a cluster's first node; a later one that says otherwise is refused. */
  readonly settings?: Partial<ClusterSettings>;
  readonly limits?: Partial<Limits>;
  /** Where the node says what happens; nowhere if absent. */
  readonly log?: Log;
  /** Gives up starting. */
  readonly signal?: AbortSignal;
  /** The node found out that it must not go on, and why: it serves nothing any more and is to be stopped. */
  readonly onEnded?: (error: Error) => void;
}

export interface RunningNode extends AsyncDisposable {
  readonly api: NodeApi;
  /** Where the web interface listens, or undefined where there is none. */
  readonly http: Address | undefined;
  /** Stops accepting, finishes what runs, flushes and closes. Safe to call twice. */
  stop(): Promise<void>;
}

/** What closes the parts that were opened; each is told how much of the time to finish is left, in ms. */
type Closers = ((leftMs: number) => Promise<void>)[];

/** Starts a node; resolves once it serves as a member. Rejects with an error that has a `code` and a sentence. */
export async function startNode(options: StartNodeOptions): Promise<RunningNode> {
  const closers: Closers = [];
  try {
    return await open(options, closers);
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function open(options: StartNodeOptions, closers: Closers): Promise<RunningNode> {
  const log = options.log ?? silentLog;
  const limits = { ...defaultLimits, ...options.limits };
  const directory = await openDirectory(options, log, closers);
  const engine =
    directory === undefined
      ? new MemoryEngine(machineRandom().u32())
      : await openStore(directory, options.join ?? [], log);
  closers.push(() => engine.close());
  const join = options.join ?? [];
  /** What the node was before its store was lost, where it was. */
  const before = directory?.isEmptied ? directory.member : undefined;
  // What is written then may meet damage that reading has not.
  let soundIn: NodeJS.Timeout | undefined;
  const onStoreRead = (): void => {
    soundIn = setTimeout(() => void directory?.storeWasRead().catch(() => {}), soundAfterMs).unref();
  };
  closers.push(async () => clearTimeout(soundIn));
  const http = await openHttp(options, limits, log);
  if (http !== undefined) closers.push((leftMs) => http.close(leftMs));

  const node = new Node({
    runtime: hostRuntime(log),
    engine,
    name: options.name,
    zone: options.zone ?? before?.zone,
    capacity: options.capacity ?? before?.capacity,
    ...(directory?.member !== undefined && { expectCluster: directory.member.cluster }),
    isEmptied: before !== undefined,
    listen: options.listen ?? "127.0.0.1:7400",
    ...(options.advertise !== undefined && { advertise: options.advertise }),
    http: http?.address ?? "",
    join: join.length > 0 ? join : (before?.peers ?? []),
    settings: options.settings ?? {},
    limits,
    software: softwareVersion,
    onStoreRead,
    onLeaving: async () => http?.drain(leavingMs),
    onStaying: async () => http?.reopen(),
    onEnded: (error) => {
      if (error.code === "storage-damaged" || error.code === "storage-failed") directory?.distrust();
      const isDamaged = error.code === "storage-damaged" && directory !== undefined;
      const marked = isDamaged ? directory.markDamaged(error.message) : Promise.resolve();
      void marked.catch(() => {}).then(() => options.onEnded?.(error));
    },
  });
  http?.serve(node);
  // Before the web interface on the way in, after it on the way out: what it was asked may still need the node.
  closers.splice(closers.length - (http === undefined ? 0 : 1), 0, (leftMs) => node.stop(leftMs));
  try {
    await started(node, options.signal);
  } catch (error) {
    if (!(error instanceof StorageError) || directory === undefined) throw error;
    directory.distrust();
    if (error.code !== "corrupt") throw error;
    await directory.markDamaged(error.message);
    const hasOthers = join.length > 0 || (directory.member?.peers ?? []).length > 0;
    if (!hasOthers) throw error;
    throw new NodeError("storage-damaged", damagedStore(options.name, error.message), { cause: error });
  }
  if (directory !== undefined) closers.push(await keepRemembering(directory, node));

  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= closeAll(closers));
  return { api: node, http: http?.address, stop, [Symbol.asyncDispose]: stop };
}

/** Notes in the directory who the node is and where others are, now and from time to time; answers with what ends that. */
async function keepRemembering(directory: DataDirectory, node: Node): Promise<() => Promise<void>> {
  const remember = async (): Promise<void> => {
    const { cluster, members } = node.cluster();
    const own = members.find(({ name }) => name === node.name);
    if (own === undefined) return;
    const peers = members.filter((member) => member !== own && member.peer !== "").map(({ peer }) => peer);
    await directory.remember({ cluster, zone: own.zone, capacity: own.capacity, peers: peers.slice(0, mostPeers) });
  };
  await remember();
  let last = Promise.resolve();
  const timer = setInterval(() => {
    last = last.then(remember).catch(() => {});
  }, rememberEveryMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    return last;
  };
}

/** Undefined where everything is kept in memory. */
async function openDirectory(
  options: StartNodeOptions,
  log: Log,
  closers: Closers,
): Promise<DataDirectory | undefined> {
  if (options.data === undefined && options.storage === "memory") return undefined;
  if (options.data === undefined) throw new TypeError("a node needs a data directory, unless its storage is memory");
  const storage = options.storage === undefined ? {} : { storage: options.storage };
  const directory = await openDataDirectory(options.data, { ...storage, log });
  closers.push(() => directory.close());
  return directory;
}

async function openHttp(options: StartNodeOptions, limits: Limits, log: Log): Promise<HttpServer | undefined> {
  if (options.http === false) return undefined;
  const listen = options.http ?? "127.0.0.1:7480";
  const advertised = options.advertise === undefined ? [] : [options.advertise.replace(/:\d+$/, "")];
  return startHttpServer({ listen, limits, names: [hostname(), ...advertised], software: softwareVersion, log });
}

/** Starts the node, or rejects when the signal says to give up. */
async function started(node: Node, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return node.start();
  signal.throwIfAborted();
  let give: (() => void) | undefined;
  const givenUp = new Promise<never>((_, reject) => {
    give = () => reject(signal.reason);
    signal.addEventListener("abort", give, { once: true });
  });
  try {
    await Promise.race([node.start(), givenUp]);
  } finally {
    if (give !== undefined) signal.removeEventListener("abort", give);
  }
}

/** Closes what was opened, the last first, each even if another fails. */
async function closeAll(closers: Closers): Promise<void> {
  const errors: unknown[] = [];
  const endsMs = performance.now() + graceMs;
  for (const close of closers.splice(0).reverse()) {
    try {
      await close(Math.max(0, endsMs - performance.now()));
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, "the node did not close cleanly");
}
