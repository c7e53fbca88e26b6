/**
 * One outgoing connection and the calls made over it, from the dialling to the end.
 *
 * Calls are pipelined: many wait at once and answers come in any order. While the connection is being made, and until
 * the other side has said who it is, requests wait unencoded: then it is certain of them that they were not sent, and
 * those given up meanwhile never are.
 *
 * A side that falls silent is suspected (`suspicion.ts`): what waits on it fails, and so does at once whatever is asked
 * of it, until something comes.
 *
 * Invariant: every call ends in one `onAnswer` or one `onFailure`, and never from within `call`.
 *
 * Hot path.
 */

import { type NodeId, parseNodeId } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { Address, ConnectionHandler } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { FrameError } from "../wire/frame.ts";
import type { Hello, Message, Request } from "../wire/message.ts";
import type { AnswerHandler, CallFailure } from "./call.ts";
import { CallTable, notEncoded, type PendingCall } from "./call-table.ts";
import type { CloseCause, RpcCounters } from "./counters.ts";
import { isAnswer } from "./direction.ts";
import { handshakeMs, reasonToPart } from "./handshake.ts";
import { Stream, type StreamOwner } from "./stream.ts";
import { Suspicion } from "./suspicion.ts";
import { WaitingRequests } from "./waiting-requests.ts";

/** How long making a connection may take, in ms: as long as TCP waits before it asks a second time. */
const dialMs = 1000;
/** A ping is answered, or its connection given up, well within this, in ms. */
const pingMs = 10_000;
/** How much one round trip moves the average. */
const roundTripWeight = 1 / 8;

const unknownNode = parseNodeId("0".repeat(16)) as NodeId;

/** Whoever keeps the channels. */
export interface ChannelOwner {
  /** The other side has said who it is, and is the right one. */
  onOpen(channel: Channel, hello: Hello): void;
  /** The channel stands, and its other side fell silent, or is heard again. */
  onSuspicion(channel: Channel, isSuspected: boolean): void;
  /** The channel is over, once; its calls' failures follow by `defer`. */
  onEnd(channel: Channel, cause: CloseCause, reason: string): void;
  /** Sees to it that `expire` is called at that time. */
  watch(deadlineMs: number): void;
  /** Tells the handler at the end of the turn. */
  defer(handler: AnswerHandler, from: NodeId, failure: CallFailure, tag: number): void;
}

export interface ChannelOptions {
  readonly runtime: Runtime;
  readonly limits: Limits;
  readonly counters: RpcCounters;
  readonly owner: ChannelOwner;
  readonly address: Address;
  /** What to say to the other side. */
  readonly hello: Hello;
  /** Who must be there, where that is known. */
  readonly expected?: NodeId;
  /** The last try failed: only the patient wait for this one. */
  readonly isDoubtful: boolean;
  /** What is known of the round trip from before, in ms. */
  readonly roundTripMs?: number | undefined;
}

