/**
 * The store over its own protocol (§6.4, client-driven coordination): one connection to each node, requests pipelined,
 * those of a turn in one write, each to a node that can coordinate it.
 *
 * It stands on the same calls as the nodes do (`rpc/peers.ts`), and like them touches the world through the ports it is
 * given alone.
 */

import type { NodeId } from "../core/ids.ts";
import { parseNodeId } from "../core/ids.ts";
import { defaultLimits } from "../core/limits.ts";
import {
  flawOfBucketName,
  flawOfContentType,
  flawOfKey,
  flawOfQuorum,
  flawOfTimeout,
  flawOfValue,
  flawOfWriteId,
  flawOfZones,
} from "../core/request-flaws.ts";
import { Peers } from "../rpc/peers.ts";
import type { Address } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ClientFound, ClientGet, ClientWrite, ClientWritten } from "../wire/client-message.ts";
import { tokenBytes } from "../wire/context-token.ts";
import type { Hello } from "../wire/message.ts";
import { CartwheelError, type ErrorCode } from "./cartwheel-error.ts";
import { Context } from "./context.ts";
import { Hedging } from "./hedging.ts";
import { InFlight } from "./in-flight.ts";
import { Operation } from "./operation.ts";
import type { OperationParts } from "./operation-parts.ts";
import type { GetOptions, WriteOptions } from "./options.ts";
import { RingWatch } from "./ring-watch.ts";
import { Router } from "./router.ts";
import { Signals } from "./signals.ts";
import type { NewVersion, Place, StoredVersions, Transport, Written } from "./transport.ts";
import { Wheel } from "./wheel.ts";

const defaultInFlight = 1024;
/** Well below what a node takes of one client (`rpc/handshake.ts`): what was given up may be under way there still. */
const mostInFlight = 2048;
/** Half of what may wait to leave on one connection: what is asked is never refused for that. */
const mostInFlightBytes: number = defaultLimits.connectionQueueBytes / 2;
/** Of one call for many keys: enough to fill frames, and others get their turn. */
const mostManyAtOnce = 256;
const defaultWaiting = 10_000;
const defaultHedgeMs = 50;
const tickMs = 10;

export interface ClientOptions {
  /** For the nodes' logs. */
  readonly name?: string | undefined;
  /** How long connecting may take, in ms; 5000 where absent. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a request may take that says nothing of it, in ms; 2000 where absent. */
  readonly timeoutMs?: number | undefined;
  /** Requests under way at a time, 1024 where absent, 2048 at most; more of them wait. */
  readonly inFlight?: number | undefined;
  /** Requests that wait at a time, 10,000 where absent; further ones are refused as `overloaded`. */
  readonly waiting?: number | undefined;
  /**
   * A read that has no answer after so long, in ms, is asked of another node besides; 50 where absent, never where false.
   * At most a tenth of reads are.
   */
  readonly hedgeAfterMs?: number | false | undefined;
}

/** What no user's client says: for measurements. */
export interface TransportOptions extends ClientOptions {
  /** Asks any member first and not an owner, which leaves coordination to the servers (§6.4). */
  readonly asksAnybody?: boolean | undefined;
}

