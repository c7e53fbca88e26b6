/** What becomes of a call to another node, in the words its caller hears. */

import type { NodeId } from "../core/ids.ts";
import type { Answer } from "../wire/message.ts";

/**
 * Why a call has no answer.
 * - `not-sent`: the request has certainly not reached the peer.
 * - `overloaded`: the same, because too much waits to leave for that peer.
 * - `lost`: its connection went; the peer may have got it, and may have done it.
 * - `timed-out`: no answer in time; likewise.
 */
export type CallFailure = "not-sent" | "overloaded" | "lost" | "timed-out";

/**
 * Hears of calls, told apart by the `tag` each was made with. Of every call it hears exactly once, never from within
 * the call itself.
 */
export interface AnswerHandler {
  /**
   * It would rather wait to its deadline for a side that is suspected to be down than hear of the suspicion; with
   * `once-sent`, only where the request has left, and so may have been done.
   */
  readonly isPatient?: boolean | "once-sent";
  onAnswer(from: NodeId, answer: Answer, tag: number): void;
  onFailure(from: NodeId, failure: CallFailure, tag: number): void;
}

/** A call's failure, as a value beside the answers. */
export interface FailedCall {
  readonly kind: "call-failure";
  readonly failure: CallFailure;
}
