/** Nodes that can ask and answer, on a simulated network: what the tests of `src/rpc` stand on. */

import type { NodeId } from "../../src/core/ids.ts";
import { defaultLimits, type Limits } from "../../src/core/limits.ts";
import type { AnswerHandler, CallFailure } from "../../src/rpc/call.ts";
import { Peers } from "../../src/rpc/peers.ts";
import { type Requester, Server } from "../../src/rpc/server.ts";
import type { Log } from "../../src/runtime/log.ts";
import type { Connection, ConnectionHandler, Network } from "../../src/runtime/network.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { calmLink, type Host, type LinkTraits, SimNetwork } from "../../src/sim/network.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import type { Answer, Hello, Request } from "../../src/wire/message.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

export const cluster: string = "c".repeat(32);

export class World {
  readonly simulation: Simulation;
  readonly network: SimNetwork;
  readonly addresses: Map<NodeId, string> = new Map();
  #places = 0;

  constructor(seed = 1, traits: LinkTraits = calmLink) {
    this.simulation = new Simulation(seed, nodeSurroundings);
    this.network = new SimNetwork(this.simulation, traits);
  }

  /** A node called `name`, listening, whose address everybody knows. */
  async node(name: string, options: Partial<PlaceOptions> = {}): Promise<Place> {
    const place = this.place(name, options);
    await place.listen();
    return place;
  }

  /** The same, not listening. */
  place(name: string, options: Partial<PlaceOptions> = {}): Place {
    return new Place(this, name, this.#places++, options);
  }
}

export interface PlaceOptions {
  readonly limits: Limits;
  readonly cluster: string;
  readonly role: Hello["role"];
  readonly id: NodeId;
}

/** What came of one call. */
export interface Outcome {
  readonly from: NodeId;
  readonly answer?: Answer;
  readonly failure?: CallFailure;
  readonly atMs: number;
}

export class Place implements Host, AnswerHandler {
  readonly name: string;
  readonly id: NodeId;
  readonly world: World;
  readonly index: number;
  readonly limits: Limits;
  readonly process: SimProcess;
  readonly runtime: Runtime;
  readonly peers: Peers;
  readonly server: Server;
  /** What `serve` does; answers pings and the like until it is replaced. */
  serve: (request: Request, from: Requester) => void = (request, from) =>
    from.reply({ kind: "done", id: 0 }, request.id);
  readonly served: Request[] = [];
  /** Everything the handler heard, by tag. */
  readonly outcomes: Map<number, Outcome[]> = new Map();
  readonly warnings: string[] = [];
  readonly changes: string[] = [];
  readonly hellos: Hello[] = [];
  /** Calls of `Connection.write`, over all connections. */
  writes = 0;
  dials = 0;
  isPowered = true;
  hello: Hello;
  #lastTag = 0;

  constructor(world: World, name: string, index: number, options: Partial<PlaceOptions>) {
    this.world = world;
    this.name = name;
    this.index = index;
    this.id = options.id ?? ((index + 1).toString(16).padStart(16, "0") as NodeId);
    this.limits = options.limits ?? defaultLimits;
    this.process = new SimProcess(world.simulation, name, index, 0);
    this.hello = {
      kind: "hello",
      id: 0,
      role: options.role ?? "member",
      cluster: options.cluster ?? cluster,
      node: this.id,
      incarnation: `1-${this.id}`,
      name,
    };
    this.runtime = {
      clock: new MachineClock(world.simulation, 1, 0).of(this.process),
      random: world.simulation.prng(name),
      network: this.#counting(world.network.of(this.process, this, name)),
      log: this.#log(),
      checksum: nodeSurroundings.checksum,
    };
    const { runtime, limits } = this;
    const hello = (): Hello => this.hello;
    this.peers = new Peers({
      runtime,
      limits,
      hello,
      addressOf: (node) => world.addresses.get(node),
      onHello: (theirs) => this.hellos.push(theirs),
      onUpChange: (node, isUp) => this.changes.push(`${node} ${isUp ? "up" : "down"}`),
    });
    this.server = new Server({
      runtime,
      limits,
      hello,
      onHello: (theirs) => this.peers.heard(theirs.node),
      serve: (request, from) => {
        this.served.push(request);
        this.serve(request, from);
      },
    });
    world.addresses.set(this.id, `${name}:1`);
  }

  async listen(address = `${this.name}:1`): Promise<void> {
    await this.server.listen(address);
  }

  /** Calls, and gives back the tag under which `outcomes` will have what came of it. */
  call(to: Place, request: Request = { kind: "ping", id: 0 }, timeoutMs = 1000): number {
    const tag = ++this.#lastTag;
    this.peers.call(to.id, request, timeoutMs, this, tag);
    return tag;
  }

  /** Lets time pass until the call has its outcome. */
  async outcome(tag: number): Promise<Outcome> {
    await this.world.simulation.runUntil(() => this.outcomes.has(tag), 60_000);
    const outcome = this.outcomes.get(tag)?.[0];
    if (outcome === undefined) throw new Error(`call ${tag} of ${this.name} heard nothing`);
    return outcome;
  }

  onAnswer(from: NodeId, answer: Answer, tag: number): void {
    this.#note(tag, { from, answer, atMs: this.world.simulation.now });
  }

  onFailure(from: NodeId, failure: CallFailure, tag: number): void {
    this.#note(tag, { from, failure, atMs: this.world.simulation.now });
  }

  /** A bare connection to another node, for what `Peers` would never send. */
  dialBare(address: string): BareSide {
    const side = new BareSide();
    side.connection = this.runtime.network.dial(address, 1000, side);
    return side;
  }

  /** kill -9, or with `isPowered` false the plug. */
  die(isPowered = true): void {
    this.isPowered = isPowered;
    this.process.kill();
  }

  #note(tag: number, outcome: Outcome): void {
    this.outcomes.set(tag, [...(this.outcomes.get(tag) ?? []), outcome]);
  }

  #log(): Log {
    const note = (message: string, fields?: object): void => {
      this.warnings.push(`${message} ${JSON.stringify(fields ?? {})}`);
    };
    return { debug: () => {}, info: note, warn: note, error: note, child: () => this.runtime.log };
  }

  #counting(network: Network): Network {
    const count = (connection: Connection): Connection => {
      const write = connection.write.bind(connection);
      connection.write = (chunks) => {
        this.writes++;
        return write(chunks);
      };
      return connection;
    };
    return {
      listen: (address, accept) => network.listen(address, (connection) => accept(count(connection))),
      dial: (address, timeoutMs, handler) => {
        this.dials++;
        return count(network.dial(address, timeoutMs, handler));
      },
    };
  }
}

/** One side of a connection that speaks whatever it is told to. */
export class BareSide implements ConnectionHandler {
  connection: Connection | undefined;
  isOpen = false;
  readonly #received: Uint8Array[] = [];
  closed: string | undefined;

  /** All that has come. */
  get received(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#received));
  }

  onOpen(): void {
    this.isOpen = true;
  }

  onBytes(bytes: Uint8Array): void {
    this.#received.push(bytes);
  }

  onDrain(): void {}

  onClose(reason: string): void {
    this.closed = reason;
  }
}
