/**
 * One side of a simulated connection.
 *
 * What is written arrives at the other side in order and unchanged, in pieces that have nothing to do with how it was
 * written, or the connection closes and some of it never does. A piece lost to a cut stalls all that follow it. A full
 * window keeps further bytes with the sender, whose `queuedBytes` says so: a reader that pauses is felt there.
 *
 * Handlers are called only by events of their own process, `onClose` once and last.
 */

import type { Address, Connection, ConnectionHandler } from "../runtime/network.ts";
import type { Host, SimNetwork } from "./network.ts";
import type { SimProcess } from "./process.ts";

/** Connecting, open, closed here, or silent: its process died and nobody told the other side. */
type Stage = "connecting" | "open" | "closed" | "silent";

export class SimConnection implements Connection {
  readonly remote: Address;
  readonly process: SimProcess;
  readonly host: Host;
  /** Made by a listener, not by a dial. */
  readonly isAccepted: boolean;
  readonly #network: SimNetwork;
  #handler: ConnectionHandler | undefined;
  #peer: SimConnection | undefined;
  #stage: Stage = "connecting";
  #hasToldClose = false;
  /** Written, not yet under way: the window is full, or the connection is not yet open. */
  #queue: (readonly Uint8Array[])[] = [];
  #queuedBytes = 0;
  /** Under way to the other side, or waiting there for its reader. */
  #unreadBytes = 0;
  #lastArrivalAt = 0;
  /** Launched and not arrived, in order. */
  #flight: Uint8Array[] = [];
  /** The first of the flight was lost to a cut; nothing arrives until it is mended. */
  #isStalled = false;
  /** Arrivals planned under an older number are void. */
  #launchNumber = 0;
  #isDrainAwaited = false;
  /** What is under way is lost. */
  #isReset = false;
  /** Arrived here while the reader was paused. */
  #received: Uint8Array[] = [];
  #isReadingPaused = false;
  #isNextCorrupt = false;
  /** Something on the way has forgotten the connection: whatever is sent on it, its end included, arrives nowhere. */
  #isForgotten = false;

  constructor(network: SimNetwork, process: SimProcess, host: Host, remote: Address, isAccepted: boolean) {
    this.#network = network;
    this.process = process;
    this.host = host;
    this.remote = remote;
    this.isAccepted = isAccepted;
    network.opened(this);
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get isConnecting(): boolean {
    return this.#stage === "connecting";
  }

  get isOpen(): boolean {
    return this.#stage === "open";
  }

  get isOver(): boolean {
    return this.#stage === "closed" || this.#stage === "silent";
  }

  get peerHost(): Host | undefined {
    return this.#peer?.host;
  }

  /** The other side's process died and this side has not heard of it. */
  get isPeerDead(): boolean {
    return this.#peer?.process.isDead === true;
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.isOver) return true;
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    if (length === 0) return true;
    this.#queue.push(chunks);
    this.#queuedBytes += length;
    this.#send();
    return this.#queue.length === 0;
  }

  pauseReading(): void {
    this.#isReadingPaused = true;
  }

