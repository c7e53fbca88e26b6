/**
 * The web interface, asked as many clients would: so many connections kept alive, each with one request at a time.
 *
 * Answers are read no further than what a load wants to know, status and length: a client library would cost more than
 * the server that is measured.
 */

import { connect, type Socket } from "node:net";
import { type Change, type Done, notFound, type Target } from "../target.ts";

const headEnd = "\r\n\r\n";

interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly context: string | undefined;
}
type OnAnswer = (answer: HttpAnswer | Error) => void;

export interface HttpTargetOptions {
  /** Origin and path before the keys: `http://127.0.0.1:7480/kv/bench`. */
  readonly base: string;
  /** What follows each key: `?r=1`, or nothing. */
  readonly query?: string;
  readonly connections: number;
}

export class HttpTarget implements Target {
  readonly #connections: readonly Connection[];
  readonly #free: Connection[];
  /** Operations that wait for a connection. */
  readonly #waiting: ((connection: Connection) => void)[] = [];
  readonly #path: string;
  readonly #query: string;
  readonly #host: string;

  private constructor(connections: readonly Connection[], url: URL, query: string) {
    this.#connections = connections;
    this.#free = [...connections];
    this.#path = url.pathname;
    this.#query = query;
    this.#host = url.host;
  }

  static async connect({ base, query = "", connections }: HttpTargetOptions): Promise<HttpTarget> {
    const url = new URL(base);
    const all = await Promise.all(Array.from({ length: connections }, () => Connection.dial(url)));
    return new HttpTarget(all, url, query);
  }

  get(key: string, done: Done): void {
    this.#ask("GET", key, "", "", (answer) => done(errorOf(answer)));
  }

  put(key: string, value: Uint8Array, done: Done): void {
    this.#ask("PUT", key, value, "", (answer) => done(errorOf(answer)));
  }

  change(key: string, change: Change, done: Done): void {
    this.#ask("GET", key, "", "", (found) => {
      const error = errorOf(found);
      if (found instanceof Error || (error !== undefined && error !== notFound)) return done(error);
      const value = change(error === notFound ? [] : [found.body]);
      const context = found.context === undefined ? "" : `Cartwheel-Context: ${found.context}\r\n`;
      this.#ask("PUT", key, value, context, (answer) => done(errorOf(answer)));
    });
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.close();
  }

  #ask(method: string, key: string, body: Uint8Array | string, headers: string, onAnswer: OnAnswer): void {
    const length = method === "PUT" ? `Content-Length: ${body.length}\r\n` : "";
    const target = `${this.#path}/${encodeURIComponent(key)}${this.#query}`;
    const head = `${method} ${target} HTTP/1.1\r\nHost: ${this.#host}\r\n${headers}${length}\r\n`;
    const send = (connection: Connection): void => {
      connection.ask(head, body, (answer) => {
        const next = this.#waiting.shift();
        if (next === undefined) this.#free.push(connection);
        onAnswer(answer);
        next?.(connection);
      });
    };
    const free = this.#free.pop();
    if (free === undefined) this.#waiting.push(send);
    else send(free);
  }
}

function errorOf(answer: HttpAnswer | Error): Error | undefined {
  if (answer instanceof Error) return answer;
  if (answer.status === 404) return notFound;
  return answer.status < 300 ? undefined : new Error(`${answer.status}: ${answer.body.toString("utf8", 0, 200)}`);
}

/** One connection, with at most one request under way. */
class Connection {
  readonly #socket: Socket;
  #onAnswer: OnAnswer | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#onBytes(bytes));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error(`${host} closed the connection`)));
  }

  static dial({ hostname, port, host }: URL): Promise<Connection> {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80), noDelay: true });
    return new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Connection(socket, host));
      });
    });
  }

  ask(head: string, body: Uint8Array | string, onAnswer: OnAnswer): void {
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      setImmediate(() => onAnswer(failure));
      return;
    }
    this.#onAnswer = onAnswer;
    if (body.length > 0) this.#socket.cork();
    this.#socket.write(head, "latin1");
    if (body.length > 0) {
      this.#socket.write(body);
      this.#socket.uncork();
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #onBytes(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#rest = all;
    const headAt = all.indexOf(headEnd, 0, "latin1");
    if (headAt < 0) return;
    const head = all.toString("latin1", 0, headAt);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
    const length = status === 204 ? 0 : Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1]);
    if (Number.isNaN(status) || Number.isNaN(length)) {
      this.#fail(new Error(`not an answer with a length: ${head.slice(0, 100)}`));
      return this.close();
    }
    const end = headAt + headEnd.length + length;
    if (all.length < end) return;
    this.#rest = all.subarray(end);
    const context = /\r\ncartwheel-context: *([^\r]+)/i.exec(head)?.[1];
    const onAnswer = this.#onAnswer;
    this.#onAnswer = undefined;
    onAnswer?.({ status, body: all.subarray(headAt + headEnd.length, end), context });
  }

  #fail(failure: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#onAnswer?.(failure);
    this.#onAnswer = undefined;
  }
}
