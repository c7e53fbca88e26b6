/**
 * Asks other nodes: one outgoing connection to each, made when it is needed, and every call that waits on them.
 *
 * A call is a slot, a handler and a tag (`call.ts`), not a promise: a coordinator makes one for each replica of each
 * request. Deadlines have one timer in all, set for the earliest; since a call nearly always ends long before, the
 * timer fires rarely. Silence is looked for by one timer, too, often while somebody waits and seldom else.
 *
 * Calls to a node that could not be reached, or fell silent, fail at once, so that it costs its callers nothing; they
 * only have it dialled, after a pause (`peer.ts`).
 */

import type { NodeId } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Address } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Answer, Hello, Request } from "../wire/message.ts";
import { Asks } from "./asks.ts";
import type { AnswerHandler, CallFailure, FailedCall } from "./call.ts";
import { Channel, type ChannelOwner } from "./channel.ts";
import { type CloseCause, newCounters, type RpcCounters } from "./counters.ts";
import { sameHello } from "./handshake.ts";
import { Peer } from "./peer.ts";

/** How often connections are looked after while calls wait or somebody is suspected, in ms. */
const pulseMs = 100;
/** And while nothing is under way, in ms. */
const slowPulseMs = 500;
/** A look that comes later than it should by more has been missed, and the time before it does not count, in ms. */
const pulseGrainMs = 50;
/** A dial is given so long before a sign of life of the node makes another one worth it, in ms. */
const dialPatienceMs = 100;
/** Deadlines are kept this exactly, in ms. */
const deadlineGrainMs = 5;
/** A connection to an address alone, or to a node that is gone, is kept this long without calls, in ms. */
const keptIdleMs = 10_000;
/** Addresses that were tried in vain and are remembered for their pause. */
const mostRemembered = 1000;

export interface PeersOptions {
  readonly runtime: Runtime;
  readonly limits: Limits;
  /** Who this process is, now: asked for every new connection. */
  readonly hello: () => Hello;
  /** Where a node is, as far as known. */
  readonly addressOf: (node: NodeId) => Address | undefined;
  /** Who said hello at an address. */
  readonly onHello?: (hello: Hello, address: Address) => void;
  /** The node is up, or is not any more: its connection stands and is not silent. */
  readonly onUpChange?: (node: NodeId, isUp: boolean) => void;
}

interface DeferredFailure {
  readonly handler: AnswerHandler;
  readonly from: NodeId;
  readonly failure: CallFailure;
  readonly tag: number;
}

export class Peers {
  readonly counters: RpcCounters = newCounters();
  readonly #options: PeersOptions;
  readonly #runtime: Runtime;
  readonly #nodes: Map<NodeId, Peer> = new Map();
  readonly #addresses: Map<Address, Peer> = new Map();
  readonly #peerOf: Map<Channel, Peer> = new Map();
  readonly #asks: Asks = new Asks();
  readonly #owner: ChannelOwner;
  #deferred: DeferredFailure[] = [];
  #deadlineTimer: Timer | undefined;
  #deadlineMs: number = Number.POSITIVE_INFINITY;
  #pulseTimer: Timer | undefined;
  /** The delay that timer was set for, or infinity if there is none. */
  #pulseDelayMs: number = Number.POSITIVE_INFINITY;
  #lookedMs = 0;
  #isStopped = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    this.#owner = {
      onOpen: (channel, hello) => this.#opened(channel, hello),
      onEnd: (channel, cause, reason) => this.#ended(channel, cause, reason),
      onSuspicion: (channel, isSuspected) => {
        this.#setUp(this.#peerOf.get(channel), !isSuspected, isSuspected ? "it is silent" : "it answers");
      },
      watch: (deadlineMs) => {
        if (deadlineMs < this.#deadlineMs) this.#setDeadline(deadlineMs);
        if (this.#pulseDelayMs > pulseMs) this.#planPulse(pulseMs);
      },
      defer: (handler, from, failure, tag) => this.#defer({ handler, from, failure, tag }),
    };
  }

  /**
   * Asks the node; the handler hears of the outcome once, later, with the tag. The request's id is not used. Values in
   * it must stay unchanged for good: large ones are sent as they are, at the end of the turn or later.
   */
  call(node: NodeId, request: Request, timeoutMs: number, handler: AnswerHandler, tag: number): void {
    const channel = this.#channelTo(node);
    const failure = channel === undefined ? "not-sent" : channel.call(request, timeoutMs, handler, tag);
    if (failure !== undefined) this.#defer({ handler, from: node, failure, tag });
  }

