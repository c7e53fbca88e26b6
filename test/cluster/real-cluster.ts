/**
 * A cluster of real processes on real disks, one data directory each, on loopback ports or each in a network namespace
 * of its own.
 */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NamespaceNetwork } from "./namespace-network.ts";
import { RealNode } from "./real-node.ts";
import { until } from "./until.ts";

export { RealNode } from "./real-node.ts";
export { until } from "./until.ts";

export interface RealClusterOptions {
  /** What every start of a node is given besides. */
  readonly args?: readonly string[];
  /** What every start of one node is given besides that. */
  readonly argsOf?: (name: string) => readonly string[];
  /** Where each node lives in a namespace of its own; loopback if absent. */
  readonly network?: NamespaceNetwork;
  /** Where a node's data is, if not in the cluster's own directory. */
  readonly dataOf?: (name: string) => string | undefined;
  /** What each node's process is started within, if not what the network says. */
  readonly withinOf?: (name: string) => readonly string[] | undefined;
  /** The executable of each node, if not that of this checkout. */
  readonly executableOf?: (name: string) => string | undefined;
  /** How many of the nodes are members from the beginning; all if absent. The others have a place, and wait for `join`. */
  readonly founders?: number;
}

export class RealCluster {
  readonly nodes: readonly RealNode[];
  readonly #directory: string;

  private constructor(nodes: readonly RealNode[], directory: string) {
    this.nodes = nodes;
    this.#directory = directory;
  }

  /** `size` nodes named n1, n2, ..., all members and ready but for those that are not to be founders. */
  static async start(size: number, options: RealClusterOptions = {}): Promise<RealCluster> {
    const directory = await mkdtemp(join(tmpdir(), "cartwheel-test-"));
    const cluster = new RealCluster(await place(size, directory, options), directory);
    try {
      const founders = cluster.nodes.slice(0, options.founders ?? size);
      const [seed] = founders as [RealNode];
      for (const node of founders) {
        node.start(node === seed ? [] : ["--join", `${seed.peer.host}:${seed.peer.port}`]);
      }
      for (const node of founders) await node.ready();
      await cluster.whole(founders, 60_000);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  node(name: string): RealNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  /** The nodes that clients may talk to now. */
  get live(): readonly RealNode[] {
    return this.nodes.filter((node) => node.isServing);
  }

  /** Resolves when every node says that every member is up, and every seat where it shall be. */
  async whole(members: readonly RealNode[] = this.nodes, withinMs = 20_000): Promise<void> {
    await until(withinMs, "every node to see every member up, and no seat on its way", async () => {
      for (const node of members) {
        type View = { members: readonly { status: string }[]; pendingTransfers: number };
        const view = await node.json<View>("/cluster");
        if (view.pendingTransfers > 0) return undefined;
        if (view.members.filter(({ status }) => status === "up").length !== members.length) return undefined;
      }
      return true;
    });
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) node.signal("SIGCONT");
    await Promise.all(this.nodes.map((node) => node.end("SIGKILL")));
    for (const node of this.nodes) node.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function place(size: number, directory: string, options: RealClusterOptions): Promise<readonly RealNode[]> {
  const { network, args = [] } = options;
  const ports = network === undefined ? await freePorts(size * 2) : [];
  return Array.from({ length: size }, (_, i) => {
    const name = `n${i + 1}`;
    const home = network?.homeOf(i) ?? {
      peer: { host: "127.0.0.1", port: ports[i * 2] as number },
      http: { host: "127.0.0.1", port: ports[i * 2 + 1] as number },
    };
    const executable = options.executableOf?.(name);
    const within = options.withinOf?.(name);
    return new RealNode({
      name,
      data: options.dataOf?.(name) ?? join(directory, name),
      args: [...(network === undefined ? [] : ["--insecure"]), ...args, ...(options.argsOf?.(name) ?? [])],
      ...home,
      ...(within !== undefined && { within }),
      ...(executable !== undefined && { executable }),
    });
  });
}

/** Ports that nobody listens on now. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}
