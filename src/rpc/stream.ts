/**
 * One connection's two directions: messages of a turn go out in one write, bytes come in as messages, and the first
 * nonsense ends it. What the messages mean is its owner's affair: `channel.ts` where we asked, `server.ts` where we
 * are asked.
 *
 * Hot path.
 */

import type { Limits } from "../core/limits.ts";
import type { Connection } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { FrameError } from "../wire/frame.ts";
import { FrameDecoder } from "../wire/frame-decoder.ts";
import { FrameEncoder } from "../wire/frame-encoder.ts";
import { encodePreamble, ownVersions } from "../wire/hello.ts";
import type { Hello, Message } from "../wire/message.ts";
import type { CloseCause, RpcCounters } from "./counters.ts";
import { FrameAge } from "./frame-age.ts";
import { helloFrameBytes } from "./handshake.ts";

/** Whoever makes sense of the messages. It may close the stream at any time. */
export interface StreamOwner {
  onMessage(message: Message, nowMs: number): void;
  /** What arrived is nonsense: the owner closes the stream, perhaps after a last word. */
  onNonsense(error: FrameError): void;
  /** While reading is paused: less waits to leave than before. */
  onRoom(): void;
}

export class Stream {
  readonly #runtime: Runtime;
  readonly #limits: Limits;
  readonly #counters: RpcCounters;
  readonly #owner: StreamOwner;
  readonly #encoder: FrameEncoder;
  readonly #decoder: FrameDecoder;
  readonly #age: FrameAge;
  readonly #onEndOfTurn: () => void = () => {
    this.#isFlushPlanned = false;
    this.flush();
  };
  #connection: Connection | undefined;
  #isFlushPlanned = false;
  #isClosed = false;
  #isPaused = false;
  #turn = 0;
  #heardMs: number;

  constructor(runtime: Runtime, limits: Limits, counters: RpcCounters, owner: StreamOwner) {
    this.#runtime = runtime;
    this.#limits = limits;
    this.#counters = counters;
    this.#owner = owner;
    this.#age = new FrameAge(runtime.clock.monotonicMs());
    const sentMs = (): number => this.#age.stamp(runtime.clock.monotonicMs());
    this.#encoder = new FrameEncoder(runtime.checksum, limits.frameBytes, sentMs);
    this.#decoder = new FrameDecoder(runtime.checksum, Math.min(helloFrameBytes, limits.frameBytes));
    this.#heardMs = runtime.clock.monotonicMs();
  }

  /** Gives the stream its connection, once, before anything else is asked of it. */
  attach(connection: Connection): void {
    this.#connection = connection;
    this.#counters.connections++;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** When bytes last came, on the monotonic clock; at first, when the stream was made. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** How long the message that is being handled was under way beyond what others were lately, in ms. */
  get lagMs(): number {
    return this.#age.lagMs;
  }

  /** Bytes that wait to leave. */
  get queuedBytes(): number {
    return this.#encoder.pendingBytes + (this.#connection?.queuedBytes ?? 0);
  }

  /** Bytes written that the network has not taken. */
  get unsentBytes(): number {
    return this.#connection?.queuedBytes ?? 0;
  }

  /** Grows by one with every write: what was sent in an earlier turn has left this process. */
  get turn(): number {
    return this.#turn;
  }

  get remote(): string {
    return this.#connection?.remote ?? "";
  }

  /** The first bytes of every connection: the preamble and who this is. They leave at once. */
  greet(hello: Hello): void {
    if (this.#isClosed) return;
    const preamble = encodePreamble(ownVersions);
    this.#encoder.add(hello, 0);
    const chunks = [preamble, ...this.#encoder.take()];
    this.#count(chunks, 1);
    this.#write(chunks);
  }

  /** The other side has said who it is and is welcome: it may send longer frames. */
  welcome(frameBytes: number = this.#limits.frameBytes): void {
    this.#decoder.frameBytes = Math.min(frameBytes, this.#limits.frameBytes);
  }

  /** Sends with the rest of this turn. False if the message is too long for a frame, or the stream is closed. */
  send(message: Message, id: number): boolean {
    if (this.#isClosed || !this.#encoder.add(message, id)) return false;
    if (!this.#isFlushPlanned) {
      this.#isFlushPlanned = true;
      this.#runtime.clock.endOfTurn(this.#onEndOfTurn);
    }
    return true;
  }

  /** Bytes from the connection. */
  take(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#counters.bytesIn += bytes.length;
    this.#decoder.push(bytes);
    this.#read();
  }

  /** Sends now what would leave at the end of the turn. */
  flush(): void {
    if (this.#isClosed) return;
    const messages = this.#encoder.pendingMessages;
    const chunks = this.#encoder.take();
    if (chunks.length === 0) return;
    this.#turn++;
    this.#count(chunks, messages);
    this.#write(chunks);
    if (this.#isPaused) this.#owner.onRoom();
  }

  /** No message comes until `resumeReading`, not even one that has arrived already. */
  pauseReading(): void {
    if (this.#isClosed || this.#isPaused) return;
    this.#isPaused = true;
    this.#connection?.pauseReading();
  }

  /** Goes on with the messages that have arrived, and then with the connection. */
  resumeReading(): void {
    if (this.#isClosed || !this.#isPaused) return;
    this.#isPaused = false;
    this.#read();
    if (!this.#isPaused && !this.#isClosed) this.#connection?.resumeReading();
  }

  /** The connection has taken everything. */
  drained(): void {
    if (this.#isPaused && !this.#isClosed) this.#owner.onRoom();
  }

  /** Ends it, now. False if it had ended before. The connection's `onClose` still follows. */
  close(cause: CloseCause, reason: string): boolean {
    if (this.#isClosed) return false;
    this.#isClosed = true;
    this.#counters.connections--;
    this.#counters.closed[cause]++;
    this.#connection?.close(reason);
    return true;
  }

  #read(): void {
    const nowMs = this.#runtime.clock.monotonicMs();
    this.#heardMs = nowMs;
    while (!this.#isClosed && !this.#isPaused) {
      let message: Message | undefined;
      try {
        message = this.#decoder.next();
        if (message !== undefined) this.#mustBeYoung(nowMs);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        this.#owner.onNonsense(error);
        return;
      }
      if (message === undefined) return;
      this.#counters.messagesIn++;
      this.#owner.onMessage(message, nowMs);
    }
  }

  /** What was sent too long ago may say what the cluster has agreed to forget meanwhile. */
  #mustBeYoung(nowMs: number): void {
    const ageMs = this.#age.ageMs(nowMs, this.#decoder.sentMs);
    const { messageLifeMs } = this.#limits;
    if (ageMs > messageLifeMs) throw new FrameError("too-old", `a frame of ${ageMs} ms; the limit is ${messageLifeMs}`);
  }

  #write(chunks: readonly Uint8Array[]): void {
    if (this.#connection?.write(chunks) === true) this.#encoder.giveBack();
  }

  #count(chunks: readonly Uint8Array[], messages: number): void {
    this.#counters.writes++;
    this.#counters.messagesOut += messages;
    for (let i = 0; i < chunks.length; i++) this.#counters.bytesOut += (chunks[i] as Uint8Array).length;
  }
}
