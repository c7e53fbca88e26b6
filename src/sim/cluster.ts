/**
 * The product's own nodes on simulated machines: started, crashed, stopped, wiped and started again.
 *
 * How a node is made comes from outside (`BuildNode`): a test that plants a bug hands in one with the bug.
 */

import type { Limits } from "../core/limits.ts";
import type { ClusterSettings } from "../core/settings.ts";
import type { NodeApi } from "../node/api.ts";
import { NodeError } from "../node/node-error.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type StorageEngine, StorageError } from "../storage/engine.ts";
import { AskedSeats } from "./asked-seats.ts";
import { MachineClock } from "./clock.ts";
import { Damage } from "./damage.ts";
import { FewestMembers } from "./fewest-members.ts";
import type { WarningCounts } from "./log.ts";
import { LogEngineDisk } from "./log-engine-disk.ts";
import { SimMachine } from "./machine.ts";
import type { MachineDisk } from "./machine-disk.ts";
import { SimNetwork } from "./network.ts";
import type { Plan } from "./plan.ts";
import type { Prng } from "./prng.ts";
import type { SimProcess } from "./process.ts";
import { SeatBook } from "./seat-book.ts";
import { describeError, type Simulation } from "./simulation.ts";
import { SimDisk } from "./storage.ts";
import { addressOf } from "./strays.ts";
import { ZoneWatch } from "./zone-watch.ts";

/** What a node is made of. */
export interface NodeParts {
  readonly runtime: Runtime;
  readonly engine: StorageEngine;
  readonly name: string;
  readonly zone: string;
  readonly capacity: number;
  readonly listen: string;
  readonly http: string;
  readonly join: readonly string[];
  readonly settings: ClusterSettings;
  readonly limits: Limits;
  readonly onEnded: (error: NodeError) => void;
  /** All that is stored was read, and nothing of it is damaged that the node does not know of. */
  readonly onStoreRead: () => void;
}

export interface RunningNode extends NodeApi {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export type BuildNode = (parts: NodeParts) => RunningNode;

/** A member through all its processes. */
export interface SimMember {
  readonly machine: SimMachine;
  readonly zone: string;
  readonly capacity: number;
  /** Its host's name on the network; another one each time it moves. */
  hostName: string;
  /** The node of the process that runs, if one does. */
  node: RunningNode | undefined;
  /**
   * Its operator tells it where the others are, since it has another address than at first, or knows nobody who is there
   * (`strays.ts`).
   */
  isToldOfOthers: boolean;
  /** The addresses that its process was started with. */
  named: readonly string[];
  /** Started once, and its disk not wiped since: it needs nobody to join it. */
  hasJoined: boolean;
  /** How often its disk was wiped. */
  wipes: number;
  /** Removed: so it was asked for, at least; nothing that it answers needs to count. */
  standing: "member" | "left" | "removed";
  /** It was asked to leave. */
  isLeaving: boolean;
  /** It is, or will be, removed: its disk counts for nothing any more. */
  isLost: boolean;
  /** Nobody starts it any more: its machine is gone, or it knows that it is no member. */
  isOut: boolean;
  /** A bit of its disk has changed, and what that made unreadable is not known to be there again. */
  isHurt: boolean;
  /** Every zone it was ever said to be in. */
  readonly zones: Set<string>;
}

/** What a new machine is given. */
interface Place {
  readonly zone: string;
  readonly capacity: number;
}

export class SimCluster {
  readonly simulation: Simulation;
  readonly network: SimNetwork;
  /** Who carried what voice, by the disks. */
  readonly book: SeatBook;
  /** Who may come to carry one. */
  readonly asked: AskedSeats;
  /** What was done that may cost data. */
  readonly damage: Damage = new Damage();
  /** Where answers come from, for requests that ask for several zones. */
  readonly zones: ZoneWatch;
  /** How few members any node saw. */
  readonly fewest: FewestMembers;
  /** All that are members or shall be, those included that are leaving. */
  members: readonly SimMember[] = [];
  /** Those that were. */
  departed: readonly SimMember[] = [];
  readonly warnings: WarningCounts = new Map();
  readonly plan: Plan;
  readonly #build: BuildNode;
  readonly #prng: Prng;
  #machines = 0;
  #moves = 0;
  readonly #wasRead: Set<SimProcess> = new Set();
  readonly #toldToStop: Set<SimProcess> = new Set();

