/** Nodes of our store that a benchmark starts for itself, each a process, and stops and removes again. */

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BucketChange } from "../core/settings.ts";
import { bytesUnder } from "./disk-bytes.ts";
import { OwnNode, type OwnNodeOptions } from "./own-node.ts";
import type { ProcessUsage, Servers } from "./target.ts";

/** How long the nodes may take to be one cluster, in ms, and how often they are asked. */
const wholeMs = 60_000;
const askEveryMs = 50;

export interface OwnClusterOptions extends Omit<OwnNodeOptions, "name" | "data"> {
  readonly nodes: number;
  /** Where the nodes' data may be. */
  readonly directory: string;
}

export class OwnCluster implements Servers {
  readonly #nodes: OwnNode[];
  readonly #options: OwnClusterOptions;
  readonly #data: string;
  readonly #httpAddresses: string[] = [];

  private constructor(options: OwnClusterOptions, data: string) {
    this.#options = options;
    this.#data = data;
    this.#nodes = Array.from({ length: options.nodes }, (_, i) => this.#place(i));
  }

  /** Resolves once all are members and every seat is where it shall be. */
  static async start(options: OwnClusterOptions): Promise<OwnCluster> {
    const data = await mkdtemp(join(options.directory, "cartwheel-bench-"));
    const cluster = new OwnCluster(options, data);
    try {
      await cluster.#start();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** All of them, those among them that do not run now. */
  get nodes(): readonly OwnNode[] {
    return this.#nodes;
  }

  /** Where native clients connect. */
  get addresses(): readonly string[] {
    return this.#nodes.map(({ address }) => address);
  }

  /** Where web clients ask, in the same order; none without `http`. */
  get httpAddresses(): readonly string[] {
    return this.#httpAddresses;
  }

  /** One more node, which is started as one that joins: it is a member, and its seats are on their way. */
  async add(): Promise<OwnNode> {
    const join = this.addresses;
    const node = this.#place(this.#nodes.length);
    this.#nodes.push(node);
    await node.start(join);
    return node;
  }

  async setBucket(name: string, change: BucketChange): Promise<void> {
    await this.#nodes[0]?.setBucket(name, change);
  }

  usage(): Promise<readonly ProcessUsage[]> {
    return Promise.all(this.#nodes.filter(({ isRunning }) => isRunning).map((node) => node.usage()));
  }

  diskBytes(): Promise<number> {
    return bytesUnder(this.#data);
  }

  /** Whether all are up for each other, and no seat is on its way. */
  async isWhole(): Promise<boolean> {
    const views = await Promise.all(this.#nodes.map((node) => node.cluster()));
    return views.every(({ up, pendingTransfers }) => up === this.#nodes.length && pendingTransfers === 0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
    await rm(this.#data, { recursive: true, force: true });
  }

  #place(i: number): OwnNode {
    const name = `n${i + 1}`;
    return new OwnNode({ ...this.#options, name, data: join(this.#data, name) });
  }

  async #start(): Promise<void> {
    const [founder] = this.#nodes;
    for (const node of this.#nodes) {
      await node.start(node === founder ? [] : this.addresses.slice(0, 1));
      if (this.#options.http === true) this.#httpAddresses.push(await node.httpAddress());
    }
    const endsMs = performance.now() + wholeMs;
    while (!(await this.isWhole())) {
      if (performance.now() > endsMs) throw new Error(`the nodes were no cluster after ${wholeMs / 1000} s`);
      await sleep(askEveryMs);
    }
  }
}
