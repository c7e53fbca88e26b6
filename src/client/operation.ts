/**
 * One request, from its first coordinator to what its caller is told.
 *
 * A read may be asked again at will, and a second node is asked when the first is slow (a hedge). A write is asked again
 * only while it has certainly not happened: it never left, or was refused before it began. Once a coordinator may have
 * had it, nobody but that coordinator can say what became of it, and the caller is told that: `outcome: "unknown"`. A
 * caller may ask for retries then, too; each carries the same write id, so that readers see one of them.
 *
 * Invariant: the caller is told once; `unknown` is said if, and only if, some attempt's fate is not known.
 *
 * Hot path.
 */

import type { NodeId } from "../core/ids.ts";
import type { AnswerHandler, CallFailure } from "../rpc/call.ts";
import type { ClientFailed, ClientFound, ClientGet, ClientWrite, ClientWritten } from "../wire/client-message.ts";
import type { Answer } from "../wire/message.ts";
import { CartwheelError, type ErrorCode, type ErrorFields } from "./cartwheel-error.ts";
import type { InFlight, Waiter } from "./in-flight.ts";
import type { OperationParts } from "./operation-parts.ts";
import type { Target } from "./router.ts";
import type { Abortable } from "./signals.ts";
import type { WheelEntry } from "./wheel.ts";

/** How much longer than the request's own time its coordinator's word of that may take to arrive, in ms. */
const graceMs = 50;
/** Where everybody has refused, and one of them for a passing reason, all are asked again after so long, in ms. */
const firstPauseMs = 20;
const longestPauseMs = 200;

export interface OperationOptions {
  readonly parts: OperationParts;
  readonly request: ClientGet | ClientWrite;
  readonly endsMs: number;
  readonly signal: AbortSignal | undefined;
  /** A write whose fate is unknown is sent again. */
  readonly retriesUnknown: boolean;
  readonly resolve: (answer: ClientFound | ClientWritten) => void;
  readonly reject: (error: CartwheelError) => void;
}

export class Operation implements AnswerHandler, WheelEntry, Waiter, Abortable {
  /** Only its coordinator can say what became of a write that was sent. */
  readonly isPatient: false | "once-sent";
  readonly bytes: number;
  dueMs: number = Number.POSITIVE_INFINITY;
  readonly #options: OperationOptions;
  readonly #parts: OperationParts;
  readonly #isRead: boolean;
  #state: "waiting" | "running" | "pausing" | "over" = "waiting";
  /** Calls that nothing has been heard of. */
  #pending = 0;
  /** Whom the first call went to. */
  #first: NodeId | undefined;
  /** Who is left to be asked in this round; undefined before the first failure. */
  #candidates: Target[] | undefined;
  #pauseMs = firstPauseMs;
  /** Some attempt of a write may have happened. */
  #isUnknown = false;
  /** What the last attempt came to. */
  #failure: ErrorFields | undefined;
  /** The last failure may pass. */
  #isPassing = false;
  #hedgeAtMs: number = Number.POSITIVE_INFINITY;

  constructor(options: OperationOptions) {
    this.#options = options;
    this.#parts = options.parts;
    const { request } = options;
    this.#isRead = request.kind === "client-get";
    this.bytes = request.kind === "client-get" ? 0 : (request.version?.value.length ?? 0);
    this.isPatient = this.#isRead ? false : "once-sent";
  }

  /** Begins, now or once there is room. */
  enter(inFlight: InFlight): void {
    const { signal, endsMs } = this.#options;
    if (signal !== undefined) {
      if (signal.aborted) return this.abort();
      this.#parts.signals.add(signal, this);
    }
    const entered = inFlight.enter(this);
    if (entered === "started") return;
    if (entered === "full") {
      return this.#fail({ code: "overloaded", message: this.#say(`${inFlight.waiting} requests wait already`) });
    }
    this.dueMs = endsMs;
    this.#parts.wheel.add(this);
  }

