/**
 * Asks other nodes: one outgoing connection to each, made when it is needed, and every call that waits on them.
 *
 * A call is a slot, a handler and a tag (`call.ts`), not a promise: a coordinator makes one for each replica of each
 * request. Deadlines have one timer in all, set for the earliest; since a call nearly always ends long before, the
 * timer fires rarely. A node that cannot be reached is tried again after a pause that doubles, and calls to it fail
 * at once meanwhile, so that a dead node costs its callers nothing.
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

/** The pause after a first failed connection, in ms; it doubles with each further one. */
const firstPauseMs = 50;
const longestPauseMs = 1000;
/** How often connections are looked after, in ms. */
const pulseMs = 1000;
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
  /** The connection to a node came to stand, or is no more. */
  readonly onConnectionChange?: (node: NodeId, isConnected: boolean) => void;
}

/** What is known of one node, or of one address, beyond a connection's life. */
interface Peer {
  readonly node: NodeId | undefined;
  address: Address;
  channel: Channel | undefined;
  roundTripMs: number | undefined;
  /** Connections that failed in a row. */
  failures: number;
  notBeforeMs: number;
  /** The last reason logged, so that a node that stays away is logged once. */
  lastReason: string;
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
  #isStopped = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    this.#owner = {
      onOpen: (channel, hello) => this.#opened(channel, hello),
      onEnd: (channel, cause, reason) => this.#ended(channel, cause, reason),
      watch: (deadlineMs) => {
        if (deadlineMs < this.#deadlineMs) this.#setDeadline(deadlineMs);
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

  /** Asks whoever is at the address, as long as it belongs to this node's cluster or one of the two to none. */
  askAddress(address: Address, request: Request, timeoutMs: number): Promise<Answer | FailedCall> {
    return this.#asks.ask((tag) => {
      const channel = this.#channelAt(address);
      const failure = channel === undefined ? "not-sent" : channel.call(request, timeoutMs, this.#asks, tag);
      if (failure !== undefined) this.#defer({ handler: this.#asks, from: this.#options.hello().node, failure, tag });
    });
  }

  /** The node has shown that it is alive: the next call dials it, whatever pause it was in. */
  heard(node: NodeId): void {
    const peer = this.#nodes.get(node);
    if (peer === undefined || peer.channel !== undefined) return;
    peer.failures = 0;
    peer.notBeforeMs = 0;
  }

  isConnected(node: NodeId): boolean {
    return this.#nodes.get(node)?.channel?.isOpen ?? false;
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
      peer = newPeer(node, address);
      this.#nodes.set(node, peer);
    }
    if (peer.address !== address) {
      peer.channel?.close("done", `the node has moved to ${address}`);
      peer.address = address;
      peer.failures = 0;
      peer.notBeforeMs = 0;
    }
    return peer.channel ?? this.#dial(peer);
  }

