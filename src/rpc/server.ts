/**
 * Answers other nodes: takes their connections, learns who they are, and hands their requests on.
 *
 * Answers of a turn leave in one write. A peer that does not take its answers is not read from either, so that its
 * own calls fill up and fail at its end; nonsense costs a peer its connection, with a logged reason, and touches
 * nothing else.
 */

import type { Limits } from "../core/limits.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Address, Connection, ConnectionHandler, Listener } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Answer, Hello, Request } from "../wire/message.ts";
import { Accepted } from "./accepted.ts";
import { newCounters, type RpcCounters } from "./counters.ts";

/** How often connections are looked after, in ms. */
const pulseMs = 1000;

/** Who asks: one object for each connection. */
export interface Requester {
  readonly hello: Hello;
  /** How long the request was held up on its way, in ms, as far as can be told; only while it is being handed over. */
  readonly lagMs: number;
  /**
   * Sends the answer to the request of that id, with the rest of this turn; dropped if the connection is gone. Values
   * in it must stay unchanged for good: large ones are sent as they are.
   */
  reply(answer: Answer, id: number): void;
}

export interface ServerOptions {
  readonly runtime: Runtime;
  readonly limits: Limits;
  /** Who this process is, now: asked for every new connection. */
  readonly hello: () => Hello;
  /** Handles a request; must answer it once, now or later. */
  readonly serve: (request: Request, from: Requester) => void;
  /** A process of this cluster, or of none, has introduced itself. */
  readonly onHello?: (hello: Hello) => void;
}

export class Server {
  readonly counters: RpcCounters = newCounters();
  readonly #options: ServerOptions;
  readonly #runtime: Runtime;
  readonly #accepted: Set<Accepted> = new Set();
  #listener: Listener | undefined;
  #pulseTimer: Timer | undefined;
  #isStopped = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
  }

  /** Listens; resolves with the address, which names the port chosen where 0 was asked for. Rejects with the reason. */
  async listen(address: Address): Promise<Address> {
    const listener = await this.#runtime.network.listen(address, (connection) => this.#accept(connection));
    if (this.#isStopped) await listener.close();
    this.#listener = listener;
    return listener.address;
  }

  /** Stops listening and closes every connection, once what was answered in this turn has been handed over. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pulseTimer?.cancel();
    for (const accepted of [...this.#accepted]) accepted.finish();
    await this.#listener?.close();
  }

  #accept(connection: Connection): ConnectionHandler {
    const accepted = new Accepted({
      runtime: this.#runtime,
      limits: this.#options.limits,
      counters: this.counters,
      connection,
      hello: this.#options.hello(),
      serve: this.#options.serve,
      onHello: this.#options.onHello,
      lacksRoom: (hello) => (hello.role === "client" ? this.#lacksRoom() : undefined),
      onEnd: (ended) => this.#accepted.delete(ended),
    });
    this.#accepted.add(accepted);
    if (this.#isStopped) accepted.close("done", "this node stops");
    else if (this.#accepted.size > this.#options.limits.connections) {
      accepted.close("too-many", `${this.#options.limits.connections} connections are the limit`);
    }
    this.#pulseTimer ??= this.#runtime.clock.setTimer(pulseMs, () => this.#pulse());
    return accepted;
  }

  /** A tenth of the connections is for peers, however many clients there are. */
  #lacksRoom(): string | undefined {
    const most = Math.ceil(this.#options.limits.connections * 0.9);
    let clients = 0;
    for (const accepted of this.#accepted) if (accepted.isClient) clients++;
    return clients <= most ? undefined : `${most} connections of clients are the limit`;
  }

  #pulse(): void {
    this.#pulseTimer = undefined;
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const accepted of [...this.#accepted]) accepted.pulse(nowMs);
    if (this.#isStopped || this.#accepted.size === 0) return;
    this.#pulseTimer = this.#runtime.clock.setTimer(pulseMs, () => this.#pulse());
  }
}
