/**
 * One connection that another process made to this one: from its hello to its end.
 *
 * Hot path.
 */

import type { Limits } from "../core/limits.ts";
import type { Connection, ConnectionHandler } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ClientFailed, FailureCode } from "../wire/client-message.ts";
import type { FrameError } from "../wire/frame.ts";
import type { Answer, Hello, Message, Request } from "../wire/message.ts";
import type { CloseCause, RpcCounters } from "./counters.ts";
import { isRequest } from "./direction.ts";
import { frameBytesOf, handshakeMs, mayAsk, mostOfAClient, reasonToPart } from "./handshake.ts";
import type { Requester } from "./server.ts";
import { Stream, type StreamOwner } from "./stream.ts";

/** A dialler pings when idle; one that says nothing for so long is gone, in ms. */
const silentMs = 15_000;
/** A peer may leave its answers lying for so long, in ms. */
const stalledMs = 30_000;

export interface AcceptedOptions {
  readonly runtime: Runtime;
  readonly limits: Limits;
  readonly counters: RpcCounters;
  readonly connection: Connection;
  /** What to say to the other side. */
  readonly hello: Hello;
  readonly serve: (request: Request, from: Requester) => void;
  readonly onHello: ((hello: Hello) => void) | undefined;
  /** Why there is no room for one who introduces itself so; undefined where there is. */
  readonly lacksRoom: (hello: Hello) => string | undefined;
  readonly onEnd: (accepted: Accepted) => void;
}

export class Accepted implements ConnectionHandler, StreamOwner, Requester {
  readonly #options: AcceptedOptions;
  readonly #stream: Stream;
  readonly #startedMs: number;
  readonly #mostQueuedBytes: number;
  #theirs: Hello | undefined;
  /** Set once the sides do not fit: the other one has been told who this is and may close; else the next pulse does. */
  #parting: { readonly cause: CloseCause; readonly reason: string } | undefined;
  #pausedMs: number | undefined;
  /** Requests that are not answered yet. */
  #underWay = 0;

  constructor(options: AcceptedOptions) {
    this.#options = options;
    this.#startedMs = options.runtime.clock.monotonicMs();
    this.#mostQueuedBytes = options.limits.connectionQueueBytes;
    this.#stream = new Stream(options.runtime, options.limits, options.counters, this);
    this.#stream.attach(options.connection);
  }

  /** Whether it is a client, and not one that is being sent away. */
  get isClient(): boolean {
    return this.#theirs?.role === "client" && this.#parting === undefined;
  }