  #channelAt(address: Address): Channel | undefined {
    if (this.#isStopped) return undefined;
    let peer = this.#addresses.get(address);
    if (peer === undefined) {
      if (this.#addresses.size >= mostRemembered) this.#forgetAddresses();
      peer = newPeer(undefined, address);
      this.#addresses.set(address, peer);
    }
    if (peer.channel !== undefined && !sameHello(peer.channel.hello, this.#options.hello())) {
      peer.channel.close("done", "this node has become someone else");
      peer.failures = 0;
      peer.notBeforeMs = 0;
    }
    return peer.channel ?? this.#dial(peer);
  }

  #forgetAddresses(): void {
    for (const [address, peer] of this.#addresses) if (peer.channel === undefined) this.#addresses.delete(address);
  }

  #dial(peer: Peer): Channel | undefined {
    if (this.#runtime.clock.monotonicMs() < peer.notBeforeMs) return undefined;
    const channel = new Channel({
      runtime: this.#runtime,
      limits: this.#options.limits,
      counters: this.counters,
      owner: this.#owner,
      address: peer.address,
      hello: this.#options.hello(),
      ...(peer.node !== undefined && { expected: peer.node }),
      roundTripMs: peer.roundTripMs,
    });
    peer.channel = channel;
    this.#peerOf.set(channel, peer);
    this.#pulseTimer ??= this.#runtime.clock.setTimer(pulseMs, () => this.#pulse());
    return channel;
  }

  #opened(channel: Channel, hello: Hello): void {
    const peer = this.#peerOf.get(channel);
    if (peer === undefined) return;
    peer.lastReason = "";
    this.#runtime.log.debug("connected", { peer: hello.name, node: hello.node, address: peer.address });
    this.#options.onHello?.(hello, peer.address);
    if (peer.node !== undefined) this.#options.onConnectionChange?.(peer.node, true);
  }

  #ended(channel: Channel, cause: CloseCause, reason: string): void {
    const peer = this.#peerOf.get(channel);
    this.#peerOf.delete(channel);
    if (peer === undefined || peer.channel !== channel) return;
    const nowMs = this.#runtime.clock.monotonicMs();
    peer.channel = undefined;
    peer.roundTripMs = channel.roundTripMs;
    // A connection that lasted starts the count anew; one that fell over at once is no better than none.
    peer.failures = channel.wasOpenMs(nowMs) >= longestPauseMs ? 0 : peer.failures + 1;
    peer.notBeforeMs = cause === "done" ? 0 : nowMs + this.#pauseMs(peer.failures);
    if (cause !== "done" && peer.lastReason !== reason) {
      peer.lastReason = reason;
      const fields = { node: peer.node, address: peer.address, cause, reason };
      if (cause === "gone") this.#runtime.log.info("no connection to a peer", fields);
      else this.#runtime.log.warn("connection to a peer closed", fields);
    }
    if (peer.node !== undefined && channel.wasOpen) this.#options.onConnectionChange?.(peer.node, false);
  }

  /** Doubles with each failure; the random half keeps nodes from returning in step. None after a good connection. */
  #pauseMs(failures: number): number {
    if (failures === 0) return 0;
    const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 10));
    return longest / 2 + this.#runtime.random.below(Math.ceil(longest / 2) + 1);
  }

  #setDeadline(deadlineMs: number): void {
    this.#deadlineTimer?.cancel();
    this.#deadlineMs = deadlineMs;
    const delayMs = Math.max(deadlineGrainMs, deadlineMs - this.#runtime.clock.monotonicMs());
    this.#deadlineTimer = this.#runtime.clock.setTimer(delayMs, () => this.#expire());
  }

  #expire(): void {
    // While calls fail, their handlers may make new ones: those find no timer set and set their own.
    this.#deadlineMs = Number.POSITIVE_INFINITY;
    this.#deadlineTimer = undefined;
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const channel of [...this.#peerOf.keys()]) {
      const nextMs = channel.expire(nowMs);
      if (nextMs < this.#deadlineMs) this.#setDeadline(nextMs);
    }
  }

  #pulse(): void {
    this.#pulseTimer = undefined;
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const [channel, peer] of [...this.#peerOf]) {
      const isIdle = channel.pendingCalls === 0 && nowMs - channel.usedMs > keptIdleMs;
      if (isIdle && !this.#isWanted(peer)) channel.close("done", "nothing more to ask");
      else channel.pulse(nowMs);
    }
    if (this.#isStopped || this.#peerOf.size === 0) return;
    this.#pulseTimer ??= this.#runtime.clock.setTimer(pulseMs, () => this.#pulse());
  }

  /** Whether the peer is a node that is where it was: then its connection is kept for what comes. */
  #isWanted(peer: Peer): boolean {
    return peer.node !== undefined && this.#options.addressOf(peer.node) === peer.address;
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

function newPeer(node: NodeId | undefined, address: Address): Peer {
  return { node, address, channel: undefined, roundTripMs: undefined, failures: 0, notBeforeMs: 0, lastReason: "" };
}