  /** The same as a promise, which never rejects. */
  ask(node: NodeId, request: Request, timeoutMs: number): Promise<Answer | FailedCall> {
    return this.#asks.ask((tag) => this.call(node, request, timeoutMs, this.#asks, tag));
  }

  /**
   * Asks whoever is at the address, as long as it belongs to this node's cluster or one of the two to none. Of a failure
   * the handler may hear in its own name: nobody may be there.
   */
  callAddress(address: Address, request: Request, timeoutMs: number, handler: AnswerHandler, tag: number): void {
    const channel = this.#channelAt(address);
    const failure = channel === undefined ? "not-sent" : channel.call(request, timeoutMs, handler, tag);
    if (failure !== undefined) this.#defer({ handler, from: this.#options.hello().node, failure, tag });
  }

  /** The same as a promise, which never rejects. */
  askAddress(address: Address, request: Request, timeoutMs: number): Promise<Answer | FailedCall> {
    return this.#asks.ask((tag) => this.callAddress(address, request, timeoutMs, this.#asks, tag));
  }

  /** The node has shown that it is alive: the next call dials it, whatever pause or suspicion it was under. */
  heard(node: NodeId): void {
    const peer = this.#nodes.get(node);
    if (peer === undefined || peer.isUp) return;
    const { channel } = peer;
    const isStale = channel !== undefined && this.#nowMs() - channel.startedMs > dialPatienceMs;
    if (isStale && channel.isSuspected) channel.close("done", "the node has come back");
    if (peer.channel === undefined) peer.forgive();
  }

  /** Has the node dialled if it is not connected and its pause is over; asks it nothing. */
  knock(node: NodeId): void {
    this.#channelTo(node);
  }

  /** The connection to the node stands, and has not been silent for long while something was wanted of it. */
  isUp(node: NodeId): boolean {
    return this.#nodes.get(node)?.isUp ?? false;
  }

  /** The last try to reach the node failed, or it has fallen silent; not so before the first try. */
  isDoubtful(node: NodeId): boolean {
    const peer = this.#nodes.get(node);
    if (peer === undefined || peer.isUp) return false;
    return peer.isDoubtful || peer.channel?.isSuspected === true;
  }

  /** Moving average of the time from asking the node to its answer, in ms; undefined before the first. */
  roundTripMs(node: NodeId): number | undefined {
    const peer = this.#nodes.get(node);
    return peer?.channel?.roundTripMs ?? peer?.roundTripMs;
  }

