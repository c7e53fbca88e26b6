/**
 * What one exchange asks of its peer: it counts what that costs, waits where the other is busy, and ends the exchange
 * where going on makes no sense, from wherever that is found out.
 */

import { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { NodeId } from "../core/ids.ts";
import type { Ring } from "../core/ring/ring.ts";
import { allChanges } from "../core/seats/filled.ts";
import { Pause } from "../runtime/pause.ts";
import { encodeMessage } from "../wire/codec.ts";
import type { Answer, Message, Request } from "../wire/message.ts";
import { type Coordination, callTroubles } from "./coordination.ts";
import type { ExchangeTotals } from "./exchange.ts";

/** Nobody waits for an exchange: a call may take longer than a client's request. */
const callTimeoutMs = 5000;
/** A peer that makes lists for others is asked again after so long, in ms, and so often. */
const busyMs = 20;
const mostWaits = 500;

/** Ends an exchange. `not-ready`: the peer may be asked again soon. */
export class BrokenOff extends Error {
  readonly kind: "not-ready" | "failed";

  constructor(kind: "not-ready" | "failed", why: string) {
    super(why);
    this.kind = kind;
  }
}

export interface ExchangeCallsParts {
  readonly node: Coordination;
  readonly peer: NodeId;
  readonly totals: ExchangeTotals;
  readonly isStopped: () => boolean;
}

export class ExchangeCalls {
  /** As it was when the exchange began; one that knows other buckets ends it. */
  readonly ring: Ring;
  /** Names all changes of n that it knows: one that knows others has its keys in other trees. */
  readonly changes: number;
  readonly #parts: ExchangeCallsParts;
  readonly #scratch: ByteWriter = new ByteWriter(4096);
  #waits = 0;

  constructor(parts: ExchangeCallsParts) {
    this.ring = parts.node.ring();
    this.changes = allChanges(this.ring.eras).hash;
    this.#parts = parts;
  }

  /** Ends the exchange if it may not go on now. */
  mustBeCurrent(): void {
    const { node, isStopped } = this.#parts;
    if (isStopped()) throw new BrokenOff("failed", "this node stops");
    if (!node.isServing()) throw new BrokenOff("not-ready", "this node does not serve");
    if (node.ring().buckets !== this.ring.buckets) throw new BrokenOff("not-ready", "a bucket has changed");
  }

  /** The answer, or a refusal that concerns this request alone; any other ends the exchange. */
  async ask(request: Request, timeoutMs: number = callTimeoutMs): Promise<Answer> {
    this.mustBeCurrent();
    const { node, peer, totals } = this.#parts;
    totals.bytesSent += this.#sizeOf(request);
    const answer = await node.peers.ask(peer, request, timeoutMs);
    if (answer.kind === "call-failure") throw new BrokenOff("failed", callTroubles[answer.failure]);
    totals.bytesReceived += this.#sizeOf(answer);
    if (answer.kind !== "refusal") return answer;
    if (answer.code === "overloaded" && request.kind === "list-keys" && this.#waits < mostWaits) {
      this.#waits += 1;
      await new Pause(node.runtime.clock).wait(busyMs);
      return this.ask(request, timeoutMs);
    }
    if (answer.code === "stale-ring") node.ringDiffers(peer);
    const isPassing = answer.code === "stale-ring" || answer.code === "not-ready" || answer.code === "overloaded";
    if (isPassing) throw new BrokenOff("not-ready", answer.detail);
    return answer;
  }

  /** Ends the exchange: this is no answer to that. */
  nonsense(request: Pick<Request, "kind">, answer: Answer): never {
    const why = answer.kind === "refusal" ? `${answer.code}: ${answer.detail}` : "an answer that makes no sense";
    throw new BrokenOff("failed", `${request.kind} was answered with ${why}`);
  }

  /** What the message takes on the wire, without its part of a frame. */
  #sizeOf(message: Message): number {
    const bodies: Uint8Array[] = [];
    this.#scratch.reset();
    encodeMessage(this.#scratch, bodies, message, 0);
    return bodies.reduce((sum, body) => sum + body.length, this.#scratch.length);
  }
}
