/**
 * A machine: a disk, a clock, a place on the network, and at most one process of the product's at a time.
 *
 * A process gets the same `Runtime` that a real machine would give it. The machine outlives its processes: what a crash
 * leaves on the disk is what the next process finds.
 */

import type { Runtime } from "../runtime/runtime.ts";
import type { MachineClock } from "./clock.ts";
import { simLog, type WarningCounts } from "./log.ts";
import type { MachineDisk, OpeningEngine } from "./machine-disk.ts";
import type { Host, SimNetwork } from "./network.ts";
import { SimProcess } from "./process.ts";
import type { Simulation } from "./simulation.ts";

export interface MachineParts {
  readonly name: string;
  readonly index: number;
  readonly clock: MachineClock;
  readonly disk: MachineDisk;
  readonly network: SimNetwork;
  readonly turnMs: number;
  readonly warnings: WarningCounts;
}

/** What a process is given of the world. */
export interface Spawned {
  readonly process: SimProcess;
  readonly runtime: Runtime;
  readonly engine: OpeningEngine;
}

export class SimMachine implements Host {
  readonly name: string;
  readonly index: number;
  readonly clock: MachineClock;
  readonly disk: MachineDisk;
  readonly #simulation: Simulation;
  readonly #parts: MachineParts;
  #process: SimProcess | undefined;
  #isPowered = true;
  #runs = 0;

  constructor(simulation: Simulation, parts: MachineParts) {
    this.#simulation = simulation;
    this.#parts = parts;
    this.name = parts.name;
    this.index = parts.index;
    this.clock = parts.clock;
    this.disk = parts.disk;
  }

  get isPowered(): boolean {
    return this.#isPowered;
  }

  /** The process that runs here, if one does. */
  get process(): SimProcess | undefined {
    return this.#process?.isDead === false ? this.#process : undefined;
  }

  /** Starts a process that answers to `hostName` on the network; the machine gets power if it had none. */
  spawn(hostName: string): Spawned {
    if (this.process !== undefined) throw new Error(`${this.name} runs a process already`);
    const simulation = this.#simulation;
    const { network, turnMs, warnings } = this.#parts;
    this.#isPowered = true;
    network.poweredOn(this);
    const name = `${this.name}.${++this.#runs}`;
    const process = new SimProcess(simulation, name, this.index, turnMs);
    this.#process = process;
    const runtime: Runtime = {
      clock: this.clock.of(process),
      random: simulation.prng(`random ${name}`),
      network: network.of(process, this, hostName),
      log: simLog(process, warnings, {}, this.disk),
      checksum: simulation.surroundings.checksum,
    };
    return { process, runtime, engine: this.disk.open(process, runtime) };
  }

  /** kill -9: the kernel lives, and resets what the process had open. */
  kill(): void {
    this.process?.kill();
  }

  /** The plug is pulled: nobody is told anything. */
  losePower(): void {
    this.#isPowered = false;
    this.process?.kill();
    this.disk.losePower();
  }
}
