/**
 * Calls as promises, for whoever asks rarely: gossip, joins, changes of placement. Nobody's request waits for them, and
 * some need every member's answer: on a bad network they would never get that if they heard of every suspicion.
 */

import type { NodeId } from "../core/ids.ts";
import type { Answer } from "../wire/message.ts";
import type { AnswerHandler, CallFailure, FailedCall } from "./call.ts";

export class Asks implements AnswerHandler {
  readonly isPatient: boolean = true;
  readonly #waiting: Map<number, (outcome: Answer | FailedCall) => void> = new Map();
  #lastTag = 0;

  /** A promise for the outcome of the call that `start` makes with the tag it is given. */
  ask(start: (tag: number) => void): Promise<Answer | FailedCall> {
    const tag = ++this.#lastTag;
    return new Promise((resolve) => {
      this.#waiting.set(tag, resolve);
      start(tag);
    });
  }

  onAnswer(_from: NodeId, answer: Answer, tag: number): void {
    this.#settle(tag, answer);
  }

  onFailure(_from: NodeId, failure: CallFailure, tag: number): void {
    this.#settle(tag, { kind: "call-failure", failure });
  }

  #settle(tag: number, outcome: Answer | FailedCall): void {
    const resolve = this.#waiting.get(tag);
    this.#waiting.delete(tag);
    resolve?.(outcome);
  }
}
