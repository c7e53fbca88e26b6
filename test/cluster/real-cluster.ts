/**
 * A cluster of real processes on real disks, for tests that kill them: the executable as a user runs it, one data
 * directory each, HTTP on loopback.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface HttpAnswer {
  readonly status: number;
  readonly context: string | undefined;
  readonly body: Buffer;
}

/** One node: its process comes and goes, its directory and ports stay. */
export class RealNode {
  readonly name: string;
  readonly data: string;
  readonly peerPort: number;
  readonly httpPort: number;
  readonly #arguments: readonly string[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #child: ChildProcess | undefined;
  #errors = "";
  #isServing = false;

  constructor(options: { name: string; data: string; peerPort: number; httpPort: number; args: readonly string[] }) {
    this.name = options.name;
    this.data = options.data;
    this.peerPort = options.peerPort;
    this.httpPort = options.httpPort;
    this.#arguments = options.args;
  }

  /** Whether it served when last looked at, and nobody has ended it since. */
  get isServing(): boolean {
    return this.#isServing && this.isRunning;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The last of what the process wrote to stderr. */
  get errors(): string {
    return this.#errors;
  }

  start(more: readonly string[] = []): void {
    const args = [
      ...["bin/cartwheel.js", "start", "--name", this.name, "--data", this.data],
      ...["--listen", `127.0.0.1:${this.peerPort}`, "--http", `127.0.0.1:${this.httpPort}`],
      ...this.#arguments,
      ...more,
    ];
    // The second pipe is its leash: it ends with the test's process, however that ends.
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-20_000);
    });
    this.#child = child;
  }

  /** Sends the signal and waits until the process is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    this.#isServing = false;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async ready(withinMs = 20_000): Promise<void> {
    await until(withinMs, `${this.name} to be ready`, async () => {
      if (!this.isRunning) throw new Error(`${this.name} ended: ${this.#errors.slice(-2000)}`);
      const found = await this.call("GET", "/readyz").catch(() => undefined);
      return found?.status === 200 ? found : undefined;
    });
    this.#isServing = true;
  }

  /** One HTTP request; rejects where the connection fails. */
  call(
    method: string,
    path: string,
    options: { body?: string | Buffer; context?: string; headers?: Record<string, string> } = {},
  ): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...options.headers,
        ...(options.context === undefined ? {} : { "cartwheel-context": options.context }),
      };
      const outgoing = request(
        { host: "127.0.0.1", port: this.httpPort, method, path, headers, agent: this.#agent, timeout: 10_000 },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.on("error", reject);
          incoming.on("end", () => {
            const context = incoming.headers["cartwheel-context"];
            resolve({
              status: incoming.statusCode ?? 0,
              context: typeof context === "string" ? context : undefined,
              body: Buffer.concat(chunks),
            });
          });
        },
      );
      outgoing.on("timeout", () => outgoing.destroy(new Error("no answer within 10 s")));
      outgoing.on("error", reject);
      outgoing.end(options.body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

export class RealCluster {
  readonly nodes: readonly RealNode[];
  readonly #directory: string;

  private constructor(nodes: readonly RealNode[], directory: string) {
    this.nodes = nodes;
    this.#directory = directory;
  }

  /** `size` nodes named n1, n2, ..., all members and ready. */
  static async start(size: number, args: readonly string[] = []): Promise<RealCluster> {
    const directory = await mkdtemp(join(tmpdir(), "cartwheel-test-"));
    const ports = await freePorts(size * 2);
    const nodes = Array.from({ length: size }, (_, i) => {
      const name = `n${i + 1}`;
      const peerPort = ports[i * 2] as number;
      const httpPort = ports[i * 2 + 1] as number;
      return new RealNode({ name, data: join(directory, name), peerPort, httpPort, args });
    });
    const cluster = new RealCluster(nodes, directory);
    try {
      const seed = nodes[0] as RealNode;
      nodes.forEach((node, i) => {
        node.start(i === 0 ? [] : ["--join", `127.0.0.1:${seed.peerPort}`]);
      });
      for (const node of nodes) await node.ready();
      await cluster.whole();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Resolves when every node says that every member is up. */
  async whole(): Promise<void> {
    await until(20_000, "every node to see every member up", async () => {
      for (const node of this.nodes) {
        const view = JSON.parse((await node.call("GET", "/cluster")).body.toString());
        const up = view.members.filter((member: { status: string }) => member.status === "up");
        if (up.length !== this.nodes.length) return undefined;
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

/** Tries until the answer is not undefined, and says what it waited for when the time is up. */
export async function until<T>(withinMs: number, what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  const endsMs = performance.now() + withinMs;
  for (;;) {
    const found = await attempt();
    if (found !== undefined) return found;
    if (performance.now() > endsMs) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
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
