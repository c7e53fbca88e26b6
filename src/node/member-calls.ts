/**
 * How membership talks to other nodes: a question, and its answer or the reason why there is none. `rpc/peers.ts` is
 * what stands behind it; the data path uses that directly, without promises.
 */

import type { NodeId } from "../core/ids.ts";
import type { Address } from "../runtime/network.ts";
import type { Answer, Refusal, RefusalCode, Request } from "../wire/message.ts";

/** No answer came. `failure` says how far the question got, in the words of `rpc/call.ts`. */
export interface NoAnswer {
  readonly kind: "call-failure";
  readonly failure: string;
}

export interface MemberCalls {
  /** Asks a member, wherever its record says it is. Resolves within about `timeoutMs`, and never rejects. */
  ask(node: NodeId, request: Request, timeoutMs: number): Promise<Answer | NoAnswer>;
  /** Asks whoever answers at the address. */
  askAddress(address: Address, request: Request, timeoutMs: number): Promise<Answer | NoAnswer>;
}

/** A question's sender is told why it was not done. Nothing has happened then. */
export function refuse(id: number, ringVersion: number, code: RefusalCode, detail: string): Refusal {
  return { kind: "refusal", id, ringVersion, code, detail, mayHaveHappened: false };
}