  constructor(simulation: Simulation, plan: Plan, build: BuildNode) {
    this.simulation = simulation;
    this.plan = plan;
    this.#build = build;
    this.network = new SimNetwork(simulation, plan.link);
    this.book = new SeatBook(simulation);
    this.asked = new AskedSeats(simulation, this.book);
    this.zones = new ZoneWatch(this);
    this.fewest = new FewestMembers(this);
    this.#prng = simulation.prng("machines");
    for (let index = 0; index < plan.nodes; index++) {
      this.add({ zone: `z${(index % plan.zones) + 1}`, capacity: this.#prng.pick([1, 1, 1, 2, 4]) });
    }
  }

  /** A new machine that shall be a member. */
  add({ zone, capacity }: Place): SimMember {
    const { simulation, plan, network, warnings } = this;
    const index = this.#machines++;
    const name = `n${index + 1}`;
    const rate = 1 + this.#prng.uniform(-plan.drift, plan.drift);
    const machine = new SimMachine(simulation, {
      name,
      index,
      clock: new MachineClock(simulation, rate, this.#prng.uniform(-500, 500)),
      disk: this.#diskFor(name),
      network,
      turnMs: plan.turnMs,
      warnings,
    });
    this.book.follow(machine);
    const hostName = `10.0.0.${index + 1}`;
    const member: SimMember = {
      machine,
      zone,
      capacity,
      hostName,
      node: undefined,
      isToldOfOthers: false,
      named: [],
      hasJoined: false,
      wipes: 0,
      standing: "member",
      isLeaving: false,
      isLost: false,
      isOut: false,
      isHurt: false,
      zones: new Set([zone]),
    };
    this.members = [...this.members, member];
    return member;
  }

  #diskFor(name: string): MachineDisk {
    const { disk, logEngine } = this.plan;
    if (logEngine === undefined) return new SimDisk(this.simulation, name, disk);
    return new LogEngineDisk(this.simulation, name, { ...disk, ...logEngine });
  }

  /** Members, and those that were. */
  get everyone(): readonly SimMember[] {
    return [...this.members, ...this.departed];
  }

  /** It is to be a member no more. */
  departs(member: SimMember, how: "left" | "removed"): void {
    member.standing = how;
    this.members = this.members.filter((other) => other !== member);
    this.departed = [...this.departed, member];
  }

  /** Members whose process runs and is not paused. */
  get running(): readonly SimMember[] {
    return this.members.filter((member) => member.machine.process?.isRunning === true);
  }

  /** Whether every member runs, is ready, and speaks for all its seats: none is still to be filled after its disk was lost. */
  get haveAllVoices(): boolean {
    return this.members.every(({ node }) => {
      if (node?.isReady !== true) return false;
      const { voices, seats, running } = node.repair().rebuild;
      return !running && voices === seats;
    });
  }

  /** Looks whether what changed bits have made unreadable is there again, at whom they did. */
  get areAllSound(): boolean {
    for (const member of this.members) {
      const { process } = member.machine;
      const { node } = member;
      if (!member.isHurt || process === undefined || node === undefined || !this.#wasRead.has(process)) continue;
      const { damaged, rebuild } = node.repair();
      member.isHurt = damaged.waiting > 0 || rebuild.running;
    }
    return this.members.every(({ isHurt }) => !isHurt);
  }

  /** Starts a member's process; whether and when it becomes ready is for the caller to watch. */
  start(member: SimMember): void {
    const { process, runtime, engine } = member.machine.spawn(member.hostName);
    const others = this.members.filter((other) => other !== member && other.hasJoined);
    const needsJoin = !member.hasJoined && others.length > 0;
    member.named = needsJoin || member.isToldOfOthers ? others.map(addressOf) : [];
    const node = this.#build({
      runtime,
      engine,
      name: member.machine.name,
      zone: member.zone,
      capacity: member.capacity,
      listen: addressOf(member),
      http: `${member.hostName}:7480`,
      join: member.named,
      settings: this.plan.settings,
      limits: this.plan.limits,
      onStoreRead: () => this.#wasRead.add(process),
      onEnded: (error) => this.#ended(member, process, error),
    });
    process.onDeath(() => {
      member.node = undefined;
    });
    this.simulation.tell(process.name, `starts at ${member.hostName}${needsJoin ? ", to join" : ""}`);
    this.#inProcess(process, async () => {
      try {
        await engine.opened;
        member.node = node;
        await node.start();
        member.hasJoined = true;
      } catch (error) {
        this.#failedToStart(member, process, error);
      }
    });
  }