export class NativeTransport implements Transport {
  readonly manyAtOnce: number;
  readonly #runtime: Runtime;
  readonly #timeoutMs: number;
  readonly #peers: Peers;
  readonly #router: Router;
  readonly #watch: RingWatch;
  readonly #inFlight: InFlight;
  readonly #wheel: Wheel;
  readonly #parts: OperationParts;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  constructor(runtime: Runtime, seeds: readonly Address[], options: TransportOptions = {}) {
    const { clock, random, checksum } = runtime;
    const { name = "client", timeoutMs = defaultLimits.requestTimeoutMs, hedgeAfterMs = defaultHedgeMs } = options;
    const { inFlight = defaultInFlight, waiting = defaultWaiting } = options;
    this.#runtime = runtime;
    this.#timeoutMs = timeoutMs;
    const node = drawNodeId(runtime);
    const hello = (): Hello => {
      const cluster = this.#router.map?.ring.cluster ?? "";
      return { kind: "hello", id: 0, role: "client", cluster, node, incarnation: "", name };
    };
    const addressOf = (of: NodeId): Address | undefined => this.#router.addressOf(of);
    this.#peers = new Peers({ runtime, limits: defaultLimits, hello, addressOf });
    this.#router = new Router({ peers: this.#peers, random, seeds, asksAnybody: options.asksAnybody });
    this.#watch = new RingWatch({ runtime, peers: this.#peers, router: this.#router, seeds });
    const requests = Math.max(1, Math.min(inFlight, mostInFlight));
    this.#inFlight = new InFlight({ requests, bytes: mostInFlightBytes, waiting });
    this.manyAtOnce = Math.max(1, Math.min(inFlight, mostManyAtOnce));
    this.#wheel = new Wheel(clock, tickMs);
    this.#parts = {
      clock,
      random,
      checksum,
      peers: this.#peers,
      router: this.#router,
      inFlight: this.#inFlight,
      wheel: this.#wheel,
      hedging: new Hedging(hedgeAfterMs === false ? undefined : hedgeAfterMs),
      signals: new Signals(),
      isClosed: () => this.#isClosed,
      nameOf: (of) => this.#router.map?.members.get(of)?.name ?? "the node there",
      onTrouble: () => this.#watch.hurry(),
    };
  }

  /** Resolves once the ring is known. Rejects with `CartwheelError`, `unreachable`, and is closed then. */
  async open(connectTimeoutMs = 5000): Promise<void> {
    const trouble = await this.#watch.learn(this.#runtime.clock.monotonicMs() + connectTimeoutMs);
    if (trouble === undefined) return;
    await this.close();
    throw new CartwheelError({ code: "unreachable", message: `no node tells the ring: ${trouble}` });
  }

  get<R>(place: Place, options: GetOptions, finish: (found: StoredVersions) => R | PromiseLike<R>): Promise<R> {
    const { r, pr, zones, timeoutMs = this.#timeoutMs, signal } = options;
    const flaw = flawOf(place, timeoutMs, zones) ?? flawOfQuorum("r", r, 1) ?? flawOfQuorum("pr", pr, 0);
    if (flaw !== undefined) return refuse("bad-request", flaw);
    const { bucket, key } = place;
    const request: ClientGet = { kind: "client-get", id: 0, bucket, key, budgetMs: timeoutMs, r, pr, zones };
    return new Promise((resolve, reject) => {
      const heard = (answer: ClientFound | ClientWritten): void => {
        try {
          if (answer.kind !== "client-found") throw new CartwheelError(mismatch(answer.kind));
          resolve(finish(found(answer)));
        } catch (error) {
          reject(error);
        }
      };
      this.#run(request, timeoutMs, signal, false, heard, reject);
    });
  }

  write(place: Place, version: NewVersion | undefined, options: WriteOptions): Promise<Written> {
    const { w, pw, dw, zones, timeoutMs = this.#timeoutMs, signal, ifUnknown } = options;
    const flaw = flawOf(place, timeoutMs, zones) ?? flawOfWrite(options, version);
    if (flaw !== undefined) return refuse("bad-request", flaw);
    const { bucket, key } = place;
    const valueBytes = this.#router.map?.ring.valueBytes ?? defaultLimits.valueBytes;
    const tooLarge = version === undefined ? undefined : flawOfValue(key, version.value.length, valueBytes);
    if (tooLarge !== undefined) return refuse("value-too-large", tooLarge);
    const context = options.context === undefined ? undefined : bytesOf(options.context);
    if (context === null) return refuse("bad-context", "the context is not a context token");
    const retriesUnknown = ifUnknown === "retry";
    const writeId = options.writeId ?? (retriesUnknown ? this.#drawWriteId() : undefined);
    const request: ClientWrite = {
      kind: "client-write",
      id: 0,
      bucket,
      key,
      budgetMs: timeoutMs,
      w,
      pw,
      dw,
      zones,
      context,
      onlyIfAbsent: version?.onlyIfAbsent === true,
      writeId,
      version: version === undefined ? undefined : this.#carried(version),
    };
    return new Promise((resolve, reject) => {
      const heard = (answer: ClientFound | ClientWritten): void => {
        if (answer.kind !== "client-written") return reject(new CartwheelError(mismatch(answer.kind)));
        resolve({ context: Context.ofBytes(answer.context.slice()), siblings: answer.siblings });
      };
      this.#run(request, timeoutMs, signal, retriesUnknown, heard, reject);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#inFlight.idle(), this.#watch.stop()]);
    this.#peers.stop();
    this.#wheel.stop();
  }

  #run(
    request: ClientGet | ClientWrite,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    retriesUnknown: boolean,
    resolve: (answer: ClientFound | ClientWritten) => void,
    reject: (error: CartwheelError) => void,
  ): void {
    const endsMs = this.#runtime.clock.monotonicMs() + timeoutMs;
    const options = { parts: this.#parts, request, endsMs, signal, retriesUnknown, resolve, reject };
    new Operation(options).enter(this.#inFlight);
  }

  #carried({ value, contentType }: NewVersion): NonNullable<ClientWrite["version"]> {
    return { value, contentType, checksum: this.#runtime.checksum(value) };
  }

  #drawWriteId(): string {
    return Context.ofBytes(this.#runtime.random.bytes(12)).toString();
  }
}

/** What can be seen to be wrong before anything is sent: what no codec could write would cost the connection. */
function flawOf({ bucket, key }: Place, timeoutMs: number, zones: number | undefined): string | undefined {
  return (
    flawOfBucketName(bucket) ??
    flawOfKey(key) ??
    flawOfTimeout(timeoutMs, defaultLimits.longestTimeoutMs) ??
    flawOfZones(zones)
  );
}

function flawOfWrite({ w, pw, dw, writeId }: WriteOptions, version: NewVersion | undefined): string | undefined {
  return (
    flawOfQuorum("w", w, 1) ??
    flawOfQuorum("pw", pw, 0) ??
    flawOfQuorum("dw", dw, 0) ??
    flawOfWriteId(writeId) ??
    (version === undefined ? undefined : flawOfContentType(version.contentType))
  );
}

function refuse(code: ErrorCode, message: string): Promise<never> {
  return Promise.reject(new CartwheelError({ code, message }));
}

function mismatch(kind: string): { readonly code: "internal"; readonly message: string } {
  return { code: "internal", message: `a node answered with ${kind}` };
}

function found({ context, versions }: ClientFound): StoredVersions {
  // The bytes are a view of all that arrived with them.
  return { context: context === undefined ? undefined : Context.ofBytes(context.slice()), versions };
}

/** Null where it is none. */
function bytesOf(context: Context | string): Uint8Array | null {
  const bytes = (typeof context === "string" ? Context.ofText(context) : context).bytes;
  return bytes === undefined || bytes.length > tokenBytes ? null : bytes;
}

function drawNodeId({ random }: Runtime): NodeId {
  let digits = "";
  for (const byte of random.bytes(8)) digits += byte.toString(16).padStart(2, "0");
  return parseNodeId(digits) as NodeId;
}
