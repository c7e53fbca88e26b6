/** Clients on simulated machines beside simulated nodes: what the tests of `src/client` stand on that are about time. */

import { Database } from "../../src/client/database.ts";
import { NativeTransport, type TransportOptions } from "../../src/client/native-transport.ts";
import type { SimProcess } from "../../src/sim/process.ts";
import { type StartOptions, World } from "../membership/world.ts";

export class ClientWorld extends World {
  #clients = 0;

  /** A cluster of so many nodes at rest. */
  static async of(size: number, seed = 1, options: StartOptions = {}): Promise<ClientWorld> {
    const world = new ClientWorld(seed);
    await world.cluster(size, options);
    return world;
  }

  /** A client that knows the ring, on a machine of its own. */
  async client(options: TransportOptions = {}, seeds: readonly string[] = ["n1:7400"]): Promise<SimClient> {
    const name = `client${++this.#clients}`;
    const { process, runtime } = this.machine(name).spawn(name);
    const transport = new NativeTransport(runtime, seeds, options);
    const client = new SimClient(this, process, transport);
    await client.act(() => transport.open());
    return client;
  }

  /** The machine of the member that the key's requests go to first, and that of the one after it. */
  ownersOf(bucket: string, key: string): readonly string[] {
    const [node] = [...this.nodes.values()];
    return (node?.locate(bucket, key).preferenceList ?? [])
      .filter(({ role }) => role === "owner")
      .map(({ name }) => name);
  }

  /** A key of which the node is the first owner. */
  keyOf(name: string, bucket = "carts"): string {
    for (let i = 0; ; i++) if (this.ownersOf(bucket, `k${i}`)[0] === name) return `k${i}`;
  }

  /** How often nodes passed requests on. */
  get forwarded(): number {
    return [...this.nodes.values()].reduce((sum, node) => sum + metric(node, "cartwheel_forwarded_total"), 0);
  }
}

function metric(
  node: { metrics(): readonly { readonly name: string; readonly value: number }[] },
  name: string,
): number {
  return node.metrics().reduce((sum, sample) => (sample.name === name ? sum + sample.value : sum), 0);
}

export class SimClient {
  readonly db: Database;
  readonly process: SimProcess;
  readonly #world: ClientWorld;

  constructor(world: ClientWorld, process: SimProcess, transport: NativeTransport) {
    this.#world = world;
    this.process = process;
    this.db = new Database(transport);
  }

  /** Starts something within an event of the client's process; virtual time has to pass for it to end. */
  begin<T>(act: (db: Database) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#world.simulation.schedule(0, this.process, () => void act(this.db).then(resolve, reject));
    });
  }

  /** Starts it and lets time pass until it has ended. */
  act<T>(act: (db: Database) => Promise<T>): Promise<T> {
    return this.#world.simulation.settle(this.begin(act), 60_000, "a client's request");
  }

  /** The same, of what is to fail: the error. */
  async failure(act: (db: Database) => Promise<unknown>): Promise<Error & { code?: string; outcome?: string }> {
    return this.act((db) =>
      act(db).then(
        (value) => new Error(`it did not fail: ${JSON.stringify(value)}`),
        (error: Error) => error,
      ),
    );
  }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array | undefined): string => new TextDecoder().decode(value);