  /** There is room. */
  start(): void {
    if (this.#state === "over") return this.#parts.inFlight.leave(this);
    this.#state = "running";
    const { parts, request, endsMs } = this.#options;
    const nowMs = parts.clock.monotonicMs();
    if (nowMs >= endsMs) return this.#fail(this.#timedOut("it waited for others of this client"));
    if (parts.isClosed()) return this.#fail({ code: "closed", message: this.#say("the client is closed") });
    if (this.#isRead) this.#planHedge(nowMs);
    const first = parts.router.first(request.bucket, request.key);
    if (first === undefined) return this.#tryNext();
    this.#first = first;
    this.#ask({ kind: "node", node: first }, nowMs);
  }

  onDue(nowMs: number): void {
    const { endsMs } = this.#options;
    if (this.#state === "waiting") {
      // It stays in the queue, and leaves it at its turn.
      if (nowMs >= endsMs) this.#fail(this.#timedOut("it waited for others of this client"));
    } else if (this.#state === "pausing") {
      if (nowMs >= this.dueMs) this.#begin();
    } else if (this.#state === "running" && nowMs >= this.#hedgeAtMs) this.#hedge(nowMs);
  }

  /** The caller's signal has fired. */
  abort(): void {
    const { signal } = this.#options;
    const isUnknown = !this.#isRead && (this.#isUnknown || this.#pending > 0);
    this.#isUnknown = isUnknown;
    this.#fail({ code: "aborted", message: this.#say("its caller gave it up"), cause: signal?.reason });
  }

  onAnswer(from: NodeId, answer: Answer): void {
    this.#pending--;
    if (this.#state === "over") return;
    switch (answer.kind) {
      case "client-found":
      case "client-written":
        return this.#hear(from, answer);
      case "client-failed":
        if (answer.isStray) this.#stray(from);
        return this.#hearFailure(answer);
      default:
        this.#isUnknown ||= !this.#isRead;
        return this.#next({ code: "internal", message: this.#say(`a node answered with ${answer.kind}`) }, false);
    }
  }

  onFailure(from: NodeId, failure: CallFailure): void {
    this.#pending--;
    if (this.#state === "over") return;
    const name = this.#parts.nameOf(from);
    switch (failure) {
      case "not-sent":
        this.#parts.onTrouble();
        return this.#next({ code: "unreachable", message: this.#say(`${name} cannot be reached`) }, true);
      case "overloaded":
        return this.#next({ code: "overloaded", message: this.#say(`too much waits to leave for ${name}`) }, true);
      case "lost":
        this.#parts.onTrouble();
        return this.#lost("lost", `the connection to ${name} was lost`);
      case "timed-out":
        return this.#lost("timeout", `${name} did not answer in time`);
    }
  }

  #hear(from: NodeId, answer: ClientFound | ClientWritten): void {
    if (answer.isStray) this.#stray(from);
    if (answer.kind === "client-found" && !this.#isWhole(answer)) {
      return this.#next({ code: "corrupt", message: this.#say("a value does not match its checksum") }, false);
    }
    this.#end();
    this.#options.resolve(answer);
  }

  #isWhole({ versions }: ClientFound): boolean {
    const { checksum } = this.#parts;
    for (const version of versions) if (checksum(version.value) !== version.checksum) return false;
    return true;
  }

  #hearFailure(answer: ClientFailed): void {
    const { code, needed, received } = answer;
    const fields = { code, message: this.#say(answer.detail), needed, received };
    if (answer.isUnknown) this.#isUnknown = true;
    const isPassing = code === "not-ready" || code === "overloaded";
    const mayTryAgain = answer.isUnknown
      ? this.#options.retriesUnknown
      : isPassing || (this.#isRead && (code === "internal" || code === "storage-failed"));
    if (mayTryAgain) this.#next(fields, isPassing);
    else this.#settle(fields);
  }

  /** A coordinator had the request and will not answer it. */
  #lost(code: ErrorCode, why: string): void {
    const fields = { code, message: this.#say(why) };
    if (this.#isRead) return this.#next(fields, true);
    this.#isUnknown = true;
    if (this.#options.retriesUnknown) this.#next(fields, true);
    else this.#settle(fields);
  }

  #next(fields: ErrorFields, isPassing: boolean): void {
    this.#failure = fields;
    this.#isPassing ||= isPassing;
    // A hedge is on its way, or what it was for.
    if (this.#pending === 0) this.#tryNext();
  }

  #settle(fields: ErrorFields): void {
    this.#failure = fields;
    if (this.#pending === 0) this.#fail(fields);
  }

  #begin(): void {
    this.#state = "running";
    this.#isPassing = false;
    this.#candidates = undefined;
    this.#first = undefined;
    this.#tryNext();
  }

  #tryNext(): void {
    const { clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    const failure = this.#failure ?? { code: "unreachable", message: this.#say("no node of the cluster is known") };
    if (nowMs >= this.#options.endsMs) return this.#fail(failure);
    const next = this.#nextTarget();
    if (next !== undefined) return this.#ask(next, nowMs);
    if (this.#failure !== undefined && !this.#isPassing) return this.#fail(failure);
    const pauseMs = this.#pauseMs / 2 + this.#parts.random.below(this.#pauseMs / 2 + 1);
    if (nowMs + pauseMs >= this.#options.endsMs) return this.#fail(failure);
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
    this.#state = "pausing";
    this.dueMs = nowMs + pauseMs;
    this.#parts.wheel.add(this);
  }

  #nextTarget(): Target | undefined {
    const { bucket, key } = this.#options.request;
    const first = this.#first;
    this.#candidates ??= this.#parts.router
      .all(bucket, key)
      .filter((target) => target.kind === "address" || target.node !== first);
    return this.#candidates.shift();
  }

  #ask(target: Target, nowMs: number): void {
    const { request, endsMs } = this.#options;
    const { peers } = this.#parts;
    const leftMs = endsMs - nowMs;
    const message = leftMs >= request.budgetMs ? request : { ...request, budgetMs: leftMs };
    this.#pending++;
    if (target.kind === "address") peers.callAddress(target.address, message, leftMs + graceMs, this, 0);
    else peers.call(target.node, message, leftMs + graceMs, this, 0);
  }

  #planHedge(nowMs: number): void {
    const hedgeAfterMs = this.#parts.hedging.afterMs;
    if (hedgeAfterMs === undefined) return;
    this.#parts.hedging.earn();
    this.#hedgeAtMs = nowMs + hedgeAfterMs;
    if (this.#hedgeAtMs >= this.#options.endsMs) return;
    this.dueMs = this.#hedgeAtMs;
    this.#parts.wheel.add(this);
  }

  /** Asks a second node, once, while the first is still asked. */
  #hedge(nowMs: number): void {
    this.#hedgeAtMs = Number.POSITIVE_INFINITY;
    if (this.#pending !== 1 || this.#candidates !== undefined || nowMs >= this.#options.endsMs) return;
    if (!this.#parts.hedging.spend()) return;
    const next = this.#nextTarget();
    if (next?.kind === "node") this.#ask(next, nowMs);
  }

  #stray(from: NodeId): void {
    const { bucket, key } = this.#options.request;
    this.#parts.router.wasStray(bucket, key, from);
    this.#parts.onTrouble();
  }

  #fail(fields: ErrorFields): void {
    if (this.#state === "over") return;
    const isUnknown = this.#isUnknown;
    this.#end();
    this.#options.reject(new CartwheelError({ ...fields, isUnknown }));
  }

  /** Its slot is free; if it waits for one, it gives it up at its turn. */
  #end(): void {
    const { signal } = this.#options;
    if (signal !== undefined) this.#parts.signals.remove(signal, this);
    const had = this.#state;
    this.#state = "over";
    if (had !== "waiting") this.#parts.inFlight.leave(this);
  }

  #timedOut(why: string): ErrorFields {
    return { code: "timeout", message: this.#say(why) };
  }

  #say(why: string): string {
    const { kind, bucket, key } = this.#options.request;
    const act = kind === "client-get" ? "get" : this.#isDelete() ? "delete" : "put";
    return `${act} of "${key}" in bucket "${bucket}": ${why}`;
  }

  #isDelete(): boolean {
    const { request } = this.#options;
    return request.kind === "client-write" && request.version === undefined;
  }
}
