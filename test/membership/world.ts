/** Whole nodes on simulated machines, for the scenarios of membership: each step is the test's own. */

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { defaultLimits, type Limits } from "../../src/core/limits.ts";
import type { ClusterSettings } from "../../src/core/settings.ts";
import { Node } from "../../src/node/node.ts";
import { NodeError } from "../../src/node/node-error.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { SimMachine, type Spawned } from "../../src/sim/machine.ts";
import { calmLink, SimNetwork } from "../../src/sim/network.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { SimDisk } from "../../src/sim/storage.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

export interface StartOptions {
  /** Machines by name, or addresses, that are asked for admission. */
  readonly join?: readonly string[];
  readonly zone?: string;
  readonly capacity?: number;
  readonly settings?: Partial<ClusterSettings>;
  readonly limits?: Partial<Limits>;
  /** The name it goes by, if not its machine's. */
  readonly name?: string;
  /** Where it listens, if not under its machine's name. */
  readonly host?: string;
}

export class World {
  readonly simulation: Simulation;
  readonly network: SimNetwork;
  readonly machines: Map<string, SimMachine> = new Map();
  readonly clocks: Map<string, MachineClock> = new Map();
  /** The node that runs on each machine. */
  readonly nodes: Map<string, Node> = new Map();
  readonly spawned: Map<string, Spawned> = new Map();
  /** Why nodes ended by themselves, by machine. */
  readonly ended: Map<string, NodeError> = new Map();

  constructor(seed: number, tell?: (line: string) => void) {
    this.simulation = new Simulation(seed, nodeSurroundings, tell);
    this.network = new SimNetwork(this.simulation, calmLink);
  }

  machine(name: string): SimMachine {
    const known = this.machines.get(name);
    if (known !== undefined) return known;
    const clock = new MachineClock(this.simulation, 1, 0);
    this.clocks.set(name, clock);
    const machine = new SimMachine(this.simulation, {
      name,
      index: this.machines.size,
      clock,
      disk: new SimDisk(this.simulation, name, { leastCommitMs: 0.1, mostCommitMs: 2 }),
      network: this.network,
      turnMs: 0.05,
      warnings: new Map(),
    });
    this.machines.set(name, machine);
    return machine;
  }

  /** Starts a node; its promise is that of `Node.start`. */
  start(machineName: string, options: StartOptions = {}): { readonly node: Node; readonly started: Promise<void> } {
    const host = options.host ?? machineName;
    const spawned = this.machine(machineName).spawn(host);
    const node = new Node({
      runtime: spawned.runtime,
      engine: spawned.engine,
      name: options.name ?? machineName,
      zone: options.zone,
      capacity: options.capacity,
      listen: `${host}:7400`,
      http: "",
      join: (options.join ?? []).map((name) => (name.includes(":") ? name : `${name}:7400`)),
      settings: { partitions: 16, ...options.settings },
      limits: { ...defaultLimits, ...options.limits },
      software: "test",
      onEnded: (error) => this.ended.set(machineName, error),
    });
    this.nodes.set(machineName, node);
    this.spawned.set(machineName, spawned);
    const started = node.start();
    started.catch(() => {});
    return { node, started };
  }

  /** Starts a node and waits until it serves. */
  async up(machineName: string, options: StartOptions = {}): Promise<Node> {
    const { node, started } = this.start(machineName, options);
    await this.simulation.settle(started, 60_000, `${machineName} starts`);
    return node;
  }

  /** Starts a node that must be refused, and answers with the reason. */
  async refused(machineName: string, options: StartOptions): Promise<string> {
    const { started } = this.start(machineName, options);
    const outcome = await this.simulation.settle(
      started.then(
        () => "it started",
        (error: unknown) => error,
      ),
      60_000,
      `${machineName} is refused`,
    );
    this.kill(machineName);
    assert.ok(outcome instanceof NodeError, String(outcome));
    return outcome.message;
  }

  /** A cluster of so many nodes, n1 founding, joined one after the other, in the zones given in turn, if any. */
  async cluster(size: number, options: StartOptions = {}, zones: readonly string[] = []): Promise<void> {
    for (let i = 1; i <= size; i++) {
      const zone = zones[(i - 1) % zones.length];
      const where = zone === undefined ? {} : { zone };
      await this.up(`n${i}`, { ...options, ...where, join: i === 1 ? [] : ["n1"] });
    }
    await this.agreed();
  }

  kill(machineName: string): void {
    this.machine(machineName).kill();
    this.nodes.delete(machineName);
  }

  wipe(machineName: string): void {
    this.machine(machineName).disk.replace(new Map());
  }

  /** Lets time pass until every running node knows the same history, serves, is up for the others, and all seats rest. */
  async agreed(withinMs = 60_000): Promise<void> {
    const holds = await this.simulation.runUntil(() => this.#isAgreed(true), withinMs);
    assert.ok(holds, `no agreement:\n${this.describe()}`);
  }

  /** The same, where seats are with those who cannot be reached, or are lost. */
  async agreedOnHistory(): Promise<void> {
    const holds = await this.simulation.runUntil(() => this.#isAgreed(false), 60_000);
    assert.ok(holds, `no agreement:\n${this.describe()}`);
  }

  #isAgreed(doSeatsRest: boolean): boolean {
    const running = [...this.nodes.values()];
    const [first] = running;
    if (first === undefined || running.some((node) => !node.isReady)) return false;
    const names = new Set(running.map((node) => node.name));
    return running.every((node) => {
      if (doSeatsRest && node.cluster().pendingTransfers > 0) return false;
      const seen = node.cluster().members.filter(({ name }) => names.has(name));
      const isSeen = seen.length === names.size && seen.every(({ status }) => status === "up" || status === "joining");
      return isSeen && isDeepStrictEqual(node.history(), first.history());
    });
  }

  describe(): string {
    const lines = [...this.nodes].map(([name, node]) => {
      const { ringVersion, members, pendingTransfers } = node.cluster();
      const seen = members.map((member) => `${member.name}:${member.status}`).join(" ");
      return `${name}: ${node.isReady ? "ready" : "not ready"}, ring ${ringVersion}, ${seen}, ${pendingTransfers} pending`;
    });
    return lines.join("\n");
  }

  /** Does something within an event of the machine's process, as whatever reaches a node does. */
  inside<T>(on: string, act: (node: Node) => Promise<T>): Promise<T> {
    const node = this.nodes.get(on) as Node;
    const done = new Promise<T>((resolve, reject) => {
      this.simulation.schedule(0, this.machine(on).process, () => void act(node).then(resolve, reject));
    });
    return this.simulation.settle(done, 30_000, `a request to ${on}`);
  }

  async put(on: string, key: string, value: string, w?: number): Promise<string> {
    const bytes = new TextEncoder().encode(value);
    const options = w === undefined ? {} : { w };
    const request = { bucket: "carts", key, value: bytes, contentType: "text/plain", ...options };
    const outcome = await this.inside(on, (node) => node.put(request));
    return outcome.kind === "failure" ? outcome.code : outcome.kind;
  }

  async get(on: string, key: string, r?: number): Promise<readonly string[] | string> {
    const options = r === undefined ? {} : { r };
    const outcome = await this.inside(on, (node) => node.get({ bucket: "carts", key, ...options }));
    if (outcome.kind === "failure") return outcome.code;
    return outcome.versions.map((version) => new TextDecoder().decode(version.value));
  }
}
