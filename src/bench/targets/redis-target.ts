/**
 * Peers that speak Redis's protocol: Redis itself, Dynomite before it, and the like; of several, each is taken to know
 * every key. Requests are spread over all
 * addresses in turn, pipelined, and those of one turn leave with one write, as those of our own client do.
 *
 * A read-modify-write is a GET and a SET: Redis has no context that would tell a lost update.
 */

import { connect, type Socket } from "node:net";
import { type Change, type Done, notFound, type Target } from "../target.ts";
import { type RespAnswer, respAnswerAt, respRequest } from "./resp.ts";

type OnAnswer = (answer: RespAnswer | Error) => void;

export class RedisTarget implements Target {
  readonly #peers: readonly Peer[];
  #turn = 0;

  private constructor(peers: readonly Peer[]) {
    this.#peers = peers;
  }

  /** Connects to every address, `host:port`. */
  static async connect(addresses: readonly string[]): Promise<RedisTarget> {
    return new RedisTarget(await Promise.all(addresses.map((address) => Peer.dial(address))));
  }

  get(key: string, done: Done): void {
    this.#ask(["GET", key], (answer) => {
      const error = errorOf(answer);
      done(error ?? ("value" in answer ? undefined : notFound));
    });
  }

  put(key: string, value: Uint8Array, done: Done): void {
    this.#ask(["SET", key, value], (answer) => done(errorOf(answer)));
  }

  change(key: string, change: Change, done: Done): void {
    this.#ask(["GET", key], (answer) => {
      const error = errorOf(answer);
      if (error !== undefined || answer instanceof Error) done(error);
      else this.put(key, change(answer.value === undefined ? [] : [answer.value]), done);
    });
  }

  async close(): Promise<void> {
    for (const peer of this.#peers) peer.close();
  }

  #ask(words: readonly (string | Uint8Array)[], onAnswer: OnAnswer): void {
    const peer = this.#peers[this.#turn++ % this.#peers.length] as Peer;
    peer.ask(respRequest(words), onAnswer);
  }
}

function errorOf(answer: RespAnswer | Error): Error | undefined {
  if (answer instanceof Error) return answer;
  return answer.error === undefined ? undefined : new Error(answer.error);
}

/** One connection, whose answers come in the order of the requests. */
class Peer {
  readonly #socket: Socket;
  readonly #address: string;
  #waiting: OnAnswer[] = [];
  #answered = 0;
  #rest: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;

  private constructor(socket: Socket, address: string) {
    this.#socket = socket;
    this.#address = address;
    socket.on("data", (bytes: Buffer) => this.#onBytes(bytes));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error(`${address} closed the connection`)));
  }

  static dial(address: string): Promise<Peer> {
    const { hostname, port } = new URL(`redis://${address}`);
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port), noDelay: true });
    return new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Peer(socket, address));
      });
    });
  }

  ask(request: Buffer, onAnswer: OnAnswer): void {
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      setImmediate(() => onAnswer(failure));
      return;
    }
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      setImmediate(() => this.#socket.uncork());
    }
    this.#waiting.push(onAnswer);
    this.#socket.write(request);
  }

  close(): void {
    this.#socket.destroy();
  }

  #onBytes(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    try {
      for (let answer = respAnswerAt(all, at); answer !== undefined; answer = respAnswerAt(all, at)) {
        at = answer.end;
        this.#next()?.(answer);
      }
    } catch (error) {
      this.#fail(new Error(`${this.#address}: ${(error as Error).message}`));
      this.close();
    }
    this.#rest = all.subarray(at);
  }

  /** The oldest that waits. What was answered is cut off now and then: to shift the list each time would move it. */
  #next(): OnAnswer | undefined {
    const next = this.#waiting[this.#answered++];
    if (this.#answered >= 1024) {
      this.#waiting = this.#waiting.slice(this.#answered);
      this.#answered = 0;
    }
    return next;
  }

  #fail(failure: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    const waiting = this.#waiting.slice(this.#answered);
    this.#waiting = [];
    for (const onAnswer of waiting) onAnswer(failure);
  }
}
