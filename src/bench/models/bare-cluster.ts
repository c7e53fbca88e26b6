/** The three processes of a bare model, and its client. */

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Child } from "../child-process.ts";
import { bytesUnder } from "../disk-bytes.ts";
import type { ProcessUsage, Servers, Target } from "../target.ts";
import { BareClient } from "./bare-client.ts";

const size = 3;

export interface BareClusterOptions {
  /** Whether a write counts only once it is synced to a log. */
  readonly synced: boolean;
  /** Where the logs may be. */
  readonly directory: string;
  /** Where each process leaves a profile of its CPU time; none where absent. */
  readonly profileDirectory?: string | undefined;
}

export class BareCluster implements Servers {
  readonly #nodes: readonly Child[];
  readonly #ports: readonly number[];
  readonly #data: string;

  private constructor(nodes: readonly Child[], ports: readonly number[], data: string) {
    this.#nodes = nodes;
    this.#ports = ports;
    this.#data = data;
  }

  /** Resolves once every node can ask every other. */
  static async start(options: BareClusterOptions): Promise<BareCluster> {
    const data = await mkdtemp(join(options.directory, "cartwheel-bare-"));
    const module = new URL("./bare-process.js", import.meta.url);
    const nodes = Array.from({ length: size }, (_, i) => new Child(`bare${i + 1}`, module, options.profileDirectory));
    const logOf = ({ name }: Child): string | null => (options.synced ? join(data, `${name}.log`) : null);
    const ports = (await Promise.all(nodes.map((node) => node.ask("start", logOf(node))))) as number[];
    await Promise.all(
      nodes.map((node, i) =>
        node.ask(
          "meet",
          ports.filter((_, other) => other !== i),
        ),
      ),
    );
    return new BareCluster(nodes, ports, data);
  }

  connect(): Promise<Target> {
    return BareClient.connect(this.#ports);
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
}
