/**
 * A node of our store that a benchmark starts, stops, kills and starts again: a process each time, on one directory and
 * at one address.
 */

import type { Limits } from "../core/limits.ts";
import type { BucketChange, ClusterSettings } from "../core/settings.ts";
import type { StartNodeOptions } from "../host/start-node.ts";
import type { MetricSample } from "../node/api.ts";
import { Child, type ProcessMemory } from "./child-process.ts";
import type { ProcessUsage } from "./target.ts";

const module: URL = new URL("./node-process.js", import.meta.url);

export interface OwnNodeOptions {
  readonly name: string;
  readonly storage: "lmdb" | "log" | "memory";
  /** Its data directory. */
  readonly data: string;
  /** Whether it has the web interface, too. */
  readonly http?: boolean;
  readonly settings?: Partial<ClusterSettings>;
  readonly limits?: Partial<Limits>;
  /** Where the process leaves a profile of its CPU time; none where absent. */
  readonly profileDirectory?: string | undefined;
}

export class OwnNode {
  readonly name: string;
  readonly #options: OwnNodeOptions;
  #child: Child | undefined;
  #address = "";

  constructor(options: OwnNodeOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Where native clients and peers connect, once it was started; the same after each further start. */
  get address(): string {
    return this.#address;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Resolves once the node serves as a member. */
  async start(join: readonly string[]): Promise<void> {
    const { name, storage, data, http = false, settings, limits, profileDirectory } = this.#options;
    const child = new Child(name, module, profileDirectory);
    this.#child = child;
    const options: StartNodeOptions = {
      name,
      storage,
      ...(storage !== "memory" && { data }),
      ...(settings !== undefined && { settings }),
      ...(limits !== undefined && { limits }),
      listen: this.#address === "" ? "127.0.0.1:0" : this.#address,
      http: http && "127.0.0.1:0",
      join,
    };
    this.#address = (await child.ask("start", options)) as string;
  }

  /** Has it finish what runs, and end. */
  async stop(): Promise<void> {
    await this.#child?.stop();
    this.#child = undefined;
  }

  /** Ends it as kill -9 does. */
  async kill(): Promise<void> {
    await this.#child?.kill();
    this.#child = undefined;
  }

  usage(): Promise<ProcessUsage> {
    return this.#running.usage();
  }

  async memory(): Promise<ProcessMemory> {
    return (await this.#running.ask("memory")) as ProcessMemory;
  }

  async httpAddress(): Promise<string> {
    return (await this.#running.ask("http")) as string;
  }

  /** How many members it sees up, and how many seats are on their way. */
  async cluster(): Promise<{ readonly up: number; readonly pendingTransfers: number }> {
    return (await this.#running.ask("cluster")) as { up: number; pendingTransfers: number };
  }

  /** One of its figures: the sum of the samples with these labels; NaN where there is none. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const all = (await this.#running.ask("metrics")) as readonly MetricSample[];
    const wanted = Object.entries(labels);
    const found = all.filter(
      (one) => one.name === name && wanted.every(([label, value]) => one.labels[label] === value),
    );
    return found.length === 0 ? Number.NaN : found.reduce((sum, { value }) => sum + value, 0);
  }

  async setBucket(name: string, change: BucketChange): Promise<void> {
    await this.#running.ask("bucket", { name, change });
  }

  /** Begins to compare all it holds with the other owners. */
  async startRepair(): Promise<void> {
    await this.#running.ask("repair");
  }

  async isRepairing(): Promise<boolean> {
    return (await this.#running.ask("repairing")) as boolean;
  }

  /** Has it keep so many bytes more each second: what a watch over memory is to catch. */
  async leak(bytesPerSecond: number): Promise<void> {
    await this.#running.ask("leak", bytesPerSecond);
  }

  get #running(): Child {
    if (this.#child === undefined) throw new Error(`${this.name} does not run`);
    return this.#child;
  }
}