  kill(member: SimMember): void {
    member.machine.kill();
  }

  losePower(member: SimMember): void {
    member.machine.losePower();
  }

  /** Stops a member as SIGTERM would; its process ends when the node says it has stopped. */
  stop(member: SimMember): void {
    const { node } = member;
    const { process } = member.machine;
    if (node === undefined || process === undefined) return;
    this.#toldToStop.add(process);
    this.#inProcess(process, async () => {
      await node.stop();
      process.kill();
    });
  }

  /** Takes all that is on the disk of a member that does not run: it must join again, under its name. */
  wipe(member: SimMember): void {
    member.machine.disk.replace(new Map());
    member.hasJoined = false;
    member.isHurt = false;
    member.wipes++;
  }

  /** Gives a member that does not run another address. */
  move(member: SimMember): void {
    member.isToldOfOthers = true;
    member.hostName = `10.1.${++this.#moves}.${member.machine.index + 1}`;
  }

  /** A disk without room is a reason not to start; another try comes a little later. */
  #failedToStart(member: SimMember, process: SimProcess, error: unknown): void {
    if (error instanceof NodeError) {
      // It serves a little before its start is over; it ends as it was told to.
      if (error.code === "stopped" && this.#toldToStop.has(process)) return;
      if (this.#isOut(member, error)) return process.kill();
    }
    if (this.#isDamage(member, error)) return this.#setAside(member, process, error);
    const isFull = error instanceof StorageError && error.code === "disk-full";
    if (!isFull) this.simulation.violate("a node starts", `${process.name}: ${describeError(error)}`);
    this.simulation.tell(process.name, `did not start: ${error instanceof Error ? error.message : String(error)}`);
    process.kill();
    this.simulation.schedule(1000, undefined, () => {
      if (member.machine.process === undefined && !member.isOut) this.start(member);
    });
  }

  #ended(member: SimMember, process: SimProcess, error: NodeError): void {
    if (this.#isDamage(member, error)) this.#setAside(member, process, error);
    else if (this.#isOut(member, error) && member.machine.process === process) this.stop(member);
  }

  #isDamage({ machine }: SimMember, error: unknown): boolean {
    if (!machine.disk.isDamaged) return false;
    if (error instanceof NodeError) return error.code === "storage-damaged";
    return error instanceof StorageError && error.code === "corrupt";
  }

  /** Does what the product does with a store that cannot be read (`host/damaged-store.ts`). */
  #setAside(member: SimMember, process: SimProcess, error: unknown): void {
    if (process.isDead) return;
    this.simulation.tell(process.name, `is damaged: ${error instanceof Error ? error.message : String(error)}`);
    process.kill();
    this.wipe(member);
    this.damage.losses.push({
      member: member.machine.name,
      from: this.simulation.now,
      to: this.simulation.now,
      kind: "disk",
    });
    this.simulation.schedule(100, undefined, () => {
      if (member.machine.process === undefined && !member.isOut) this.start(member);
    });
  }

  /** Whether the node has found out that it is no member any more. Law: only who was told to go does. */
  #isOut(member: SimMember, { code: given, message }: NodeError): boolean {
    const [, how] = /has (left)|was (removed) from/.exec(message) ?? [];
    const code = given === "refused" && message.includes("the cluster") ? (how === "left" ? "left" : "removed") : given;
    if (code !== "left" && code !== "removed") return false;
    const { name } = member.machine;
    this.simulation.tell(name, `is out: ${message}`);
    member.isOut = true;
    if (code === "left" && member.isLeaving && member.standing === "member") this.departs(member, "left");
    const isMeant = code === "left" ? member.isLeaving : member.standing === "removed";
    if (!isMeant) this.simulation.violate("only who is told to goes", `${name}: ${message}`);
    return true;
  }

  /** Runs the code as an event of the process, so that a crash silences it. */
  #inProcess(process: SimProcess, run: () => Promise<void>): void {
    this.simulation.schedule(0, process, () => void run());
  }
}
