/**
 * The store over HTTP, for browsers, edge runtimes and whatever else has `fetch` and no sockets. The same buckets stand on
 * it as on the native protocol; what it lacks is the ring, so the node that is asked passes requests on.
 *
 * `fetch` does not say whether a request that failed had left. So a read goes to the next address, and a write that got no
 * answer is of unknown fate, always; one that a node refused has not happened, and may go to another.
 */

import { CartwheelError, type ErrorCode, type ErrorFields } from "../client/cartwheel-error.ts";
import { Context } from "../client/context.ts";
import type { GetOptions, RequestOptions, WriteOptions } from "../client/options.ts";
import { Signals } from "../client/signals.ts";
import type { NewVersion, Place, StoredVersion, StoredVersions, Transport, Written } from "../client/transport.ts";
import { flawOfBucketName, flawOfKey, flawOfTimeout } from "../core/request-flaws.ts";
import { problemOf, siblingsOf } from "./answer-body.ts";

export interface HttpTransportOptions {
  /** How long a request may take that says nothing of it, in ms; 2000 where absent. */
  readonly timeoutMs?: number | undefined;
  /** What to send with every request besides. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Used in place of the global one. */
  readonly fetch?: typeof fetch | undefined;
}

const defaultTimeoutMs = 2000;
const longestTimeoutMs = 60_000;
/** How much longer than the request's own time its answer may take to arrive, in ms. */
const graceMs = 50;
/** After every address has failed in passing, they are asked again after so long, in ms. */
const pauseMs = 100;