  /** Calls that wait for an answer, over all connections. */
  get pendingCalls(): number {
    let sum = 0;
    for (const channel of this.#peerOf.keys()) sum += channel.pendingCalls;
    return sum;
  }

  /** Closes every connection; what waits fails, and so does every later call. */
  stop(): void {
    this.#isStopped = true;
    for (const channel of [...this.#peerOf.keys()]) channel.close("done", "this node stops");
    this.#deadlineTimer?.cancel();
    this.#pulseTimer?.cancel();
  }

  #channelTo(node: NodeId): Channel | undefined {
    const address = this.#options.addressOf(node);
    if (address === undefined || this.#isStopped) return undefined;
    let peer = this.#nodes.get(node);
    if (peer === undefined) {
      peer = new Peer(this.#runtime, node, address);
      this.#nodes.set(node, peer);
    }
    if (peer.address !== address) peer.moved(address);
    return peer.channel ?? this.#dial(peer);
  }

  #channelAt(address: Address): Channel | undefined {
    if (this.#isStopped) return undefined;
    let peer = this.#addresses.get(address);
    if (peer === undefined) {
      if (this.#addresses.size >= mostRemembered) this.#forgetAddresses();
      peer = new Peer(this.#runtime, undefined, address);
      this.#addresses.set(address, peer);
    }
    if (peer.channel !== undefined && !sameHello(peer.channel.hello, this.#options.hello())) {
      peer.channel.close("done", "this node has become someone else");
      peer.forgive();
    }
    return peer.channel ?? this.#dial(peer);
  }

  #forgetAddresses(): void {
    for (const [address, peer] of this.#addresses) if (peer.channel === undefined) this.#addresses.delete(address);
  }

  #dial(peer: Peer): Channel | undefined {
    if (!peer.mayDial(this.#nowMs())) return undefined;
    const channel = new Channel({
      runtime: this.#runtime,
      limits: this.#options.limits,
      counters: this.counters,
      owner: this.#owner,
      address: peer.address,
      hello: this.#options.hello(),
      ...(peer.node !== undefined && { expected: peer.node }),
      isDoubtful: peer.node !== undefined && peer.isDoubtful,
      roundTripMs: peer.roundTripMs,
    });
    peer.channel = channel;
    this.#peerOf.set(channel, peer);
    if (this.#pulseTimer === undefined) {
      this.#lookedMs = this.#nowMs();
      this.#planPulse(slowPulseMs);
    }
    return channel;
  }

  #opened(channel: Channel, hello: Hello): void {
    const peer = this.#peerOf.get(channel);
    if (peer === undefined) return;
    this.#runtime.log.debug("connected", { peer: hello.name, node: hello.node, address: peer.address });
    this.#options.onHello?.(hello, peer.address);
    this.#setUp(peer, true, "it is connected");
  }

  #ended(channel: Channel, cause: CloseCause, reason: string): void {
    const peer = this.#peerOf.get(channel);
    this.#peerOf.delete(channel);
    if (peer === undefined || peer.channel !== channel) return;
    peer.ended(channel, cause, reason);
    this.#setUp(peer, false, reason, cause);
  }

  #setUp(peer: Peer | undefined, isUp: boolean, why: string, cause?: CloseCause): void {
    if (peer?.setUp(isUp, why, cause) === true && peer.node !== undefined) this.#options.onUpChange?.(peer.node, isUp);
  }

  #setDeadline(deadlineMs: number): void {
    this.#deadlineTimer?.cancel();
    this.#deadlineMs = deadlineMs;
    const delayMs = Math.max(deadlineGrainMs, deadlineMs - this.#runtime.clock.monotonicMs());
    this.#deadlineTimer = this.#runtime.clock.setTimer(delayMs, () => this.#expire());
  }

  /** A process that was stopped sees what is late before it reads what came: it looks again once it has read. */
  #expire(): void {
    const isLate = this.#nowMs() - this.#deadlineMs > pulseGrainMs;
    // While calls fail, their handlers may make new ones: those find no timer set and set their own.
    this.#deadlineMs = Number.POSITIVE_INFINITY;
    this.#deadlineTimer = undefined;
    if (isLate) this.#runtime.clock.endOfTurn(() => this.#failExpired());
    else this.#failExpired();
  }

  #failExpired(): void {
    const nowMs = this.#nowMs();
    for (const channel of [...this.#peerOf.keys()]) {
      const nextMs = channel.expire(nowMs);
      if (nextMs < this.#deadlineMs) this.#setDeadline(nextMs);
    }
  }

  /** Looks after every connection once what has arrived is read: what came in time must not be missed. */
  #planPulse(delayMs: number): void {
    this.#pulseTimer?.cancel();
    this.#pulseDelayMs = delayMs;
    this.#pulseTimer = this.#runtime.clock.setTimer(delayMs, () => {
      this.#runtime.clock.endOfTurn(() => this.#pulse());
    });
  }

  #pulse(): void {
    const nowMs = this.#nowMs();
    const awakeMs = Math.min(nowMs - this.#lookedMs, this.#pulseDelayMs + pulseGrainMs);
    this.#lookedMs = nowMs;
    let isBusy = false;
    for (const [channel, peer] of [...this.#peerOf]) {
      const isIdle = channel.pendingCalls === 0 && nowMs - channel.usedMs > keptIdleMs;
      if (isIdle && !this.#isWanted(peer)) channel.close("done", "nothing more to ask");
      else channel.look(nowMs, awakeMs);
      isBusy ||= channel.pendingCalls > 0 || channel.isSuspected;
    }
    if (!this.#isStopped && this.#peerOf.size > 0) return this.#planPulse(isBusy ? pulseMs : slowPulseMs);
    this.#pulseTimer?.cancel();
    this.#pulseTimer = undefined;
    this.#pulseDelayMs = Number.POSITIVE_INFINITY;
  }

  /** Whether the peer is a node that is where it was: then its connection is kept for what comes. */
  #isWanted(peer: Peer): boolean {
    return peer.node !== undefined && this.#options.addressOf(peer.node) === peer.address;
  }

  #nowMs(): number {
    return this.#runtime.clock.monotonicMs();
  }

  #defer(failure: DeferredFailure): void {
    this.#deferred.push(failure);
    if (this.#deferred.length === 1) this.#runtime.clock.endOfTurn(() => this.#failDeferred());
  }

  #failDeferred(): void {
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const { handler, from, failure, tag } of deferred) handler.onFailure(from, failure, tag);
  }
}