  resumeReading(): void {
    if (!this.#isReadingPaused) return;
    this.#isReadingPaused = false;
    if (this.#received.length > 0) this.#tell(0, () => this.#deliver());
  }

  close(reason: string): void {
    if (this.isOver) return;
    this.#end();
    this.#tellClose(0, reason);
    this.#farewell("closed by the other side");
  }

  /** For the network: who hears of this side's fate. */
  attach(handler: ConnectionHandler): void {
    this.#handler = handler;
  }

  /** For the network: the other side, and when it can hear the first byte. */
  pair(peer: SimConnection, heardFrom: number): void {
    this.#peer = peer;
    this.#lastArrivalAt = heardFrom;
  }

  /** For the network: the connection stands. */
  open(): void {
    this.#stage = "open";
    if (!this.isAccepted) this.#tell(0, () => this.#handler?.onOpen());
    this.#send();
  }

  /** For the network: the dial came to nothing. */
  fail(reason: string): void {
    if (this.#stage !== "connecting") return;
    this.#end();
    this.#tellClose(0, reason);
  }

  /** Both sides lose the connection, each when it hears of it, if it can; what is under way is lost. */
  reset(reason: string): void {
    if (this.isOver) return;
    const peer = this.#peer;
    this.#isReset = true;
    this.#end();
    this.#tellClose(0, reason);
    if (peer === undefined || peer.isOver || this.#isForgotten || this.#network.isCut(this.host, peer.host)) return;
    peer.#isReset = true;
    peer.#end();
    peer.#tellClose(this.#network.drawDelay(), reason);
  }

  /** For the network: a checksum of TCP's, of sixteen bits, misses something in what is delivered here next. */
  corruptNext(): void {
    this.#isNextCorrupt = true;
  }

  /** For the network: from here on nothing that either side sends arrives, and neither hears of the other's end. */
  forget(): void {
    this.#isForgotten = true;
    if (this.#peer !== undefined) this.#peer.#isForgotten = true;
  }

  /** For the network: the process of this side is dead. A powered machine says so; one without power cannot. */
  processDied(isPowered: boolean): void {
    if (this.isOver) return;
    this.#end();
    this.#stage = "silent";
    if (isPowered) this.#farewell("reset by the other side");
  }

  /** For the network: the way to the other side is mended. */
  mended(): void {
    if (this.isOver || !this.#isStalled || this.#isForgotten) return;
    if (this.#network.prng.chance(0.3)) {
      this.reset("connection reset after a cut");
      return;
    }
    this.#isStalled = false;
    for (let i = 0; i < this.#flight.length; i++) this.#planArrival();
  }

  /** For the network: the machine over there came back and knows nothing of this connection. */
  answeredByReset(afterMs: number): void {
    this.#network.simulation.schedule(afterMs, undefined, () => {
      if (!this.isOver && !this.#isForgotten) this.reset("reset by a restarted machine");
    });
  }

  #send(): void {
    if (this.#stage !== "open") return;
    while (this.#queue.length > 0 && this.#unreadBytes < this.#network.traits.windowBytes) {
      const bytes = joined(this.#queue.shift() as readonly Uint8Array[]);
      this.#queuedBytes -= bytes.length;
      this.#unreadBytes += bytes.length;
      if (this.#peer !== undefined) this.#network.sees(bytes, this, this.#peer);
      const cutAt =
        bytes.length > 1 && this.#network.prng.chance(0.1) ? this.#network.prng.between(1, bytes.length - 1) : 0;
      if (cutAt > 0) this.#launch(bytes.subarray(0, cutAt));
      this.#launch(bytes.subarray(cutAt));
    }
    if (this.#queuedBytes > 0) this.#isDrainAwaited = true;
    else if (this.#isDrainAwaited) {
      this.#isDrainAwaited = false;
      this.#tell(0, () => this.#handler?.onDrain());
    }
  }

  #launch(bytes: Uint8Array): void {
    this.#flight.push(bytes);
    if (!this.#isStalled) this.#planArrival();
  }

  #planArrival(): void {
    const { simulation } = this.#network;
    const number = this.#launchNumber;
    this.#lastArrivalAt = Math.max(this.#lastArrivalAt, simulation.now + this.#network.drawDelay());
    simulation.schedule(this.#lastArrivalAt - simulation.now, undefined, () => {
      if (number === this.#launchNumber) this.#arrive();
    });
  }

  /** The first of the flight reaches the other machine, unless the way is cut. */
  #arrive(): void {
    const peer = this.#peer;
    if (this.#isReset || peer === undefined) return;
    if (this.#isForgotten || this.#network.isCut(this.host, peer.host) || !peer.host.isPowered) {
      this.#isStalled = true;
      this.#launchNumber++;
      return;
    }
    const bytes = this.#flight.shift() as Uint8Array;
    if (peer.isOver) {
      if (!this.#network.isCut(peer.host, this.host)) this.answeredByReset(this.#network.drawDelay());
      return;
    }
    peer.#received.push(bytes);
    peer.#tell(0, () => peer.#deliver());
  }

  #deliver(): void {
    if (this.isOver || this.#isReadingPaused || this.#received.length === 0) return;
    const bytes = joined(this.#received);
    this.#received = [];
    if (this.#isNextCorrupt) this.#corrupt(bytes);
    const { trace, now } = this.#network.simulation;
    trace.bytes(bytes);
    trace.tell?.(
      `${now.toFixed(3).padStart(12)}  ${this.process.name.padEnd(10)} ${bytes.length} bytes from ${this.remote}`,
    );
    const peer = this.#peer;
    if (peer !== undefined) {
      peer.#unreadBytes -= bytes.length;
      peer.#send();
    }
    this.#handler?.onBytes(bytes);
  }

  #corrupt(bytes: Uint8Array): void {
    const { prng } = this.#network;
    const at = prng.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << prng.below(8));
    this.#isNextCorrupt = false;
  }

  /** What was written before still arrives, or half of the time does not; then the other side hears of the end. */
  #farewell(reason: string): void {
    const peer = this.#peer;
    if (peer === undefined || this.#isForgotten) return;
    const { simulation, prng } = this.#network;
    const delay = Math.max(this.#lastArrivalAt - simulation.now, this.#network.drawDelay());
    const losesTail = prng.chance(0.5);
    simulation.schedule(losesTail ? prng.uniform(0, delay) : delay, undefined, () => {
      if (peer.isOver || this.#network.isCut(this.host, peer.host)) return;
      peer.#end();
      peer.#tellClose(0, reason);
    });
  }

  #end(): void {
    this.#stage = "closed";
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#network.closed(this);
  }

  #tellClose(delayMs: number, reason: string): void {
    if (this.#hasToldClose) return;
    this.#hasToldClose = true;
    this.#network.simulation.schedule(delayMs, this.process, () => this.#handler?.onClose(reason));
  }

  /** Calls a handler in an event of its process, unless the connection is over by then. */
  #tell(delayMs: number, run: () => void): void {
    this.#network.simulation.schedule(delayMs, this.process, () => {
      if (!this.isOver) run();
    });
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return (chunks[0] as Uint8Array).slice();
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
