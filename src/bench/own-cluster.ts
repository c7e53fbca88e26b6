/** Nodes of our store that a benchmark starts for itself, each a process, and stops and removes again. */

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BucketChange } from "../core/settings.ts";
import type { StartNodeOptions } from "../host/start-node.ts";
import { Child } from "./child-process.ts";
import { bytesUnder } from "./disk-bytes.ts";
import type { ProcessUsage, Servers } from "./target.ts";

/** How long the nodes may take to be one cluster, in ms, and how often they are asked. */
const wholeMs = 60_000;
const askEveryMs = 50;

export interface OwnClusterOptions {
  readonly nodes: number;
  readonly storage: "lmdb" | "log" | "memory";
  /** Where the nodes' data may be. */
  readonly directory: string;
  /** Whether each has the web interface, too. */
  readonly http?: boolean;
  /** Where each process leaves a profile of its CPU time; none where absent. */
  readonly profileDirectory?: string | undefined;
}

export class OwnCluster implements Servers {
  readonly #nodes: readonly Child[];
  readonly #data: string;
  readonly #addresses: string[] = [];
  readonly #httpAddresses: string[] = [];

  private constructor(nodes: readonly Child[], data: string) {
    this.#nodes = nodes;
    this.#data = data;
  }

  /** Resolves once all are members and every seat is where it shall be. */
  static async start(options: OwnClusterOptions): Promise<OwnCluster> {
    const data = await mkdtemp(join(options.directory, "cartwheel-bench-"));
    const module = new URL("./node-process.js", import.meta.url);
    const nodes = Array.from(
      { length: options.nodes },
      (_, i) => new Child(`n${i + 1}`, module, options.profileDirectory),
    );
    const cluster = new OwnCluster(nodes, data);
    try {
      await cluster.#start(options);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Where native clients connect. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Where web clients ask, in the same order; none without `http`. */
  get httpAddresses(): readonly string[] {
    return this.#httpAddresses;
  }

  async setBucket(name: string, change: BucketChange): Promise<void> {
    await this.#nodes[0]?.ask("bucket", { name, change });
  }

  usage(): Promise<readonly ProcessUsage[]> {
    return Promise.all(this.#nodes.map((node) => node.usage()));
  }

  diskBytes(): Promise<number> {
    return bytesUnder(this.#data);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
    await rm(this.#data, { recursive: true, force: true });
  }

  async #start({ storage, http = false }: OwnClusterOptions): Promise<void> {
    for (const node of this.#nodes) {
      const options: StartNodeOptions = {
        name: node.name,
        storage,
        ...(storage === "memory" ? {} : { data: join(this.#data, node.name) }),
        listen: "127.0.0.1:0",
        http: http && "127.0.0.1:0",
        join: this.#addresses.slice(0, 1),
      };
      this.#addresses.push((await node.ask("start", options)) as string);
      if (http) this.#httpAddresses.push((await node.ask("http")) as string);
    }
    const endsMs = performance.now() + wholeMs;
    while (!(await this.#isWhole())) {
      if (performance.now() > endsMs) throw new Error(`the nodes were no cluster after ${wholeMs / 1000} s`);
      await sleep(askEveryMs);
    }
  }

  async #isWhole(): Promise<boolean> {
    const views = await Promise.all(this.#nodes.map((node) => node.ask("cluster")));
    return (views as { up: number; pendingTransfers: number }[]).every(
      ({ up, pendingTransfers }) => up === this.#nodes.length && pendingTransfers === 0,
    );
  }
}