interface Asked {
  readonly method: "GET" | "PUT" | "DELETE";
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** An answer with its body. */
interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export class HttpTransport implements Transport {
  /** Browsers make a handful of connections to one host, and every request's time runs while it waits for one. */
  readonly manyAtOnce = 16;
  readonly #urls: readonly string[];
  readonly #options: HttpTransportOptions;
  /** The address that answered last. */
  #current = 0;
  #underWay: Set<Promise<unknown>> = new Set();
  readonly #signals: Signals = new Signals();
  #isClosed = false;

  constructor(urls: readonly string[], options: HttpTransportOptions) {
    this.#urls = urls.map((url) => url.replace(/\/+$/, ""));
    this.#options = options;
  }

  async get<R>(place: Place, options: GetOptions, finish: (found: StoredVersions) => R | PromiseLike<R>): Promise<R> {
    const { r, pr, zones } = options;
    const told = await this.#ask(this.#asked("GET", place, options, { r, pr, zones }, {}, undefined));
    return finish(foundOf(told, `get of "${place.key}" in bucket "${place.bucket}"`));
  }

  async write(place: Place, version: NewVersion | undefined, options: WriteOptions): Promise<Written> {
    const { w, pw, dw, zones, context, writeId, ifUnknown } = options;
    if (writeId !== undefined || ifUnknown === "retry") {
      const message = "write ids, and with them retries of writes of unknown fate, need the native protocol";
      throw new CartwheelError({ code: "bad-request", message });
    }
    const headers = {
      ...(context === undefined ? {} : { "cartwheel-context": String(context) }),
      ...(version === undefined ? {} : { "content-type": version.contentType }),
      ...(version?.onlyIfAbsent === true ? { "if-none-match": "*" } : {}),
    };
    const method = version === undefined ? "DELETE" : "PUT";
    const told = await this.#ask(this.#asked(method, place, options, { w, pw, dw, zones }, headers, version?.value));
    const siblings = told.headers.get("cartwheel-siblings");
    return {
      context: Context.ofText(told.headers.get("cartwheel-context") ?? ""),
      siblings: siblings === null ? undefined : Number(siblings),
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#underWay);
  }

  #asked(
    method: Asked["method"],
    { bucket, key }: Place,
    options: RequestOptions,
    query: Readonly<Record<string, string | number | undefined>>,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
  ): Asked {
    const { timeoutMs = this.#options.timeoutMs ?? defaultTimeoutMs, signal } = options;
    const what = `${method.toLowerCase()} of "${key}" in bucket "${bucket}"`;
    const flaw =
      flawOfBucketName(bucket) ??
      flawOfKey(key) ??
      flawOfTimeout(timeoutMs, longestTimeoutMs) ??
      flawOfPath(bucket, key);
    if (flaw !== undefined) throw new CartwheelError({ code: "bad-request", message: `${what}: ${flaw}` });
    const words = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
    const path = `/kv/${encodeURIComponent(bucket)}/${encodeURIComponent(key)}`;
    const target = `${path}?${[...words, `timeout=${timeoutMs}`].join("&")}`;
    return { method, target, headers: { ...this.#options.headers, ...headers }, body, what, timeoutMs, signal };
  }

  /** The answer, of whatever node, that settles the request. Rejects with `CartwheelError`. */
  async #ask(asked: Asked): Promise<Told> {
    if (this.#isClosed) throw new CartwheelError({ code: "closed", message: `${asked.what}: the client is closed` });
    const asking = this.#askInTime(asked);
    this.#underWay.add(asking);
    try {
      return await asking;
    } finally {
      this.#underWay.delete(asking);
    }
  }

  async #askInTime(asked: Asked): Promise<Told> {
    const endsMs = performance.now() + asked.timeoutMs;
    let last: ErrorFields = { code: "unreachable", message: `${asked.what}: no node could be reached` };
    for (let tries = 1; ; tries++) {
      const outcome = await this.#askOne(asked, endsMs);
      if (!("code" in outcome)) return outcome;
      last = outcome;
      const isPassing = ["not-ready", "overloaded", "unreachable"].includes(outcome.code);
      this.#current = (this.#current + 1) % this.#urls.length;
      if (!isPassing || outcome.isUnknown === true || performance.now() + pauseMs >= endsMs) break;
      if (tries % this.#urls.length === 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    throw new CartwheelError(last);
  }

  async #askOne(asked: Asked, endsMs: number): Promise<Told | ErrorFields> {
    const { method, target, headers, body, what, signal } = asked;
    const isWrite = method !== "GET";
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), endsMs - performance.now() + graceMs);
    try {
      if (signal?.aborted === true) return { ...aborted(what, signal), isUnknown: false };
      if (signal !== undefined) this.#signals.add(signal, controller);
      const ask = this.#options.fetch ?? fetch;
      const response = await ask(`${this.#urls[this.#current]}${target}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: body as BodyInit }),
        signal: controller.signal,
      });
      const told = {
        status: response.status,
        headers: response.headers,
        body: new Uint8Array(await response.arrayBuffer()),
      };
      return isAnswer(told, method) ? told : problemOf(told.status, told.body, what);
    } catch (cause) {
      if (signal?.aborted === true) return { ...aborted(what, signal), isUnknown: isWrite };
      const code: ErrorCode = controller.signal.aborted ? "timeout" : isWrite ? "lost" : "unreachable";
      const why = cause instanceof Error ? cause.message : String(cause);
      return { code, message: `${what}: ${code === "timeout" ? "no answer in time" : why}`, isUnknown: isWrite, cause };
    } finally {
      clearTimeout(timer);
      if (signal !== undefined) this.#signals.remove(signal, controller);
    }
  }
}

function isAnswer({ status, headers }: Told, method: Asked["method"]): boolean {
  if (method !== "GET") return status === 204;
  return status === 200 || status === 300 || (status === 404 && headers.get("cartwheel-siblings") === "0");
}

function aborted(what: string, signal: AbortSignal): ErrorFields {
  return { code: "aborted", message: `${what}: its caller gave it up`, cause: signal.reason };
}

/** What no URL can name: its parser takes these for a way up. */
function flawOfPath(bucket: string, key: string): string | undefined {
  const flawed = [bucket, key].find((name) => name === "." || name === "..");
  return flawed === undefined ? undefined : `"${flawed}" cannot be asked for over HTTP`;
}

function foundOf({ status, headers, body }: Told, what: string): StoredVersions {
  const text = headers.get("cartwheel-context");
  const context = text === null ? undefined : Context.ofText(text);
  if (status === 404) return { context, versions: [] };
  if (status === 300) return { context, versions: siblingsOf(body, what) };
  const modified = Date.parse(headers.get("last-modified") ?? "");
  const version: StoredVersion = {
    value: body,
    contentType: headers.get("content-type") ?? "application/octet-stream",
    modified: Number.isNaN(modified) ? undefined : modified,
  };
  return { context, versions: [version] };
}