export class Channel implements ConnectionHandler, StreamOwner {
  readonly address: Address;
  readonly hello: Hello;
  readonly #runtime: Runtime;
  readonly #limits: Limits;
  readonly #counters: RpcCounters;
  readonly #owner: ChannelOwner;
  readonly #expected: NodeId | undefined;
  readonly #stream: Stream;
  readonly #calls: CallTable = new CallTable();
  readonly #startedMs: number;
  readonly #suspicion: Suspicion;
  readonly #waiting: WaitingRequests = new WaitingRequests();
  readonly #pings: AnswerHandler = {
    isPatient: true,
    onAnswer: () => {
      this.#isPinging = false;
    },
    onFailure: () => {
      this.#isPinging = false;
    },
  };
  #node: NodeId;
  #isOpen = false;
  #openedMs: number | undefined;
  #usedMs: number;
  #isPinging = false;
  #unsentBytes = 0;
  #roundTripMs: number | undefined;

  constructor(options: ChannelOptions) {
    this.address = options.address;
    this.hello = options.hello;
    this.#runtime = options.runtime;
    this.#limits = options.limits;
    this.#counters = options.counters;
    this.#owner = options.owner;
    this.#expected = options.expected;
    this.#node = options.expected ?? unknownNode;
    this.#roundTripMs = options.roundTripMs;
    this.#startedMs = options.runtime.clock.monotonicMs();
    this.#usedMs = this.#startedMs;
    this.#suspicion = new Suspicion(this.#startedMs, options.isDoubtful);
    this.#stream = new Stream(options.runtime, options.limits, options.counters, this);
    this.#stream.attach(options.runtime.network.dial(options.address, dialMs, this));
  }

  /** The other side is who it should be, and not suspected. */
  get isUp(): boolean {
    return this.#isOpen && !this.#suspicion.isSuspected;
  }

  get isSuspected(): boolean {
    return this.#suspicion.isSuspected;
  }

  get wasOpen(): boolean {
    return this.#openedMs !== undefined;
  }

  /** When it was dialled, on the monotonic clock. */
  get startedMs(): number {
    return this.#startedMs;
  }

  /** How long it has been open, in ms; 0 if it never was. */
  wasOpenMs(nowMs: number): number {
    return this.#openedMs === undefined ? 0 : nowMs - this.#openedMs;
  }

  /** Calls that wait for an answer. */
  get pendingCalls(): number {
    return this.#calls.size;
  }

  /** When it was last asked anything but whether it lives, on the monotonic clock. */
  get usedMs(): number {
    return this.#usedMs;
  }

  /** Moving average from asking to the answer, in ms; undefined before the first. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  /** Sends the request, or keeps it until the connection stands. A failure returned is one the handler has not heard. */
  call(request: Request, timeoutMs: number, handler: AnswerHandler, tag: number): CallFailure | undefined {
    if (this.#stream.isClosed) return "not-sent";
    if (this.#suspicion.isSuspected && handler.isPatient !== true) return "not-sent";
    if (this.#stream.queuedBytes + this.#waiting.bytes > this.#limits.connectionQueueBytes) return "overloaded";
    const nowMs = this.#runtime.clock.monotonicMs();
    const call = this.#calls.open(handler, tag, nowMs, nowMs + timeoutMs);
    if (call === undefined) return "overloaded";
    if (!this.#isOpen) {
      this.#waiting.add(call.id, request);
    } else if (!this.#send(call, request)) {
      this.#calls.take(call.id);
      return "not-sent";
    }
    this.#usedMs = nowMs;
    this.#owner.watch(call.deadlineMs);
    return undefined;
  }

  /** Fails the calls whose time is over; answers with the next deadline, infinity if there is none. */
  expire(nowMs: number): number {
    for (const call of this.#calls.expired(nowMs)) {
      const { id, handler, tag } = call;
      // What is encoded leaves at the end of this turn, whatever has become of its call.
      const failure = call.turn === notEncoded ? "not-sent" : "timed-out";
      if (this.#calls.take(id) !== undefined) handler.onFailure(this.#node, failure, tag);
    }
    return this.#calls.earliestMs();
  }

  /**
   * Looks after the connection, once what has arrived was read. `awakeMs` is the time since the last look, as far as
   * this process was there to listen.
   */
  look(nowMs: number, awakeMs: number): void {
    const heardMs = this.#stream.heardMs;
    const look = { nowMs, awakeMs, heardMs, isWaiting: this.#calls.size > 0 };
    if (!this.#isOpen) {
      if (nowMs - this.#startedMs > dialMs + handshakeMs) this.close("silent", "it has not said who it is");
      else if (this.#expected !== undefined && this.#suspicion.lookAtDial(look) === "suspect") this.#suspect();
      return;
    }
    const unsentBytes = this.#stream.unsentBytes;
    // A side that takes what it is sent is there, however long the rest of it keeps its answers waiting.
    if (unsentBytes < this.#unsentBytes && !this.#suspicion.isSuspected) this.#suspicion.clear();
    this.#unsentBytes = unsentBytes;
    switch (this.#suspicion.look(look)) {
      case "well":
        return;
      case "ask":
        return this.#ping();
      case "suspect":
        return this.#suspect();
      case "give-up":
        return this.close("silent", `nothing came for ${Math.round(nowMs - heardMs)} ms`);
    }
  }

  /** One at a time: while its answer is awaited, what waits has asked already. */
  #ping(): void {
    if (this.#isPinging) return;
    const usedMs = this.#usedMs;
    this.#isPinging = this.call({ kind: "ping", id: 0 }, pingMs, this.#pings, 0) === undefined;
    this.#usedMs = usedMs;
  }

  /** Fails what waits, all but the patient, the ping that shows when the other side is back among them. */
  #suspect(): void {
    if (this.#isOpen) {
      this.#counters.suspicions++;
      this.#owner.onSuspicion(this, true);
    }
    for (const { id, handler, turn, tag } of this.#calls.all()) {
      if (handler.isPatient === true || (handler.isPatient === "once-sent" && turn !== notEncoded)) continue;
      this.#owner.defer(handler, this.#node, turn === notEncoded ? "not-sent" : "timed-out", tag);
      this.#calls.take(id);
    }
  }

  close(cause: CloseCause, reason: string): void {
    if (!this.#stream.close(cause, reason)) return;
    this.#isOpen = false;
    this.#waiting.takeAll();
    this.#owner.onEnd(this, cause, reason);
    for (const call of this.#calls.all()) {
      const failure = call.turn < this.#stream.turn ? "lost" : "not-sent";
      this.#owner.defer(call.handler, this.#node, failure, call.tag);
      this.#calls.take(call.id);
    }
  }

  onOpen(): void {
    this.#stream.greet(this.hello);
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#isOpen && this.#suspicion.isSuspected) {
      this.#suspicion.clear();
      this.#owner.onSuspicion(this, false);
    }
    this.#stream.take(bytes);
  }

  onDrain(): void {}

  onRoom(): void {}

  onClose(reason: string): void {
    this.close("gone", reason);
  }

  onNonsense(error: FrameError): void {
    this.close(error.code, error.message);
  }

  onMessage(message: Message, nowMs: number): void {
    if (!this.#isOpen) this.#meet(message, nowMs);
    else if (isAnswer(message)) {
      const call = this.#calls.take(message.id);
      if (call === undefined) {
        this.#counters.late++;
        return;
      }
      const sample = nowMs - call.sentAtMs;
      const average = this.#roundTripMs ?? sample;
      this.#roundTripMs = average + (sample - average) * roundTripWeight;
      call.handler.onAnswer(this.#node, message, call.tag);
    } else this.close("unexpected", `it sent a ${message.kind} where an answer belongs`);
  }

  #meet(message: Message, nowMs: number): void {
    if (message.kind !== "hello") {
      this.close("unexpected", `it sent a ${message.kind} before its hello`);
      return;
    }
    // What the hello took is what the age of later frames may be off by (`frame-age.ts`).
    if (nowMs - this.#startedMs > Math.min(dialMs + handshakeMs, this.#limits.messageLifeMs)) {
      this.close("silent", "it took too long to say who it is");
      return;
    }
    const reason = reasonToPart(this.hello, message, this.#expected);
    if (reason !== undefined) {
      this.close("wrong-peer", reason);
      return;
    }
    this.#node = message.node;
    this.#isOpen = true;
    this.#openedMs = nowMs;
    this.#suspicion.clear();
    this.#stream.welcome();
    this.#owner.onOpen(this, message);
    this.#sendWaiting(nowMs);
  }

  /** Not those whose time is over, even where nobody has looked since: this process may have been stopped meanwhile. */
  #sendWaiting(nowMs: number): void {
    for (const { id, request } of this.#waiting.takeAll()) {
      const call = this.#calls.find(id);
      if (call === undefined || (call.deadlineMs > nowMs && this.#send(call, request))) continue;
      this.#calls.take(id);
      this.#owner.defer(call.handler, this.#node, "not-sent", call.tag);
    }
  }

  #send(call: PendingCall, request: Request): boolean {
    if (this.#stream.send(request, call.id)) {
      this.#calls.encoded(call, this.#stream.turn);
      return true;
    }
    this.#runtime.log.error("a request is too long for a frame", { request: request.kind, peer: this.#node });
    return false;
  }
}
