/**
 * Machines and the links between them: what a packet meets on its way.
 *
 * A link leads from one machine to another and has a direction of its own, so that it can be cut one way. What a cut
 * does is what TCP makes of it: bytes on the way stall, unseen by both ends; when the cut heals they arrive late or the
 * connection resets. A machine without power is silent; one whose process died answers with resets. Dials fail as a
 * machine's kernel would let them: refused where nobody listens, silence where nothing answers.
 *
 * Connections themselves are in `connection.ts`.
 */

import type { Address, Connection, ConnectionHandler, Listener, Network } from "../runtime/network.ts";
import type { Message } from "../wire/message.ts";
import { SimConnection } from "./connection.ts";
import { messagesIn, nameOf } from "./message-tap.ts";
import type { Prng } from "./prng.ts";
import type { SimProcess } from "./process.ts";
import type { Simulation } from "./simulation.ts";

export interface LinkTraits {
  /** The time a packet takes, from the least to the most; most are short. */
  readonly leastDelayMs: number;
  readonly mostDelayMs: number;
  /** How often a packet takes `spikeMs` more. */
  readonly spikeChance: number;
  readonly spikeMs: number;
  /** Bytes under way on a connection before more of them queue at the sender. */
  readonly windowBytes: number;
  /** How often a dial that would succeed is refused. */
  readonly refusalChance: number;
}

export const calmLink: LinkTraits = {
  leastDelayMs: 0.1,
  mostDelayMs: 2,
  spikeChance: 0,
  spikeMs: 0,
  windowBytes: 256 * 1024,
  refusalChance: 0,
};

/** A machine as the network sees it. */
export interface Host {
  readonly name: string;
  readonly isPowered: boolean;
}

interface BoundListener {
  readonly process: SimProcess;
  readonly host: Host;
  readonly accept: (connection: Connection) => ConnectionHandler;
}

export class SimNetwork {
  readonly simulation: Simulation;
  readonly prng: Prng;
  traits: LinkTraits;
  /** Hears of every message that is sent, by its name, while somebody wants to know. */
  onSent: ((message: string, from: Host, to: Host) => void) | undefined;
  /** Hears of every message itself, and on which side of a connection it is sent and will arrive. */
  onMessage: ((message: Message, from: SimConnection, to: SimConnection) => void) | undefined;
  readonly #hosts: Map<string, Host> = new Map();
  readonly #listeners: Map<Address, BoundListener> = new Map();
  readonly #cuts: Set<string> = new Set();
  readonly #connections: Set<SimConnection> = new Set();
  #nextPort = 40_000;

  constructor(simulation: Simulation, traits: LinkTraits) {
    this.simulation = simulation;
    this.prng = simulation.prng("network");
    this.traits = traits;
  }