  /** Who asks. Requests come only after it. */
  get hello(): Hello {
    if (this.#theirs === undefined) throw new Error("a connection's hello asked for before it came");
    return this.#theirs;
  }

  get lagMs(): number {
    return this.#stream.lagMs;
  }

  reply(answer: Answer, id: number): void {
    this.#underWay--;
    if (this.#stream.isClosed) {
      this.#options.counters.late++;
      return;
    }
    if (!this.#stream.send(answer, id)) this.#replyTooLong(answer, id);
    const queuedBytes = this.#stream.queuedBytes;
    if (queuedBytes <= this.#mostQueuedBytes) return;
    // What was asked before reading stopped may still be answered, up to the longest answer there is.
    if (queuedBytes > this.#mostQueuedBytes + this.#options.limits.frameBytes) {
      this.close("slow", `${queuedBytes} bytes of answers wait; the limit is ${this.#mostQueuedBytes}`);
    } else if (this.#pausedMs === undefined) {
      this.#pausedMs = this.#options.runtime.clock.monotonicMs();
      this.#stream.pauseReading();
    }
  }

  /** Looks after the connection, about once a second. */
  pulse(nowMs: number): void {
    if (this.#parting !== undefined) this.close(this.#parting.cause, this.#parting.reason);
    else if (this.#theirs === undefined) {
      if (nowMs - this.#startedMs > handshakeMs) this.close("silent", "it has not said who it is");
    } else if (this.#pausedMs !== undefined) {
      if (nowMs - this.#pausedMs > stalledMs) this.close("slow", "it does not take its answers");
    } else if (nowMs - this.#stream.heardMs > silentMs) this.close("silent", `nothing came for ${silentMs} ms`);
  }

  close(cause: CloseCause, reason: string): void {
    if (!this.#stream.close(cause, reason)) return;
    this.#options.onEnd(this);
    const fields = { peer: this.#theirs?.name, remote: this.#stream.remote, cause, reason };
    if (cause === "gone" || cause === "done") this.#options.runtime.log.debug("connection from a peer is gone", fields);
    else this.#options.runtime.log.warn("connection from a peer closed", fields);
  }

  /** Closes it after what has been answered. */
  finish(): void {
    this.#stream.flush();
    this.close("done", "this node stops");
  }

  onOpen(): void {}

  onBytes(bytes: Uint8Array): void {
    if (this.#parting === undefined) this.#stream.take(bytes);
  }

  onDrain(): void {
    this.#stream.drained();
  }

  onRoom(): void {
    if (this.#pausedMs === undefined || this.#stream.queuedBytes > this.#mostQueuedBytes) return;
    this.#pausedMs = undefined;
    this.#stream.resumeReading();
  }

  onClose(reason: string): void {
    this.close("gone", reason);
  }

  onNonsense(error: FrameError): void {
    // The other side may be of another version: it is told what this one speaks, so that it can say so, too.
    if (error.code === "bad-version") {
      this.#stream.greet(this.#options.hello);
      this.#parting = { cause: error.code, reason: error.message };
    } else this.#reject(error.code, error.message);
  }

  /** A client is told why, with the id of no request, and may close first; for the others the logs say it. */
  #reject(cause: CloseCause, reason: string): void {
    if (this.#theirs?.role !== "client") return this.close(cause, reason);
    this.#parting = { cause, reason };
    this.#stream.send(clientFailure("bad-request", `the connection closes: ${reason}`), 0);
  }

  onMessage(message: Message): void {
    if (this.#theirs === undefined) this.#meet(message);
    else if (this.#parting !== undefined) return;
    else if (!isRequest(message)) this.#reject("unexpected", `it sent a ${message.kind} where a request belongs`);
    else if (!mayAsk(this.#theirs, message))
      this.#reject("unexpected", `a ${this.#theirs.role} sent a ${message.kind}`);
    else {
      this.#underWay++;
      if (this.#underWay > mostOfAClient && this.#theirs.role === "client") this.#refuseMore(message);
      else this.#options.serve(message, this);
    }
  }

  #refuseMore({ id }: Request): void {
    const detail = `${mostOfAClient} requests of this client are under way, the limit`;
    this.reply(clientFailure("overloaded", detail), id);
  }

  #meet(message: Message): void {
    if (message.kind !== "hello") {
      this.close("unexpected", `it sent a ${message.kind} before its hello`);
      return;
    }
    this.#theirs = message;
    this.#stream.greet(this.#options.hello);
    const reason = reasonToPart(this.#options.hello, message);
    const crowd = reason === undefined ? this.#options.lacksRoom(message) : undefined;
    if (crowd !== undefined) this.#reject("too-many", crowd);
    else if (reason !== undefined) this.#parting = { cause: "wrong-peer", reason };
    else {
      this.#stream.welcome(frameBytesOf(message, this.#options.limits));
      this.#options.onHello?.(message);
    }
  }

  #replyTooLong(answer: Answer, id: number): void {
    const { limits, runtime } = this.#options;
    runtime.log.error("an answer is too long for a frame", { answer: answer.kind, limit: limits.frameBytes });
    const detail = `the answer is longer than a frame, whose limit is ${limits.frameBytes} bytes`;
    if (this.#theirs?.role === "client") return void this.#stream.send(clientFailure("internal", detail), id);
    this.#stream.send(
      { kind: "refusal", id, ringVersion: 0, code: "value-too-large", detail, mayHaveHappened: true },
      id,
    );
  }
}

function clientFailure(code: FailureCode, detail: string): ClientFailed {
  const more = { isStray: false, needed: undefined, received: undefined, isUnknown: false };
  return { kind: "client-failed", id: 0, code, detail, ...more };
}
