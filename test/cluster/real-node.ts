/**
 * One node as a real process on a real disk, for tests that kill and pause it: the executable as a user runs it, its
 * own data directory, spoken to over HTTP. Its process comes and goes, its directory and addresses stay.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { until } from "./until.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly context: string | undefined;
  /** What Cartwheel-Siblings says. */
  readonly siblings: string | undefined;
  readonly body: Buffer;
}

export interface CallOptions {
  readonly body?: string | Buffer;
  readonly context?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RealNodeOptions {
  readonly name: string;
  readonly data: string;
  /** Where its peers, and where this process, reach it. */
  readonly peer: { readonly host: string; readonly port: number };
  readonly http: { readonly host: string; readonly port: number };
  /** What every start is given besides. */
  readonly args: readonly string[];
  /** What its process is started by, as in `ip netns exec NAME`; nothing starts it directly. */
  readonly within?: readonly string[];
  /** The executable: that of this checkout, or another build's. */
  readonly executable?: string;
}

export class RealNode {
  readonly name: string;
  readonly data: string;
  readonly peer: { readonly host: string; readonly port: number };
  readonly http: { readonly host: string; readonly port: number };
  /** Grows with everything a test does to the process: a request during which it grew was not sent to a live node. */
  disturbances = 0;
  readonly #options: RealNodeOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #child: ChildProcess | undefined;
  #errors = "";
  #isServing = false;

  constructor(options: RealNodeOptions) {
    this.name = options.name;
    this.data = options.data;
    this.peer = options.peer;
    this.http = options.http;
    this.#options = options;
  }

  get peerPort(): number {
    return this.peer.port;
  }

  get httpPort(): number {
    return this.http.port;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Whether it served when last looked at, and nobody has ended or paused it since. */
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
    const { within = [], executable = "bin/cartwheel.js", args } = this.#options;
    const [command = process.execPath, ...words] = [
      ...[...within, process.execPath, executable, "start", "--name", this.name, "--data", this.data],
      ...["--listen", `${this.peer.host}:${this.peer.port}`, "--http", `${this.http.host}:${this.http.port}`],
      ...args,
      ...more,
    ];
    // The second pipe is its leash: it ends with the test's process, however that ends.
    const child = spawn(command, words, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-20_000);
    });
    this.#child = child;
  }

  /** Sends the signal and waits until the process is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    this.#disturb();
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }

  /** Waits until the process has ended by itself; answers with its exit status. */
  async exit(withinMs = 60_000): Promise<number | null> {
    await until(withinMs, `${this.name} to end`, async () => (this.isRunning ? undefined : true));
    this.#disturb();
    return this.#child?.exitCode ?? null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Stops the process in its tracks: it keeps its connections and says nothing. */
  pause(): void {
    this.#disturb();
    this.signal("SIGSTOP");
  }

  async resume(): Promise<void> {
    this.signal("SIGCONT");
    await this.ready();
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
  call(method: string, path: string, options: CallOptions = {}): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...options.headers,
        ...(options.context === undefined ? {} : { "cartwheel-context": options.context }),
      };
      const outgoing = request(
        { ...this.http, method, path, headers, agent: this.#agent, timeout: 10_000 },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.on("error", reject);
          incoming.on("end", () => {
            const header = (name: string): string | undefined => incoming.headers[name]?.toString();
            resolve({
              status: incoming.statusCode ?? 0,
              context: header("cartwheel-context"),
              siblings: header("cartwheel-siblings"),
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

  /** The answer's JSON. Throws where the status is not one of success. */
  async json<T>(path: string): Promise<T> {
    const answer = await this.call("GET", path);
    if (answer.status >= 300) throw new Error(`GET ${path} at ${this.name}: ${answer.status} ${answer.body}`);
    return JSON.parse(answer.body.toString()) as T;
  }

  close(): void {
    this.#agent.destroy();
  }

  #disturb(): void {
    this.#isServing = false;
    this.disturbances += 1;
  }
}