  /** The port of one process on a machine, which answers to `hostName` (the part of an address before the colon). */
  of(process: SimProcess, host: Host, hostName: string): Network {
    this.#hosts.set(hostName, host);
    process.onDeath(() => this.#died(process, host));
    return {
      listen: (address, accept) => this.#listen(address, { process, host, accept }),
      dial: (address, timeoutMs, handler) => this.#dial(address, timeoutMs, { process, host, handler }),
    };
  }

  /** Cuts the way from one machine to another; the way back stays. */
  cut(from: Host, to: Host): void {
    this.#cuts.add(linkName(from, to));
  }

  isCut(from: Host, to: Host): boolean {
    return this.#cuts.has(linkName(from, to));
  }

  /** Mends the way from one machine to another: what stalled arrives now, or its connection resets. */
  mend(from: Host, to: Host): void {
    if (!this.#cuts.delete(linkName(from, to))) return;
    for (const connection of [...this.#connections]) {
      if (connection.host === from && connection.peerHost === to) connection.mended();
    }
  }

  mendAll(): void {
    this.#cuts.clear();
    for (const connection of [...this.#connections]) connection.mended();
  }

  /** Resets one open connection, drawn by chance; what is under way is lost. False where there is none. */
  resetOne(): boolean {
    const open = [...this.#connections].filter((connection) => connection.isOpen);
    if (open.length === 0) return false;
    this.prng.pick(open).reset("connection reset");
    return true;
  }

  /** Flips one bit of what some open connection, drawn by chance, delivers next. False where there is none. */
  corruptOne(): boolean {
    const open = [...this.#connections].filter((connection) => connection.isOpen);
    if (open.length === 0) return false;
    this.prng.pick(open).corruptNext();
    return true;
  }

  /** Something between the two sides of an open connection, drawn by chance, forgets it. False where there is none. */
  forgetOne(): boolean {
    const open = [...this.#connections].filter((connection) => connection.isOpen);
    if (open.length === 0) return false;
    this.prng.pick(open).forget();
    return true;
  }

  /** For connections: these bytes, whole frames, are sent now. */
  sees(bytes: Uint8Array, from: SimConnection, to: SimConnection): void {
    if (this.onSent === undefined && this.onMessage === undefined) return;
    for (const message of messagesIn(bytes, this.simulation.surroundings.checksum)) {
      this.onSent?.(nameOf(message), from.host, to.host);
      this.onMessage?.(message, from, to);
    }
  }

  /** A machine has power again: whoever still speaks to what died there learns of it. */
  poweredOn(host: Host): void {
    for (const connection of [...this.#connections]) {
      if (connection.peerHost === host && connection.isPeerDead) connection.answeredByReset(this.prng.uniform(1, 3000));
    }
  }

  /** The most bytes that any connection of the process holds back from the network. */
  largestQueue(process: SimProcess): number {
    let largest = 0;
    for (const connection of this.#connections) {
      if (connection.process === process) largest = Math.max(largest, connection.queuedBytes);
    }
    return largest;
  }

  /** How long the next packet takes. */
  drawDelay(): number {
    const { leastDelayMs, mostDelayMs, spikeChance, spikeMs } = this.traits;
    const delay = this.prng.skewed(leastDelayMs, mostDelayMs);
    return this.prng.chance(spikeChance) ? delay + this.prng.uniform(0, spikeMs) : delay;
  }

  /** For connections: keeps the books of what is open. */
  opened(connection: SimConnection): void {
    this.#connections.add(connection);
  }

  closed(connection: SimConnection): void {
    this.#connections.delete(connection);
  }

  #listen(asked: Address, bound: BoundListener): Promise<Listener> {
    const address = asked.endsWith(":0") ? `${asked.slice(0, -1)}${this.#nextPort++}` : asked;
    if (this.#listeners.has(address)) return Promise.reject(new Error(`cannot listen on ${address}: address in use`));
    this.#listeners.set(address, bound);
    const close = (): Promise<void> => {
      if (this.#listeners.get(address) === bound) this.#listeners.delete(address);
      for (const connection of [...this.#connections]) {
        if (connection.process === bound.process && connection.isAccepted) connection.close("listener closed");
      }
      return new Promise((resolve) => {
        this.simulation.schedule(0, bound.process, resolve);
      });
    };
    return Promise.resolve({ address, close });
  }

  #dial(
    address: Address,
    timeoutMs: number,
    from: { readonly process: SimProcess; readonly host: Host; readonly handler: ConnectionHandler },
  ): Connection {
    const dialler = new SimConnection(this, from.process, from.host, address, false);
    dialler.attach(from.handler);
    this.#after(timeoutMs, () => dialler.fail(`no answer from ${address} within ${timeoutMs} ms`));
    this.#after(this.drawDelay(), () => {
      const to = this.#hosts.get(address.slice(0, address.lastIndexOf(":")));
      if (to?.isPowered !== true || this.isCut(from.host, to) || !dialler.isConnecting) return;
      const listener = this.#listeners.get(address);
      const isRefused = listener === undefined || listener.host !== to || this.prng.chance(this.traits.refusalChance);
      this.#after(this.drawDelay(), () => {
        if (this.isCut(to, from.host) || !dialler.isConnecting || from.process.isDead) return;
        if (isRefused || listener.process.isDead) dialler.fail(`connection to ${address} refused`);
        else this.#connect(dialler, listener);
      });
    });
    return dialler;
  }

  /** The dialler learns first; the listener accepts one packet later. */
  #connect(dialler: SimConnection, listener: BoundListener): void {
    const accepted = new SimConnection(this, listener.process, listener.host, `${dialler.host.name}:0`, true);
    const acceptedAt = this.simulation.now + this.drawDelay();
    dialler.pair(accepted, acceptedAt);
    accepted.pair(dialler, acceptedAt);
    dialler.open();
    this.simulation.schedule(acceptedAt - this.simulation.now, listener.process, () => {
      if (accepted.isOver) return;
      accepted.attach(listener.accept(accepted));
      accepted.open();
    });
  }

  #died(process: SimProcess, host: Host): void {
    for (const [address, listener] of [...this.#listeners]) {
      if (listener.process === process) this.#listeners.delete(address);
    }
    for (const connection of [...this.#connections]) {
      if (connection.process === process) connection.processDied(host.isPowered);
    }
  }

  #after(delayMs: number, run: () => void): void {
    this.simulation.schedule(delayMs, undefined, run);
  }
}

function linkName(from: Host, to: Host): string {
  return `${from.name}>${to.name}`;
}
